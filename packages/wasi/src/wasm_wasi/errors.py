"""Errors: the exit of a program, and error numbers on their way to it."""

from __future__ import annotations

from wasm_wasi.abi import FROM_HOST_ERRNO, IO


class Exit(Exception):
    """The program called `proc_exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the program exited with code {code}")
        #: The exit code, 0 to 2**32 - 1.
        self.code = code


class WasiError(Exception):
    """A WASI function fails with an error number; never leaves this package."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


def errno_of(error: OSError) -> int:
    """The WASI error number for an error of the operating system."""
    return FROM_HOST_ERRNO.get(error.errno or 0, IO)
