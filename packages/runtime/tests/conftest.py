"""Fixtures of the tests: a builder of binary modules, distributions on sys.path, and a clean-up that garbage tests can
rely on."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Tests are imported by path; what they share must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from glue_machine import GlueMachine

_TYPES = {"i": 0x7F, "I": 0x7E, "f": 0x7D, "F": 0x7C, "v": 0x7B, "r": 0x70, "e": 0x6F}


def _u(value: int) -> bytes:
    """Unsigned LEB128."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _s(value: int) -> bytes:
    """Signed LEB128."""
    out = bytearray()
    while not -64 <= value < 64:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value & 0x7F])


def _sized(content: bytes) -> bytes:
    return _u(len(content)) + content


def _vec(items: list[bytes]) -> bytes:
    return _u(len(items)) + b"".join(items)


def _limits(minimum: int, maximum: int | None) -> bytes:
    return b"\0" + _u(minimum) if maximum is None else b"\1" + _u(minimum) + _u(maximum)


class Op:
    """Instructions as bytes."""

    END = b"\x0b"
    UNREACHABLE = b"\x00"
    DROP = b"\x1a"
    I32_ADD = b"\x6a"
    I32_MUL = b"\x6c"
    I32_DIV_S = b"\x6d"
    I64_ADD = b"\x7c"
    F64_ADD = b"\xa0"
    I32_LOAD = b"\x28\x02\x00"
    I32_LOAD8_U = b"\x2d\x00\x00"
    I32_STORE = b"\x36\x02\x00"
    MEMORY_SIZE = b"\x3f\x00"
    MEMORY_GROW = b"\x40\x00"

    @staticmethod
    def i32(value: int) -> bytes:
        return b"\x41" + _s(value)

    @staticmethod
    def i64(value: int) -> bytes:
        return b"\x42" + _s(value)

    @staticmethod
    def get(index: int) -> bytes:
        """local.get"""
        return b"\x20" + _u(index)

    @staticmethod
    def global_get(index: int) -> bytes:
        return b"\x23" + _u(index)

    @staticmethod
    def global_set(index: int) -> bytes:
        return b"\x24" + _u(index)

    @staticmethod
    def call(index: int) -> bytes:
        return b"\x10" + _u(index)

    @staticmethod
    def call_indirect(type: int, table: int = 0) -> bytes:
        return b"\x11" + _u(type) + _u(table)

    @staticmethod
    def ref_func(index: int) -> bytes:
        return b"\xd2" + _u(index)

    @staticmethod
    def ref_null(type: str) -> bytes:
        return b"\xd0" + bytes([_TYPES[type]])

    @staticmethod
    def table_get(index: int = 0) -> bytes:
        return b"\x25" + _u(index)

    @staticmethod
    def table_set(index: int = 0) -> bytes:
        return b"\x26" + _u(index)

    @staticmethod
    def table_grow(index: int = 0) -> bytes:
        return b"\xfc\x0f" + _u(index)

    @staticmethod
    def table_init(element: int, table: int = 0) -> bytes:
        return b"\xfc\x0c" + _u(element) + _u(table)

    @staticmethod
    def if_(results: str, then: bytes, otherwise: bytes) -> bytes:
        kind = bytes([_TYPES[results]]) if results else b"\x40"
        return b"\x04" + kind + then + b"\x05" + otherwise + b"\x0b"


