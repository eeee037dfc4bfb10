"""What a backend and the runtime must do on this machine, one step at a time, the lowest first: `CHECKS`.

`python -m wasmetal.cli.self_test BACKEND NAME` does one of them. Each runs in a process of its own (`cli.check` starts
them), since what goes wrong on a system that is new to wasmetal may end the process. A check that does not hold raises.
"""

from __future__ import annotations

import _thread
import ctypes
import gc
import io
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Final

import wasmetal
from wasm_core.features import Features
from wasm_core.testing.builder import Op, WasmBuilder
from wasmetal.cpython import layouts
from wasmetal.system.host import host

#: Seconds that a loop without an end runs before it is interrupted.
_A_MOMENT: Final = 0.05
#: More than fits behind any guard: an access with the highest address that instructions of 32-bit memories reach.
_HIGHEST: Final = (1 << 32) - 1
_FOREVER: Final = b"\x03\x40\x0c\x00\x0b"  # loop; br 0; end


class Failed(Exception):
    """A result is not what it must be; the text says which."""


def expect(what: str, got: object, expected: object) -> None:
    """Raises Failed unless both are equal."""
    if got != expected:
        raise Failed(f"{what} is {got!r}, not {expected!r}")


def _instance(builder: WasmBuilder, backend: str, imports: object = None, **config: object) -> wasmetal.Instance:
    engine = wasmetal.Engine(wasmetal.Config(backend=backend, **config))  # type: ignore[arg-type]
    return engine.compile(builder.build()).instantiate(imports or {})  # type: ignore[arg-type]


def address_space(backend: str) -> None:
    """Reserve 8 GiB, and use pages in the middle."""
    size, middle = 1 << 33, 1 << 32
    address = host.reserve(size)
    host.commit(address + middle, host.PAGE)
    word = ctypes.c_uint64.from_address(address + middle)
    expect("a new page's first word", word.value, 0)
    word.value = 1234567890123
    host.forbid(address + middle, host.PAGE)
    host.commit(address + middle, host.PAGE)
    expect("what was written", word.value, 1234567890123)
    host.release(address, size)


def object_layouts(backend: str) -> None:
    """Ints and floats are where emitted code reads them (without, calls are slower)."""
    expect("known layout of int", layouts.INT_LAYOUT != layouts.INT_UNKNOWN, True)
    expect("known layout of float", layouts.FLOAT_VALUE is not None, True)


def calls(backend: str) -> None:
    """Compile, and call with numbers of each type."""
    module = WasmBuilder()
    module.func("ii", "i", Op.get(0) + Op.get(1) + Op.I32_ADD, export="add")
    module.func("iIfF", "FfIi", Op.get(3) + Op.get(2) + Op.get(1) + Op.get(0), export="turn")
    module.func("FFFFFFFFFF", "F", Op.get(8) + Op.get(9) + Op.F64_ADD, export="many")
    exports = _instance(module, backend).exports
    expect("add(2, -3)", exports.add(2, -3), -1)
    expect("add(2**31 - 1, 1)", exports.add((1 << 31) - 1, 1), -1 << 31)
    expect("four results", exports.turn(-1, 1 << 62, 0.5, 1e300), (1e300, 0.5, 1 << 62, -1))
    expect("the sum of the last two of ten floats", exports.many(*range(8), 1.25, 2.5), 3.75)
    expect("1,000 calls", sum(exports.add(number, 1) for number in range(1000)), 500500)


def host_calls(backend: str) -> None:
    """Call Python, with numbers and objects, and let its exceptions through."""
    module = WasmBuilder()
    twice = module.import_func("env", "twice", "iF", "F")
    same = module.import_func("env", "same", "e", "e")
    module.func("iF", "F", Op.get(0) + Op.get(1) + Op.call(twice), export="twice")
    module.func("e", "e", Op.get(0) + Op.call(same), export="same")

    def double(number: int, value: float) -> float:
        if number < 0:
            raise LookupError(number)
        return 2 * value

    exports = _instance(module, backend, {"env": {"twice": double, "same": lambda thing: thing}}).exports
    expect("a host function's result", exports.twice(1, 1.5), 3.0)
    thing = object()
    expect("an object that went through", exports.same(thing) is thing, True)
    try:
        exports.twice(-1, 0.0)
    except LookupError:
        return
    raise Failed("a host function's exception was lost")


