"""Host functions that call WebAssembly code that calls them: on threads' own stacks, large and small.

Each recursion runs in a process of its own, which must not crash.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from systems import mappings, posix, windows

from wasm_core.errors import Trap
from wasmetal.cpython import c_stack
from wasmetal.system.host import host

#: The smallest stack that a thread may have; of AArch64, for one, 131072.
LEAST = 65536 if windows else max(65536, os.sysconf("SC_THREAD_STACK_MIN"))

_PRELUDE = """
import sys, threading
sys.path[:0] = {path!r}
import wasmetal
from wasm_core.testing.builder import WasmBuilder

b = WasmBuilder()
b.import_func("m", "host")
b.func(code=b"\\x10\\x00", export="run")
b.func(export="nothing")
module = wasmetal.Module(b.build())
depth = 0

def instance_with(function):
    return module.instantiate({{"m": {{"host": function}}}})
"""

#: Ways to recurse: the parameters of the host function, and what it does.
WAYS = {
    "function": ("", "first.exports.run()"),
    "raw": ("", "first.exports.run.call_raw()"),
    "function with a caller": ("caller: wasmetal.Caller", "first.exports.run()"),
    "a store for each call": ("", "instance_with(host).exports.run()"),
    "through C code": ("", "sorted([1], key=lambda _: first.exports.run())"),
}

_RECURSION = """
def host({parameters}):
    global depth
    depth += 1
    {call}

first = instance_with(host)
sys.setrecursionlimit({limit})
"""

_REPORT = """
def work(report=print):
    global depth
    for _ in range(3):
        depth = 0
        try:
            first.exports.run()
        except Exception as error:
            report(depth, type(error).__name__, error)
        first.exports.nothing()

size = {size}
if sys.version_info >= (3, 14):
    # Python does not parse source on a small stack, and may take a large one for small (with musl, for one megabyte):
    # what is imported in passing must be there.
    threading.stack_size(1 << 18)
    thread = threading.Thread(target=work, args=(lambda *_: None,))
    thread.start()
    thread.join()
if size is None:
    work()
else:
    threading.stack_size(size)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
"""


def recurse(way: str, size: int | None, limit: int) -> list[tuple[int, str]]:
    """(depth, error) of three recursions, on a thread with so large a stack (None: the main thread)."""
    path = [str(Path(__file__).parent), *[entry for entry in sys.path if entry]]
    parameters, call = WAYS[way]
    program = _PRELUDE.format(path=path) + _RECURSION.format(parameters=parameters, call=call, limit=limit)
    program += _REPORT.format(size=size)
    command = [sys.executable, "-X", "faulthandler", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    reports = [line.partition(" ") for line in result.stdout.splitlines()]
    assert len(reports) == 3, result.stderr
    return [(int(depth), error) for depth, _, error in reports]


# On Windows threads have two megabytes at least, and CPython a limit of its own below that.
@posix
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("size", "limit"), [(LEAST, 1000), (131072, 1000), (524288, 1_000_000)])
def test_a_small_stack_is_exhausted(way: str, size: int, limit: int) -> None:
    # From 3.14 on Python looks at the C stack itself and keeps 32 KiB: of the smallest stack as much as we do.
    python_too = ["RecursionError Stack overflow"] if sys.version_info >= (3, 14) and size == LEAST else []
    for depth, error in recurse(way, size, limit):
        assert error.startswith(("Trap call stack exhausted", *python_too))
        assert depth >= size // 65536


def on_a_thread(work: Callable[[], None]) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def default_stack() -> int:
    """How many bytes a thread has for its stack when nothing is asked for: 8 MiB mostly, with musl 128 KiB."""
    sizes: list[int] = []
    on_a_thread(lambda: sizes.append(host.thread_stack()[1]))
    return sizes[0]


@pytest.mark.parametrize(("way", "size"), [("function", None), ("function", 0), ("a store for each call", 1 << 20)])
def test_a_large_stack_without_a_limit_of_python(way: str, size: int | None) -> None:
    # CPython 3.14 for musl needs six kilobytes a round, others up to three.
    least = 300 if size is None else min(300, (size or default_stack()) >> 13)
    for depth, error in recurse(way, size, 1_000_000):
        assert "call stack exhausted" in error or "RecursionError" in error
        assert depth > least


def test_pythons_limit_comes_first_on_a_large_stack() -> None:
    for size in (None, 1 << 21):
        for depth, error in recurse("function", size, 200):
            assert error.startswith("RecursionError") and 50 < depth < 200


def test_a_thread_learns_once() -> None:
    def work() -> None:
        assert c_stack.learn()
        assert not c_stack.learn()

    on_a_thread(work)
    on_a_thread(work)


def test_room_down_to_the_reserve() -> None:
    def work() -> None:
        lowest, size = host.thread_stack()
        reserve = min(c_stack.RESERVE, size // 2)
        c_stack.make_room(lowest + size - 1)
        c_stack.make_room(lowest + reserve)
        with pytest.raises(Trap, match="call stack exhausted"):
            c_stack.make_room(lowest + reserve - 1)

    on_a_thread(work)


def test_a_stack_that_is_not_the_threads() -> None:
    def work() -> None:
        lowest, size = host.thread_stack()
        for elsewhere in (lowest - 1, lowest + size):
            c_stack.make_room(elsewhere)
            assert not c_stack.learn()
            c_stack.make_room(lowest + size - 1)

    on_a_thread(work)


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[int, int]:
        raise FileNotFoundError("no /proc")

    def work() -> None:
        assert c_stack.learn()
        assert not c_stack.learn()
        c_stack.make_room(1)

    monkeypatch.setattr(host, "thread_stack", refuse)
    on_a_thread(work)


def test_the_stack_of_a_thread() -> None:
    def work() -> None:
        lowest, size = host.thread_stack()
        assert windows or 262144 - 65536 < size <= 262144
        # (on Windows pages of another protection tell how far it has grown)
        ends = (lowest + size - 1,) if windows else (lowest, lowest + size - 1)
        assert any(all(start <= place < end for place in ends) for start, end, _ in mappings())

    old = threading.stack_size(262144)
    try:
        on_a_thread(work)
    finally:
        threading.stack_size(old)


@posix
@pytest.mark.parametrize("glibc", [True, False])
def test_the_stack_of_the_main_thread(glibc: bool) -> None:
    program = f"from wasmetal.system import linux; linux._GLIBC &= {glibc}; print(*linux.thread_stack())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, check=True
    ).stdout
    size = int(printed.split()[1])
    resource = pytest.importorskip("resource")
    limit = resource.getrlimit(resource.RLIMIT_STACK)[0]
    assert limit == resource.RLIM_INFINITY or limit // 2 < size <= limit + 65536


def test_finalizers_call_functions_when_modules_have_been_cleared() -> None:
    path = [str(Path(__file__).parent), *[entry for entry in sys.path if entry]]
    program = _PRELUDE.format(path=path) + textwrap.dedent("""
        import builtins, os

        class Late:
            def __init__(self, function, write):
                self.function = function
                self.write = write

            def __del__(self):
                self.function()
                self.write(1, b"called\\n")

        nothing = instance_with(lambda: None).exports.nothing
        nothing()
        nothing()
        builtins.late = Late(nothing, os.write)
        sys.late = Late(nothing, os.write)
    """)
    # Memory that is freed is overwritten.
    environment = os.environ | {"PYTHONMALLOC": "debug"}
    command = [sys.executable, "-X", "faulthandler", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert (result.returncode, result.stdout) == (0, "called\ncalled\n"), result.stderr
