"""What a module says is quoted: bounded, on one line, printable."""

from __future__ import annotations

from wasm_core.quoting import MAX_LISTED, MAX_QUOTED, listed, quoted, shown, similar

_LONG = "a" * (4 << 20)


def test_short_names_stay() -> None:
    assert (shown("name"), quoted("name"), quoted(None)) == ("name", "'name'", "None")
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == ""


def test_long_names_are_cut_off() -> None:
    assert len(shown(_LONG)) == MAX_QUOTED
    assert shown(_LONG).endswith("...")
    assert len(quoted(_LONG)) == MAX_QUOTED + 2
    assert len(shown(_LONG, 10)) == 10
    assert len(listed([_LONG] * 1000)) < MAX_LISTED * (MAX_QUOTED + 2) + 30
    assert listed([_LONG] * 1000).endswith("and 980 more")


def test_what_would_steer_a_terminal_is_escaped() -> None:
    name = "a\x1b[2J\r\n\u202e\x9b\ud800b"
    for text in (shown(name), quoted(name), listed([name])):
        assert text.isprintable()
    assert len(shown("\U000e0001" * MAX_QUOTED)) <= 10 * MAX_QUOTED


def test_similar_names() -> None:
    assert similar("dvi", ["add", "div"]) == "; did you mean 'div'?"
    assert similar("zzz", ["add", "div"]) == ""
    # Comparing takes time that grows with both.
    assert similar(_LONG, ["add"]) == ""
    assert similar("add", [_LONG]) == ""
