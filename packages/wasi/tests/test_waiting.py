"""Programs below `call_async`: what waits for descriptors and times suspends them, and the event loop goes on."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

import wasmetal
from wasm_core.testing.patience import PATIENCE, Effort
from wasm_wasi import Wasi

assemble = pytest.importorskip("wasm_text").assemble

# Exports that call one function each; reads go to 1000, with a buffer at 2000 of 100 bytes.
TEXT = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 1000) "\\d0\\07\\00\\00\\64\\00\\00\\00")
  (func (export "read") (param i32) (result i32)
    (call $fd_read (local.get 0) (i32.const 1000) (i32.const 1) (i32.const 1100)))
  (func (export "close") (param i32) (result i32) (call $fd_close (local.get 0)))
  (func (export "poll") (param i32) (result i32)
    (call $poll (i32.const 3000) (i32.const 4000) (local.get 0) (i32.const 1100)))
  (func (export "accept") (param i32) (result i32) (call $accept (local.get 0) (i32.const 0) (i32.const 1100)))
  (func (export "recv") (param i32) (result i32)
    (call $recv (local.get 0) (i32.const 1000) (i32.const 1) (i32.const 0) (i32.const 1100) (i32.const 1104)))
  (func (export "_start")
    (drop (call $fd_read (i32.const 0) (i32.const 1000) (i32.const 1) (i32.const 1100)))
    (call $exit (i32.load (i32.const 1100))))
)"""
SUCCESS, BADF = 0, 8


def clock(user: int, seconds: float) -> bytes:
    """A subscription to the monotonic clock."""
    return struct.pack("<QB7xIIQQHxxxxxx", user, 0, 1, 0, int(seconds * 1e9), 0, 0)


def reading(user: int, descriptor: int) -> bytes:
    """A subscription to a descriptor."""
    return struct.pack("<QB7xI28x", user, 1, descriptor)


class Program:
    """An instance, and what goes in and out of its memory."""

    def __init__(self, **surroundings: Any) -> None:
        self.wasi = Wasi(**surroundings)
        self.instance = wasmetal.Module(assemble(TEXT)).instantiate(self.wasi.imports)
        self.memory = self.instance.exports.memory

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self.instance.exports[name].call_async  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        return int(struct.unpack("<I", self.memory.read(1100, 4))[0])

    @property
    def data(self) -> bytes:
        return bytes(self.memory.read(2000, self.size))

    def events(self) -> list[int]:
        """The user data of what has happened."""
        return [struct.unpack("<Q", self.memory.read(4000 + 32 * number, 8))[0] for number in range(self.size)]


