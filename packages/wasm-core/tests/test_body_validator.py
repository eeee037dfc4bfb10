"""Validation of bodies: messages and places, unreachable code, facts, limits, and that hostile bodies cost little."""

from __future__ import annotations

import gc
import time
import weakref
from typing import Any

import pytest

from wasm_core import BodyFacts, CompileError, Features, InvalidError, MalformedError, decode, validate, validate_body

END = b"\x0b"


def error_of(source: bytes, features: Features | None = None) -> CompileError:
    module = decode(source, features)
    with pytest.raises(CompileError) as caught:
        validate(module, features)
    return caught.value


def facts_of(source: bytes) -> tuple[BodyFacts, int]:
    """The facts of the only function, and where its code entry starts."""
    module = decode(source)
    return validate_body(module, 0), module.body(0)[0]


@pytest.mark.parametrize(
    ("code", "message", "offset"),
    [
        (b"\x42\0\x41\0\x6a\x1a\x0b", "type mismatch: expected i32, found i64", 5),
        (b"\x6a\x0b", "type mismatch: expected i32, found nothing", 1),
        (b"\x41\0\x0b", "type mismatch: operands remain on the stack", 3),
        (b"\x1a\x0b", "type mismatch: expected an operand", 1),
        (b"\x20\x05\x0b", "unknown local 5", 1),
        (b"\x20\x85\x01\x0b", "unknown local 133", 1),
        (b"\x0c\x01\x0b", "unknown label 1", 1),
        (b"\x41\0\x0d\x01\x0b", "unknown label 1", 3),
        (b"\x41\0\x0e\x01\x00\x09\x0b", "unknown label 9", 3),
        (b"\x10\x09\x0b", "unknown function 9", 1),
        (b"\x23\x09\x0b", "unknown global 9", 1),
        (b"\x24\x00\x0b", "unknown global 0", 1),
        (b"\x41\0\x28\x02\x00\x0b", "unknown memory 0", 3),
        (b"\x3f\x00\x0b", "unknown memory 0", 1),
        (b"\x41\0\x11\x00\x00\x0b", "unknown table 0", 3),
        (b"\x02\x09\x0b\x0b", "unknown type 9", 2),
        (b"\x02\x60\x0b\x0b", "malformed value type", 2),
        (b"\xfc\x09\x00\x0b", "data count section required", 1),
        (b"\xfc\x0d\x00\x0b", "unknown elem segment 0", 1),
        (b"\xd2\x00\x1a\x0b", "undeclared function reference", 1),
        (b"\xff\x0b", "illegal opcode ff", 1),
        (b"\xfd\x9a\x01\x0b", "illegal opcode fd 9a", 1),
        (b"\xfc\xff\xff\xff\xff\x0f\x0b", "illegal opcode fc", 1),
        (b"\x05\x0b", "misplaced ELSE opcode", 1),
        (b"\x41\x80\x80\x80\x80\x80\x00\x0b", "integer representation too long", 2),
        (b"\x41\x80\x80\x80\x80\x10\x1a\x0b", "integer too large", 2),
        (b"\x42" + b"\x80" * 9 + b"\x02\x1a\x0b", "integer too large", 2),
        (b"\x0b\x0b", "section size mismatch", 2),
        (b"\x41\0\x04\x7f\x41\0\x0b\x1a\x0b", "type mismatch: if without else", 7),
        (b"\xd0\x70\xd0\x70\x41\0\x1b\x1a\x0b", "type mismatch: select of references needs a type", 7),
        (b"\x41\0\x42\0\x41\0\x1b\x1a\x0b", "type mismatch: select between i32 and i64", 7),
        (b"\x1c\x00\x0b", "invalid result arity", 1),
        (b"\x00\xfd\x15\x10\x1a\x0b", "invalid lane index", 2),
        (b"\x00\xfd\x0d" + b"\x20" * 16 + b"\x1a\x0b", "invalid lane index", 2),
        (b"\x41\0\xd1\x1a\x0b", "type mismatch: expected a reference, found i32", 3),
    ],
)
def test_errors(wasm: Any, code: bytes, message: str, offset: int) -> None:
    source = wasm.function(code)
    error = error_of(source)
    assert error.message.startswith(message)
    assert error.message.endswith(" (function 0)")
    assert error.offset == decode(source).body(0)[0] + offset
    malformed = ("malformed", "illegal", "integer", "section size", "data count", "misplaced")
    assert type(error) is (MalformedError if message.startswith(malformed) else InvalidError)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"\x41\0\x28\x03\x00\x1a\x0b", "alignment must not be larger than natural"),
        (b"\x41\0\x28\x20\x00\x1a\x0b", "malformed memop flags"),
        (b"\x41\0\x28\x02\x80\x80\x80\x80\x10\x1a\x0b", "integer too large"),
        (b"\x41\0\x40\x01\x1a\x0b", "zero byte expected"),
        (b"\x41\0\xfd\x00\x05\x00\x1a\x0b", "alignment must not be larger than natural"),
    ],
)
def test_memory_errors(wasm: Any, code: bytes, message: str) -> None:
    assert error_of(wasm.function(code, memory=True), Features.wasm_2_0()).message.startswith(message)


