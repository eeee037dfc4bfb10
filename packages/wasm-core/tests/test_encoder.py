"""The encoder: decoding what it makes gives the module that it was made of."""

from __future__ import annotations

import struct
from typing import Any

import attrs
import pytest

from wasm_core import CompileError, DecodedModule, Features, decode, encode, validate
from wasm_core.disassembler import disassemble
from wasm_core.immediates import write_immediates, write_opcode
from wasm_core.leb128 import read_signed, read_unsigned, signed, unsigned
from wasm_core.module import ConstExpr

from .test_spec_validation import SCRIPTS, SUITES, decoded

ALL = attrs.evolve(Features.default(), threads=True, custom_page_sizes=True)


def content(module: DecodedModule) -> dict[str, Any]:
    """All that a module says, without the places where it says it."""
    found = attrs.asdict(module, recurse=False)
    source = found.pop("source")
    found["sections"] = [section.id for section in module.sections]
    found["customs"] = [(custom.name, source[custom.start : custom.end]) for custom in module.customs]
    found["data"] = [
        attrs.evolve(segment, start=0, end=0, offset=without_place(segment.offset)) for segment in module.data
    ]
    found["contents"] = [source[segment.start : segment.end] for segment in module.data]
    found["bodies"] = [source[a:b] for a, b in zip(found.pop("body_starts"), found.pop("body_ends"))]
    found["function_types"] = list(module.function_types)
    found["globals"] = [(own.type, without_place(own.init)) for own in module.globals]
    found["table_inits"] = [without_place(init) for init in module.table_inits]
    found["elements"] = [
        attrs.evolve(
            segment,
            offset=without_place(segment.offset),
            expressions=segment.expressions and tuple([without_place(e) for e in segment.expressions]),
        )
        for segment in module.elements
    ]
    return found


def without_place(expression: ConstExpr | None) -> Any:
    return expression and attrs.evolve(expression, offset=0, end=0)


def check(module: DecodedModule, features: Features) -> bytes:
    encoded = encode(module)
    again = decode(encoded, features)
    assert content(again) == content(module)
    assert encode(again) == encoded
    return encoded


@pytest.mark.skipif(not SCRIPTS, reason="no specification test suite; set WASMETAL_SHARED")
@pytest.mark.parametrize("suite", SUITES)
def test_suites(suite: str) -> None:
    modules = decoded(suite)
    assert modules
    shorter = 0
    for module in modules:
        encoded = check(module, SUITES[suite])
        shorter += encoded != module.source
        try:
            validate(module, SUITES[suite])
        except CompileError as error:
            with pytest.raises(type(error)):
                validate(decode(encoded, SUITES[suite]), SUITES[suite])
        else:
            validate(decode(encoded, SUITES[suite]), SUITES[suite])
    # Most binaries of the suite are as short as they can be, and come out as they were.
    assert shorter < len(modules) / 5 + 2


def test_programs(corpus: dict[str, bytes]) -> None:
    for name, source in corpus.items():
        module = decode(source)
        encoded = check(module, Features.default())
        assert len(encoded) <= len(source), name


def test_a_group_names_its_own_types(wasm: Any) -> None:
    # Two equal groups, and between them one that refers to the first: indices must not be mixed up.
    def pair(first: int) -> bytes:
        return (
            b"\x4e\x02\x50\0\x5f\x01\x63" + bytes([first + 1]) + b"\0\x50\x01" + bytes([first, 0x5F, 1, 0x63, first, 0])
        )

    other = b"\x4e\x02\x5f\x01\x63\0\0\x5f\x01\x63\x02\0"
    func = b"\x60\x01\x63\x05\0"
    source = wasm.module(wasm.section(1, wasm.vector([pair(0), other, pair(4), func])))
    module = decode(source, ALL)
    # (the function takes what is both type 1 and type 5; the first index will do)
    assert check(module, ALL) == source.replace(func, b"\x60\x01\x63\x01\0")


def test_without_a_list_of_sections(wasm: Any) -> None:
    source = wasm.module(
        wasm.section(1, wasm.vector([wasm.func_type()])),
        wasm.section(3, b"\x01\0"),
        wasm.section(8, b"\0"),
        wasm.section(10, b"\x01\x02\0\x0b"),
        wasm.custom("last", b"x"),
    )
    module = decode(source)
    assert encode(attrs.evolve(module, sections=())) == source
    assert encode(DecodedModule(b"")) == wasm.module()


def test_everything_is_written_as_it_is_read(wasm: Any) -> None:
    code = (
        b"\x02\x40\x02\x63\x05\x02\x64\x70\x03\x7f\x04\xe4\0\x0b\x1f\x7e\x02\0\x01\x02\x03\x04\x0b\x20\x85\x01\x41\x7f"
        b"\x42\x80\x01\x43\0\0\xc0\x3f\x44\0\0\0\0\0\0\xf0\xbf\x28\x42\x01\x08\x28\x02\x80\x80\x80\x80\x10\xfd\x54\x40\x02\x01\x0f"
        b"\x0e\x02\x00\x01\x02\x11\x03\x01\x1c\x02\x64\x6b\x63\x02\xd0\x6e\xd0\x03\xfb\x02\x04\x01\xfb\x14\x6c\xfb\x18\x02\x00\x6d\x6a"
        b"\xfd\x0c" + bytes(range(16)) + b"\xfd\x0d" + bytes(range(16)) + b"\xfd\x15\x03\xfe\x03\0\xfc\x0a\x01\x02\x0b"
    )
    module = decode(wasm.function(code), ALL)
    written = [
        write_opcode(i.opcode) + write_immediates(i.immediate, values) for _, i, values in disassemble(module, 0)
    ]
    assert b"".join(written) == code


def test_integers() -> None:
    for value in (0, 1, 63, 64, 127, 128, 255, 1 << 31, (1 << 64) - 1):
        assert read_unsigned(unsigned(value), 0, 10, 64) == (value, len(unsigned(value)))
        for number in (value >> 1, -(value >> 1) - 1):
            assert read_signed(signed(number), 0, 10, 64) == (number, len(signed(number)))
    assert struct.pack("<b", -64)[0] & 0x7F == signed(-64)[0]