def memory(backend: str) -> None:
    """Load, store, grow; what lies outside traps, by guard pages and by checks."""
    for checks in ("guard", "explicit"):
        module = WasmBuilder()
        module.memory(1, 10, export="memory")
        module.func("ii", "", Op.get(0) + Op.get(1) + Op.I32_STORE, export="store")
        module.func("i", "i", Op.get(0) + Op.I32_LOAD, export="load")
        module.func("i", "i", Op.get(0) + Op.MEMORY_GROW, export="grow")
        exports = _instance(module, backend, bounds_checks=checks).exports
        exports.store(65532, 77)
        expect(f"what was stored ({checks})", exports.load(65532), 77)
        for address in (65533, 65536, 1 << 20, 1 << 31, _HIGHEST):
            _traps(exports.load, wasmetal.TrapCode.MEMORY_OUT_OF_BOUNDS, address)
            _traps(exports.store, wasmetal.TrapCode.MEMORY_OUT_OF_BOUNDS, address, 1)
        expect(f"pages before growth ({checks})", exports.grow(2), 1)
        expect(f"the first word of a new page ({checks})", exports.load(65536), 0)
        expect("the view's last byte", exports.memory.view()[-1], 0)


def _traps(call: Callable[..., object], code: wasmetal.TrapCode, *arguments: object) -> None:
    try:
        result = call(*arguments)
    except wasmetal.Trap as trap:
        expect("a trap", trap.code, code)
        return
    raise Failed(f"no trap ({code}), but {result!r}")


def traps(backend: str) -> None:
    """Division by zero, `unreachable`, recursion without an end; and what works after them."""
    module = WasmBuilder()
    module.func("ii", "i", Op.get(0) + Op.get(1) + Op.I32_DIV_S, export="divide")
    module.func("", "", Op.UNREACHABLE, export="stop")
    module.func("", "", Op.call(2), export="recurse")
    exports = _instance(module, backend).exports
    for _ in range(3):
        _traps(exports.divide, wasmetal.TrapCode.INTEGER_DIVIDE_BY_ZERO, 1, 0)
        _traps(exports.divide, wasmetal.TrapCode.INTEGER_OVERFLOW, -1 << 31, -1)
        _traps(exports.stop, wasmetal.TrapCode.UNREACHABLE)
        _traps(exports.recurse, wasmetal.TrapCode.CALL_STACK_EXHAUSTED)
    expect("divide(7, 2)", exports.divide(7, 2), 3)


def interruption(backend: str) -> None:
    """A deadline, another thread and Ctrl-C end a loop."""
    module = WasmBuilder()
    module.func("", "", _FOREVER, export="loop")
    instance = _instance(module, backend)
    loop = instance.exports.loop
    try:
        with wasmetal.deadline(_A_MOMENT):
            loop()
        raise Failed("a loop without an end came to one, before its deadline")
    except wasmetal.DeadlineExceeded:
        pass
    timer = threading.Timer(_A_MOMENT, instance.interrupt)
    timer.start()
    _traps(loop, wasmetal.TrapCode.INTERRUPTED)
    timer.join()
    timer = threading.Timer(_A_MOMENT, _thread.interrupt_main)
    timer.start()
    try:
        loop()
        raise Failed("a loop without an end came to one, before Ctrl-C")
    except KeyboardInterrupt:
        timer.join()


def exceptions(backend: str) -> None:
    """Throw and catch: within WebAssembly, and out of it."""
    module = WasmBuilder()
    tag = module.tag("i")
    thrower = module.func("i", "", Op.get(0) + Op.throw(tag), export="throw")
    body = Op.get(0) + Op.call(thrower) + Op.i32(0)
    module.func("i", "i", Op.try_table("i", [Op.catch(tag, 0)], body), export="catch")
    exports = _instance(module, backend).exports
    expect("what was caught", exports["catch"](42), 42)
    try:
        exports.throw(7)
    except wasmetal.WasmException as exception:
        expect("the values of an exception", tuple(exception.values), (7,))
        return
    raise Failed("an exception was lost")


