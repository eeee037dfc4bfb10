"""The lexer: what separates tokens, comments, annotations, characters that must not be there."""

from __future__ import annotations

import pytest

from wasm_text import TextError, assemble
from wasm_text.tokens import IDENTIFIER, LEFT, NUMBER, QUOTED, RESERVED, RIGHT, STRING, WORD, Tokens


def tokens(text: str) -> list[tuple[int, str]]:
    found = Tokens(text)
    return [(found.kinds[number], found.word(number)) for number in range(found.count)]


def test_kinds() -> None:
    assert tokens('(a.b $c -1 "d\\"" $"e f" $g"h" 0$i j,) ;; k') == [
        *((LEFT, "("), (WORD, "a.b"), (IDENTIFIER, "$c"), (NUMBER, "-1"), (STRING, '"d\\""'), (QUOTED, '$"e f"')),
        *((RESERVED, '$g"h"'), (NUMBER, "0$i"), (RESERVED, "j,"), (RIGHT, ")")),
    ]


def test_comments() -> None:
    assert [word for _, word in tokens("a(;b;)c;;d\ne(;f(;g;)\n(;;);)h;;i\rj")] == ["a", "c", "e", "h", "j"]


def test_annotations_are_apart() -> None:
    found = Tokens('(a (@b c "d)" ((@e x,y))) (@"f" ;;)\n) g)')
    assert [found.word(number) for number in range(found.count)] == ["(", "a", "g", ")"]
    assert [(a.name, found.text[a.start : a.end][:4]) for a in found.annotations[2]] == [("b", "(@b "), ('"f"', '(@"f')]


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("(\n ß)", "illegal character", 2, 2),
        ('(a "b\n")', "unclosed string", 1, 4),
        ('(a "b\x01c")', "illegal character", 1, 6),
        ('(a "b', "unclosed string", 1, 4),
        ("a (; b (; c ;)", "unclosed comment", 1, 3),
        ("(a (@b (c)", "unclosed annotation", 1, 4),
        ("(@ a)", "empty annotation id", 1, 1),
        ('(@"" a)', "empty annotation id", 1, 1),
        ("(a $ b)", "empty identifier", 1, 4),
        ("a\r\nb\r\r\n  ß", "illegal character", 4, 3),
    ],
)
def test_errors(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(TextError) as info:
        Tokens(text)
    assert info.value.message.startswith(message)
    assert (info.value.line, info.value.column) == (line, column)


def test_deep_and_long_comments_take_linear_time() -> None:
    # A pattern that tries again from every "(;" would take minutes.
    Tokens("(;" * 100_000 + ";)" * 100_000)
    Tokens("(;" + "( " * 1_000_000 + ";)")
    with pytest.raises(TextError, match="unclosed comment"):
        Tokens("(;" * 200_000)
    with pytest.raises(TextError, match="unclosed string"):
        Tokens('"' + "\\" * 1_000_000)
    with pytest.raises(TextError):
        Tokens("$" + '"' * 500_001)


def test_bytes_that_are_not_utf8() -> None:
    with pytest.raises(TextError, match="malformed UTF-8 encoding") as info:
        assemble(b"(module)\n (func) \xff")
    assert (info.value.line, info.value.column) == (2, 9)
