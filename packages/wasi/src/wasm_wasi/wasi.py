"""`Wasi`: what a program gets to see of the world, as import objects for wasmetal."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType

import wasm_wasi  # in annotations its names are looked up when somebody asks what they mean
import wasmetal.engine
from wasm_core.quoting import listed
from wasm_wasi import host
from wasm_wasi.abi import MODULE_NAME, SIGNATURES
from wasm_wasi.errors import Exit
from wasm_wasi.functions import func_type, guarded
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.process import Process, Streams, string_block
from wasm_wasi.stdio import INHERIT, Inherit, Stream, check
from wasmetal import Caller, Func, Instance, Module, WasmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_wasi.preopens import Preopen
    from wasm_wasi.sockets import SocketSource


def _check_sockets(sockets: Iterable[SocketSource]) -> tuple[SocketSource, ...]:
    given = tuple(sockets)
    if given:
        # Few programs have sockets, and the standard library's module takes long to import.
        from wasm_wasi.sockets import check as check_socket

        for source in given:
            check_socket(source)
    return given


class _Functions(Mapping[str, Func]):
    """The functions of one instance by name; each is made when somebody asks for it."""

    __slots__ = ("_made", "_process")

    def __init__(self, process: Process) -> None:
        self._process = process
        self._made: dict[str, Func] = {}

    def _callable(self, name: str) -> Callable[..., int]:
        return guarded(name, self._process)

    def __getitem__(self, name: str) -> Func:
        function = self._made.get(name)
        if function is None:
            if name not in SIGNATURES:
                raise KeyError(name)
            function = self._made[name] = Func(self._callable(name), func_type(name))
        return function

    def __iter__(self) -> Iterator[str]:
        return iter(SIGNATURES)

    def __len__(self) -> int:
        return len(SIGNATURES)


class _FunctionsForAll(_Functions):
    """The functions of one process for any number of instances.

    Instances that are given the mapping itself get functions of their own, bound to their memory (`PerInstance` in
    `wasmetal.store.linking`). Functions that are taken out of it ask who calls them, which takes several times as long.
    """

    __slots__ = ()

    def for_instance(self) -> tuple[Mapping[str, object], Callable[[Caller], None]]:
        process = self._process.with_memory_of_its_own()

        def bind(caller: Caller) -> None:
            process.guest = _guest(caller)
            process.suspendable = caller.suspendable

        return _Functions(process), bind

    def _callable(self, name: str) -> Callable[..., int]:
        process = self._process

        def call(caller, *args):  # type: ignore[no-untyped-def]
            # Callers in several threads must not see each other's memory.
            own = process.with_memory_of_its_own()
            own.guest = _guest(caller)
            own.suspendable = caller.suspendable
            return guarded(name, own)(*args)

        # The class itself, which is what tells wasmetal to pass the caller.
        call.__annotations__ = {"caller": Caller}
        call.__name__ = name
        return call


def _guest(caller: Caller) -> GuestMemory:
    try:
        return GuestMemory(caller.memory)
    except WasmError:
        # Without a memory every pointer is a bad one.
        return GuestMemory(None)


class Wasi:
    """The surroundings of a program: arguments, environment, directories, streams and sockets.

    Nothing else of the host can be seen: no preopen, no file.

    Args:
        args: The arguments, the program's name first.
        env: The environment variables.
        preopens: Directory by the name under which the program finds it, such as `{"/data": "some/dir"}`: a path,
            `Directory(path, read_only=True)`, a mapping from paths to content such as `{"in.txt": b"..."}` (read-only),
            a `MemoryDirectory`, or an fsspec file system (read-only). Or paths of directories that the program finds
            under their own names, such as `["."]`. Paths that leave one (`..`, absolute ones, symbolic links) are
            refused with ENOTCAPABLE.
        stdin: A binary file object, a path, None for an empty stream; the process's own if not given.
        stdout: A binary file object, a path (made empty first), None to discard; the process's own if not given, or
            what `sys.stdout` is, if that is no file: in a notebook, or in tests that capture it.
        stderr: The same as stdout.
        sockets: Sockets that the program finds open, with the numbers behind those of the directories (3, ... if there
            are none): a Python socket or the number of an open one, listening or connected, which stay yours; or
            "host:port" (an IPv6 address in brackets) to listen there for as long as the program runs.
        clock: What all the program's clocks say, instead of the system's: called without arguments, it returns
            nanoseconds. Waiting still takes real time. What it raises ends the program.
        random: Random numbers, instead of the system's: called with a number of bytes (65536 at most), it returns as
            many, as `random.Random(1).randbytes` does. What it raises ends the program.

    Raises:
        TypeError: A stream is none of those, for instance a text file; a socket or a preopen is none; or `clock` or
            `random` cannot be called.
        ValueError: An argument or a variable has a NUL in it, the name of a variable has a `=`, an address is not
            host:port, or a mapping has a path that is not one such as "folder/file".
        FileNotFoundError, NotADirectoryError: A preopened directory is not there.
    """

    def __init__(
        self,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        preopens: Mapping[str, wasm_wasi.Preopened] | Iterable[str | os.PathLike[str]] | None = None,
        stdin: Stream | Inherit = INHERIT,
        stdout: Stream | Inherit = INHERIT,
        stderr: Stream | Inherit = INHERIT,
        sockets: Iterable[wasm_wasi.SocketSource] = (),
        clock: Callable[[], int] | None = None,
        random: Callable[[int], bytes] | None = None,
    ) -> None:
        if isinstance(args, str | bytes):
            raise TypeError("args must be a sequence of strings, not one string")
        args = tuple(args)
        for number, arg in enumerate(args):
            if not isinstance(arg, str | bytes | os.PathLike):
                raise TypeError(f"args[{number}] must be a string, not {type(arg).__name__}")
        self._args = string_block(args)
        if env is not None and not isinstance(env, Mapping):
            raise TypeError(f'env must be a mapping, such as {{"LANG": "C"}}, not {type(env).__name__}')
        for name in env or {}:
            if "=" in name or not name:
                raise ValueError(f"bad name of an environment variable: {name!r}")
        self._environ = string_block(f"{name}={value}" for name, value in (env or {}).items())
        # Absolute, so that they stay the same directories whatever the current one is later.
        self._preopens = {name: _directory(given) for name, given in _named(preopens or {}).items()}
        self._streams: Streams = (check(0, stdin), check(1, stdout), check(2, stderr))
        if isinstance(sockets, str):
            raise TypeError("sockets must be a sequence, not one string")
        self._sockets = _check_sockets(sockets)
        for name, source in (("clock", clock), ("random", random)):
            if source is not None and not callable(source):
                raise TypeError(f"{name} must be callable, not {type(source).__name__}")
        self._sources = (clock, random)
        self._process: Process | None = None
        self._imports: Mapping[str, Mapping[str, Func]] | None = None

    @property
    def imports(self) -> Mapping[str, Mapping[str, Func]]:
        """What to give to `Module.instantiate`: `{"wasi_snapshot_preview1": {...}}`.

        All instances made with it are one process: they share descriptors. `proc_exit` raises `Exit`, `proc_raise` too.
        Descriptors are open until `close`, or until this object goes.

        Raises:
            OSError: A stream or a directory cannot be opened.
        """
        if self._imports is None:
            process = self._process = self._new_process()
            weakref.finalize(self, process.close)
            self._imports = {MODULE_NAME: _FunctionsForAll(process)}
        return self._imports

    def run(
        self,
        module: Module | wasmetal.engine.Source,
        imports: Mapping[str, Mapping[str, object] | Instance] | None = None,
    ) -> int:
        """Run a program: instantiate it, call `_start`, close what it left open.

        Each call is a process of its own: streams and directories are opened anew.

        Args:
            module: The program: a module, or whatever `Module` takes: a path, for one.
            imports: More imports, as for `Module.instantiate`.

        Returns:
            The exit code: 0 when `_start` returned, else what the program gave to `proc_exit` (0 to 2**32 - 1).

        Raises:
            WasmError: The module has no `_start`: it is no program; or it is not valid.
            LinkError: It imports something that it is not given.
            Trap: It trapped.
            OSError: A stream, a directory or a socket cannot be opened.
        """
        module = _program(module)
        process = self._new_process()
        try:
            return _run(module, process, imports or {})
        finally:
            process.close()

    async def run_async(
        self,
        module: Module | wasmetal.engine.Source,
        imports: Mapping[str, Mapping[str, object] | Instance] | None = None,
    ) -> int:
        """The same as `run`, by `Instance.run_async`: host functions among the imports may be `async def`.

        With asyncio and trio, what waits for a pipe, a terminal, a socket or a time (`fd_read`, `poll_oneoff`,
        `sock_accept`, `sock_recv`, `sock_send`) suspends the program, and the event loop goes on; other functions do
        not: opening and writing files, writing to pipes.

        Args:
            module: As for `run`.
            imports: As for `run`.

        Returns:
            What `run` does.

        Raises:
            What `run` does, and what awaiting raises.
        """
        module = _program(module)
        process = self._new_process()
        given: dict[str, Mapping[str, object] | Instance] = {MODULE_NAME: _FunctionsForAll(process)}
        given.update(imports or {})
        try:
            with module.instantiate(given) as instance:
                await instance.run_async()
        except Exit as exit:
            return exit.code
        finally:
            process.close()
        return 0

    def _new_process(self) -> Process:
        # What Python itself has written so far comes first.
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        return Process(self._args, self._environ, self._preopens, self._streams, self._sockets, *self._sources)

    def __repr__(self) -> str:
        # Values of variables may be secrets.
        names = [text.partition(b"=")[0] for text in self._environ]
        parts = {
            "arguments": _strings(self._args),
            "variables": _strings(names),
            "preopens": listed([f"{name} ({path})" for name, path in self._preopens.items()]),
            "sockets": str(len(self._sockets) or ""),
        }
        return f"<Wasi, {'; '.join([f'{what}: {text}' for what, text in parts.items() if text]) or 'nothing given'}>"

    def close(self) -> None:
        """Close the descriptors of the process behind `imports`; its functions fail with EBADF then."""
        if self._process is not None:
            self._process.close()

    def __enter__(self) -> Wasi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _strings(block: Iterable[bytes]) -> str:
    """Strings as C sees them, for people."""
    return listed([os.fsdecode(string.removesuffix(b"\0")) for string in block])


def _named(
    preopens: Mapping[str, wasm_wasi.Preopened] | Iterable[str | os.PathLike[str]],
) -> Mapping[str, wasm_wasi.Preopened]:
    """Directories by name; in a sequence each has its own."""
    if isinstance(preopens, str | bytes | os.PathLike):
        raise TypeError('preopens must be a mapping, such as {"/data": "some/dir"}, or a sequence of directories')
    return preopens if isinstance(preopens, Mapping) else {os.fspath(path): path for path in preopens}


def _directory(given: wasm_wasi.Preopened) -> str | Preopen:
    if not isinstance(given, str | os.PathLike):
        from wasm_wasi.preopens import preopen

        return preopen(given)
    absolute = os.path.abspath(os.fspath(given))
    if not os.path.isdir(absolute):
        # Says what is wrong, in the words of the system.
        host.check_directory(absolute)
    return absolute


def _program(given: Module | wasmetal.engine.Source) -> Module:
    module = given if isinstance(given, Module) else Module(given)
    if all(export.name != "_start" for export in module.exports):
        raise WasmError("the module exports no function _start, so it is not a program")
    return module


def _run(module: Module, process: Process, imports: Mapping[str, Mapping[str, object] | Instance]) -> int:
    given: dict[str, Mapping[str, object] | Instance] = {MODULE_NAME: _FunctionsForAll(process)}
    given.update(imports)
    try:
        with module.instantiate(given) as instance:
            instance.exports["_start"]()
    except Exit as exit:
        return exit.code
    return 0