def vectors(backend: str) -> None:
    """Add 128-bit vectors."""
    module = WasmBuilder()
    module.func("vv", "v", Op.get(0) + Op.get(1) + b"\xfd\x6e", export="add")
    left, right = bytes(range(16)), bytes(range(100, 116))
    expected = bytes(a + b for a, b in zip(left, right))
    expect("i8x16.add", bytes(_instance(module, backend).exports.add(left, right)), expected)


def tail_calls(backend: str) -> None:
    """A million calls in tail position need no stack."""
    module = WasmBuilder()
    more = Op.get(0) + Op.i32(-1) + Op.I32_ADD + b"\x12\x00"  # return_call 0
    module.func("i", "i", Op.get(0) + Op.if_("i", more, Op.i32(1)), export="count")
    count = _instance(module, backend, features=Features.wasm_3_0()).exports.count
    expect("a million tail calls", count(1_000_000), 1)


def threads(backend: str) -> None:
    """Threads call an instance each."""
    module = WasmBuilder()
    module.func("i", "i", Op.get(0) + Op.i32(1) + Op.I32_ADD, export="next")
    compiled = wasmetal.Engine(wasmetal.Config(backend=backend)).compile(module.build())
    results: list[int] = []

    def work() -> None:
        number, following = 0, compiled.instantiate().exports.next
        for _ in range(1000):
            number = following(number)
        results.append(number)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    expect("what four threads counted", results, [1000] * 4)


def garbage(backend: str) -> None:
    """Instances go when nobody has them, with their memory and code."""
    module = WasmBuilder()
    module.memory(1, export="memory")
    module.func("", "i", Op.i32(1), export="one")
    compiled = wasmetal.Engine(wasmetal.Config(backend=backend)).compile(module.build())
    for _ in range(100):
        instance = compiled.instantiate()
        expect("one()", instance.exports.one(), 1)
        gone = weakref.ref(instance)
        del instance
        gc.collect()
        expect("an instance that nobody has", gone(), None)


def suspension(backend: str) -> None:
    """A call waits for a coroutine."""
    import asyncio

    module = WasmBuilder()
    wait = module.import_func("env", "wait", "i", "i")
    module.func("i", "i", Op.get(0) + Op.call(wait) + Op.i32(1) + Op.I32_ADD, export="wait")

    async def waited(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    instance = _instance(module, backend, {"env": {"wait": waited}})
    expect("what came after waiting", asyncio.run(instance.exports.wait.call_async(20)), 41)


def wasi(backend: str) -> None:
    """A WASI program writes a line (if wasm-wasi is installed)."""
    try:
        from wasm_wasi import Wasi
    except ImportError:
        return
    module = WasmBuilder()
    write = module.import_func("wasi_snapshot_preview1", "fd_write", "iiii", "i")
    module.memory(1, export="memory")
    module.data(Op.i32(0), b"\x08\0\0\0\x06\0\0\0hello\n")
    arguments = [Op.i32(number) for number in (1, 0, 1, 32)]
    module.func("", "", b"".join(arguments) + Op.call(write) + Op.DROP, export="_start")
    output = io.BytesIO()
    engine = wasmetal.Engine(wasmetal.Config(backend=backend))
    expect("the exit code", Wasi(stdout=output).run(engine.compile(module.build())), 0)
    expect("the output", output.getvalue(), b"hello\n")


#: Name -> check.
CHECKS: Final[dict[str, Callable[[str], None]]] = {
    "address space": address_space,
    "object layouts": object_layouts,
    "calls": calls,
    "host calls": host_calls,
    "memory": memory,
    "traps": traps,
    "interruption": interruption,
    "exceptions": exceptions,
    "vectors": vectors,
    "tail calls": tail_calls,
    "threads": threads,
    "garbage": garbage,
    "suspension": suspension,
    "WASI": wasi,
}


def main() -> None:
    """Do the check that the arguments name."""
    backend, name = sys.argv[1:]
    try:
        CHECKS[name](backend)
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