class WasmBuilder:
    """Puts a binary module together. Imports come before what the module defines itself.

    Types are written as strings of i, I, f, F (i32, i64, f32, f64), v (v128), r (funcref) and e (externref).
    """

    op = Op

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._imports: list[bytes] = []
        self._counts = [0, 0, 0, 0]
        self._functions: list[bytes] = []
        self._tables: list[bytes] = []
        self._memories: list[bytes] = []
        self._globals: list[bytes] = []
        self._exports: list[bytes] = []
        self._elements: list[bytes] = []
        self._data: list[bytes] = []
        self._bodies: list[bytes] = []
        self._customs: list[bytes] = []
        self._start = b""

    def _item(self, kind: int, export: str | None) -> int:
        index = self._counts[kind]
        self._counts[kind] += 1
        if export is not None:
            self.export(export, kind, index)
        return index

    def export(self, name: str, kind: int, index: int) -> None:
        self._exports.append(_sized(name.encode()) + bytes([kind]) + _u(index))

    def type(self, params: str = "", results: str = "") -> int:
        entry = b"\x60" + _sized(bytes(_TYPES[t] for t in params)) + _sized(bytes(_TYPES[t] for t in results))
        if entry not in self._types:
            self._types.append(entry)
        return self._types.index(entry)

    def _import(self, kind: int, module: str, name: str, description: bytes, export: str | None) -> int:
        self._imports.append(_sized(module.encode()) + _sized(name.encode()) + bytes([kind]) + description)
        return self._item(kind, export)

    def import_func(
        self, module: str, name: str, params: str = "", results: str = "", *, export: str | None = None
    ) -> int:
        return self._import(0, module, name, _u(self.type(params, results)), export)

    def import_table(
        self, module: str, name: str, type: str, minimum: int, maximum: int | None = None, *, export: str | None = None
    ) -> int:
        return self._import(1, module, name, bytes([_TYPES[type]]) + _limits(minimum, maximum), export)

    def import_memory(
        self, module: str, name: str, minimum: int, maximum: int | None = None, *, export: str | None = None
    ) -> int:
        return self._import(2, module, name, _limits(minimum, maximum), export)

    def import_global(
        self, module: str, name: str, type: str, *, mutable: bool = False, export: str | None = None
    ) -> int:
        return self._import(3, module, name, bytes([_TYPES[type], mutable]), export)

    def func(
        self, params: str = "", results: str = "", code: bytes = b"", *, locals: str = "", export: str | None = None
    ) -> int:
        """A function; its `end` is added."""
        self._functions.append(_u(self.type(params, results)))
        declared = _vec([b"\x01" + bytes([_TYPES[t]]) for t in locals])
        self._bodies.append(_sized(declared + code + Op.END))
        return self._item(0, export)

    def table(self, type: str, minimum: int, maximum: int | None = None, *, export: str | None = None) -> int:
        self._tables.append(bytes([_TYPES[type]]) + _limits(minimum, maximum))
        return self._item(1, export)

    def memory(self, minimum: int, maximum: int | None = None, *, export: str | None = None) -> int:
        self._memories.append(_limits(minimum, maximum))
        return self._item(2, export)

    def glob(self, type: str, init: bytes, *, mutable: bool = False, export: str | None = None) -> int:
        self._globals.append(bytes([_TYPES[type], mutable]) + init + Op.END)
        return self._item(3, export)

    def start(self, index: int) -> None:
        self._start = _u(index)

    def elements(self, offset: bytes | None, functions: list[int], table: int = 0) -> int:
        """An active segment of functions, or a passive one without `offset`."""
        indices = _vec([_u(index) for index in functions])
        if offset is None:
            self._elements.append(b"\x01\x00" + indices)
        else:
            self._elements.append(b"\x02" + _u(table) + offset + Op.END + b"\x00" + indices)
        return len(self._elements) - 1

    def element_expressions(self, offset: bytes, type: str, expressions: list[bytes], table: int = 0) -> int:
        items = _vec([expression + Op.END for expression in expressions])
        self._elements.append(b"\x06" + _u(table) + offset + Op.END + bytes([_TYPES[type]]) + items)
        return len(self._elements) - 1

    def data(self, offset: bytes | None, content: bytes) -> int:
        """An active segment, or a passive one without `offset`."""
        self._data.append((b"\x01" if offset is None else b"\x00" + offset + Op.END) + _sized(content))
        return len(self._data) - 1

    def custom(self, name: str, content: bytes) -> None:
        self._customs.append(_sized(name.encode()) + content)

    def names(self, module: str, functions: dict[int, str]) -> None:
        """A name section."""
        entries = _vec([_u(index) + _sized(name.encode()) for index, name in sorted(functions.items())])
        self.custom("name", b"\x00" + _sized(_sized(module.encode())) + b"\x01" + _sized(entries))

    def build(self) -> bytes:
        sections = [
            (1, self._types),
            (2, self._imports),
            (3, self._functions),
            (4, self._tables),
            (5, self._memories),
            (6, self._globals),
            (7, self._exports),
            (9, self._elements),
            (10, self._bodies),
            (11, self._data),
        ]
        out = b"\0asm\x01\0\0\0"
        for number, items in sections:
            if number == 9 and self._start:
                out += b"\x08" + _sized(self._start)
            if number == 10 and self._data:
                out += b"\x0c" + _sized(_u(len(self._data)))
            if items:
                out += bytes([number]) + _sized(_vec(items))
        for custom in self._customs:
            out += b"\x00" + _sized(custom)
        return out


@pytest.fixture
def wasm() -> type[WasmBuilder]:
    """The class of builders."""
    return WasmBuilder


@pytest.fixture
def address_limit() -> None:
    """Skips where limits on address space are accepted and then ignored, as QEMU's user-mode emulation does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = 1 << 46 if soft != 1 << 46 else 1 << 45
    try:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
        limited = resource.getrlimit(resource.RLIMIT_AS)[0] == wanted
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    except ValueError:  # there is a smaller one already
        return
    if not limited:
        pytest.skip("this system does not limit address space")


@pytest.fixture
def clean() -> Iterator[None]:
    """No garbage of other tests is around, and nothing is collected by chance."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


@pytest.fixture(autouse=True, scope="session")
def cache_directory(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps what tests run out of the user's cache, subprocesses included."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(params=[False, True], ids=["GIL released", "GIL held"])
def machine(request: pytest.FixtureRequest) -> Iterator[GlueMachine]:
    """A store with glue."""
    from glue_machine import GlueMachine

    made = GlueMachine(request.param)
    yield made
    assert made.at_rest()


_BACKEND = """
from wasm_ir.backend import HostSupport

class Backend:
    name = {name!r}
    cpu_features = ()

    @classmethod
    def host_support(cls):
        return HostSupport({supported}, {reason!r})

    def compile(self, function): ...
    def relocate(self, code, address, relocations, slots): ...
    def stubs(self, environment): ...
    def disassemble(self, code, address): ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a distribution with a backend, the only ones on sys.path."""
    libraries = [folder for folder in sys.path if not list(Path(folder).glob("*.dist-info"))]
    monkeypatch.setattr(sys, "path", [str(tmp_path), *libraries])

    def make(
        distribution: str,
        name: str = "toy",
        *,
        supported: bool = True,
        reason: str = "fine",
        entry_points: str | None = None,
    ) -> None:
        module = distribution.replace("-", "_") + "_module"
        (tmp_path / f"{module}.py").write_text(_BACKEND.format(name=name, supported=supported, reason=reason))
        monkeypatch.delitem(sys.modules, module, raising=False)
        folder = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n")
        text = f"[wasmetal.backends]\n{name} = {module}:Backend\n" if entry_points is None else entry_points
        (folder / "entry_points.txt").write_text(text)

    return make
