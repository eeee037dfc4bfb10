"""A small runtime that places generated code in memory and calls it, and shorthand for building functions."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.backend import ENTRY_POINT_GROUP, Backend, CompiledCode, StubEnvironment
from wasm_ir.builder import Builder
from wasm_ir.ir import ABI_C, ABI_WASM, Function, Inst, Signature
from wasm_ir.vmcontext import CONTEXT, FUNCREF, STATUS_OK, STATUS_THROWN, STATUS_TRAP, STORE

_ARENA_SIZE = 32 << 20
_STACK_SIZE = 1 << 20
_SLOT_COUNT = 64
_MEMORY_SIZE = 1 << 16
#: Stubs whose addresses are in VMContexts, in fields of the same names.
_STUBS = ("trap_exit", "poll_exit", "throw_exit", "tail_return", "lazy_slot", "lazy_tail")

#: Builds a function's body; gets the builder and the parameters, returns the results.
Body = Callable[[Builder, list[Inst]], Sequence[Inst]]


class Thrown(Exception):
    """Nothing under test has caught what was thrown. `pc` is what the store says."""

    def __init__(self, exception: int, pc: int) -> None:
        super().__init__(exception)
        self.exception = exception
        self.pc = pc


class Trapped(Exception):
    """Code under test trapped. `pc` is what the store says, relative to the arena."""

    def __init__(self, code: TrapCode, pc: int) -> None:
        super().__init__(code)
        self.code = code
        self.pc = pc


def raw(b: Builder, operation: int, value_type: int, args: Sequence[Inst], imm: int = 0) -> Inst:
    """An instruction as it is, without simplification."""
    return b._append(operation, value_type, list(args), imm)


def pointer(b: Builder, index: Inst) -> Inst:
    """Address of linear memory at an i32."""
    return raw(b, op.IADD, types.I64, [b.memory_base(), raw(b, op.EXTEND_U, types.I64, [index])])


def heap(b: Builder, value_type: int, index: Inst, offset: int = 8) -> Inst:
    """A load of linear memory."""
    return b.load(op.HEAP_LOAD, value_type, pointer(b, index), offset)


def outcome(call: Callable[..., tuple[int, ...]], *arguments: int) -> int | TrapCode:
    """The first result of a call, or the code of the trap."""
    try:
        return call(*arguments)[0]
    except Trapped as trapped:
        return trapped.code


def build(signature: Signature, body: Body, abi: int = ABI_WASM, params: Sequence[int] | None = None) -> Function:
    """A function of one block; its parameters' types default to the signature's."""
    function = Function("test", signature, abi)
    b = Builder(function)
    entry = b.new_block()
    arguments = [b.append_param(entry, t) for t in (signature.params if params is None else params)]
    b.switch_to(entry)
    b.offset = 0x1000
    results = body(b, arguments)
    if b.block is not None:
        b.ret(results)
    return function


def host_backend() -> type[Backend] | None:
    """The backend of this project that makes code for this machine, if it is installed."""
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.dist is None or not entry.dist.name.startswith("wasm-backend-"):
            continue
        backend: type[Backend] = entry.load()
        if backend.host_support().supported:
            return backend
    return None


def _executable(size: int) -> Any:
    """Memory that can be written and executed."""
    if sys.platform != "win32":
        return mmap.mmap(-1, size, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    allocate = ctypes.WinDLL("kernel32").VirtualAlloc
    allocate.restype = ctypes.c_void_p
    # winnt.h: MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE. It stays until the process ends.
    address = allocate(None, ctypes.c_size_t(size), 0x3000, 0x40)
    return (ctypes.c_char * size).from_address(address)


class Native:
    """One store, one VMContext, one memory, and an arena of executable memory."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._arena = _executable(_ARENA_SIZE)
        self._anchors = [ctypes.c_char.from_buffer(self._arena)]
        self.base = ctypes.addressof(self._anchors[0])
        self._used = 0
        self._stack = mmap.mmap(-1, _STACK_SIZE)
        self._anchors.append(ctypes.c_char.from_buffer(self._stack))
        self.stack_base = ctypes.addressof(self._anchors[1])
        #: Memory 0 of `context`.
        self.memory = self.new_memory(_MEMORY_SIZE)
        self.store = (ctypes.c_uint64 * (STORE.size // 8))()
        # In the arena, behind the code: calls reach them with 32 bits.
        self.slots = (ctypes.c_uint64 * _SLOT_COUNT).from_buffer(self._arena, _ARENA_SIZE - 8 * _SLOT_COUNT)
        self.context = self.new_context(self.memory)
        self._funcrefs: list[ctypes.Array[ctypes.c_uint64]] = []
        self._thunks: dict[Signature, Callable[..., int]] = {}
        self.code: list[tuple[int, CompiledCode]] = []
        self.set_store("stack_limit", self.context[CONTEXT["stack_limit"] // 8])
        self.set_store("wasm_sp", self.stack_base + _STACK_SIZE - 128)
        self.stubs = stubs = self.backend.stubs(StubEnvironment(self.base, _ARENA_SIZE, {}, 0))
        self.stubs_base = self._write(stubs.code)
        for field in _STUBS:
            self.context[CONTEXT[field] // 8] = self.stubs_base + getattr(stubs, field)

    def new_memory(self, size: int) -> memoryview:
        return memoryview(ctypes.create_string_buffer(size)).cast("B")

    def new_context(self, memory: memoryview) -> ctypes.Array[ctypes.c_uint64]:
        context = (ctypes.c_uint64 * (CONTEXT.size // 8))()
        context[CONTEXT["store"] // 8] = ctypes.addressof(self.store)
        context[CONTEXT["stack_limit"] // 8] = self.stack_base + (_STACK_SIZE >> 2)
        context[CONTEXT["memory_base"] // 8] = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        if hasattr(self, "context"):
            for field in _STUBS:
                context[CONTEXT[field] // 8] = self.context[CONTEXT[field] // 8]
        return context

    def set_store(self, field: str, value: int) -> None:
        self.store[STORE[field] // 8] = value

    def get_store(self, field: str) -> int:
        return int(self.store[STORE[field] // 8])

    def _write(self, code: bytes) -> int:
        self._used = (self._used + 15) & ~15
        start = self._used
        assert start + len(code) <= _ARENA_SIZE - 8 * _SLOT_COUNT
        self._arena[start : start + len(code)] = bytes(code)
        self._used += len(code)
        return self.base + start

    def place(self, function: Function) -> tuple[int, CompiledCode]:
        """Compile a function and put it into the arena; returns its address."""
        compiled = self.backend.compile(function)
        self._used = (self._used + 15) & ~15
        code = bytearray(compiled.code)
        self.backend.relocate(code, self.base + self._used, compiled.relocations, ctypes.addressof(self.slots))
        address = self._write(bytes(code))
        self.code.append((address, compiled))
        return address, compiled

    def funcref(self, address: int, context: ctypes.Array[ctypes.c_uint64] | None = None) -> int:
        """Address of a new funcref for code at `address`."""
        fields = (ctypes.c_uint64 * (FUNCREF.size // 8))()
        fields[FUNCREF["code"] // 8] = address
        fields[FUNCREF["context"] // 8] = ctypes.addressof(self.context if context is None else context)
        self._funcrefs.append(fields)
        return ctypes.addressof(fields)

    def define(self, index: int, function: Function) -> int:
        """Place a function and let slot `index` refer to it; returns a funcref to it."""
        address, compiled = self.place(function)
        self.slots[index] = address + compiled.entry
        return self.funcref(address)

    def c_function(self, function: Function) -> Callable[..., int]:
        """A placed function with the C convention as a callable of 64-bit integers."""
        address, _ = self.place(function)
        prototype = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * len(function.signature.params))
        result: Callable[..., int] = prototype(address)
        return result

    def thunk(self, signature: Signature) -> Callable[..., int]:
        """Calls any WebAssembly function of this type: (store, funcref, vmctx, arguments, results) -> status."""
        found = self._thunks.get(signature)
        if found is None:

            def body(b: Builder, params: list[Inst]) -> Sequence[Inst]:
                store, funcref, vmctx, arguments, results = params
                fields = ("entry_fp", "entry_resume", "c_sp", "wasm_sp")
                saved = [b.load(op.LOAD, types.I64, store, STORE[field]) for field in fields]
                values = [b.load(op.LOAD, t, arguments, 8 * i) for i, t in enumerate(signature.params)]
                call = b.enter(store, funcref, vmctx, signature, values)
                for i in range(len(signature.results)):
                    b.store(op.STORE, results, b.result(call, i + 1), 8 * i)
                for field, value in zip(fields, saved):
                    b.store(op.STORE, store, value, STORE[field])
                return [b.result(call, 0)]

            word = types.I64
            found = self._thunks[signature] = self.c_function(build(Signature((word,) * 5, (types.I32,)), body, ABI_C))
        return found

    def call(self, funcref: int, signature: Signature, arguments: Sequence[int]) -> tuple[int, ...]:
        """Call a WebAssembly function with bit patterns. Raises Trapped."""
        count = len(signature.results)
        given = (ctypes.c_uint64 * max(1, len(arguments)))(*arguments)
        results = (ctypes.c_uint64 * max(1, count))()
        status = self.thunk(signature)(
            ctypes.addressof(self.store),
            funcref,
            ctypes.addressof(self.context),
            ctypes.addressof(given),
            ctypes.addressof(results),
        )
        if status == STATUS_TRAP:
            raise Trapped(TrapCode(self.get_store("trap_code")), self.get_store("trap_pc"))
        if status == STATUS_THROWN:
            raise Thrown(self.get_store("exception"), self.get_store("trap_pc"))
        assert status == STATUS_OK, status
        return tuple(value & types.MASKS[t] for value, t in zip(results, signature.results))

    def function(self, signature: Signature, body: Body) -> Callable[..., tuple[int, ...]]:
        """Compile a function of one block and return a callable of bit patterns that gives bit patterns."""
        address, _ = self.place(build(signature, body))
        funcref = self.funcref(address)

        def call(*arguments: int) -> tuple[int, ...]:
            return self.call(funcref, signature, arguments)

        return call

    def wasm_offset(self, pc: int, of_call: bool) -> int | None:
        """What the pc tables say about an absolute pc."""
        for address, compiled in self.code:
            if address <= pc <= address + len(compiled.code):
                for row, offset in zip(compiled.pcs, compiled.wasm_offsets):
                    if row == pc - address:
                        return int(offset)
        return None
