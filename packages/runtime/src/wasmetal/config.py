"""What an engine can be told."""

from __future__ import annotations

import os
from typing import Literal

import attrs

from wasm_core.features import Features
from wasm_core.types import MAX_PAGES

#: Smallest stack that leaves room for frames beside the guard page and the reserve for signal frames, in bytes.
MIN_STACK_BYTES = 256 * 1024


def _no_cache(config: Config, attribute: attrs.Attribute[bool | str | os.PathLike[str] | None], value: object) -> None:
    if value is not None:
        raise NotImplementedError("Config(cache=...) is not implemented in this version: leave it at None")


def _at_most_max_pages(config: Config, attribute: attrs.Attribute[int], value: int) -> None:
    if not 0 <= value <= MAX_PAGES:
        raise ValueError(f"max_memory_pages must be from 0 to {MAX_PAGES}, not {value}")


@attrs.frozen(kw_only=True)
class Config:
    """Settings of an `Engine`; everything has a default, and a config cannot be changed.

    Raises:
        ValueError: A value is out of range or not one of the choices.
        NotImplementedError: A setting that this version does not have yet (`cache`).
    """

    #: Name of the backend, or "auto": the one for this machine (see `wasmetal.backends()`).
    backend: str = "auto"
    #: Which parts of WebAssembly are on.
    features: Features = attrs.field(factory=Features.default, validator=attrs.validators.instance_of(Features))
    #: "eager": function bodies are validated with the module; "lazy": each before its first call (core
    #: specification, appendix "Implementation Limitations").
    validation: Literal["eager", "lazy"] = attrs.field(
        default="eager", validator=attrs.validators.in_(("eager", "lazy"))
    )
    #: "lazy": functions are compiled on their first call; "eager": with the module.
    compile: Literal["lazy", "eager"] = attrs.field(default="lazy", validator=attrs.validators.in_(("lazy", "eager")))
    #: How loads and stores are kept inside of memories: by guard pages (8 GiB of address space per memory), or by
    #: explicit comparisons. "auto" takes guard pages, and comparisons where the address space is refused.
    bounds_checks: Literal["auto", "guard", "explicit"] = attrs.field(
        default="auto", validator=attrs.validators.in_(("auto", "guard", "explicit"))
    )
    #: Where compiled code is kept between processes. Not implemented: only None is accepted.
    cache: bool | str | os.PathLike[str] | None = attrs.field(default=None, validator=_no_cache)
    #: Most pages (of 64 KiB) that a memory defined by a module may have, whatever the module says.
    max_memory_pages: int = attrs.field(
        default=MAX_PAGES, validator=[attrs.validators.instance_of(int), _at_most_max_pages]
    )
    #: Most elements that a table defined by a module may have, whatever the module says.
    max_table_elements: int = attrs.field(
        default=10_000_000, validator=[attrs.validators.instance_of(int), attrs.validators.ge(0)]
    )
    #: Size of the stack that WebAssembly code runs on, in bytes. It takes memory as it is used.
    max_stack_bytes: int = attrs.field(
        default=8 * 1024 * 1024, validator=[attrs.validators.instance_of(int), attrs.validators.ge(MIN_STACK_BYTES)]
    )
    #: Keep the GIL while WebAssembly code runs: calls are cheaper, but other threads wait.
    hold_gil: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
