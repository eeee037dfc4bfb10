"""Modules that cross to other processes: what is pickled, and what a process keeps of those that it got.

A pool of workers unpickles the same module for each task. So the modules that a process got last are kept, and one that
comes again is found by the checksum of its binary: it is read, validated and compiled once.
"""

from __future__ import annotations

import pickle
from typing import Any, Final

import wasmetal  # in annotations its names are looked up when somebody asks what they mean
from wasmetal.config import Config
from wasmetal.system.hold import exclusive

#: Most modules that are kept, and most bytes of what they were made of.
MAX_KEPT: Final = 32
MAX_KEPT_BYTES: Final = 128 * 1024 * 1024

#: Class, checksum of the binary, whether its code came along, configuration.
_Key = tuple[type[Any], bytes, bool, Config]

#: What was unpickled, with its size: last what was asked for last.
_kept: dict[_Key, tuple[wasmetal.Module, int]] = {}


def packed(module: wasmetal.Module, checksum: bytes, protocol: int) -> tuple[Any, ...]:
    """What `Module.__reduce_ex__` returns. With protocol 5 the bytes can stay out of the pickle (PEP 574)."""
    # (not `module.code`, which is made anew where it was deleted)
    code = module._compiled
    complete = code is not None and code.is_complete
    content = code.serialized() if code is not None and complete else module.source
    buffer = pickle.PickleBuffer(content) if protocol >= 5 else content
    return restored, (type(module), buffer, checksum, complete, module.engine.config)


def restored(cls: type[wasmetal.Module], content: Any, checksum: bytes, compiled: bool, config: Config) -> Any:
    """The module that was pickled: the one that this process has of it, if it got it not long ago."""
    key = (cls, checksum, compiled, config)
    with exclusive():
        found = _kept.pop(key, None)
        if found is not None:
            _kept[key] = found
            return found[0]
    binary = bytes(content)
    module = cls._unpacked(binary, compiled, config)
    with exclusive():
        _kept[key] = module, len(binary)
        while len(_kept) > 1 and (len(_kept) > MAX_KEPT or sum([size for _, size in _kept.values()]) > MAX_KEPT_BYTES):
            _kept.pop(next(iter(_kept)), None)
    return module
