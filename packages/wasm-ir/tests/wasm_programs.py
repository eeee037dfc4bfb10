"""Small WebAssembly binaries for tests, put together from bytes, and where the shared test data is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.module import DecodedModule
from wasm_core.testing import binary
from wasm_core.testing.binary import signed, unsigned
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.printer import format_function
from wasm_ir.verifier import verify
from wasm_ir.vmcontext import ContextLayout

I32, I64, F32, F64 = b"\x7f", b"\x7e", b"\x7d", b"\x7c"
FUNCREF, EXTERNREF = b"\x70", b"\x6f"
EMPTY = b"\x40"
END, ELSE, DROP, RETURN, UNREACHABLE = b"\x0b", b"\x05", b"\x1a", b"\x0f", b"\x00"


def get(local: int) -> bytes:
    return b"\x20" + unsigned(local)


def put(local: int) -> bytes:
    return b"\x21" + unsigned(local)


def i32(value: int) -> bytes:
    return b"\x41" + signed(value)


def i64(value: int) -> bytes:
    return b"\x42" + signed(value)


def br(depth: int) -> bytes:
    return b"\x0c" + unsigned(depth)


def br_if(depth: int) -> bytes:
    return b"\x0d" + unsigned(depth)


def br_table(*depths: int) -> bytes:
    return b"\x0e" + unsigned(len(depths) - 1) + b"".join(map(unsigned, depths))


def block(*body: bytes, result: bytes = EMPTY) -> bytes:
    return b"\x02" + result + b"".join(body) + END


def loop(*body: bytes, result: bytes = EMPTY) -> bytes:
    return b"\x03" + result + b"".join(body) + END


def if_(then: bytes, otherwise: bytes | None = None, result: bytes = EMPTY) -> bytes:
    return b"\x04" + result + then + (b"" if otherwise is None else ELSE + otherwise) + END


def func_type(params: Sequence[bytes], results: Sequence[bytes]) -> bytes:
    return binary.func_type(b"".join(params), b"".join(results))


def module(
    body: bytes,
    params: Sequence[bytes] = (),
    results: Sequence[bytes] = (),
    locals: Sequence[tuple[int, bytes]] = (),
    more_types: Sequence[bytes] = (),
    globals: Sequence[bytes] = (),
) -> bytes:
    """A module with one function (`body` is without its `end`), a memory, a table of funcref, and what is given."""
    return binary.function(
        body + END,
        b"".join(params),
        b"".join(results),
        local_groups=[(count, ord(type)) for count, type in locals],
        types=more_types,
        memory=True,
        table=True,
        globals=globals,
    )


def compile_function(source: bytes | DecodedModule, index: int = 0, **options: bool) -> Function:
    """Translate a function, and verify what comes out."""
    decoded = decode(source) if isinstance(source, bytes) else source
    facts = validate_body(decoded, index)
    function = translate(decoded, index, ContextLayout(decoded), facts, FrontendOptions(**options))
    verify(function)
    return function


def text_of(source: bytes, **options: bool) -> str:
    """The IR of a module's only function, without the first and last line."""
    lines = format_function(compile_function(source, **options)).splitlines()
    return "\n".join(lines[1:-1])


def shared(*parts: str) -> Path:
    """A path in the shared test data; skips the test where there is none."""
    root = os.environ.get("WASMETAL_SHARED")
    path = Path(root) if root else Path(__file__).resolve().parents[4] / "shared"
    path = path.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not there (see WASMETAL_SHARED)")
    return path
