"""Which locals of a function have no value yet (core specification, "Instructions", init of locals)."""

from __future__ import annotations

from wasm_core.errors import InvalidError
from wasm_core.type_codes import NON_NULL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class UnsetLocals:
    """The locals that have no value yet: those that cannot be null and have not been set in this construct.

    Few functions have any. There the loop takes a closer look at locals from `first` on.
    """

    __slots__ = ("_heights", "_set", "_unset", "count", "first")

    def __init__(self, local_types: list[int], params: int) -> None:
        self.count: Final = len(local_types)
        self._unset: Final = {index for index in range(params, self.count) if local_types[index] & NON_NULL}
        self.first: Final = min(self._unset)
        # Locals that have been set, and how many that were where each open construct started.
        self._set: Final[list[int]] = []
        self._heights: Final[list[int]] = []

    def get(self, index: int, at: int) -> None:
        """A local that is read."""
        if index >= self.count:
            raise InvalidError(f"unknown local {index}", at)
        if index in self._unset:
            raise InvalidError(f"uninitialized local {index}", at)

    def set(self, index: int, at: int) -> None:
        """A local that is set."""
        if index >= self.count:
            raise InvalidError(f"unknown local {index}", at)
        if index in self._unset:
            self._unset.remove(index)
            self._set.append(index)

    def open(self) -> None:
        """A construct starts."""
        self._heights.append(len(self._set))

    def restart(self) -> None:
        """Another arm of the innermost construct starts, where nothing is set that was set in the one before."""
        while len(self._set) > self._heights[-1]:
            self._unset.add(self._set.pop())

    def close(self) -> None:
        """The innermost construct ends."""
        self.restart()
        self._heights.pop()