def test_longer_encodings_are_fine(wasm: Any) -> None:
    code = b"\x41\x80\x80\x80\x80\x00" + b"\x28\x82\x00\x84\x80\x80\x80\x00" + b"\x21\x80\x00" + b"\x20\x80\x00\x1a\x0b"
    validate(decode(wasm.function(code, local_groups=((1, 0x7F),), memory=True)))
    # The number of a prefixed instruction, too: table.size and then table.fill with two bytes each.
    code = b"\xfc\x90\x00\x00\x1a" + b"\x41\0\xd0\x70\x41\0\xfc\x91\x00\x00" + END
    validate(decode(wasm.function(code, table=True)))


def test_immutable_global(wasm: Any) -> None:
    assert error_of(wasm.function(b"\x41\0\x24\x00\x0b", globals=(b"\x7f\x00\x41\0\x0b",))).message.startswith(
        "global is immutable"
    )
    validate(decode(wasm.function(b"\x41\0\x24\x00\x0b", globals=(b"\x7f\x01\x41\0\x0b",))))


@pytest.mark.parametrize("cut", range(1, 12))
def test_code_that_ends_early(wasm: Any, cut: int) -> None:
    code = b"\x44" + bytes(8) + b"\x1a\x41\x80\x01\x1a\x0b"
    validate(decode(wasm.function(code)))
    error = error_of(wasm.function(code[:-cut]))
    assert isinstance(error, MalformedError)
    assert "unexpected end" in error.message


@pytest.mark.parametrize(
    "code",
    [
        b"\x00\x6a\x1a\x0b",  # unreachable gives what an addition takes
        b"\x00\x1a\x1b\x1a\x0b",
        b"\x00\x42\0\x41\x01\x1b\x1a\x0b",  # select with one known operand
        b"\x0c\x00\x45\x1a\x0b",
        b"\x02\x7f\x00\x0b\x1a\x0b",
        b"\x02\x7f\x41\0\x0c\x00\x0b\x1a\x0b",
        b"\x0f\x0e\x01\x00\x00\x0b",
        b"\x00\xd1\x1a\x0b",
        b"\x00\x04\x7f\x05\x00\x0b\x1a\x0b"[:1] + b"\x04\x40\x05\x00\x0b\x0b",
        b"\x03\x40\x0c\x00\x0b\x0b",
        b"\x00\x22\x00\x1a\x0b",
        b"\x00\x21\x00\x0b",
    ],
)
def test_valid_unreachable_code(wasm: Any, code: bytes) -> None:
    validate(decode(wasm.function(code, local_groups=((1, 0x7F),))))


