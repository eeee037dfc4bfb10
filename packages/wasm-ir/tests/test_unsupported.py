"""What can be read and validated but not compiled: an error that names instruction, function and feature."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import attrs
import pytest

from wasm_core import Features, InvalidError, Unsupported, decode, validate_body, validate_module
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.vmcontext import ContextLayout

SHARED = Path(os.environ.get("WASMETAL_SHARED") or Path(__file__).resolve().parents[4] / "shared")
FEATURES = attrs.evolve(Features.default(), threads=True, custom_page_sizes=True)
SUITES = [
    *("3.0/core", "3.0/gc", "3.0/exceptions", "3.0/memory64", "3.0/multi-memory", "3.0/relaxed-simd"),
    *("proposals/threads", "proposals/wide-arithmetic", "proposals/custom-page-sizes", "proposals/legacy-exceptions"),
]


def compile_all(source: bytes) -> Counter[str]:
    """How many functions of a module became IR (""), and how many need which feature."""
    module = decode(source, FEATURES)
    validate_module(module, FEATURES)
    layout = ContextLayout(module)
    found: Counter[str] = Counter()
    for index in range(module.imported_functions, len(module.function_types)):
        facts = validate_body(module, index, FEATURES)
        try:
            translate(module, index, layout, facts, FrontendOptions())
            found[""] += 1
        except Unsupported as error:
            start, end = module.body(index)
            assert f"(function {index})" in error.message
            assert f"needs the feature {error.feature}, which cannot be run yet" in error.message
            assert error.offset is not None
            assert start <= error.offset < end
            found[error.feature] += 1
    return found


@pytest.mark.parametrize("suite", SUITES)
def test_every_function_compiles_or_says_why_not(suite: str) -> None:
    scripts = sorted((SHARED / "spec" / suite).glob("*.json"))
    if not scripts:
        pytest.skip("no specification test suite; set WASMETAL_SHARED")
    found: Counter[str] = Counter()
    for script in scripts:
        for command in json.loads(script.read_text())["commands"]:
            if command["type"] == "module" and command.get("module_type") != "text" and "filename" in command:
                try:
                    found += compile_all((script.parent / command["filename"]).read_bytes())
                except InvalidError as error:
                    # The suite of threads is of the time before functions had to be declared to be referred to.
                    assert suite == "proposals/threads", (script, command, error)
    assert found.total()
    # Code of 2.0 is most of these suites, except where all memories are of another kind.
    assert found[""]


@pytest.mark.parametrize(
    ("code", "name", "feature"),
    [
        (b"\x41\0\xfb\x1c\x1a\x0b", "ref.i31", "gc"),
        (b"\x41\0\xfe\x10\x02\0\x1a\x0b", "i32.atomic.load", "threads"),
    ],
)
def test_instructions(code: bytes, name: str, feature: str) -> None:
    with pytest.raises(Unsupported, match=f"^{name} needs the feature {feature}"):
        compile_function(code)
    # What cannot be reached needs nothing.
    compile_function(b"\0" + code)


def compile_function(code: bytes, options: FrontendOptions | None = None) -> None:
    """Compile a module with a table, a memory and one function, of type 0, without parameters and results."""
    body = b"\0" + code
    module = decode(
        b"\0asm\1\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x04\x04\x01\x70\0\0\x05\x03\x01\0\x01"
        + bytes([10, len(body) + 2, 1, len(body)])
        + body,
        FEATURES,
    )
    translate(module, 0, ContextLayout(module), validate_body(module, 0, FEATURES), options or FrontendOptions())


@pytest.mark.parametrize("code", [b"\x12\x00\x0b", b"\x41\0\x13\0\0\x0b"])
def test_backends_without_tail_calls_get_none(code: bytes) -> None:
    with pytest.raises(Unsupported, match="the backend has no tail calls") as caught:
        compile_function(code, FrontendOptions(tail_calls=False))
    assert caught.value.feature == "tail_calls"
    compile_function(code)
