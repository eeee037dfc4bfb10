"""Small WebAssembly binaries for tests, put together from bytes, and where the shared test data is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.module import DecodedModule
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.printer import format_function
from wasm_ir.verifier import verify
from wasm_ir.vmcontext import ContextLayout

I32, I64, F32, F64 = b"\x7f", b"\x7e", b"\x7d", b"\x7c"
FUNCREF, EXTERNREF = b"\x70", b"\x6f"
EMPTY = b"\x40"
END, ELSE, DROP, RETURN, UNREACHABLE = b"\x0b", b"\x05", b"\x1a", b"\x0f", b"\x00"


def leb(value: int) -> bytes:
    """An unsigned LEB128 integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sleb(value: int) -> bytes:
    """A signed LEB128 integer."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def get(local: int) -> bytes:
    return b"\x20" + leb(local)


def put(local: int) -> bytes:
    return b"\x21" + leb(local)


def i32(value: int) -> bytes:
    return b"\x41" + sleb(value)


def i64(value: int) -> bytes:
    return b"\x42" + sleb(value)


def br(depth: int) -> bytes:
    return b"\x0c" + leb(depth)


def br_if(depth: int) -> bytes:
    return b"\x0d" + leb(depth)


def br_table(*depths: int) -> bytes:
    return b"\x0e" + leb(len(depths) - 1) + b"".join(map(leb, depths))


def block(*body: bytes, result: bytes = EMPTY) -> bytes:
    return b"\x02" + result + b"".join(body) + END


def loop(*body: bytes, result: bytes = EMPTY) -> bytes:
    return b"\x03" + result + b"".join(body) + END


def if_(then: bytes, otherwise: bytes | None = None, result: bytes = EMPTY) -> bytes:
    return b"\x04" + result + then + (b"" if otherwise is None else ELSE + otherwise) + END


def section(id: int, items: Sequence[bytes]) -> bytes:
    content = leb(len(items)) + b"".join(items)
    return bytes([id]) + leb(len(content)) + content if items else b""


def func_type(params: Sequence[bytes], results: Sequence[bytes]) -> bytes:
    return b"\x60" + leb(len(params)) + b"".join(params) + leb(len(results)) + b"".join(results)


def module(
    body: bytes,
    params: Sequence[bytes] = (),
    results: Sequence[bytes] = (),
    locals: Sequence[tuple[int, bytes]] = (),
    more_types: Sequence[bytes] = (),
    globals: Sequence[bytes] = (),
) -> bytes:
    """A module with one function (`body` is without its `end`), a memory, a table of funcref, and what is given."""
    code = leb(len(locals)) + b"".join([leb(count) + type for count, type in locals]) + body + END
    return b"\0asm\1\0\0\0" + b"".join(
        [
            section(1, [func_type(params, results), *more_types]),
            section(3, [b"\0"]),
            section(4, [b"\x70\x00\x0a"]),
            section(5, [b"\x00\x01"]),
            section(6, globals),
            section(10, [leb(len(code)) + code]),
        ]
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
