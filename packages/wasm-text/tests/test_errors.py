"""Errors: their words, their places, and what they suggest."""

from __future__ import annotations

import copy
import pickle

import pytest

from wasm_core import MalformedError
from wasm_text import TextError, assemble


def error_of(text: str) -> TextError:
    with pytest.raises(TextError) as info:
        assemble(text, file="a.wat")
    return info.value


@pytest.mark.parametrize(
    ("text", "message", "suggestion"),
    [
        ("(func (i32.ad))", "unknown operator i32.ad", "i32.and"),
        ("(func (get_local 0))", "unknown operator get_local", "local.get"),
        ("(func (param anyfunc))", "unknown operator anyfunc", "funcref"),
        ("(func $compute) (func (call $compite))", "unknown function $compite", "$compute"),
        ("(func (param $index i32) (drop (local.get $indx)))", "unknown local $indx", "$index"),
        ("(func (block $outer (br $oter)))", "unknown label $oter", "$outer"),
        ("(func (global.get $g))", "unknown global $g", ""),
        ("(func (block $a end $a))", "unexpected token end", ""),
        ("(func block $a end $b)", "mismatching label $b", ""),
        ("(func (i32.add 1))", "unexpected token 1", ""),
        ("(func (i32.const))", "unexpected token )", ""),
        ("(func (i32.const 0x1_0000_0000))", "constant out of range", ""),
        ("(func (if (i32.const 0)))", "unexpected token )", ""),
        ("(func (if (then) (then)))", "unexpected token (then", ""),
        ("(func else)", "unexpected token else", ""),
        ("(func end)", "unexpected token end", ""),
        ("(func block)", "unexpected token )", ""),
        ("(func (block)", "unexpected end", ""),
        ("(func) func", "unexpected token func", ""),
        ("(fun)", "unknown operator fun", "func"),
        ("(func (type $t))", "unknown type $t", ""),
        ("(func (memory.fill", "unexpected end", ""),
        ('(import "a" "b" (fnc))', "unknown operator fnc", "func"),
        ("(func (catch_all))", "unexpected token (catch_all", ""),
        ("(func (delegate 0))", "unexpected token (delegate", ""),
        ("(func try_table delegate 0)", "unexpected token delegate", ""),
        ("(memory 1 (pagesize 3))", "invalid custom page size", ""),
        ("(func (v128.const i32x4 1 2 3))", "wrong number of lane literals", ""),
        ('(data "\\x")', "illegal escape", ""),
        ('(data "\\u{d800}")', "malformed UTF-8 encoding", ""),
        ('(func (export "\\ff"))', "malformed UTF-8 encoding", ""),
    ],
)
def test_messages(text: str, message: str, suggestion: str) -> None:
    error = error_of(text)
    assert error.message.startswith(message)
    assert error.suggestion == suggestion


def test_what_an_error_shows() -> None:
    error = error_of("(module\n\t(func $f\n\t\t(call $g)))")
    assert (error.file, error.line, error.column, error.length) == ("a.wat", 3, 9, 2)
    assert str(error) == "a.wat:3:9: unknown function $g\n  3 |   (call $g)))\n    |         ^^"
    assert isinstance(error, MalformedError)


def test_what_was_expected() -> None:
    assert error_of("(func (result i32) (select (result 5)))").expected == "a value type"
    assert error_of("(global i32").message.startswith("unexpected end")
    assert error_of("(func (if (i32.const 1) (drop)))").expected == '"(then"'


def test_several_errors() -> None:
    error = error_of("(func (call $a))\n(func (call $b))\n(func)\n(func (call $c))")
    assert [(e.line, e.message) for e in error.errors] == [
        (1, "unknown function $a"),
        (2, "unknown function $b"),
        (4, "unknown function $c"),
    ]
    assert str(error).count("\n") == 8


def test_not_too_many_errors() -> None:
    assert len(error_of("(func (call $a))" * 100).errors) == 20


def test_long_lines_are_shown_in_part() -> None:
    error = error_of("(func " + "(nop) " * 10000 + "(call $g)" + " (nop)" * 10000 + ")")
    shown, marks = error.excerpt.splitlines()
    assert len(shown) < 200
    assert shown[marks.index("^") :].startswith("$g")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_errors_can_be_copied(again: object) -> None:
    error = error_of("(func (call $a))\n(func (cal $b))")
    made = again(error)  # type: ignore[operator]
    assert str(made) == str(error)
    assert made.errors[0] is made
    assert (made.line, made.message, made.suggestion) == (error.line, error.message, error.suggestion)