@pytest.mark.parametrize(
    "code",
    [
        b"\x00\x42\0\x6a\x1a\x0b",  # known operands are still checked
        b"\x00\x41\0\x0b",
        b"\x00\x02\x40\x6a\x1a\x0b\x0b",  # the frame inside is reachable as far as types go
        b"\x00\x1b\x42\0\x41\0\x6a\x1a\x0b",
        b"\x00\xd0\x70\x41\0\x1b\x1a\x0b",
        b"\x02\x7f\x42\0\x0c\x00\x0b\x1a\x0b",
    ],
)
def test_invalid_unreachable_code(wasm: Any, code: bytes) -> None:
    assert error_of(wasm.function(code)).message.startswith("type mismatch")


def test_block_parameters(wasm: Any) -> None:
    types = (wasm.func_type(b"\x7f\x7e", b"\x7e"),)
    code = b"\x41\0\x42\0\x02\x01\x1a\x45\x42\x05\x1b"
    validate(
        decode(
            wasm.function(
                b"\x41\0\x42\0\x02\x01\x21\x00\x1a\x20\x00\x0b\x1a\x0b", types=types, local_groups=((1, 0x7E),)
            )
        )
    )
    assert error_of(wasm.function(code + END + END, types=types)).message.startswith("type mismatch")
    assert error_of(wasm.function(b"\x42\0\x02\x01\x1a\x0b\x1a\x0b", types=types)).message.startswith("type mismatch")
    # A branch to a loop takes what the loop takes.
    loop = b"\x41\0\x42\0\x03\x01\x21\x00\x1a\x41\x07\x20\x00\x0c\x00\x0b\x1a\x0b"
    validate(decode(wasm.function(loop, types=types, local_groups=((1, 0x7E),))))


def test_br_table(wasm: Any) -> None:
    # Labels with different numbers of operands.
    code = b"\x02\x7f\x02\x40\x41\0\x41\0\x0e\x01\x00\x01\x0b\x41\0\x0b\x1a\x0b"
    assert error_of(wasm.function(code)).message.startswith("type mismatch: the labels of br_table")
    # The same number, different types, which only unreachable code can satisfy.
    code = b"\x02\x7f\x02\x7e\x00\x0e\x01\x00\x01\x0b\x1a\x41\0\x0b\x1a\x0b"
    validate(decode(wasm.function(code)))
    code = b"\x02\x7f\x02\x7e\x42\0\x41\0\x0e\x01\x00\x01\x0b\x1a\x41\0\x0b\x1a\x0b"
    assert error_of(wasm.function(code)).message.startswith("type mismatch")


def test_declared_references(wasm: Any) -> None:
    code = b"\xd2\x00\x1a\x0b"
    module = wasm.module(
        wasm.section(1, b"\x01\x60\0\0"),
        wasm.section(3, b"\x01\0"),
        wasm.section(9, b"\x01\x03\0\x01\0"),
        wasm.section(10, wasm.vector([wasm.sized(b"\0" + code)])),
    )
    validate(decode(module))


def test_facts(wasm: Any) -> None:
    code = (
        b"\x41\0\x21\x01"  # at 3: local.set 1 is at 5
        b"\x03\x40"  # loop at 7
        b"\x20\x00\x22\x01\x1a"  # local.tee 1 at 11
        b"\x03\x40\x41\x00\x21\x00\x0b"  # loop at 14, local.set 0 at 18, end at 20
        b"\x0b"  # end at 21
        b"\x0b"
    )
    facts, start = facts_of(wasm.function(code, local_groups=((2, 0x7F),)))
    start += 3
    assert facts.instruction_count == 12
    assert facts.loops == {start + 5: start + 18, start + 12: start + 17}
    assert facts.local_sets == {1: [start + 2, start + 8], 0: [start + 15]}
    loop = (start + 5, start + 18)
    assert facts.assigned_between(1, *loop)
    assert facts.assigned_between(0, *loop)
    assert not facts.assigned_between(1, start + 12, start + 17)
    assert not facts.assigned_between(7, *loop)
    assert facts.assigned_between(1, start + 2, start + 3)
    assert not facts.assigned_between(1, start + 3, start + 8)
    assert facts_of(wasm.function(END))[0].loops is None


