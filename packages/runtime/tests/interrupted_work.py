"""A program for test_reentry.py: lets an exception come at the k-th event of some work inside the library, for every k.

    python interrupted_work.py WORK line|opcode [STRIDE [FIRST]]

Prints how many events there were. Whatever is left switched, and whatever does not work afterwards, is an error.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import itertools
import sys
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import wasmetal
from wasm_core.testing.builder import WasmBuilder
from wasm_core.testing.patience import PATIENCE
from wasmetal.store import interruption
from wasmetal.store.store import Store
from wasmetal.system import hold

LIBRARY = (str(Path(wasmetal.__file__).parent), "lazy_attrs.py")
THRESHOLD = gc.get_threshold()
ENGINE = wasmetal.Engine(wasmetal.Config(cache=False))
_numbers = itertools.count(1000)


class Interrupt(Exception):
    """What comes."""


def binary() -> bytes:
    """A module with one of everything, each time another one."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.import_func("m", "host", "i", "i")
    b.memory(1, 100, export="memory")
    b.table("e", 4, 1000, export="objects")
    b.table("r", 4, 1000, export="functions")
    b.func("i", "i", op.get(0) + b"\x10\x00" + op.i32(next(_numbers)) + op.I32_ADD, export="host")
    b.func("ii", "i", op.get(0) + op.get(1) + op.I32_DIV_S, export="divide")
    b.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    b.func("e", "e", op.get(0), export="same")
    b.func("r", "r", op.get(0), export="same_function")
    b.func("", "i", b"\x23\x00", export="get")
    b.glob("i", op.i32(7), mutable=True, export="number")
    b.glob("e", op.ref_null("e"), mutable=True, export="object")
    data: bytes = b.build()
    return data


def make(source: bytes | None = None) -> wasmetal.Instance:
    return ENGINE.compile(binary() if source is None else source).instantiate({"m": {"host": lambda number: number}})


def prepared() -> wasmetal.Instance:
    """An instance that has been used."""
    instance = make(SOURCE)
    use(instance)
    return instance


SOURCE = binary()
BASE = next(_numbers) - 1
WAITS = ENGINE.compile(SOURCE)


def use(instance: wasmetal.Instance) -> None:
    """Nothing may be wrong with an instance after what has happened to it."""
    exports: Any = instance.exports
    thing = object()
    assert exports.divide(6, 3) == 2
    try:
        exports.divide(1, 0)
    except wasmetal.Trap:
        pass
    else:
        raise AssertionError("no trap")
    assert exports.same(thing) is thing
    assert exports.same_function(exports.divide) is exports.divide
    exports.objects[1] = thing
    assert exports.objects[1] is thing
    exports.objects[1] = None
    exports.object.value = thing
    assert exports.object.value is thing
    pages = exports.memory.pages
    if pages < 90:
        assert exports.grow(1) == pages
        assert exports.memory.pages == pages + 1
        exports.memory[pages * 65536] = 5
        assert exports.memory.grow(1) == pages + 1
    size = len(exports.objects)
    if size < 900:
        assert exports.objects.grow(1, thing) == size
        assert exports.objects[size] is thing


# The work.


def load(instance: wasmetal.Instance) -> None:
    other = make()
    exports: Any = other.exports
    exports.divide(6, 3)
    other.close()


def calls(instance: wasmetal.Instance) -> None:
    exports: Any = instance.exports
    thing = object()
    exports.host(1)
    exports.host.call_raw(1)
    exports.same(thing)
    exports.same_function(exports.divide)
    with contextlib.suppress(wasmetal.Trap):
        exports.divide(1, 0)


def grows(instance: wasmetal.Instance) -> None:
    exports: Any = instance.exports
    exports.grow(1)
    exports.memory.grow(1)
    exports.objects.grow(1, instance)
    exports.objects.grow(20, instance)
    exports.objects[0] = instance
    exports.object.value = instance
    exports.object.value = None


def deadlines(instance: wasmetal.Instance) -> None:
    exports: Any = instance.exports
    with wasmetal.deadline(1000):
        exports.divide(6, 3)
        with wasmetal.deadline(500):
            exports.divide(6, 3)
    interruption.sleep(0.003)


def merges(instance: wasmetal.Instance) -> None:
    """Two stores become one."""
    other = make(SOURCE)
    exports: Any = instance.exports
    theirs: Any = other.exports
    theirs.object.value = exports
    exports.functions[0] = theirs.divide
    theirs.same(other)


def closes(instance: wasmetal.Instance) -> None:
    with make(SOURCE) as other:
        other.exports.divide(6, 3)
    make(SOURCE).close()


