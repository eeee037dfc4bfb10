"""Module-level validation: each rule, and the switches of 1.0."""

from __future__ import annotations

from typing import Any

import pytest

from wasm_core import (
    Features,
    InvalidError,
    MalformedError,
    Unsupported,
    decode,
    validate,
    validate_body,
    validate_module,
)

I32_ZERO = b"\x41\0\x0b"
OLD = Features.wasm_1_0()


def invalid(source: bytes, features: Features | None = None) -> InvalidError:
    with pytest.raises(InvalidError) as caught:
        validate(decode(source, features), features)
    return caught.value


def test_rules(wasm: Any) -> None:
    section = wasm.section
    memory = section(5, b"\x01\0\x01")
    table = section(4, b"\x01\x70\0\x01")
    import_global = section(2, b"\x01\0\0\x03\x7f\0")
    import_mutable = section(2, b"\x01\0\0\x03\x7f\x01")
    cases = [
        ([section(5, b"\x01\x01\x02\x01")], "size minimum must not be greater than maximum"),
        ([section(4, b"\x01\x70\x01\x02\x01")], "size minimum must not be greater than maximum"),
        ([section(5, b"\x01\0\x81\x80\x04")], "memory size must be at most 65536 pages (4GiB)"),
        ([section(5, b"\x01\x01\0\x81\x80\x04")], "memory size must be at most 65536 pages (4GiB)"),
        ([section(3, b"\x01\x01"), section(10, b"\x01\x02\0\x0b")], "unknown type 1"),
        ([section(6, b"\x01\x7f\0\x42\0\x0b")], "type mismatch: expected i32, found i64"),
        ([section(6, b"\x01\x7f\0\x0b")], "type mismatch: expected i32, found nothing"),
        ([section(6, b"\x01\x7f\0\x41\0\x41\0\x0b")], "type mismatch: operands remain on the stack"),
        ([section(6, b"\x01\x7f\0\x41\0\x41\0\x71\x0b")], "constant expression required"),
        ([section(6, b"\x01\x7f\0\x23\0\x0b")], "unknown global 0"),
        ([section(6, b"\x02\x7f\0\x41\0\x0b\x7f\0\x23\0\x0b")], "unknown global 0"),
        ([import_mutable, section(6, b"\x01\x7f\0\x23\0\x0b")], "constant expression required"),
        ([section(6, b"\x01\x70\0\xd2\0\x0b")], "unknown function 0"),
        ([section(7, b"\x01\0\0\0")], "unknown function 0"),
        ([section(7, b"\x01\0\x01\0")], "unknown table 0"),
        ([section(7, b"\x01\0\x02\0")], "unknown memory 0"),
        ([section(7, b"\x01\0\x03\0")], "unknown global 0"),
        ([memory, section(7, b"\x02\x01a\x02\0\x01a\x02\0")], "duplicate export name 'a'"),
        ([section(8, b"\0")], "unknown function 0"),
        ([section(1, b"\x01\x60\x01\x7f\0"), section(2, b"\x01\0\0\0\0"), section(8, b"\0")], "start function"),
        ([section(9, b"\x01\0" + I32_ZERO + b"\0")], "unknown table 0"),
        ([table, section(9, b"\x01\0\x42\0\x0b\0")], "type mismatch"),
        ([table, section(9, b"\x01\0" + I32_ZERO + b"\x01\x07")], "unknown function 7"),
        ([section(4, b"\x01\x6f\0\x01"), section(9, b"\x01\0" + I32_ZERO + b"\0")], "type mismatch"),
        ([section(9, b"\x01\x05\x70\x01\xd0\x6f\x0b")], "type mismatch: expected funcref, found externref"),
        ([section(11, b"\x01\0" + I32_ZERO + b"\0")], "unknown memory 0"),
        ([memory, section(11, b"\x01\x02\x01" + I32_ZERO + b"\0")], "unknown memory 1"),
        ([memory, section(11, b"\x01\0\x42\0\x0b\0")], "type mismatch"),
        ([section(1, wasm.vector([wasm.func_type(b"\x7f" * 1001)]))], "too many parameters"),
        ([section(1, wasm.vector([wasm.func_type(b"", b"\x7f" * 1001)]))], "invalid result arity"),
    ]
    for sections, message in cases:
        source = wasm.module(*sections)
        error = invalid(source, Features.wasm_2_0())
        assert error.message.startswith(message), (error, message)
        assert error.offset is not None
        assert 8 < error.offset < len(source)
    validate(decode(wasm.module(import_global, section(6, b"\x01\x7f\0\x23\0\x0b"))))


