"""Printed modules: how they look, and what must not stop the printer."""

from __future__ import annotations

import pytest

from wasm_core import MalformedError, decode
from wasm_text import assemble
from wasm_text.printer import format

LOOKS = """(module $m
  (type $type0 (func (param i32 i32) (result i32)))
  (type $type1 (func (param i32)))
  (import "env" "log" (func $log (param i32)))
  (memory $memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  (func $sum (export "sum") (param $a i32) (param $b i32) (result i32)
    (local $i i32)
    (loop $next
      (call $log (local.get $i))
      (br_if $next
        (i32.lt_u
          (local.tee $i (i32.add (local.get $i) (i32.const 1)))
          (i32.load offset=4 align=2 (local.get $b))))
    )
    (if (result i32)
      (local.get $a)
      (then (local.get $i))
      (else
        (nop)
        (f32.store (i32.const 0) (f32.const 0.1))
        (i32.const -1)
      )
    )
  )
  (data (;0;) (i32.const 8) "caf\\c3\\a9\\00")
)
"""


def test_looks() -> None:
    assert format(assemble(LOOKS)) == LOOKS


def test_operands_that_are_not_at_hand() -> None:
    text = format(assemble("(func (result i32) (local i32) i32.const 1 i32.const 2 local.set 0 local.get 0 i32.add)"))
    lines = [line.strip() for line in text.splitlines()[3:-2]]
    assert lines == [
        "(local $l0 i32)",
        "(i32.const 1)",
        "(local.set $l0 (i32.const 2))",
        "(local.get $l0)",
        "(i32.add)",
    ]


def test_flat() -> None:
    text = format(assemble("(func (drop (i32.eqz (i32.const 1))))"), fold=False)
    assert [line.strip() for line in text.splitlines()[3:-2]] == ["(i32.const 1)", "(i32.eqz)", "(drop)"]


def test_offsets() -> None:
    binary = assemble("(func (drop (i32.const 1)))")
    text = format(binary, offsets=True)
    start = decode(binary).body_starts[0] + 1
    assert f"(drop (;@{start + 2:x};) (i32.const 1 (;@{start:x};)))" in text
    assert assemble(text)[:-20] == assemble(format(binary))[:-20]


def test_without_generated_names() -> None:
    binary = assemble("(func (param i32) (block (br 0)) (drop (local.get 0)) (call 0)) (func $f)")
    text = format(binary, generate_names=False)
    assert assemble(text) == binary
    assert "(local.get 0)" in text


def test_names_of_all_sorts() -> None:
    text = r'(func $"a b" (call $"a b") (call $"\"\\\n\c3\a9")) (func $"\"\\\n\c3\a9") (func (@name ""))'
    again = format(assemble(text))
    assert format(assemble(again)) == again
    assert '$"\\"\\\\\\0aé"' in again


def test_names_that_are_there_twice() -> None:
    binary = assemble('(func $a) (func (@name "a")) (func $a#1 (call 1))')
    assert assemble(format(binary, generate_names=False)) == binary


def test_a_label_that_hides_another() -> None:
    binary = assemble("(func block $l block $l br 1 br 0 end end)")
    text = format(binary, generate_names=False)
    assert assemble(text) == binary
    assert "(br 1)" in text and "(br $l)" in text


def test_exports_in_another_order_are_fields() -> None:
    text = format(assemble('(func $f) (memory 1) (export "f" (func $f)) (export "m" (memory 0))'))
    assert '  (export "f" (func $f))\n  (export "m" (memory 0))\n' in text


def test_custom_sections() -> None:
    text = '(@custom "a" (before first) "1") (func) (@custom "b" (after func) "\\00") (@custom "c" (after last) "3")'
    binary = assemble(text)
    again = assemble(format(binary, generate_names=False))
    assert again == binary


def test_branch_hints() -> None:
    text = r"""(func (block
      (@metadata.code.branch_hint "\01") (br_if 0 (i32.const 1))
      (@metadata.code.branch_hint "\00") (if (i32.const 0) (then nop nop))))"""
    binary = assemble(text)
    printed = format(binary, generate_names=False)
    assert r'    (@metadata.code.branch_hint "\01") (br_if 0 (i32.const 1))' in printed
    assert r'    (@metadata.code.branch_hint "\00") (if' in printed
    assert assemble(printed) == binary


@pytest.mark.parametrize("depth", [10, 5_000])
def test_depth(depth: int) -> None:
    for text in (
        "(func (drop " + "(i32.eqz " * depth + "(i32.const 0)" + ")" * depth + "))",
        "(func " + "(block " * depth + ")" * depth + ")",
        "(func " + "(if (i32.const 0) (then " * depth + "))" * depth + ")",
        "(global i32 " + "(i32.add (i32.const 0) " * depth + "(i32.const 0)" + ")" * depth + ")",
    ):
        binary = assemble(text)
        printed = format(binary, generate_names=False)
        assert assemble(printed) == binary
        # Indented by its depth, this would have gigabytes.
        assert len(printed) < 500 * depth + 10_000


def test_bodies_that_are_malformed() -> None:
    binary = assemble("(func nop nop nop)")
    code = binary.index(b"\1\1\1\x0b")
    for damage in (
        b"\xff\1\1\x0b",
        b"\x05\1\1\x0b",
        b"\2\x40\1\x0b",
        b"\x0b\1\1\x0b",
        b"\x41\x80\x80\x80",
        b"\x07\0\1\x0b",
    ):
        damaged = binary[:code] + damage + binary[code + 4 :]
        with pytest.raises(MalformedError):
            format(damaged)


def test_billions_of_locals() -> None:
    binary = assemble("(func (local i64))")
    damaged = binary.replace(b"\4\1\1\x7e\x0b", b"\x08\1\xff\xff\xff\xff\x0f\x7e\x0b").replace(b"\n\6\1", b"\n\x0a\1")
    with pytest.raises(MalformedError, match="too many locals"):
        format(damaged)
