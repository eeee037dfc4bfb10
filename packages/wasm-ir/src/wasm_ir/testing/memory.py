"""Loads, stores and addresses, run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst, Signature
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.native_code import Native, build, pointer, raw

I32, I64, F32, F64 = types.I32, types.I64, types.F32, types.F64

_PATTERN = bytes.fromhex("80ff7f01aa55cc33f00d8001deadbeef")


#: Load, type, width in bytes, sign-extended.
_LOADS = [
    *((op.LOAD, t, types.BYTES[t], False) for t in (I32, I64, F32, F64)),
    *((op.LOAD8_S, t, 1, True) for t in (I32, I64)),
    *((op.LOAD8_U, t, 1, False) for t in (I32, I64)),
    *((op.LOAD16_S, t, 2, True) for t in (I32, I64)),
    *((op.LOAD16_U, t, 2, False) for t in (I32, I64)),
    (op.LOAD32_S, I64, 4, True),
    (op.LOAD32_U, I64, 4, False),
]
_STORES = [
    *((op.STORE, t, types.BYTES[t]) for t in (I32, I64, F32, F64)),
    *((op.STORE8, t, 1) for t in (I32, I64)),
    *((op.STORE16, t, 2) for t in (I32, I64)),
    (op.STORE32, I64, 4),
]


class MemoryTests(BackendFixtures):
    """Loads, stores and addresses."""

    @pytest.mark.parametrize("heap", [True, False], ids=["heap", "plain"])
    @pytest.mark.parametrize(("operation", "value_type", "width", "is_signed"), _LOADS)
    def test_loads(
        self, native: Native, operation: int, value_type: int, width: int, is_signed: bool, heap: bool
    ) -> None:
        code = operation + (op.HEAP_LOAD - op.LOAD if heap else 0)
        function = native.function(
            Signature((I32,), (value_type,)), lambda b, p: [raw(b, code, value_type, [pointer(b, p[0])], 3)]
        )
        native.memory[0 : len(_PATTERN)] = _PATTERN
        for i in range(4):
            number = int.from_bytes(_PATTERN[i + 3 : i + 3 + width], "little", signed=is_signed)
            assert function(i) == (number & types.MASKS[value_type],)

    @pytest.mark.parametrize("heap", [True, False], ids=["heap", "plain"])
    @pytest.mark.parametrize(("operation", "value_type", "width"), _STORES)
    def test_stores(self, native: Native, operation: int, value_type: int, width: int, heap: bool) -> None:
        """Of a register, and of constants."""
        code = operation + (op.HEAP_STORE - op.STORE if heap else 0)
        mask = types.MASKS[value_type]
        constants = [0, 1, 0x80, 0xFFFF_FFFF & mask, 1 << types.BITS[value_type] - 1, mask]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            raw(b, code, types.VOID, [pointer(b, p[0]), p[1]], 32)
            for i, bits in enumerate(constants):
                raw(b, code, types.VOID, [pointer(b, p[0]), b.const(value_type, bits)], 48 + 16 * i)
            return []

        function = native.function(Signature((I32, value_type), ()), body)
        value = 0x8899_AABB_CCDD_EEFF & types.MASKS[value_type]
        native.memory[0:256] = b"\x77" * 256
        function(0, value)
        for place, bits in [(32, value), *((48 + 16 * i, bits) for i, bits in enumerate(constants))]:
            expected = bits.to_bytes(8, "little")[:width] + b"\x77" * (16 - width)
            assert native.memory[place : place + 16] == expected

    def test_stores_of_converted_values(self, native: Native) -> None:
        """Conversions that a narrow store does not notice, and masks that it does."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = pointer(b, p[0])
            wrapped = raw(b, op.WRAP, I32, [p[1]])
            values = [
                (op.STORE8, wrapped),
                (op.STORE16, raw(b, op.EXTEND_S, I64, [wrapped])),
                (op.STORE8, raw(b, op.SEXT8, I64, [p[1]])),
                (op.STORE16, raw(b, op.SEXT8, I64, [p[1]])),
                (op.STORE8, raw(b, op.AND, I64, [p[1], b.const(I64, 0xFF)])),
                (op.STORE16, raw(b, op.AND, I64, [p[1], b.const(I64, 0xFF)])),
                (op.STORE32, raw(b, op.EXTEND_U, I64, [wrapped])),
                (op.STORE, wrapped),
            ]
            for i, (operation, value) in enumerate(values):
                raw(b, operation, types.VOID, [address, value], 8 * i)
            return []

        native.memory[0:64] = b"\0" * 64
        native.function(Signature((I32, I64), ()), body)(0, 0x1122_3344_5566_7788)
        words = [int.from_bytes(native.memory[8 * i : 8 * i + 8], "little") for i in range(8)]
        assert words == [0x88, 0x7788, 0x88, 0xFF88, 0x88, 0x88, 0x5566_7788, 0x5566_7788]

    @pytest.mark.parametrize("offset", [0, 8, 256])
    def test_compare_exchange(self, native: Native, offset: int) -> None:
        """Operands in registers, constants, and the same value as both; what is live across it stays."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = pointer(b, p[0])
            found = b.compare_exchange(address, p[1], p[2], offset)
            total = b.binary(op.IADD, I64, b.binary(op.IADD, I64, p[1], p[2]), p[3])
            constant = b.compare_exchange(address, b.const(I64, 5), b.const(I64, 0), offset)
            same = b.compare_exchange(address, p[3], p[3], offset)
            return [found, constant, same, total]

        function = native.function(Signature((I32, I64, I64, I64), (I64, I64, I64, I64)), body)
        mask = types.MASKS[I64]
        for was, expected, replacement in ((7, 7, 9), (7, 8, 9), (5, 6, 1), (0, 0, 5), (mask, mask, 1 << 63)):
            native.memory[offset + 16 : offset + 24] = was.to_bytes(8, "little")
            second = replacement if was == expected else was
            third = 0 if second == 5 else second
            assert function(16, expected, replacement, 77) == (
                was,
                second,
                third,
                expected + replacement + 77 & mask,
            )
            assert int.from_bytes(native.memory[offset + 16 : offset + 24], "little") == third

    @pytest.mark.parametrize("value_type", [I32, I64], ids=["i32", "i64"])
    @pytest.mark.parametrize("operation", [op.IADD, op.ISUB, op.AND, op.OR, op.XOR], ids=lambda o: op.NAMES[o])
    def test_read_modify_write(self, native: Native, operation: int, value_type: int) -> None:
        """Of a register and of constants, the loaded value on either side."""
        constants = (1, 0xFF, 0x8000_0000 & types.MASKS[value_type], types.MASKS[value_type] - 5)

        def apply(x: int, y: int) -> int:
            return {
                op.IADD: x + y,
                op.ISUB: x - y,
                op.AND: x & y,
                op.OR: x | y,
                op.XOR: x ^ y,
            }[operation] & types.MASKS[value_type]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = pointer(b, p[0])
            others = [p[1], *(b.const(value_type, bits) for bits in constants)]
            for i, other in enumerate(others):
                for j in (0, 1):
                    place = 64 * j + 8 * i
                    loaded = b.load(op.HEAP_LOAD, value_type, address, place)
                    pair = [loaded, other] if j == 0 else [other, loaded]
                    b.store(op.HEAP_STORE, address, raw(b, operation, value_type, pair), place)
            return []

        function = native.function(Signature((I32, value_type), ()), body)
        native.memory[0:128] = b"\x5a\xc3" * 64
        function(0, 0x1234_5678)
        before = int.from_bytes(b"\x5a\xc3" * 4, "little") & types.MASKS[value_type]
        for i, other in enumerate((0x1234_5678, *constants)):
            for j in (0, 1):
                place = 64 * j + 8 * i
                actual = int.from_bytes(native.memory[place : place + types.BYTES[value_type]], "little")
                assert actual == (apply(before, other) if j == 0 else apply(other, before))

    def test_loads_do_not_move_over_stores(self, native: Native) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = pointer(b, p[0])
            before = b.load(op.HEAP_LOAD, I32, address, 0)
            b.store(op.HEAP_STORE, address, b.const(I32, 9), 0)
            after = b.load(op.HEAP_LOAD, I32, address, 0)
            return [raw(b, op.IADD, I32, [p[1], before]), raw(b, op.IMUL, I32, [p[1], after])]

        native.memory[0:4] = (5).to_bytes(4, "little")
        assert native.function(Signature((I32, I32), (I32, I32)), body)(0, 100) == (105, 900)

    def test_a_load_with_two_users(self, native: Native) -> None:
        """Directly, and through a comparison that is evaluated twice."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            loaded = b.load(op.HEAP_LOAD, I32, pointer(b, p[0]), 0)
            compared = b.load(op.HEAP_LOAD, I32, pointer(b, p[0]), 4)
            equal = raw(b, op.ICMP, I32, [compared, p[1]], op.EQ)
            first = raw(b, op.SELECT, I32, [equal, p[0], p[1]])
            second = raw(b, op.SELECT, I32, [equal, p[1], p[0]])
            return [raw(b, op.IADD, I32, [loaded, p[1]]), raw(b, op.XOR, I32, [loaded, p[1]]), first, second, equal]

        native.memory[0:8] = (5).to_bytes(4, "little") + (7).to_bytes(4, "little")
        function = native.function(Signature((I32, I32), (I32,) * 5), body)
        assert function(0, 7) == (12, 2, 0, 7, 1)
        assert function(0, 8) == (13, 13, 8, 0, 0)

    @pytest.mark.parametrize("negated", [False, True], ids=["straight", "negated"])
    def test_a_comparison_with_memory_that_is_evaluated_twice(self, native: Native, negated: bool) -> None:
        """Before and after a store to the place that it compares with."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = pointer(b, p[0])
            loaded = b.load(op.HEAP_LOAD, I32, address, 0)
            condition = raw(b, op.ICMP, I32, [loaded, p[1]], op.EQ)
            if negated:
                condition = raw(b, op.ICMP, I32, [condition, b.const(I32, 0)], op.EQ)
            first = raw(b, op.SELECT, I32, [condition, p[0], p[1]])
            b.store(op.HEAP_STORE, address, b.const(I32, 9), 0)
            return [first, raw(b, op.SELECT, I32, [condition, p[1], p[0]])]

        function = native.function(Signature((I32, I32), (I32, I32)), body)
        for value in (7, 9):
            native.memory[0:4] = (7).to_bytes(4, "little")
            assert function(0, value) == ((0, value) if (value == 7) != negated else (value, 0))

    @settings(max_examples=80, deadline=None)
    @given(st.data())
    def test_addresses(self, native: Native, data: st.DataObject) -> None:
        """Sums of base, scaled index and constants of all sizes that come out inside the memory."""
        index = data.draw(st.integers(0, 2000))
        shift = data.draw(st.integers(0, 4))
        offset = data.draw(st.sampled_from((0, 8, 127, 128, 1000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)))
        constant = data.draw(st.integers(0, 3000)) - offset
        swap = data.draw(st.booleans())
        nested = data.draw(st.booleans())

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            scaled = raw(b, op.SHL, I64, [raw(b, op.EXTEND_U, I64, [p[0]]), b.const(I64, shift)])
            known = b.const(I64, constant)
            if nested:
                scaled = raw(b, op.IADD, I64, [scaled, known])
            pair = [b.memory_base(), scaled]
            address = raw(b, op.IADD, I64, pair[::-1] if swap else pair)
            if not nested:
                address = raw(b, op.IADD, I64, [address, known])
            return [raw(b, op.HEAP_LOAD, I32, [address], offset)]

        place = (index << shift) + constant + offset
        native.memory[place : place + 4] = b"\x01\x02\x03\x04"
        assert native.function(Signature((I32,), (I32,)), body)(index) == (0x0403_0201,)
        native.memory[place : place + 4] = b"\0\0\0\0"

    def test_narrow_addresses_wrap(self, native: Native) -> None:
        """A 32-bit sum wraps before it is extended."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            index = raw(b, op.IADD, I32, [p[0], b.const(I32, 16)])
            return [raw(b, op.HEAP_LOAD, I32, [pointer(b, index)], 0)]

        native.memory[8:12] = b"\x11\x22\x33\x44"
        assert native.function(Signature((I32,), (I32,)), body)(0xFFFF_FFF8) == (0x4433_2211,)

    def test_stack_slots(self, native: Native) -> None:
        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            slots = [b.stack_slot(40), b.stack_slot(16)]
            for i, slot in enumerate(slots):
                for j in range(2):
                    b.store(op.STORE, slot, raw(b, op.IADD, I64, [p[0], b.const(I64, 10 * i + j)]), 8 * j)
            return [b.load(op.LOAD, I64, slot, 8 * j) for slot in slots for j in range(2)]

        assert native.function(Signature((I64,), (I64,) * 4), body)(100) == (100, 101, 110, 111)

    def test_faulting_instructions_are_in_the_pc_table(self, native: Native) -> None:
        """Each heap access once, at its own start, wherever it was folded into; other loads not at all."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            address = pointer(b, p[0])
            b.offset = 10
            first = b.load(op.HEAP_LOAD, I32, address, 0)
            b.offset = 20
            total = raw(b, op.IADD, I32, [p[0], first])
            b.offset = 30
            second = b.load(op.HEAP_LOAD, I32, address, 4)
            b.offset = 40
            less = raw(b, op.ICMP, I32, [p[0], second], op.LT_U)
            b.offset = 50
            b.store(op.HEAP_STORE, address, b.const(I32, 3), 8)
            plain = b.load(op.LOAD, I32, address, 12)
            return [total, less, plain]

        _, compiled = native.place(build(Signature((I32,), (I32,) * 3), body))
        assert sorted(compiled.wasm_offsets) == [10, 30, 50]
        assert list(compiled.pcs) == sorted(set(compiled.pcs))
        lines = native.backend.disassemble(compiled.code, 0)
        if lines is None:
            pytest.skip("capstone is not installed")
        texts = {address: text for address, _, text in lines}
        for pc in compiled.pcs:
            assert "[" in texts[pc]

    def test_an_access_right_behind_a_call_has_a_row_of_its_own(self, native: Native) -> None:
        signature = Signature((), ())
        native.define(9, build(signature, lambda b, p: []))

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            b.offset = 10
            b.call(9, signature, [])
            b.offset = 20
            address = raw(b, op.IADD, I64, [b.memory_base(), b.const(I64, 8)])
            return [b.load(op.HEAP_LOAD, I32, address, 0)]

        _, compiled = native.place(build(Signature((), (I32,)), body))
        assert list(compiled.wasm_offsets)[:2] == [10, 20]
        assert compiled.pcs[0] < compiled.pcs[1]
