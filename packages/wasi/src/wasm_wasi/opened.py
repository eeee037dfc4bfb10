"""Descriptors of the system on their way to who closes them, which an exception out of a signal handler cannot lose."""

from __future__ import annotations

import os


class Opened(list[int]):
    """Descriptors that are closed with this object.

    Add what a call opens with `opened += map(os.open, (path,), (flags,))`: that is one step, so no exception can come
    between the opening and the list. Who takes a descriptor over does so without a call in between: `mine = opened[0]`,
    `del opened[0]`.
    """

    __slots__ = ()

    def close_last(self) -> None:
        """Close the one that was added last."""
        fd = self[-1]
        del self[-1]
        os.close(fd)

    def close(self) -> None:
        """Close all."""
        while self:
            self.close_last()

    __del__ = close
