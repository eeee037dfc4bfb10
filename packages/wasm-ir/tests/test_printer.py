"""IR as text."""

from __future__ import annotations

from textwrap import dedent

import pytest
from test_builder import start

from wasm_ir import opcodes as op
from wasm_ir.ir import ABI_C, Signature
from wasm_ir.printer import format_constant, format_function
from wasm_ir.types import F32, F64, I32, I64


@pytest.mark.parametrize(
    ("type", "bits", "text"),
    [
        (I32, 0xFFFFFFFF, "-1:i32"),
        (I64, 1 << 63, "-9223372036854775808:i64"),
        (F64, 0x3FF8 << 48, "1.5:f64"),
        (F64, 1 << 63, "-0.0:f64"),
        (F32, 0x3DCCCCCD, "0.1:f32"),
        (F32, 0x7F7FFFFF, "3.4028235e+38:f32"),
        (F32, 0x7FA00001, "nan(0x7fa00001):f32"),
        (F64, 0x7FF0 << 48, "inf:f64"),
    ],
)
def test_constants(type: int, bits: int, text: str) -> None:
    assert format_constant(type, bits) == text


def test_whole_function() -> None:
    b, (x, f) = start(I32, F64, results=(I32,))
    slot = b.stack_slot(20)
    b.offset = 0x40
    b.store(op.STORE, slot, f, 8)
    call = b.call(3, Signature((I32,), (I32, F64)), [x])
    less = b.fcmp(op.FLT, b.result(call, 1), f)
    b.trap_if(less, 2)
    then, after = b.new_block(), b.new_block()
    param = b.append_param(after, I32)
    b.brif(x, then, (), after, (b.const(I32, 7),))
    b.switch_to(then)
    loaded = b.load(op.HEAP_LOAD8_S, I32, b.heap_address(x), 5)
    b.call_native(b.vmctx(), Signature((I64,), ()), [b.memory_base()])
    b.jump(after, [loaded])
    b.switch_to(after)
    b.ret([param])
    assert format_function(b.function) == dedent(
        """\
        test (i32, f64) -> (i32) {
          slot0: 32 bytes
        block0(v0: i32, v1: f64):
          v2 = slot0
          store.f64 [v2+8], v1
          v3: i32, v4: f64 = call 3(v0)
          v5 = fcmp.f64 lt v4, v1
          trap_if v5, memory_out_of_bounds
          brif v0, block1, block2(7:i32)
        block1:
          v6 = extend_u.i64 v0
          v7 = iadd.i64 memory_base, v6
          v8 = heap_load8_s.i32 [v7+5]
          call_native vmctx(memory_base)
          jump block2(v8)
        block2(v9: i32):
          return v9
        }
        """
    )
    assert "; 0x40" in format_function(b.function, offsets=True)


def test_other_terminators_and_convention() -> None:
    b, (x,) = start(I32, abi=ABI_C)
    blocks = [b.new_block() for _ in range(3)]
    b.br_table(x, [(block, ()) for block in blocks])
    b.switch_to(blocks[0])
    b.trap(1)
    b.switch_to(blocks[1])
    b.unwind(x)
    b.switch_to(blocks[2])
    text = format_function(b.function)
    assert text.startswith("test c (i32) -> () {\n")
    for part in ("br_table v0, block1, block2, block3", "trap unreachable", "unwind v0", "(no terminator)"):
        assert part in text
