"""The specification's tests on IR that an interpreter runs: what functions mean, with no backend involved."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import wasm_programs as w
from ir_interpreter import HostFunction, Instance, TrapError

from wasm_core.decoder import decode
from wasm_core.features import Features
from wasm_core.module import ExternKind
from wasm_ir import opcodes as op
from wasm_ir.frontend import FrontendOptions

_FILES = [
    "address",
    "align",
    "block",
    "br",
    "br_if",
    "br_table",
    "bulk",
    "call",
    "call_indirect",
    "conversions",
    "endianness",
    "f32_cmp",
    "f64_cmp",
    "fac",
    "float_misc",
    "forward",
    "func",
    "global",
    "i32",
    "i64",
    "if",
    "int_exprs",
    "int_literals",
    "labels",
    "left-to-right",
    "load",
    "local_get",
    "local_set",
    "local_tee",
    "loop",
    "memory_init",
    "memory_size",
    "memory_trap",
    "nop",
    "ref_func",
    "ref_is_null",
    "ref_null",
    "return",
    "select",
    "stack",
    "store",
    "switch",
    "table_copy",
    "table_fill",
    "table_get",
    "table_grow",
    "table_init",
    "table_set",
    "table_size",
    "traps",
    "unreachable",
    "unwind",
]

_SIMD_FILES = [
    "simd_address",
    "simd_align",
    "simd_bit_shift",
    "simd_bitwise",
    "simd_boolean",
    "simd_const",
    "simd_conversions",
    "simd_f32x4",
    "simd_f32x4_arith",
    "simd_f32x4_cmp",
    "simd_f32x4_pmin_pmax",
    "simd_f32x4_rounding",
    "simd_f64x2",
    "simd_f64x2_arith",
    "simd_f64x2_cmp",
    "simd_f64x2_pmin_pmax",
    "simd_f64x2_rounding",
    "simd_i16x8_arith",
    "simd_i16x8_arith2",
    "simd_i16x8_cmp",
    "simd_i16x8_extadd_pairwise_i8x16",
    "simd_i16x8_extmul_i8x16",
    "simd_i16x8_q15mulr_sat_s",
    "simd_i16x8_sat_arith",
    "simd_i32x4_arith",
    "simd_i32x4_arith2",
    "simd_i32x4_cmp",
    "simd_i32x4_dot_i16x8",
    "simd_i32x4_extadd_pairwise_i16x8",
    "simd_i32x4_extmul_i16x8",
    "simd_i32x4_trunc_sat_f32x4",
    "simd_i32x4_trunc_sat_f64x2",
    "simd_i64x2_arith",
    "simd_i64x2_arith2",
    "simd_i64x2_cmp",
    "simd_i64x2_extmul_i32x4",
    "simd_i8x16_arith",
    "simd_i8x16_arith2",
    "simd_i8x16_cmp",
    "simd_i8x16_sat_arith",
    "simd_int_to_int_extend",
    "simd_lane",
    "simd_load",
    "simd_load16_lane",
    "simd_load32_lane",
    "simd_load64_lane",
    "simd_load8_lane",
    "simd_load_extend",
    "simd_load_splat",
    "simd_load_zero",
    "simd_select",
    "simd_splat",
    "simd_store",
    "simd_store16_lane",
    "simd_store32_lane",
    "simd_store64_lane",
    "simd_store8_lane",
]
_RELAXED_FILES = [
    "i16x8_relaxed_q15mulr_s",
    "i32x4_relaxed_trunc",
    "i8x16_relaxed_swizzle",
    "relaxed_dot_product",
    "relaxed_laneselect",
    "relaxed_madd_nmadd",
    "relaxed_min_max",
]

#: Exported functions that take long to interpret.
_SLOW = ("fib", "fib-i32", "fib-i64", "fib-f32", "fib-f64")

_QUIET_BIT = {"f32": 0x7FC00000, "f64": 0x7FF8 << 48}


_LANE_BITS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}


def _argument(value: dict[str, Any]) -> int:
    if value["type"] == "v128":
        width = _LANE_BITS[value["lane_type"]]
        return sum(int(lane) % (1 << width) << width * number for number, lane in enumerate(value["value"]))
    if value["type"].endswith("ref"):
        return 0 if value["value"] == "null" else int(value["value"]) + 1
    return int(value["value"])


def _matches(expected: dict[str, Any], result: int) -> bool:
    if expected["type"] == "either":
        return any(_matches(choice, result) for choice in expected["values"])
    if expected["type"] == "v128":
        type = expected["lane_type"]
        width = _LANE_BITS[type]
        return all(
            _matches({"type": type, "value": lane}, result >> width * number & (1 << width) - 1)
            for number, lane in enumerate(expected["value"])
        )
    value = expected.get("value", "")
    if expected["type"].endswith("ref"):
        return (result == 0) == (value == "null")
    if value.startswith("nan"):
        quiet = _QUIET_BIT[expected["type"]]
        return result & quiet == quiet
    return int(value) % (1 << _LANE_BITS[expected["type"]]) == result


class _Script:
    """Runs the commands of a script that call functions of modules without imported tables and memories."""

    def __init__(
        self,
        name: str,
        options: FrontendOptions,
        folder: tuple[str, str] = ("2.0", "core"),
        features: Features | None = None,
    ) -> None:
        self.folder = w.shared("spec", *folder)
        self.features = features
        self.commands = json.loads((self.folder / f"{name}.json").read_text())["commands"]
        self.options = options
        self.instance: Instance | None = None
        self.registered: dict[tuple[str, str], HostFunction] = {}
        self.checked = 0

    def run(self) -> None:
        for command in self.commands:
            kind = command["type"]
            if kind == "module":
                self.instance = self.instantiate(command["filename"])
            elif kind == "register":
                self.register(command["as"])
            elif kind in ("assert_return", "assert_trap", "action") and self.instance is not None:
                action = command["action"]
                if action["type"] == "invoke" and "module" not in action and action["field"] not in _SLOW:
                    self.check(command, action, self.instance)

    def instantiate(self, filename: str) -> Instance | None:
        module = decode((self.folder / filename).read_bytes(), self.features)
        if module.imported_tables or module.imported_memories:
            return None
        return Instance(module, self.options, self.registered, self.features)

    def register(self, name: str) -> None:
        instance = self.instance
        if instance is None:
            return
        for export in instance.module.exports:
            if export.kind is ExternKind.FUNC:
                self.registered[name, export.name] = partial(instance.call, export.index)

    def check(self, command: dict[str, Any], action: dict[str, Any], instance: Instance) -> None:
        (index,) = [
            export.index
            for export in instance.module.exports
            if export.name == action["field"] and export.kind is ExternKind.FUNC
        ]
        instance.depth = 0
        where = f"line {command['line']}: {action}"
        try:
            results = instance.call(index, [_argument(value) for value in action["args"]])
        except TrapError as trap:
            assert command["type"] == "assert_trap", f"{where}: {trap}"
            message = trap.code.message
            assert message.startswith(command["text"]) or command["text"].startswith(message), where
        else:
            assert command["type"] != "assert_trap", f"{where} gave {results}"
            if command["type"] == "assert_return":
                expected = command["expected"]
                fits = len(results) == len(expected) and all(map(_matches, expected, results))
                assert fits, f"{where} gave {results}"
        self.checked += 1


@pytest.mark.parametrize("name", _FILES)
def test_specification(name: str) -> None:
    script = _Script(name, FrontendOptions())
    script.run()
    assert script.checked


@pytest.mark.parametrize("name", ["address", "br_table", "bulk", "call", "load", "memory_trap", "store", "unwind"])
def test_specification_with_explicit_bounds_and_listener(name: str) -> None:
    """The interpreter objects to an access out of bounds that was not checked first."""
    script = _Script(name, FrontendOptions(explicit_bounds=True, listener=True))
    script.run()
    assert script.checked


@pytest.mark.parametrize("name", _SIMD_FILES)
def test_specification_of_vectors(name: str) -> None:
    script = _Script(name, FrontendOptions(), ("2.0", "simd"))
    script.run()
    assert script.checked or name == "simd_align"


@pytest.mark.parametrize("name", ["simd_address", "simd_load", "simd_load8_lane", "simd_store64_lane"])
def test_specification_of_vectors_with_explicit_bounds_and_listener(name: str) -> None:
    script = _Script(name, FrontendOptions(explicit_bounds=True, listener=True), ("2.0", "simd"))
    script.run()
    assert script.checked


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("name", _RELAXED_FILES)
def test_specification_of_relaxed_vectors(name: str, deterministic: bool) -> None:
    features = Features(
        sign_extension=True, multi_value=True, bulk_memory=True, reference_types=True, simd=True, relaxed_simd=True
    )
    script = _Script(name, FrontendOptions(deterministic=deterministic), ("3.0", "relaxed-simd"), features)
    script.run()
    # One script has nothing but the module.
    assert script.checked or name == "i32x4_relaxed_trunc"
    # Constant folding or not: nothing relaxed is left where every machine is to do the same.
    assert script.instance is not None
    for function in script.instance.compiled.values():
        names = [op.NAMES[inst.op] for block in function.blocks for inst in block.insts]
        assert not deterministic or not [name for name in names if "relaxed" in name]


def test_listener_hears_every_call_in_order() -> None:
    body = w.get(0) + w.if_(w.get(0) + w.i32(1) + b"\x6b" + b"\x10\0" + w.RETURN) + w.i32(42)
    instance = Instance(decode(w.module(body, [w.I32], [w.I32])), FrontendOptions(listener=True))
    assert instance.call(0, [2]) == [42]
    assert instance.heard == [
        ("before", 0, [2]),
        ("before", 0, [1]),
        ("before", 0, [0]),
        ("after", 0, [42]),
        ("after", 0, [42]),
        ("after", 0, [42]),
    ]


def test_listener_sees_the_bits_of_every_type() -> None:
    kinds = [w.I32, w.I64, w.F32, w.F64]
    body = b"".join([w.get(i) for i in range(4)])
    instance = Instance(decode(w.module(body, kinds, kinds)), FrontendOptions(listener=True))
    values = [0xFFFFFFFF, 1 << 63, 0x7FA00001, 0x7FF4 << 48]
    assert instance.call(0, values) == values
    assert instance.heard == [("before", 0, values), ("after", 0, values)]


@pytest.mark.parametrize("locals", [6, pytest.param(49_000, marks=pytest.mark.long)])
def test_locals_in_memory_mean_the_same(locals: int) -> None:
    """The same program with locals as values and, where there are too many, in memory."""
    body = b"".join([w.get(0) + w.put(i) + w.get(0) + w.i32(i) + b"\x46" + w.br_if(0) for i in range(1, locals, 5)])
    body = w.block(body) + b"".join([w.get(i) + w.DROP for i in range(1, locals)])
    body += w.get(1) + w.get(6 if locals > 6 else 1) + b"\x6a"
    instance = Instance(decode(w.module(body, [w.I32], [w.I32], [(locals, w.I32)])), FrontendOptions())
    # Leaves after the first assignment: local 6 is still 0.
    assert instance.call(0, [1]) == [1 if locals > 6 else 2]
    assert instance.call(0, [3]) == [6]
    assert bool(instance.compiled[0].stack_slots) == (locals > 6)
    assert op.STACK_SLOT in [inst.op for inst in instance.compiled[0].blocks[0].insts] or locals == 6
