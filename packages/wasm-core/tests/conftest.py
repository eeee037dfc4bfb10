"""Fixtures of the tests: a builder of binary modules, and the shared test data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class ModuleBuilder:
    """Makes binary modules from their parts, right or wrong."""

    PREAMBLE = b"\0asm\x01\0\0\0"

    @staticmethod
    def u(value: int) -> bytes:
        """An unsigned LEB128 integer."""
        out = bytearray()
        while value >= 0x80:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    def vec(self, items: list[bytes]) -> bytes:
        return self.u(len(items)) + b"".join(items)

    def sized(self, content: bytes) -> bytes:
        return self.u(len(content)) + content

    def section(self, number: int, content: bytes) -> bytes:
        return bytes([number]) + self.sized(content)

    def custom(self, name: str, content: bytes) -> bytes:
        return self.section(0, self.sized(name.encode()) + content)

    def func_type(self, params: bytes = b"", results: bytes = b"") -> bytes:
        return b"\x60" + self.sized(params) + self.sized(results)

    def module(self, *sections: bytes) -> bytes:
        return self.PREAMBLE + b"".join(sections)

    def function(
        self,
        code: bytes,
        params: bytes = b"",
        results: bytes = b"",
        *,
        local_groups: tuple[tuple[int, int], ...] = (),
        types: tuple[bytes, ...] = (),
        memory: bool = False,
        table: bool = False,
        global_types: tuple[bytes, ...] = (),
        tail: bytes = b"",
    ) -> bytes:
        """A module with one function, whose code is given with its `end`; type 0 is its own."""
        declared = self.vec([self.u(n) + bytes([t]) for n, t in local_groups])
        return self.module(
            self.section(1, self.vec([self.func_type(params, results), *types])),
            self.section(3, self.vec([b"\0"])),
            self.section(4, b"\x01\x70\0\x01") if table else b"",
            self.section(5, b"\x01\0\x01") if memory else b"",
            self.section(6, self.vec([t + b"\x41\0\x0b" for t in global_types])) if global_types else b"",
            self.section(10, self.vec([self.sized(declared + code)])),
            tail,
        )


@pytest.fixture(scope="session")
def wasm() -> ModuleBuilder:
    return ModuleBuilder()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared test data; tests that want it are skipped without it."""
    path = Path(os.environ.get("WASMETAL_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    if not path.is_dir():
        pytest.skip(f"no shared test data in {path.name}; set WASMETAL_SHARED")
    return path


@pytest.fixture(scope="session")
def corpus(shared: Path) -> dict[str, bytes]:
    """Real programs by name."""
    return {p.parent.name: p.read_bytes() for p in sorted(shared.glob("corpus/*/program.wasm"))}