def test_number_of_locals(wasm: Any) -> None:
    validate(decode(wasm.function(END, local_groups=((50_000, 0x7F),))))
    validate(decode(wasm.function(END, local_groups=((1, 0x7F),) * 50_000)))
    error = error_of(wasm.function(END, local_groups=((50_001, 0x7F),)))
    assert isinstance(error, InvalidError)
    assert error.message.startswith("too many locals")
    assert isinstance(error_of(wasm.function(END, params=b"\x7f", local_groups=((50_000, 0x7F),))), InvalidError)
    started = time.process_time()
    assert isinstance(error_of(wasm.function(END, local_groups=((2**32 - 1, 0x7F),))), InvalidError)
    error = error_of(wasm.function(END, local_groups=((2**32 - 1, 0x7F), (1, 0x7E))))
    assert isinstance(error, MalformedError)
    assert error.message.startswith("too many locals")
    assert time.process_time() - started < 0.2


def seconds(source: bytes) -> float:
    started = time.process_time()
    validate(decode(source))
    return time.process_time() - started


def test_deep_nests_are_fast(wasm: Any) -> None:
    depth = 100_000
    assert seconds(wasm.function(b"\x02\x40" * depth + END * depth + END)) < 2
    assert seconds(wasm.function(b"\x03\x40" * depth + END * depth + END)) < 2
    assert seconds(wasm.function(b"\x41\0\x04\x40" * depth + b"\x05\x0b" * depth + END)) < 3
    outwards = b"".join([b"\x0c" + wasm.unsigned(depth - level) + END for level in range(depth)])
    assert seconds(wasm.function(b"\x02\x40" * depth + outwards + END)) < 3
    results = b"\x02\x7f" * depth + b"\x41\0" + END * depth + b"\x1a" + END
    assert seconds(wasm.function(results)) < 2


def test_wide_br_table_is_fast(wasm: Any) -> None:
    depth = 10_000
    table = (
        b"\x41\0\x0e" + wasm.unsigned(depth) + b"".join([wasm.unsigned(i) for i in range(depth)]) + wasm.unsigned(depth)
    )
    assert seconds(wasm.function(b"\x02\x40" * depth + table + END * depth + END)) < 1
    # Many tables whose labels have many results.
    types = (wasm.func_type(b"", b"\x7f" * 1000),)
    table = b"\x0e" + wasm.unsigned(1000) + b"\0" * 1001
    code = b"\x02\x01\x00" + table * 200 + END + b"\x00" + END
    assert seconds(wasm.function(code, types=types)) < 2


def test_operands_are_limited(wasm: Any) -> None:
    # Each call pushes 1000 operands for two bytes of code.
    module = wasm.module(
        wasm.section(1, wasm.vector([wasm.func_type(b"", b"\x7f" * 1000), wasm.func_type()])),
        wasm.section(3, b"\x02\x00\x01"),
        wasm.section(
            10, wasm.vector([wasm.sized(b"\0\x00\x0b"), wasm.sized(b"\0" + b"\x10\x00" * 1_000_000 + b"\x00\x0b")])
        ),
    )
    started = time.process_time()
    assert error_of(module).message.startswith("too many operands")
    assert time.process_time() - started < 2


def test_long_body_is_linear(wasm: Any) -> None:
    code = b"\x20\x00\x41\x80\x80\x04\x6a\x21\x00"
    small = seconds(wasm.function(code * 5_000 + END, local_groups=((1, 0x7F),)))
    large = seconds(wasm.function(code * 50_000 + END, local_groups=((1, 0x7F),)))
    assert large < 30 * small + 0.1


def test_validating_does_not_keep_the_module_alive(wasm: Any) -> None:
    module = decode(wasm.function(END))
    validate(module)
    reference = weakref.ref(module)
    del module
    gc.collect()
    assert reference() is None
