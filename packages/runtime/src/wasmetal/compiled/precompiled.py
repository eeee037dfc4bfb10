"""Compiled modules as bytes: all of a module's machine code together with its binary, for the same or another machine.

Loading such bytes means to run the machine code in them. There are checksums, but whoever can make a file can make
those too: it is for files from a trusted place only. See docs/caching.md.

The format: a magic number, the size of the description, the description (JSON: what the code needs), a file of code
(`code_file`), and the binary.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from struct import Struct
from struct import error as struct_error
from typing import TYPE_CHECKING, Any, Final

from wasm_core.errors import WasmError
from wasm_core.features import Features
from wasm_core.lazy_attrs import frozen
from wasm_core.module import DecodedModule
from wasm_ir import vmcontext
from wasm_ir.backend import CompiledCode, c_convention
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.vmcontext import ContextLayout, Layout
from wasmetal.code.checksum import digest
from wasmetal.code.code_file import BODIES_VALID, MODULE_VALID, PRECOMPILED_MAGIC, CodeFile, encode_code, encode_file
from wasmetal.code.collector import paused
from wasmetal.code.version import __version__

if TYPE_CHECKING:
    from attrs import AttrsInstance

    from wasm_core.body_facts import BodyFacts
    from wasm_ir.backend import Backend
    from wasmetal.compiled.settings import Settings

_HEAD: Final = Struct(f"<{len(PRECOMPILED_MAGIC)}sIQ")

#: Called after each function with how many are done, and of how many.
Progress = Callable[[int, int], None]


def runtime_interface() -> str:
    """What machine code relies on in the runtime: a checksum of the layouts and numbers that they share."""
    parts = [f"version {__version__}"]
    for name, value in sorted(vars(vmcontext).items()):
        if name.isupper():
            parts.append(f"{name} {value.offsets if isinstance(value, Layout) else value}")
    return digest("\n".join(parts).encode(), 16).hex()


@frozen
class Precompiled:
    """What was read from bytes."""

    source: bytes
    options: FrontendOptions
    code: CodeFile


def compile_all(
    module: DecodedModule,
    features: Features,
    backend: Backend,
    options: FrontendOptions,
    progress: Progress | None = None,
    made: Mapping[int, CompiledCode] | None = None,
    layout: ContextLayout | None = None,
) -> dict[int, bytes]:
    """Validate and compile all functions, for any machine; nothing of it is placed in memory.

    Args:
        module: The module; everything but its bodies has been validated.
        features: Which parts of WebAssembly are on.
        backend: Compiles.
        options: For the front end.
        progress: Is told.
        made: Functions whose code is there already.
        layout: Of the module, when its bodies have been validated.

    Returns:
        The code of each function as a blob of a file of code.

    Raises:
        CompileError: A function is malformed or invalid, or needs what the compiler does not have.
    """
    from wasm_core.body_validator import validate_body
    from wasm_ir.frontend import translate
    from wasmetal.compiled.bodies import validate_bodies

    facts: dict[int, BodyFacts] = {}
    if layout is None:
        facts, unwritten = validate_bodies(module, features)
        layout = ContextLayout(module, unwritten)
        layout.valid_under = features
    first = module.imported_functions
    total = len(module.function_types)
    blobs: dict[int, bytes] = {}
    for index in range(first, total):
        code = None if made is None else made.get(index)
        if code is None:
            with paused():
                known = facts.pop(index, None) or validate_body(module, index, features)
                code = backend.compile(translate(module, index, layout, known, options))
        blobs[index] = encode_code(code)
        if progress is not None:
            progress(index - first + 1, total - first)
    return blobs


def serialize(
    source: bytes, features: Features, backend: Backend, options: FrontendOptions, blobs: Mapping[int, bytes]
) -> bytes:
    """A compiled module as bytes, from what `compile_all` made of the binary `source`."""
    description = {
        "runtime": runtime_interface(),
        "backend": backend.name,
        "cpu_features": list(backend.cpu_features),
        "c_convention": c_convention(backend),
        "features": _fields(features),
        "options": _fields(options),
        "source": digest(source).hex(),
    }
    text = json.dumps(description).encode()
    code = encode_file(digest(text), MODULE_VALID | BODIES_VALID, blobs)
    return b"".join([_HEAD.pack(PRECOMPILED_MAGIC, len(text), len(code)), text, code, source])


def _fields(described: AttrsInstance) -> dict[str, Any]:
    import attrs

    return attrs.asdict(described, recurse=False)


def deserialize(content: bytes, backend: Backend, config: Settings) -> Precompiled:
    """Read a compiled module.

    Args:
        content: The bytes, from a trusted place.
        backend: What runs the code.
        config: Of the engine that runs it.

    Raises:
        WasmError: These are no such bytes, they are damaged, or the code is not for this version of wasmetal, this
            backend, this processor or this configuration.
    """
    try:
        _, text_size, code_size = _HEAD.unpack_from(content)
        start = _HEAD.size + text_size
        text = content[_HEAD.size : start]
        source = source_of(content)
        code = CodeFile(content[start : start + code_size], digest(text), code_size)
        description = json.loads(text)
        if not content.startswith(PRECOMPILED_MAGIC) or description["source"] != digest(source).hex():
            raise ValueError
    except (LookupError, TypeError, ValueError, struct_error):
        raise WasmError("not a compiled module, or a damaged one") from None
    if description["runtime"] != runtime_interface():
        raise WasmError("the module was compiled by another version of wasmetal: compile it again")
    if description["backend"] != backend.name:
        raise WasmError(f"the module was compiled for {description['backend']}, not for {backend.name}")
    if description["c_convention"] != c_convention(backend):
        raise WasmError("the module was compiled for another operating system: C functions are called differently here")
    missing = set(description["cpu_features"]).difference(backend.cpu_features)
    if missing:
        raise WasmError(f"the module was compiled for processors with {', '.join(sorted(missing))}")
    if description["features"] != _fields(config.features):
        raise WasmError("the module was compiled with other parts of WebAssembly on: compile it again")
    return Precompiled(source, FrontendOptions(**description["options"]), code)


def source_of(content: bytes) -> bytes:
    """The binary in a compiled module that is not damaged."""
    _, text_size, code_size = _HEAD.unpack_from(content)
    return content[_HEAD.size + text_size + code_size :]