async def counted(awaitable: Any, then: Callable[[], object] = int) -> tuple[Any, int]:
    """The result, and how often another task ran meanwhile, which does something at its fifth turn."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1
            if turns == 5:
                then()

    other = asyncio.create_task(count())
    try:
        return await awaitable, turns
    finally:
        other.cancel()


def test_reading_a_pipe() -> None:
    async def main() -> None:
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as stdin:
            program = Program(stdin=stdin)
            os.write(write, b"first")
            assert await program.read(0) == SUCCESS  # compiles, imports
            result, turns = await counted(program.read(0), lambda: os.write(write, b"hello"))
            assert (result, program.data) == (SUCCESS, b"hello")
            assert turns >= 5
            # what is there is read at once
            os.write(write, b"more")
            assert await program.read(0) == SUCCESS
            assert program.data == b"more"
            os.close(write)
            assert await program.read(0) == SUCCESS
            assert program.data == b""

    asyncio.run(main())


def test_two_programs_wait_for_the_same() -> None:
    """A loop knows one callback for each descriptor."""

    async def main() -> None:
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as stdin:
            programs = [Program(stdin=stdin), Program(stdin=stdin)]
            tasks = [asyncio.create_task(program.read(0)) for program in programs]
            await asyncio.sleep(0.01)
            os.write(write, b"x")
            # (one may read all that is there)
            done, left = await asyncio.wait(tasks, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            assert (len(done), len(left)) == (1, 1)
            os.write(write, b"x")
            assert await asyncio.gather(*tasks) == [SUCCESS, SUCCESS]
            os.close(write)

    asyncio.run(main())


def test_sockets() -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            program = Program(sockets=[server])
            task = asyncio.create_task(program.accept(3))
            await asyncio.sleep(0.01)
            _, writer = await asyncio.open_connection(*server.getsockname())
            assert await task == SUCCESS
            task = asyncio.create_task(program.recv(program.size))
            await asyncio.sleep(0.01)
            writer.write(b"to a socket")
            assert await task == SUCCESS
            assert program.data == b"to a socket"
            writer.close()
            program.wasi.close()

    asyncio.run(main())


def test_poll() -> None:
    async def main() -> None:
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as stdin:
            program = Program(stdin=stdin)
            turns = 0
            effort = Effort(0)
            # (a machine that stands still for the time does so for both)
            while effort.goes_on(turns):
                program.memory.write(3000, reading(7, 0) + clock(8, 0.3))
                began = time.monotonic()
                result, turns = await counted(program.poll(2))
                assert result == SUCCESS and program.events() == [8]
                assert time.monotonic() - began > 0.29
            assert turns > 0
            program.memory.write(3000, reading(7, 0) + clock(8, 1000))
            asyncio.get_running_loop().call_later(0.02, os.write, write, b"hello")
            assert await program.poll(2) == SUCCESS and program.events() == [7]
            assert await program.poll(2) == SUCCESS and program.events() == [7]
            program.memory.write(3000, clock(9, 0) + reading(7, 77))
            assert await program.poll(2) == SUCCESS and sorted(program.events()) == [7, 9]
            assert await program.poll(0) != SUCCESS
            # What it waits for is closed by another call.
            os.read(read, 100)
            program.memory.write(3000, reading(7, 0) + clock(8, 0.05))
            task = asyncio.create_task(program.poll(2))
            await asyncio.sleep(0)
            assert await program.close(0) == SUCCESS
            assert await task == SUCCESS and 7 in program.events()
            os.close(write)

    asyncio.run(main())


def test_cancellation(opened) -> None:
    """Nothing is left behind: no descriptor, no callback."""

    async def main() -> None:
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as stdin:
            program = Program(stdin=stdin)
            before = opened()
            for call in (program.read(0), program.poll(1)):
                program.memory.write(3000, reading(7, 0))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await call
            assert opened() == before
            os.write(write, b"hello")
            assert await program.read(0) == SUCCESS and program.data == b"hello"
            os.close(write)

    asyncio.run(main())


def test_without_a_loop_that_is_known() -> None:
    """It waits as a synchronous call does."""
    program = Program()
    program.memory.write(3000, clock(8, 0.01))
    with pytest.raises(StopIteration) as stopped:
        program.poll(1).send(None)
    assert stopped.value.value == SUCCESS and program.events() == [8]
    assert program.instance.exports.poll(1) == SUCCESS


def test_in_a_loop_but_synchronously() -> None:
    async def main() -> None:
        program = Program()
        program.memory.write(3000, clock(8, 0.01))
        assert program.instance.exports.poll(1) == SUCCESS
        assert program.instance.exports.read(50) == BADF

    asyncio.run(main())


def test_trio() -> None:
    trio: Any = pytest.importorskip("trio")

    async def main() -> None:
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as stdin:
            program = Program(stdin=stdin)

            async def send() -> None:
                await trio.sleep(0.02)
                os.write(write, b"hello")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                assert await program.read(0) == SUCCESS
            assert program.data == b"hello"
            program.memory.write(3000, reading(7, 0) + clock(8, 0.01))
            assert await program.poll(2) == SUCCESS and program.events() == [8]
            program.memory.write(3000, clock(8, 0.01))
            assert await program.poll(1) == SUCCESS and program.events() == [8]
            os.close(write)

    trio.run(main)


def test_run_async() -> None:
    async def main() -> None:
        read, write = os.pipe()
        with open(read, "rb", buffering=0) as stdin:
            program = Wasi(stdin=stdin).run_async(assemble(TEXT))
            result, turns = await counted(program, lambda: os.write(write, b"hello"))
            assert result == 5 and turns >= 5
            os.close(write)
        with pytest.raises(wasmetal.WasmError, match="_start"):
            await Wasi().run_async(assemble("(module)"))

    asyncio.run(main())
