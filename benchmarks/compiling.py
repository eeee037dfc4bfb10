"""Compiles whole modules phase by phase, with a clock around each phase."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from time import perf_counter

import attrs

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.features import Features
from wasm_core.validator import validate_module
from wasm_ir.codegen.pipeline import compile_function
from wasm_ir.codegen.target import Target
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.vmcontext import ContextLayout
from wasmetal.code.arena import arena
from wasmetal.code.collector import paused
from wasmetal.registry import backends as registry

#: In the order in which they happen. The front end includes the passes over the IR.
PHASES = ("decode", "validate", "front end", "lower", "allocate", "emit", "install")


def _amd64(features: frozenset[str]) -> Target:
    from wasm_backend_amd64.target import Amd64Target

    return Amd64Target(features)


#: The code generator of each backend by itself, since backends only offer all of it in one.
_TARGETS: dict[str, Callable[[frozenset[str]], Target]] = {"amd64": _amd64}


def build() -> str:
    """How the compiler runs here: interpreted, or from native wheels."""
    modules = [sys.modules[function.__module__] for function in (validate_body, translate, compile_function)]
    native = [str(module.__file__).endswith(tuple(EXTENSION_SUFFIXES)) for module in modules]
    python = f"CPython {platform.python_version()}"
    if all(native):
        return f"compiled with mypyc, {python}"
    return f"partly compiled with mypyc, {python}" if any(native) else f"plain {python}"


@attrs.frozen
class Compiled:
    """What compiling a module cost."""

    #: Seconds by phase.
    seconds: dict[str, float]
    instructions: int
    code_bytes: int


def count_instructions(source: bytes) -> int:
    """Instructions in all function bodies of a module, the final `end`s included."""
    features = Features.default()
    module = decode(source, features)
    first = module.imported_functions
    return sum(validate_body(module, first + own, features).instruction_count for own in range(len(module.body_starts)))


def compile_module(source: bytes) -> Compiled:
    """Compile all functions of a module as the runtime does it, one by one.

    Nothing can run the code: its memory is given back in the end.
    """
    backend = registry.select("auto")()
    target = _TARGETS[backend.name](frozenset(backend.cpu_features))
    features = Features.default()
    seconds = dict.fromkeys(PHASES, 0.0)
    started = perf_counter()
    module = decode(source, features)
    seconds["decode"] = perf_counter() - started
    started = perf_counter()
    validate_module(module, features)
    seconds["validate"] = perf_counter() - started
    layout = ContextLayout(module)
    options = FrontendOptions()
    region = arena().region()
    own = len(module.body_starts)
    slots = region.data(8 * own) - 8 * module.imported_functions
    instructions = code_bytes = 0
    try:
        for index in range(module.imported_functions, module.imported_functions + own):
            before = perf_counter()
            facts = validate_body(module, index, features)
            validated = perf_counter()
            with paused():
                function = translate(module, index, layout, facts, options)
                translated = perf_counter()
                made = compile_function(function, target, seconds)
            compiled = perf_counter()
            address = region.reserve(len(made.code))
            code = bytearray(made.code)
            backend.relocate(code, address, made.relocations, slots)
            region.write(address, code)
            seconds["install"] += perf_counter() - compiled
            seconds["validate"] += validated - before
            seconds["front end"] += translated - validated
            instructions += facts.instruction_count
            code_bytes += len(code)
    finally:
        region.free()
    return Compiled(seconds, instructions, code_bytes)
