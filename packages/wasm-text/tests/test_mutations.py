"""Whatever happens to a text, there is a TextError or a binary, and what is printed can be read."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_core import CompileError
from wasm_core.instructions import by_name
from wasm_text import TextError, assemble, parse_script
from wasm_text.keywords import keywords
from wasm_text.printer import format

TEXT = r"""
(module $m (type $t (func (param $x i32) (result i32))) (rec (type $s (sub (struct (field $f (mut i8)) (field i64)))))
  (import "a" "b" (func $i (type $t))) (import "a" "m" (memory 1 2 shared)) (tag $e (param i32))
  (memory $mem (export "mem") i64 1 (pagesize 1)) (memory (data "abc" "\00\u{1f600}")) (table $tab 1 2 funcref
      (ref.null func))
  (table funcref (elem $i $f)) (global $g (mut i64) (i64.add (i64.const 1) (i64.const -2))) (start $go)
  (elem $el (table $tab) (offset i32.const 0) funcref (item ref.func $f) (ref.null func)) (elem declare func $f)
  (data $d (memory $mem) (i64.const 0) "x") (@custom "c" (after func) "payload") (export "f" (func $f))
  (func $f (@name "f f") (type $t) (param $x i32) (result i32) (local $l f32) (local v128 (ref null $s))
    (block $b (result i32) (br_if $b (i32.const 0x7f) (local.get $x)) drop
      (if (result i32) (i32.eqz (local.get $x)) (then (i32.const 1)) (else (i32.load8_u $mem offset=4 align=1
      (i64.const 0)))))
    loop $lo (result i32) br_table $lo 0 1 (i32.const 1) end $lo
    (v128.const f32x4 nan:0x123 -inf 0x1.8p3 1e-3) (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 2))
    (try_table (catch $e 0) (catch_all 0) (throw $e (i32.const 0))) (try (do nop) (catch $e drop) (catch_all
      (rethrow 0)))
    (call_indirect $tab (param i32) (result i32) (i32.const 1) (i32.const 0)) (ref.cast (ref null $s) (ref.null none))
    (struct.get_s $s $f (struct.new_default $s)) (memory.init $mem $d) (select (result i32)) (return_call $f
      (i32.const 0)))
  (func $go))
(assert_return (invoke $m "f" (i32.const 1) (f32.const nan)) (either
      (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15) (ref.null func)))
(assert_malformed (module quote "(func") "unexpected") (register "m" $m) (assert_trap (get "g") "x")
"""
PIECES = re.findall(r'"[^"]*"|[()]|[^\s()"]+|\s+', TEXT)
WORDS = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(sorted(by_name())),
    st.sampled_from(sorted(keywords())),
    st.sampled_from(
        ["$x", '$"a b"', "0", "-1", "4294967296", "0x", "nan:0x0", "offset=", "align=0", "(;", ";)", ";;", "(@", '"']
    ),
    st.text(max_size=3),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    pieces = list(PIECES)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(pieces)))
        end = min(len(pieces), at + draw(st.sampled_from([0, 1, 1, 2, 5, 40])))
        what = draw(st.integers(0, 3))
        if what == 0:
            pieces[at:end] = [draw(WORDS)]
        elif what == 1:
            pieces[at:end] = []
        elif what == 2:
            pieces[at:at] = pieces[at:end]
        else:
            other = draw(st.integers(0, len(pieces)))
            pieces[at:end] = pieces[other : other + end - at]
    return "".join(pieces)


def attempt(text: str) -> None:
    try:
        commands = parse_script(text)
    except TextError as error:
        assert str(error)
        return
    for command in commands:
        if command.module is None:
            continue
        try:
            binary = command.module.assemble()
        except TextError as error:
            assert str(error)
            continue
        try:
            printed = format(binary)
        except CompileError:
            continue
        assemble(printed)


def test_the_text_itself_is_good() -> None:
    (first, *_) = [command.module for command in parse_script(TEXT) if command.module]
    assert first.assemble()


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_mutations(text: str) -> None:
    attempt(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    attempt(text)
    attempt(f"(module {text})")
    attempt(f"(module (func {text}))")
