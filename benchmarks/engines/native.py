"""The same C as a shared object, called through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

_RESULTS = {"i32": ctypes.c_int32, "i64": ctypes.c_int64, "f64": ctypes.c_double}


def load(path: Path, result: str) -> Callable[[int], object]:
    """The function `run` of a kernel."""
    function = ctypes.CDLL(str(path)).run
    function.argtypes = [ctypes.c_int32]
    function.restype = _RESULTS[result]
    return function
