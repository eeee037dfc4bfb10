"""Branch hints: what is not expected to run stands behind the rest, and everything gives the same results."""

from __future__ import annotations

import itertools

import pytest

import wasmetal
from wasm_core import Features, decode, validate_body
from wasm_ir import opcodes
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.vmcontext import ContextLayout

assemble = pytest.importorskip("wasm_text").assemble

needs_backend = pytest.mark.skipif(
    not any(backend.supported for backend in wasmetal.backends()), reason="no backend for this machine"
)

LIKELY = r'(@metadata.code.branch_hint "\01")'
UNLIKELY = r'(@metadata.code.branch_hint "\00")'


def translated(body: str) -> Function:
    """The IR of a function with two parameters and a result."""
    module = decode(assemble(f"(module (memory 1) (func (param i32 i32) (result i32) {body}))"), Features.default())
    facts = validate_body(module, 0, Features.default())
    return translate(module, 0, ContextLayout(module), facts, FrontendOptions())


def cold(body: str) -> list[int]:
    """Constants that are returned in blocks which are cold, or passed on by them."""
    found = []
    for block in translated(body).blocks:
        terminator = block.terminator
        assert terminator is not None
        if block.is_cold:
            arguments = [*terminator.args, *[argument for edge in block.successors() for argument in edge.args]]
            found += [argument.imm for argument in arguments if argument.op == opcodes.CONST]
    return found


def test_if() -> None:
    body = "{} (if (result i32) (local.get 0) (then (i32.const 5)) (else (i32.const 6)))"
    # (a block that only passes on a constant has a terminator alone)
    assert cold(body.format("")) == []
    assert cold(body.format(LIKELY)) == [6]
    assert cold(body.format(UNLIKELY)) == [5]


def test_what_only_cold_blocks_lead_to_is_cold() -> None:
    inner = "(if (result i32) (local.get 1) (then (i32.const 5)) (else (i32.const 6)))"
    body = f"{UNLIKELY} (if (result i32) (local.get 0) (then {inner}) (else (i32.const 7)))"
    assert sorted(cold(body)) == [5, 6]
    # What comes behind both is not.
    assert cold(f"{UNLIKELY} (if (local.get 0) (then (drop (i32.load (i32.const 3))))) (i32.const 8)") == []


def test_br_if() -> None:
    body = "(block {} (br_if 0 (local.get 0)) (return (i32.const 5))) (i32.const 6)"
    assert cold(body.format("")) == []
    assert cold(body.format(LIKELY)) == [5]
    assert cold(body.format(UNLIKELY)) == [6]


@pytest.mark.parametrize("hint", [LIKELY, UNLIKELY])
def test_the_end_of_a_loop_is_not_cold(hint: str) -> None:
    """However often it goes round, what follows runs as often as what is in front of it."""
    step = "(local.tee 0 (i32.sub (local.get 0) (i32.const 1)))"
    assert cold(f"(loop {hint} (br_if 0 {step})) (i32.const 5)") == []
    assert cold(f"(loop {hint} (if {step} (then (br 1)))) (i32.const 5)") == []
    assert cold(f"(block (loop {hint} (br_if 1 {step}) (br 0))) (i32.const 5)") == []


@needs_backend
def test_damaged_sections_are_ignored() -> None:
    source = assemble(f'(module (func (export "f") (result i32) {LIKELY} (if (i32.const 1) (then)) (i32.const 7)))')
    at = source.index(b"branch_hint") + len("branch_hint")
    # How many functions, which one, how many hints, where, size of the hint, the hint.
    for end in range(at, at + 6):
        for wrong in (0, 0x7F, 0xFF):
            damaged = source[:end] + bytes([wrong]) + source[end + 1 :]
            assert wasmetal.Module(damaged).instantiate().exports.f() == 7


@needs_backend
def test_results_are_the_same() -> None:
    """Ways of all kinds through cold code: into it, out of it, round a loop in it, with values on edges."""
    source = """
    (module (func (export "f") (param i32) (result i32) (local i32 i32)
      (local.set 1 (i32.const 1))
      (loop
        {} (if (i32.and (local.get 0) (i32.const 1))
          (then
            (local.set 1 (i32.mul (local.get 1) (i32.const 7)))
            (local.set 2 (i32.const 5))
            (loop
              (local.set 1 (i32.add (local.get 1) (local.get 2)))
              {} (br_if 0 (local.tee 2 (i32.sub (local.get 2) (i32.const 1))))))
          (else (local.set 1 (i32.xor (local.get 1) (i32.const 99)))))
        (local.set 1
          (block (result i32)
            {} (br_if 0 (i32.add (local.get 1) (i32.const 1)) (i32.and (local.get 0) (i32.const 2)))
            {} (br_if 0 (i32.and (local.get 0) (i32.const 4)))
            (i32.rotl (i32.const 3))))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if 0 (local.get 0)))
      (local.get 1)))
    """
    expected = None
    for hints in itertools.product(("", LIKELY, UNLIKELY), repeat=4):
        exports = wasmetal.Module(assemble(source.format(*hints))).instantiate().exports
        results = [exports.f(count) for count in range(1, 20)]
        assert expected is None or results == expected
        expected = results
