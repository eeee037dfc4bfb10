"""What an engine can be told."""

from __future__ import annotations

import operator
import os

from wasm_core.features import Features
from wasm_core.lazy_attrs import field, frozen
from wasm_core.types import MAX_PAGES_64

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Final
else:
    from wasm_core import lazy_typing as typing

#: Smallest stack that leaves room for frames beside the guard page and the reserve for signal frames, in bytes.
MIN_STACK_BYTES = 256 * 1024
#: Most fuel that an instance can have.
MAX_FUEL: Final = (1 << 63) - 1

_CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "validation": ("eager", "lazy"),
    "compile": ("lazy", "eager"),
    "bounds_checks": ("auto", "guard", "explicit"),
    "relaxed_simd": ("native", "deterministic"),
    "busy": ("raise", "wait"),
}
_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "backend": str,
    "features": Features,
    "cache": (bool, str, os.PathLike, type(None)),
    "hold_gil": bool,
    "fuel": bool,
    "catch_python_exceptions": bool,
}
#: Smallest and largest value of integers.
_RANGES: Final[dict[str, tuple[int, int]]] = {
    "max_memory_pages": (0, MAX_PAGES_64),
    "max_table_elements": (0, 1 << 63),
    "max_module_bytes": (0, 1 << 63),
    "max_instances": (0, 1 << 63),
    "max_stack_bytes": (MIN_STACK_BYTES, 1 << 63),
    "cache_limit": (0, 1 << 63),
    "initial_fuel": (0, MAX_FUEL),
}


@frozen(kw_only=True)
class Config:
    """Settings of an `Engine`; everything has a default, and a config cannot be changed.

    Attributes:
        backend: Name of the backend, or "auto": the one for this machine (see `wasmetal.backends()`).
        features: Which parts of WebAssembly are on.
        validation: "eager": function bodies are validated with the module; "lazy": each before its first call (core
            specification, appendix "Implementation Limitations").
        compile: "lazy": functions are compiled on their first call; "eager": with the module.
        bounds_checks: How loads and stores are kept inside of memories: by guard pages (8 GiB of address space per
            memory), or by explicit comparisons. "auto" takes guard pages, and comparisons where the address space is
            refused, or there are thousands of memories. A 64-bit memory with guard pages (20 GiB) has 16 GiB at most;
            "auto" takes comparisons for one that may have more.
        relaxed_simd: What relaxed vector instructions (`Features.relaxed_simd`) give where the standard leaves a
            choice: "native", what is fastest on the processor, or "deterministic", the same everywhere (what the
            standard's deterministic profile has).
        cache: Where compiled code is kept between processes: None or False for nowhere, True for the user's cache
            directory (see docs/caching.md), or a directory.
        cache_limit: How large the directory of the cache may grow, in bytes: beyond that, modules that have not been
            used for longest are dropped.
        max_memory_pages: Most pages (of 64 KiB) that a memory defined by a module may have, whatever the module says.
            The default, 16 GiB, is what browsers let a 64-bit memory have; a 32-bit one has 4 GiB at most.
        max_table_elements: Most elements that the tables which a module defines may have together in an instance,
            whatever the module says.
        max_module_bytes: Largest binary that is taken, in bytes.
        max_instances: Most instances that the engine's modules may have at a time.
        max_stack_bytes: Size of the stack that WebAssembly code runs on, in bytes. It takes memory as it is used.
        hold_gil: Keep the GIL while WebAssembly code runs: calls are cheaper, but other threads wait. Means nothing on
            free-threaded builds of Python.
        busy: What a call does while another thread runs code of the same store: "raise" a WasmError, or "wait" until
            that is done. Waiting ends with a deadline, Ctrl-C, or when the instance is closed; who waits is served in
            no particular order, and host functions that call into each other's stores from two threads wait for ever.
        fuel: Count the work that WebAssembly code does: `Instance.fuel` says how much it may still do, and running out
            of it is a Trap with code OUT_OF_FUEL. Each instruction takes 1, and the sum is the same on every machine
            (docs/fuel.md). Code is some 8 % slower, where loops have few instructions up to 30 %.
        initial_fuel: What instances start with, start functions included, if `fuel` is on. It is as good as unlimited
            by default: set `Instance.fuel`, or this.
        catch_python_exceptions: Let WebAssembly catch Python exceptions that host functions raise: `catch_all` does,
            and `catch` of the tag `wasmetal.python_exception`, which carries the object. Not those that are not derived
            from Exception, traps, and those of classes with the attribute `uncatchable`. (`WasmException` is caught in
            any case.)

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is out of range or not one of the choices.
    """

    backend: str = "auto"
    features: Features = field(factory=Features.default)
    validation: typing.Literal["eager", "lazy"] = "eager"
    compile: typing.Literal["lazy", "eager"] = "lazy"
    bounds_checks: typing.Literal["auto", "guard", "explicit"] = "auto"
    relaxed_simd: typing.Literal["native", "deterministic"] = "native"
    cache: bool | str | os.PathLike[str] | None = None
    cache_limit: int = 512 * 1024 * 1024
    max_memory_pages: int = 262_144
    max_table_elements: int = 10_000_000
    max_module_bytes: int = 1024 * 1024 * 1024
    max_instances: int = 1_000_000
    max_stack_bytes: int = 8 * 1024 * 1024
    hold_gil: bool = False
    busy: typing.Literal["raise", "wait"] = "raise"
    fuel: bool = False
    initial_fuel: int = MAX_FUEL
    catch_python_exceptions: bool = False

    def __attrs_post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {getattr(self, name)!r}")
        for name, types in _TYPES.items():
            if not isinstance(getattr(self, name), types):
                allowed = " or ".join([each.__name__ for each in (types if isinstance(types, tuple) else (types,))])
                raise TypeError(f"{name} must be {allowed}, not {type(getattr(self, name)).__name__}")
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not a {type(value).__name__}")
            if type(value) is not int:
                # Of a derived class, whose objects may compute in a way of their own.
                value = operator.index(value)
                object.__setattr__(self, name, value)
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, not {value}")
