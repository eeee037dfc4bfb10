"""What imported functions do: log, compute something from their arguments, raise, call back."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

from fuzz.edge_values import EDGES, F32, F64, I32, I64, to_python

CODES = {"i32": I32, "i64": I64, "f32": F32, "f64": F64}
#: One call in so many raises.
_RAISES = 13
#: After so many calls, all raise: there are programs that do little else.
_MOST_CALLS = 2000


class HostError(Exception):
    """What host functions raise."""


def normal(value: object) -> object:
    """A value as it can be compared: floats exactly, NaNs all alike, references only whether they are null."""
    if isinstance(value, float):
        return "nan" if value != value else value.hex()
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, (tuple, list)):
        return [normal(item) for item in value]
    return "reference"


def zero(type: str) -> int | float | None:
    """The argument for a type when any will do."""
    return {"i32": 0, "i64": 0, "f32": 0.0, "f64": 0.0}.get(type)


class Host:
    """The host functions of one run."""

    def __init__(self) -> None:
        self.log: list[object] = []

    def answer(self, name: str, arguments: Sequence[object], results: Sequence[str]) -> list[int | float | None]:
        """What the function of that name returns. Raises HostError at times."""
        entry = [name, normal(list(arguments))]
        self.log.append(entry)
        number = zlib.crc32(repr(entry).encode())
        if number % _RAISES == 0 or len(self.log) > _MOST_CALLS:
            raise HostError(name)
        answers: list[int | float | None] = []
        for type in results:
            number = number * 0x5851F42D4C957F2D + 1 & (1 << 64) - 1
            code = CODES.get(type)
            edges = EDGES[code] if code else []
            answers.append(to_python(code, edges[(number >> 16) % len(edges)]) if code else None)
        return answers

    def reenter(self, number: int, exports: Sequence[tuple[str, Sequence[str]]], call: Callable[..., object]) -> int:
        """Call an export chosen by a number, with zeros, and make a number of its results."""
        self.log.append(["reenter", number])
        if number % 3 == 0 or not exports:
            return number ^ 1
        name, params = exports[number % len(exports)]
        result = call(name, *(zero(type) for type in params))
        self.log.append(["reentered", normal(result)])
        return zlib.crc32(repr(normal(result)).encode()) >> 1