def images(instance: wasmetal.Instance) -> None:
    """Instances of a module with much data: the first copies it, the second makes an image, the third takes that."""
    module = ENGINE.compile(b"".join((LARGE, b"\x00\x04\x01n", next(_numbers).to_bytes(2, "little"))))
    for _ in range(2):
        made = [module.instantiate() for _ in range(3)]
        for each in made:
            exports: Any = each.exports
            memory = exports.memory
            assert memory[:8] == b"12345678" and not any(memory[65536:])
            exports.grow(1)
            memory[:] = b"x" * len(memory)


def large() -> bytes:
    b = WasmBuilder()
    b.memory(2, export="memory")
    b.func("i", "i", b.op.get(0) + b.op.MEMORY_GROW, export="grow")
    b.data(b.op.i32(0), b"12345678" * 8192)
    data: bytes = b.build()
    return data


LARGE = large()


class Waiting:
    """What a host function waits for here."""

    def __await__(self) -> Generator[None, int, int]:
        return (yield)


def awaits(instance: wasmetal.Instance) -> None:
    """Calls are suspended, resumed, cancelled, dropped, each among the others."""
    other: Any = WAITS.instantiate({"m": {"host": lambda number: Waiting()}}).exports
    pending = [other.host.call_async(number) for number in range(4)]
    try:
        for call in pending:
            call.send(None)
        try:
            pending[1].send(100)
        except StopIteration as stopped:
            assert stopped.value == 100 + BASE, stopped.value
        with contextlib.suppress(KeyError):
            pending[2].throw(KeyError)
        pending[3].close()
        try:
            pending[0].send(50)
        except StopIteration as stopped:
            assert stopped.value == 50 + BASE, stopped.value
        same = other.same.call_async(pending)
        with contextlib.suppress(StopIteration):
            same.send(None)
    finally:
        for call in pending:
            call.close()
    store: Store = other.host._core.instance.store
    assert not store.busy and not store.owner


WORK: dict[str, Callable[[wasmetal.Instance], None]] = {
    work.__name__: work for work in (load, calls, grows, deadlines, merges, closes, awaits, images)
}


class Tracer:
    """Raises at one event."""

    def __init__(self, at: int, opcodes: bool) -> None:
        self.left = at
        self.opcodes = opcodes
        self.where = ""

    def __call__(self, frame: FrameType, event: str, argument: object) -> Tracer | None:
        if not frame.f_code.co_filename.startswith(LIBRARY[0]) and not frame.f_code.co_filename.endswith(LIBRARY[1]):
            return None
        frame.f_trace_opcodes = self.opcodes
        self.left -= 1
        if self.left == 0:
            del argument  # the result of a function, when it is about to return
            self.where = f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name} {event} {frame.f_lasti}"
            raise Interrupt
        return self


def in_thread(work: Callable[[], None]) -> None:
    """What another thread sees: a lock that was left taken is no obstacle for this one."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "another thread waits for ever"
    if failed:
        raise failed[0]


def check(instance: wasmetal.Instance) -> None:
    """Nothing is left switched."""
    assert gc.isenabled() and gc.get_threshold() == THRESHOLD, gc.get_threshold()
    assert not interruption._thread.dues and interruption.remaining() is None
    assert not interruption._waiting
    store: Store = instance._core.store  # type: ignore[union-attr]
    assert not store.busy, "busy"
    assert not store.owner, "owned"

    def free() -> None:
        with hold.exclusive():
            pass

    in_thread(free)


def main() -> int:
    faulthandler.enable()
    name, events, *numbers = sys.argv[1:]
    stride, first = (*map(int, numbers), 1, 1)[:2] if len(numbers) < 2 else map(int, numbers)
    work = WORK[name]
    at = first
    work(prepared())
    while True:
        instance = prepared()
        tracer = Tracer(at, events == "opcode")
        caught: BaseException | None = None
        sys.settrace(tracer)
        try:
            work(instance)
        except Interrupt as error:
            caught = error  # with its traceback, as a debugger or a test runner keeps it
        finally:
            sys.settrace(None)
        if not tracer.where:
            break
        try:
            check(instance)
            if at % 50 < stride:
                in_thread(lambda: use(prepared()))
            use(instance)
            work(instance)
            check(instance)
        except BaseException:
            print(f"after event {at}, {tracer.where}, {caught!r}", file=sys.stderr)
            raise
        at += stride
    print(at)
    return 0


if __name__ == "__main__":
    sys.exit(main())
