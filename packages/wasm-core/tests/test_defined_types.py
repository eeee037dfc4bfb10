"""Defined types: equal ones are one for the process, and nothing of them stays."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import time
import weakref
from typing import Any

import pytest

from wasm_core import (
    ArrayType,
    ExternKind,
    Features,
    FieldType,
    FuncType,
    InvalidError,
    MalformedError,
    PackedType,
    StructType,
    TagType,
    ValueType,
    decode,
)
from wasm_core import defined_types as registry
from wasm_core.module import DecodedModule

FEATURES = Features.wasm_3_0()


def module_of(wasm: Any, *types: bytes) -> DecodedModule:
    """A module with these entries (or groups) in its type section."""
    return decode(wasm.module(wasm.section(1, wasm.vector(list(types)))), FEATURES)


def group(wasm: Any, *types: bytes) -> bytes:
    return b"\x4e" + bytes(wasm.vector(list(types)))


def numbers(module: DecodedModule) -> list[int]:
    return [module.defined_type(index).number for index in range(len(module.types))]


def test_plain_types_need_nothing(wasm: Any) -> None:
    module = module_of(wasm, wasm.func_type(b"\x7f"), wasm.func_type(b"\x7f"), wasm.func_type())
    assert module.defined_types is None
    # A number is somebody's as long as he has the type.
    first, second, third = held = [module.defined_type(index) for index in range(3)]
    assert first == second != third
    assert first == registry.function_type(FuncType(["i32"]))
    # A group of one is no different, nor is a type that says that it is final.
    same = module_of(wasm, group(wasm, wasm.func_type(b"\x7f")), b"\x4f\0" + wasm.func_type(b"\x7f"))
    assert same.defined_types is None
    assert numbers(same) == [first.number, first.number]
    del held


def test_composites(wasm: Any) -> None:
    module = module_of(
        wasm,
        b"\x5f\x03\x78\0\x77\x01\x64\x6d\0",
        b"\x5e\x63\0\x01",
        b"\x50\0\x60\x01\x64\x01\x01\x63\x02",
    )
    struct, array, func = module.types
    assert struct == StructType(
        (FieldType("i8"), FieldType("i16", mutable=True), FieldType("(ref eq)")),
    )
    assert struct.fields[0].type is PackedType.I8
    defined = module.defined_type(0)
    assert array == ArrayType(FieldType(ValueType.reference(defined), mutable=True))
    assert isinstance(func, FuncType)
    assert func.params == (ValueType.reference(module.defined_type(1), nullable=False),)
    # It may have a supertype of its own kind, and refers to itself.
    assert func.results[0].defined_type == module.defined_type(2)
    assert [module.defined_type(i).final for i in range(3)] == [True, True, False]
    assert [module.defined_type(i).form for i in range(3)] == [registry.STRUCT, registry.ARRAY, registry.FUNC]
    assert module.defined_type(0).composite == struct


def test_equality_is_iso_recursive(wasm: Any) -> None:
    # (rec (type $a (struct (ref null $b))) (type $b (struct (ref null $a)))) twice, then a group that unrolls it.
    def pair(first: int) -> bytes:
        return group(
            wasm,
            b"\x5f\x01\x63" + bytes([first + 1]) + b"\0",
            b"\x5f\x01\x63" + bytes([first]) + b"\0",
        )

    outer = group(wasm, b"\x5f\x01\x63\x01\0", b"\x5f\x01\x63\x00\0")
    module = module_of(wasm, pair(0), pair(2), outer)
    found = numbers(module)
    assert found[:2] == found[2:4]
    assert len({*found[:2], *found[4:]}) == 4
    other = module_of(wasm, wasm.func_type(), pair(1))
    assert numbers(other)[1:] == found[:2]
    # By itself the first is not the same as in a group.
    alone = module_of(wasm, b"\x5f\x01\x63\0\0")
    assert numbers(alone)[0] not in found


def test_supertypes(wasm: Any) -> None:
    module = module_of(wasm, b"\x50\0\x5f\0", b"\x50\x01\0\x5f\x01\x7f\0", b"\x4f\x01\x01\x5f\x01\x7f\0")
    top, middle, bottom = (module.defined_type(index) for index in range(3))
    assert top.supertype is None
    assert bottom.supertype == middle
    assert bottom.matches(top)
    assert middle.matches(middle)
    assert not top.matches(bottom)
    assert bottom.final
    assert not middle.final


def test_types_that_do_not_exist(wasm: Any) -> None:
    for types in (
        [b"\x60\x01\x63\x01\0"],
        [group(wasm, b"\x5f\x01\x63\x02\0", b"\x5f\0")],
        [b"\x50\x01\0\x5f\0"],
        [group(wasm, b"\x50\x01\x01\x5f\0", b"\x50\0\x5f\0")],
    ):
        with pytest.raises(InvalidError, match="unknown type"):
            module_of(wasm, *types)
    with pytest.raises(InvalidError, match="more than one super type"):
        module_of(wasm, b"\x50\0\x5f\0", b"\x50\0\x5f\0", b"\x50\x02\0\x01\x5f\0")
    with pytest.raises(MalformedError, match="malformed definition type"):
        module_of(wasm, b"\x51\0")
    with pytest.raises(MalformedError, match="malformed mutability"):
        module_of(wasm, b"\x5e\x7f\x02")


def test_nothing_stays(wasm: Any) -> None:
    before = len(registry._groups)
    source = [b"\x5f\x01\x63\0\x01", b"\x50\0\x60\x01\x63\0\x01\x63\x01", b"\x5e\x64\x01\0"]
    module = module_of(wasm, *source)
    assert len(registry._groups) == before + 3
    number = module.defined_type(0).number
    assert ValueType(f"(ref null {number})") == ValueType.reference(module.defined_type(0))
    gone = weakref.ref(module.defined_type(2).group)
    # The text of a type does not hold it, the type itself does; without help of the collector.
    held = module.types[2]
    gc.disable()
    try:
        del module
        assert gone() is None
        assert isinstance(held, ArrayType)
        assert len(registry._groups) == before + 2
        del held
        assert len(registry._groups) == before
    finally:
        gc.enable()
    with pytest.raises(ValueError, match="is not a value type"):
        ValueType(f"(ref null {number})")
    # Numbers are never used again.
    assert module_of(wasm, *source).defined_type(0).number > number


def test_long_names() -> None:
    assert ValueType("(ref null func)") is ValueType.FUNCREF
    assert ValueType(" ( ref  null extern ) ") is ValueType.EXTERNREF
    not_null = ValueType("(ref func)")
    assert not_null == "(ref func)" == str(not_null) == not_null.value
    assert not_null in {"(ref func)"}
    assert not_null.is_reference
    assert not not_null.nullable
    assert not_null.heap_type == "func"
    assert ValueType.FUNCREF.nullable
    assert ValueType.I32.heap_type is None
    assert FuncType(["(ref any)", "anyref"]).params == ("(ref any)", ValueType.ANYREF)
    assert pickle.loads(pickle.dumps(not_null)) == not_null
    assert not_null not in list(ValueType)
    for text in ("", "(ref)", "(ref null)", "(ref null funcref)", "ref func", "(ref func", "(ref 99999999)", "int"):
        with pytest.raises(ValueError, match=r"choose from i32, .*, anyref, .* or \(ref ...\)"):
            ValueType(text)
    with pytest.raises(ValueError, match="is not a heap type; choose from func, extern"):
        ValueType.reference("funcref")


def test_pickling_crosses_processes(wasm: Any) -> None:
    module = module_of(
        wasm,
        group(wasm, b"\x50\0\x5f\x01\x63\x01\x01", b"\x5e\x78\0"),
        b"\x50\x01\0\x5f\x02\x63\x01\x01\x64\0\0",
    )
    types = [module.defined_type(2), ValueType.reference(module.defined_type(1), nullable=False), module.types[2]]
    assert pickle.loads(pickle.dumps(types)) == types
    assert copy.deepcopy(types) == types
    # There the numbers are others.
    program = (
        "import pickle, sys; from wasm_core import FuncType; from wasm_core.defined_types import function_type;"
        "held = [function_type(FuncType(['i32'] * n)) for n in range(100)];"
        "defined, reference, struct = pickle.loads(sys.stdin.buffer.read());"
        "assert defined.number > 100 and reference.defined_type.number > 100;"
        "assert defined.composite == struct and str(reference) == f'(ref {reference.defined_type.number})';"
        "assert defined.supertype.composite.fields[0].type.defined_type == reference.defined_type;"
        "sys.stdout.buffer.write(pickle.dumps([defined, reference, struct]))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(types), capture_output=True, check=True)
    assert pickle.loads(done.stdout) == types


def test_large_groups_take_time_in_proportion(wasm: Any) -> None:
    count = 25_000

    def u(value: int) -> bytes:
        return bytes(wasm.unsigned(value))

    def signed(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80, value >> 21])

    started = time.process_time()
    chain = [b"\x5f\x01\x63" + signed((i * 7919 + 1) % count) + b"\0" for i in range(count)]
    module = module_of(wasm, group(wasm, *chain))
    again = module_of(wasm, group(wasm, *chain))
    assert numbers(module) == numbers(again)
    # As many groups, each of which refers to the one before.
    groups = [b"\x5f\0"] + [b"\x5f\x01\x63" + signed(i) + b"\0" for i in range(count)]
    module = module_of(wasm, *groups)
    assert len(set(numbers(module))) == count + 1
    assert time.process_time() - started < 6
    del module, again


def test_tags(wasm: Any) -> None:
    module = decode(
        wasm.module(
            wasm.section(1, wasm.vector([wasm.func_type(), wasm.func_type(b"\x7f")])),
            wasm.section(2, b"\x01\0\0\x04\0\x01"),
            wasm.section(13, b"\x02\0\0\0\x01"),
            wasm.section(7, b"\x01\x01t\x04\x01"),
        ),
        FEATURES,
    )
    assert module.imported_tags == 1
    assert module.tag_types == (1, 0, 1)
    assert module.imports[0].type == TagType(FuncType(["i32"])) == module.extern_type(ExternKind.TAG, 2)
    assert module.imports[0].type_index == 1
    assert (module.exports[0].kind, module.exports[0].index) == (ExternKind.TAG, 1)


def test_limits_and_table_initial_values(wasm: Any) -> None:
    module = decode(
        wasm.module(
            wasm.section(1, wasm.vector([wasm.func_type()])),
            wasm.section(4, b"\x02\x40\0\x64\x70\x05\x01\x80\x80\x80\x80\x20\xd2\0\x0b\x63\0\x00\x02"),
            wasm.section(5, b"\x01\x04\x80\x80\x80\x80\x10"),
        ),
        FEATURES,
    )
    first, second = module.tables
    assert (first.element, first.is64, first.minimum, first.maximum) == ("(ref func)", True, 1, 1 << 33)
    assert second.element == ValueType.reference(module.defined_type(0))
    assert [init and init.instructions for init in module.table_inits] == [((0xD2, 0),), None]
    assert (module.memories[0].is64, module.memories[0].minimum) == (True, 1 << 32)
