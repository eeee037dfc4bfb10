"""Every exception class of every package: it pickles and copies with all that it carries."""

from __future__ import annotations

import copy
import importlib
import pickle
import pkgutil
import sys
from collections.abc import Iterator

import pytest

import wasm_core
import wasm_ir
import wasm_wasi
import wasmetal
from wasm_core.errors import CompileError, Frame, MemoryAccess, Trap, TrapCode
from wasm_wasi.errors import Exit, WasiError
from wasmetal import DeadlineExceeded, FuncType, Tag, WasmException

_PACKAGES = (wasm_core, wasm_ir, wasmetal, wasm_wasi)
#: Modules that run something when they are imported, need what is installed for tests alone, or are for another system.
_WINDOWS, _POSIX = (".system.windows", ".host.windows"), (".system.linux", ".system.posix", ".host.posix")
_OTHER_SYSTEM = _POSIX if sys.platform == "win32" else _WINDOWS
_NOT_IMPORTED = ("__main__", ".testing", ".system.darwin", *_OTHER_SYSTEM)

_TAG = Tag(FuncType(["i32"], []))
_FRAMES = (Frame(1, "inner", 17), Frame(2, None, None))


def _classes() -> Iterator[type[BaseException]]:
    """Those that the packages define, found by looking into every module."""
    seen = set()
    for package in _PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if any(part in found.name for part in _NOT_IMPORTED):
                continue
            try:
                module = importlib.import_module(found.name)
            except ImportError:  # something optional is not installed
                continue
            for value in vars(module).values():
                ours = isinstance(value, type) and issubclass(value, BaseException)
                if ours and value.__module__.startswith(package.__name__) and value not in seen:
                    seen.add(value)
                    yield value


#: What constructors take, of those that do not take a message alone.
_MADE = {
    Trap: lambda cls: cls(TrapCode.MEMORY_OUT_OF_BOUNDS, "message", _FRAMES, MemoryAccess(70_000, 4, 65_536)),
    DeadlineExceeded: lambda cls: cls(_FRAMES),
    CompileError: lambda cls: cls("message", 0x1234),
    Exit: lambda cls: cls(134, "ABRT"),
    WasiError: lambda cls: cls(8),
    WasmException: lambda cls: cls(_TAG, (5,)),
}


def _make(cls: type[BaseException]) -> BaseException:
    for base in cls.__mro__:
        if base in _MADE:
            return _MADE[base](cls)
    return cls("message")


CLASSES = sorted(_classes(), key=lambda cls: f"{cls.__module__}.{cls.__qualname__}")


def test_the_classes_are_found() -> None:
    assert {Trap, CompileError, DeadlineExceeded, Exit, wasmetal.LinkError} <= set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__qualname__)
def test_exceptions_cross_processes(cls: type[BaseException]) -> None:
    # An exception that cannot be read back breaks the pool of processes in which it was raised.
    error = _make(cls)
    error.add_note("a note")
    error.attribute = ["of a user"]  # type: ignore[attr-defined]
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for made in [*copies, copy.copy(error), copy.deepcopy(error)]:
        assert type(made) is cls
        assert (str(made), made.args) == (str(error), error.args)
        assert vars(made) == vars(error)
        assert made.__notes__ == error.__notes__
    if isinstance(error, wasmetal.WasmError):
        copy.copy(error).add_note("one of its own")  # Python's own exceptions share the list
        assert error.__notes__[-1] == "a note"


def test_what_they_carry() -> None:
    trap = pickle.loads(pickle.dumps(_make(Trap)))
    assert (trap.code, trap.frames) == (TrapCode.MEMORY_OUT_OF_BOUNDS, _FRAMES)
    assert trap.access == MemoryAccess(70_000, 4, 65_536)
    late = pickle.loads(pickle.dumps(_make(DeadlineExceeded)))
    assert (late.code, late.frames) == (TrapCode.INTERRUPTED, _FRAMES)
    wrong = pickle.loads(pickle.dumps(_make(CompileError)))
    assert (wrong.message, wrong.offset, str(wrong)) == ("message", 0x1234, "message (at offset 0x1234)")
    ended = pickle.loads(pickle.dumps(_make(Exit)))
    assert (ended.code, ended.signal) == (134, "ABRT")
