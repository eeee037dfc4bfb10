"""Errors: the exit of a program, and error numbers on their way to it."""

from __future__ import annotations

from wasm_wasi.abi import FROM_HOST_ERRNO, IO


class Exit(Exception):
    """The program called `proc_exit`, or ended itself with a signal (`proc_raise`).

    Attributes:
        code: The exit code, 0 to 2**32 - 1; for a signal 128 and its number, as shells have it.
        signal: The name of the signal, such as "ABRT", or None.
    """

    #: WebAssembly code does not catch it, whatever the configuration says.
    uncatchable = True

    def __init__(self, code: int, signal: str | None = None) -> None:
        super().__init__(f"the program {f'ended itself with SIG{signal}' if signal else 'exited'} (code {code})")
        self.code = code
        self.signal = signal

    def __reduce__(self) -> tuple[type[Exit], tuple[int, str | None], dict[str, object]]:
        return type(self), (self.code, self.signal), dict(self.__dict__)


class WasiError(Exception):
    """A WASI function fails with an error number; never leaves this package."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno


def errno_of(error: OSError) -> int:
    """The WASI error number for an error of the operating system."""
    return FROM_HOST_ERRNO.get(error.errno or 0, IO)
