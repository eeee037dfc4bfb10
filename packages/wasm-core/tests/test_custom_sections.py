"""Custom sections that tools agreed on."""

from __future__ import annotations

from typing import Any

from wasm_core import DecodedModule, decode
from wasm_core.custom_sections import branch_hints, producers, target_features


def module_with(wasm: Any, name: str, content: bytes) -> DecodedModule:
    return decode(
        wasm.module(
            wasm.section(1, wasm.vector([wasm.func_type()])),
            wasm.section(2, b"\x01\0\0\0\0"),
            wasm.section(3, b"\x01\0"),
            wasm.custom(name, content),
            wasm.section(10, wasm.vector([wasm.sized(b"\0\x41\0\x04\x40\x0b\x0b")])),
        )
    )


def test_producers(wasm: Any) -> None:
    name = lambda text: wasm.sized(text.encode())  # noqa: E731
    content = wasm.vector(
        [
            name("language") + wasm.vector([name("C11") + name("")]),
            name("processed-by") + wasm.vector([name("clang") + name("18.1"), name("wasm-opt") + name("117")]),
        ]
    )
    expected = {"language": [("C11", "")], "processed-by": [("clang", "18.1"), ("wasm-opt", "117")]}
    assert producers(module_with(wasm, "producers", content)) == expected
    assert producers(module_with(wasm, "other", content)) == {}
    # What comes before damage is used.
    for size in range(len(content)):
        found = producers(module_with(wasm, "producers", content[:size]))
        assert all(values == expected[field][: len(values)] for field, values in found.items() if field in expected)


def test_target_features(wasm: Any) -> None:
    content = wasm.vector([b"+" + wasm.sized(b"simd128"), b"-" + wasm.sized(b"atomics")])
    assert target_features(module_with(wasm, "target_features", content)) == [("+", "simd128"), ("-", "atomics")]
    assert target_features(module_with(wasm, "target_features", content[:-1])) == [("+", "simd128")]
    assert target_features(module_with(wasm, "none", content)) == []


def test_branch_hints(wasm: Any) -> None:
    content = wasm.vector([b"\x01" + wasm.vector([b"\x03\x01\x01"])])
    module = module_with(wasm, "metadata.code.branch_hint", content)
    start, _ = module.body(1)
    # The offset is that of the instruction, from the declarations of locals on.
    assert module.source[start + 3] == 0x04
    assert branch_hints(module) == {1: {start + 3: True}}
    assert branch_hints(module_with(wasm, "none", content)) == {}
    for wrong in (
        b"\x01\x09\x01\x03\x01\x01",
        b"\x01\0\x01\x03\x01\x01",
        b"\xff\xff\xff\x0f",
        b"\x01\x01\x01\x03\x02\x01",
    ):
        assert not branch_hints(module_with(wasm, "metadata.code.branch_hint", wrong)).get(1)
