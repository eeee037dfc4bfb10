"""Modules of text: sources, places in errors and traps, and the commands."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from pathlib import Path

import pytest

pytest.importorskip("wasm_text", reason="needs wasm-text")

import wasmetal
from wasmetal import Config, Engine, InvalidError, MalformedError, Module, Trap, validate

DIVIDE = """(module
  (func $inner (param $x i32) (result i32)
    (i32.div_s
      (i32.const 10)
      (local.get $x)))
  (func $outer (export "divide") (param i32) (result i32)
    (call $inner (local.get 0))))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "divide.wat"
    found.write_text(DIVIDE)
    return found


def test_text_and_paths(path: Path) -> None:
    for source in (DIVIDE, f"\n ;; comment\n{DIVIDE}", str(path), path):
        assert wasmetal.instantiate(source).exports.divide(5) == 2


def test_a_binary_with_the_name_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.wat"
    path.write_bytes(Module(DIVIDE).source)
    assert Module(path).source == path.read_bytes()


def test_traps_name_the_place(path: Path) -> None:
    for source, name in ((DIVIDE, "<text>"), (path, str(path))):
        instance = Engine(Config()).compile(source).instantiate()
        with pytest.raises(Trap) as caught:
            instance.exports.divide(0)
        assert [frame.text_place for frame in caught.value.frames] == [f"{name}:3:6", f"{name}:7:6"]
        assert [frame.function_name for frame in caught.value.frames] == ["inner", "outer"]


def test_traps_of_binaries_have_no_such_place() -> None:
    instance = Engine(Config()).compile(Module(DIVIDE).source).instantiate()
    with pytest.raises(Trap) as caught:
        instance.exports.divide(0)
    assert [frame.text_place for frame in caught.value.frames] == [None, None]


def test_the_place_is_known_when_code_was_deleted() -> None:
    engine = Engine(Config())
    module = engine.compile(DIVIDE)
    engine.delete_compiled_module(module)
    with pytest.raises(Trap) as caught:
        module.instantiate().exports.divide(0)
    assert caught.value.frames[0].text_place == "<text>:3:6"


def test_pickled_modules_are_binaries() -> None:
    module = pickle.loads(pickle.dumps(Module(DIVIDE)))
    assert module.instantiate().exports.divide(2) == 5


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('(func (export "f") (result i32)\n  (i64.const 1))', 2),
        ("(func)\n(global i32\n  (f32.const 1))", 2),
        ('(func)\n(export "a" (func 0))\n(export "a" (func 0))', 2),
        ("(func)\n(func)\n(func (drop))", 3),
    ],
)
def test_invalid_text(text: str, line: int) -> None:
    for attempt in (Module, validate):
        with pytest.raises(InvalidError) as caught:
            attempt(text)
        (note,) = caught.value.__notes__
        assert note.startswith("<text>:"), note
        assert int(note.split(":")[1]) in (line, line + 1)


def test_invalid_text_that_is_validated_late() -> None:
    module = Engine(Config(validation="lazy")).compile('(func (export "f") (result i32)\n  (i64.const 1))')
    with pytest.raises(InvalidError) as caught:
        module.instantiate().exports.f()
    assert caught.value.__notes__[0].startswith("<text>:2:")


def test_malformed_text() -> None:
    with pytest.raises(MalformedError, match=r"<text>:2:3: unknown operator i32.cosnt; did you mean i32.const\?"):
        Module("(func\n (i32.cosnt 1))")


def test_errors_with_notes_can_be_copied() -> None:
    with pytest.raises(InvalidError) as caught:
        Module("(func (drop))")
    assert copy.copy(caught.value).message == caught.value.message


# The command line.


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_wat_and_back(say, path: Path, tmp_path: Path) -> None:
    code, text, _ = say("wat", path)
    assert code == 0
    assert '(func $outer (export "divide") (param $p0 i32) (result i32)' in text
    again = tmp_path / "again.wat"
    again.write_text(text)
    assert say("wat", again) == (0, text, "")
    assert say("wat2wasm", again) == (0, "", "")
    assert say("wat", tmp_path / "again.wasm") == (0, text, "")
    assert "(;@" in say("wat", "--offsets", path)[1]
    assert "(call 0)" not in say("wat", "--flat", "--no-names", path)[1]


def test_wat2wasm_to_a_pipe(say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    standard_input(monkeypatch, b"(module)")
    code, out, _ = say("wat2wasm", "-")
    assert (code, out) == (0, "\0asm\1\0\0\0")
    standard_input(monkeypatch, b"(module)")
    assert say("wat2wasm", "-", "-o", tmp_path / "a.wasm")[0] == 0
    assert (tmp_path / "a.wasm").read_bytes() == b"\0asm\1\0\0\0"


def test_commands_take_text(say, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert say("run", "--invoke", "divide", path, "5") == (0, "2\n", "")
    assert say("validate", path)[0] == 0
    assert "divide" in say("inspect", path)[1]
    assert "div" in say("ir", path, "inner")[1]
    standard_input(monkeypatch, DIVIDE.encode())
    assert say("run", "--invoke", "divide", "-", "5") == (0, "2\n", "")
    standard_input(monkeypatch, Module(DIVIDE).source)
    assert say("validate", "-") == (0, "-: valid\n", "")


def test_commands_say_what_is_wrong_with_text(say, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, error = say("run", "--invoke", "divide", path, "0")
    assert code == 134
    assert f"0: inner (function 0) at {path}:3:6" in error
    path.write_text("(func\n (i32.cosnt 1))")
    for command in ("validate", "run", "wat", "wat2wasm", "inspect"):
        code, _, error = say(command, path)
        assert code == 1
        assert error.splitlines() == [
            f"wasmetal: {path}:2:3: unknown operator i32.cosnt; did you mean i32.const?",
            "  2 |  (i32.cosnt 1))",
            "    |   ^^^^^^^^^",
        ]
    monkeypatch.setitem(sys.modules, "wasm_text", None)
    for command in ("validate", "wat2wasm", "wat", "wast"):
        code, _, error = say(command, path)
        assert (code, error.count("pip install wasm-text")) == (1, 1), command


SCRIPT = """
(module $m (func (export "f") (param i32) (result i32) (local.get 0)) (global (export "g") f32 (f32.const nan)))
(assert_return (invoke "f" (i32.const 1)) (i32.const 1))
(assert_return (get $m "g") (f32.const nan:canonical))
(assert_return (invoke "f" (i32.const 1)) (either (i32.const 2) (i32.const -1)))
(register "m")
(assert_unlinkable (module (import "m" "h" (func))) "unknown import")
(assert_trap (module (func unreachable) (start 0)) "unreachable")
(assert_invalid (module (func drop)) "type mismatch")
(assert_malformed (module quote "(func") "unexpected end")
(assert_malformed (module quote "(func)") "unexpected end")
(module definition $d (func (export "f")))
(module instance $i $d)
(invoke $i "f")
"""


def test_wast(say, tmp_path: Path) -> None:
    script = tmp_path / "script.wast"
    script.write_text(SCRIPT)
    code, out, _ = say("wast", script)
    assert code == 1
    assert out.splitlines() == [
        f"{script}:5: assert_return: bits 0x1 instead of either [i32 2, i32 -1]",
        f"{script}:11: assert_malformed: accepted, instead of 'unexpected end'",
        f"{script}: 11 passed, 2 failed",
    ]
    script.write_text("(assert_return)")
    code, _, error = say("wast", script)
    assert code == 1
    assert f"{script}:1:15: unexpected token )" in error