def test_lazy_validation_leaves_bodies(wasm: Any) -> None:
    module = decode(wasm.function(b"\x6a\x0b"))
    validate_module(module)
    with pytest.raises(InvalidError, match=r"type mismatch: expected i32, found nothing \(function 0\)"):
        validate_body(module, 0)
    with pytest.raises(InvalidError):
        validate(module)
    with pytest.raises(IndexError):
        validate_body(module, 1)


def test_imported_functions_have_no_body(wasm: Any) -> None:
    module = decode(wasm.module(wasm.section(1, b"\x01\x60\0\0"), wasm.section(2, b"\x01\0\0\0\0")))
    with pytest.raises(IndexError):
        validate_body(module, 0)


def test_one_zero(wasm: Any) -> None:
    section = wasm.section
    two_results = section(1, wasm.vector([wasm.func_type(b"", b"\x7f\x7f")]))
    assert invalid(wasm.module(two_results), OLD).message.startswith("invalid result arity")
    validate(decode(wasm.module(two_results)))
    for number, source, feature in (
        (4, b"\x02\x70\0\0\x70\0\0", "reference_types"),
        (5, b"\x02\0\0\0\0", "multi_memory"),
    ):
        module = decode(wasm.module(section(number, source)), OLD)
        with pytest.raises(Unsupported, match=f"^multiple .* needs the feature {feature}") as caught:
            validate(module, OLD)
        assert caught.value.feature == feature
    no_mutable = Features(mutable_globals=False)
    assert invalid(wasm.module(section(2, b"\x01\0\0\x03\x7f\x01")), no_mutable).message.startswith("mutable globals")
    exported = wasm.module(section(6, b"\x01\x7f\x01" + I32_ZERO), section(7, b"\x01\0\x03\0"))
    assert invalid(exported, no_mutable).message.startswith("mutable globals")
    validate(decode(exported, OLD), OLD)
    memory_one = wasm.module(section(5, b"\x01\0\x01"), section(11, b"\x01\x01" + I32_ZERO + b"\0"))
    assert invalid(memory_one, OLD).message == "unknown memory 1"


@pytest.mark.parametrize(
    ("code", "feature"),
    [
        (b"\x41\0\xc0\x1a\x0b", "sign_extension"),
        (b"\x43\0\0\0\0\xfc\x00\x1a\x0b", "saturating_float_to_int"),
        (b"\x41\0\x41\0\x41\0\xfc\x0a\0\0\x0b", "bulk_memory"),
        (b"\xd0\x70\x1a\x0b", "reference_types"),
        (b"\x41\0\x41\0\x41\0\x1c\x01\x7f\x1a\x0b", "reference_types"),
        (b"\x41\0\xfd\x0f\x1a\x0b", "simd"),
    ],
)
def test_instructions_of_features(wasm: Any, code: bytes, feature: str) -> None:
    source = wasm.function(code, memory=True)
    validate(decode(source))
    match = rf"\w needs the feature {feature}, which is switched off \(function 0\) \(at offset 0x"
    with pytest.raises(Unsupported, match=match) as caught:
        validate(decode(source, OLD), OLD)
    assert caught.value.feature == feature


def test_relaxed_vectors_have_a_switch_of_their_own(wasm: Any) -> None:
    source = wasm.function(b"\xfd\x0c" + bytes(16) + b"\xfd\x0c" + bytes(16) + b"\xfd\x80\x02\x1a\x0b")
    old = Features(simd=True)
    with pytest.raises(Unsupported, match=r"i8x16\.relaxed_swizzle needs the feature relaxed_simd"):
        validate(decode(source, old), old)
    new = Features(simd=True, relaxed_simd=True)
    validate(decode(source, new), new)


@pytest.mark.parametrize("code", [b"\x02\x00\x0b\x0b", b"\x02\x7b\x00\x0b\x1a\x0b", b"\x02\x6f\x00\x0b\x1a\x0b"])
def test_block_types_of_features(wasm: Any, code: bytes) -> None:
    source = wasm.function(code)
    validate(decode(source))
    with pytest.raises(Unsupported, match=r"needs the feature (multi_value|simd|reference_types)"):
        validate(decode(source, OLD), OLD)


def test_one_module_with_two_sets_of_features(wasm: Any) -> None:
    module = decode(wasm.function(b"\x41\0\xc0\x1a\x0b"))
    for _ in range(2):
        validate(module)
        with pytest.raises(Unsupported):
            validate(module, OLD)


def test_call_indirect_before_reference_types(wasm: Any) -> None:
    source = wasm.function(b"\x41\0\x11\x00\x80\x00\x0b", table=True)
    validate(decode(source))
    with pytest.raises(MalformedError, match="zero byte expected"):
        validate(decode(source, OLD), OLD)
