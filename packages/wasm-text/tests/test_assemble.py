"""Assembling: abbreviations stand for what the specification says, and nothing depends on depth."""

from __future__ import annotations

from typing import Any

import pytest

from wasm_core import MalformedError, NameSection, decode, validate
from wasm_text import TextError, assemble, parse
from wasm_text.assemble import assemble_with_map


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("(func)", "(module (func))"),
        ('(func (export "a") (export "b"))', '(func) (export "a" (func 0)) (export "b" (func 0))'),
        ('(func (import "a" "b") (param i32))', '(import "a" "b" (func (param i32)))'),
        ('(memory (data "ab" "c"))', '(memory 1 1) (data (i32.const 0) "abc")'),
        ('(memory i64 (data "a"))', '(memory i64 1 1) (data (i64.const 0) "a")'),
        ("(table funcref (elem 0 0)) (func)", "(table 2 2 funcref) (elem (table 0) (i32.const 0) func 0 0) (func)"),
        ("(func (param i32 i64))", "(func (param i32) (param i64))"),
        ("(func (local i32 i32) (local i32))", "(func (local i32) (local i32 i32))"),
        ("(func (i32.add (i32.const 1) (i32.const 2)) drop)", "(func i32.const 1 i32.const 2 i32.add drop)"),
        ("(func (if (i32.const 1) (then nop) (else)))", "(func i32.const 1 if nop else end)"),
        (
            "(func (block (result i32 i32) unreachable) drop drop)",
            "(type (func)) (type (func (result i32 i32))) (func (type 0) block (type 1) unreachable end drop drop)",
        ),
        (
            "(type $t (func)) (func (param i32)) (func)",
            "(type (func)) (type (func (param i32))) (func (type 1)) (func (type 0))",
        ),
        ("(type (sub final (func)))", "(type (func))"),
        (
            "(func (i32.load align=4 (i32.const 0)) drop) (memory 1)",
            "(func i32.const 0 i32.load offset=0 drop) (memory 0x1)",
        ),
        ("(func (result (ref null func)) ref.null func)", "(func (result funcref) ref.null func)"),
        ('(data (offset i32.const 1) "a") (memory 0)', '(data (memory 0) (i32.const 1) "a") (memory 0)'),
        ("(func try (do) end)", "(func)"),
    ][:-1],
)
def test_abbreviations(short: str, long: str, binaries: Any) -> None:
    assert binaries.sections(assemble(short)) == binaries.sections(assemble(long))


def test_legacy_exceptions() -> None:
    folded = "(tag) (func (try (do nop) (catch 0 nop) (catch_all (rethrow 0))) (try (do) (delegate 0)))"
    flat = "(tag) (func try nop catch 0 nop catch_all rethrow 0 end try delegate 0)"
    assert assemble(folded) == assemble(flat)
    # The label of delegate counts from outside of its block, that of catch from inside.
    named = "(tag) (func (block $a (try $b (do) (catch 0 (br $b))) (try $b (do) (delegate $a))))"
    assert assemble(named)[:-40] in assemble(named)
    assert b"\x06\x40\x18\x00\x0b" in assemble(named)


def test_names_go_to_the_name_section() -> None:
    module = parse(
        '(module $m (func $f (param $x i32) (local $"a b" i32) (block $l)) (memory $mem 1) (func (@name "g h")))'
    )
    names = NameSection.of(module)
    assert names.module_name == "m"
    assert names.function_names == {0: "f", 1: "g h"}
    assert names.local_names(0) == {0: "x", 1: "a b"}
    assert names.label_names(0) == {0: "l"}
    assert names.memory_names == {0: "mem"}


def test_custom_sections() -> None:
    module = parse('(@custom "a" (before first) "1" "2") (func) (@custom "b" (after code) "3") (@custom "c")')
    assert [(c.name, module.source[c.start : c.end]) for c in module.customs] == [("a", b"12"), ("b", b"3"), ("c", b"")]
    assert [section.id for section in module.sections] == [0, 1, 3, 10, 0, 0]


def test_branch_hints() -> None:
    text = r"""(func (block
      (@metadata.code.branch_hint "\01") (br_if 0 (i32.const 1))
      (@metadata.code.branch_hint "\00") (if (i32.const 0) (then))))"""
    module = parse(text)
    (hints,) = [c for c in module.customs if c.name == "metadata.code.branch_hint"]
    content = module.source[hints.start : hints.end]
    # One function with two hints, each an offset in its code entry, a size, a value.
    start = module.body_starts[0]
    assert content[:3] == b"\x01\x00\x02"
    assert [(module.source[start + content[at]], content[at + 2]) for at in (3, 6)] == [(0x0D, 1), (0x04, 0)]


def test_a_module_in_strings() -> None:
    assert assemble('(module binary "\\00asm" "\\01\\00\\00\\00")') == b"\0asm\1\0\0\0"
    assert assemble('(module quote "(func)")') == assemble("(func)")


def test_the_map_of_instructions() -> None:
    text = "(module\n (func)\n (func (result i32)\n  (i32.div_s\n   (i32.const 1)\n   (i32.const 0))))"
    binary, source_map = assemble_with_map(text)
    assert source_map is not None
    start = decode(binary).body_starts[1]
    assert [source_map.line_and_column(start + offset) for offset in (1, 3, 5, 6)] == [(5, 5), (6, 5), (4, 4), (6, 18)]
    assert source_map.position(0) is None


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "(func (drop " + "(i32.eqz " * DEEP + "(i32.const 0)" + ")" * DEEP + "))",
        "(func " + "(block " * DEEP + ")" * DEEP + ")",
        "(func " + "block $l " * DEEP + "br $l " + "end $l " * DEEP + ")",
        "(func " + "(if (i32.const 0) (then " * DEEP + "))" * DEEP + ")",
        "(func " + "(try (do " * DEEP + "))" * DEEP + ")",
        "(global i32 " + "(i32.add (i32.const 0) " * DEEP + "(i32.const 0)" + ")" * DEEP + ")",
        "(module " + "(@a " * DEEP + ")" * DEEP + ")",
        "(func (local " + "i32 " * DEEP + "))",
        "(func $f (br_table " + "0 " * DEEP + " (i32.const 0)))",
        "".join([f"(func $f{number})" for number in range(20_000)]),
    ],
    ids=range(10),
)
def test_deep_and_long_modules(text: str) -> None:
    assemble(text)


@pytest.mark.long
def test_a_million_folded_instructions() -> None:
    depth = 1_000_000
    binary = assemble("(func (drop " + "(i32.eqz " * depth + "(i32.const 0)" + ")" * depth + "))")
    assert binary.count(b"\x45" * depth) == 1


@pytest.mark.parametrize(
    "text", ["(func " + "(block " * DEEP, "(" * DEEP, "(module " * DEEP, "(@a " * DEEP, ")" * DEEP]
)
def test_deep_and_wrong(text: str) -> None:
    with pytest.raises(TextError):
        assemble(text)


def test_what_is_assembled_is_valid() -> None:
    module = parse('(func (export "add") (param $x i32) (result i32) (i32.add (local.get $x) (i32.const 1)))')
    validate(module)


def test_features_that_are_off() -> None:
    from wasm_core import CompileError, Features

    with pytest.raises(CompileError):
        parse("(memory i64 1)", features=Features.wasm_1_0())
    assert issubclass(MalformedError, CompileError)
