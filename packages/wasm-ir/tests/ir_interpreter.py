"""A slow interpreter of IR and the least runtime that it needs, to see that functions mean what they should.

Memory is a set of regions; an address is (number of the region << 40) + offset. Reading the runtime's structures out of
bounds is an error of the compiler; reading the heap out of bounds is a trap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wasm_core.body_validator import validate_body
from wasm_core.errors import TrapCode
from wasm_core.features import Features
from wasm_core.module import ConstExpr, DecodedModule, ExternKind, SegmentMode
from wasm_core.types import PAGE_SIZE, ValueType
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.folding import signed
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Block, Branch, Call, Edge, Function, Inst
from wasm_ir.testing.scalar_model import TrapError, scalar
from wasm_ir.testing.vector_model import vector
from wasm_ir.verifier import verify
from wasm_ir.vmcontext import (
    BUILTIN_EXCEPTION_ROOM,
    BUILTIN_LISTENER_AFTER,
    BUILTIN_LISTENER_BEFORE,
    BUILTIN_MEMORY_GROW,
    BUILTIN_TABLE_GROW,
    CONTEXT,
    FUNCREF,
    GLOBAL_SIZE,
    MEMORY,
    SEGMENT,
    STORE,
    TABLE,
    ContextLayout,
)

HostFunction = Callable[[list[int]], list[int]]

_REGION = 40
_MASK = types.MASKS

#: Operation -> bytes in memory and whether a load extends the sign; 0 is the size of the type.
_WIDTHS: dict[int, tuple[int, bool]] = {}
for _first in (op.LOAD, op.HEAP_LOAD):
    _WIDTHS.update(
        {_first + i: width for i, width in enumerate([(0, False), *((n, s) for n in (1, 2, 4) for s in (True, False))])}
    )
for _first in (op.STORE, op.HEAP_STORE):
    _WIDTHS.update({_first + i: (width, False) for i, width in enumerate((0, 1, 2, 4))})
_WIDTHS[op.LOAD_INVARIANT] = (0, False)


def pure(inst: Inst, a: list[int]) -> int:
    """The result of an operation that reads no memory, for operands `a`."""
    if op.V_SPLAT <= inst.op <= op.V_PROMOTE:
        return vector(inst.op, inst.imm, a)
    return scalar(inst.op, inst.type, inst.args[0].type, a, inst.imm)


class Thrown(Exception):
    """An exception of WebAssembly, the address of its EXCEPTION structure."""


class Instance:
    """An instance of a module that imports no tables and memories.

    Imported functions are those of `imports`, (module name, name) -> function; others do nothing. Imported globals
    are 666.
    """

    def __init__(
        self,
        module: DecodedModule,
        options: FrontendOptions,
        imports: Mapping[tuple[str, str], HostFunction] | None = None,
        features: Features | None = None,
    ) -> None:
        self.module = module
        self.features = features
        known = imports or {}
        functions = [entry for entry in module.imports if entry.kind is ExternKind.FUNC]
        self.hosts = [known.get((entry.module, entry.name)) for entry in functions]
        self.options = options
        self.layout = ContextLayout(module)
        self.regions: dict[int, bytearray] = {}
        self.natives: dict[int, Callable[..., int]] = {}
        self.compiled: dict[int, Function] = {}
        #: (before or after, function, values) as a listener saw them.
        self.heard: list[tuple[str, int, list[int]]] = []
        self.depth = 0
        self.heap = self.new_region(0)
        self.context = self.new_region(self.layout.size)
        self.store = self.new_region(STORE.size)
        self.write(self.context + CONTEXT["store"], self.store)
        for name, function in (("memmove", self.memmove), ("memset", self.memset), ("builtin", self.builtin)):
            self.write(self.context + CONTEXT[name], self.native(function))
        self.set_up_functions()
        self.set_up_memory()
        self.set_up_globals()
        self.set_up_tables()
        self.set_up_segments()
        self.set_up_tags()
        if module.start is not None:
            self.call(module.start, [])

    # Memory.

    def new_region(self, size: int) -> int:
        number = len(self.regions) + 1
        self.regions[number] = bytearray(size)
        return number << _REGION

    def read(self, address: int, size: int = 8, heap: bool = False) -> int:
        region, offset = self.locate(address, size, heap)
        return int.from_bytes(region[offset : offset + size], "little")

    def write(self, address: int, value: int, size: int = 8, heap: bool = False) -> None:
        region, offset = self.locate(address, size, heap)
        region[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")

    def locate(self, address: int, size: int, heap: bool) -> tuple[bytearray, int]:
        number, offset = address >> _REGION, address & (1 << _REGION) - 1
        if heap:
            assert number == self.heap >> _REGION, f"heap access at {address:#x}"
            if offset + size > len(self.regions[number]):
                assert not self.options.explicit_bounds, "an access out of bounds that was not checked"
                raise TrapError(TrapCode.MEMORY_OUT_OF_BOUNDS)
        region = self.regions[number]
        assert offset + size <= len(region), f"access at {address:#x} is outside its structure"
        return region, offset

    # Set-up.

    def native(self, function: Callable[..., int]) -> int:
        address = self.new_region(0)
        self.natives[address] = function
        return address

    def set_up_functions(self) -> None:
        module, layout = self.module, self.layout
        numbers = {func_type: number for number, func_type in enumerate(dict.fromkeys(module.types))}
        self.type_ids = [1000 + numbers[func_type] for func_type in module.types]
        for index, number in enumerate(self.type_ids):
            self.write(self.context + layout.types + 8 * index, number)
        self.funcrefs: dict[int, int] = {}
        for index in range(module.imported_functions):
            self.write(self.context + layout.imports + 8 * index, self.new_region(FUNCREF.size))
            self.funcrefs[index] = self.read(self.context + layout.imports + 8 * index)
        for index in layout.funcref_slots:
            self.funcrefs[index] = self.context + layout.funcref(index)
        for index, address in self.funcrefs.items():
            self.write(address + FUNCREF["code"], index)
            self.write(address + FUNCREF["type_id"], self.type_ids[module.function_types[index]])

    def set_up_memory(self) -> None:
        for index, memory in enumerate(self.module.memories):
            self.regions[self.heap >> _REGION] = bytearray(memory.minimum * PAGE_SIZE)
            self.memory = self.new_region(MEMORY.size)
            self.write(self.memory + MEMORY["base"], self.heap)
            self.write(self.memory + MEMORY["size"], memory.minimum * PAGE_SIZE)
            self.write(self.context + self.layout.memories + 8 * index, self.memory)

    def set_up_globals(self) -> None:
        first = self.module.imported_globals
        for index in range(first):
            cell = self.new_region(GLOBAL_SIZE)
            self.write(cell, 666)
            self.write(self.context + self.layout.globals + GLOBAL_SIZE * index, cell)
        for index, own in enumerate(self.module.globals, first):
            self.write(self.context + self.layout.globals + GLOBAL_SIZE * index, self.evaluate(own.init), GLOBAL_SIZE)

    def set_up_tables(self) -> None:
        self.tables: list[int] = []
        for index, table in enumerate(self.module.tables):
            structure = self.new_region(TABLE.size)
            self.write(structure + TABLE["elements"], self.new_region(8 * table.minimum))
            self.write(structure + TABLE["size"], table.minimum)
            self.write(self.context + self.layout.tables + 8 * index, structure)
            self.tables.append(structure)

    def set_up_tags(self) -> None:
        for index in range(len(self.module.tag_types)):
            self.write(self.context + self.layout.tags + 8 * index, self.new_region(8))

    def set_up_segments(self) -> None:
        for index, segment in enumerate(self.module.elements):
            if segment.functions is not None:
                values = [self.funcrefs[function] for function in segment.functions]
            else:
                values = [self.evaluate(expression) for expression in segment.expressions or ()]
            content = b"".join([value.to_bytes(8, "little") for value in values])
            elements = self.read(self.tables[segment.table] + TABLE["elements"]) if segment.offset is not None else 0
            at = self.layout.elements + SEGMENT.size * index
            self.set_up_segment(segment.mode, at, content, len(values), segment.offset, elements, 8)
        for index, data in enumerate(self.module.data):
            content = bytes(self.module.source[data.start : data.end])
            at = self.layout.data + SEGMENT.size * index
            self.set_up_segment(data.mode, at, content, len(content), data.offset, self.heap, 1)

    def set_up_segment(
        self, mode: SegmentMode, at: int, content: bytes, length: int, offset: ConstExpr | None, target: int, scale: int
    ) -> None:
        if mode is SegmentMode.PASSIVE:
            address = self.new_region(len(content))
            self.regions[address >> _REGION][:] = content
            self.write(self.context + at + SEGMENT["address"], address)
            self.write(self.context + at + SEGMENT["length"], length)
        elif mode is SegmentMode.ACTIVE:
            assert offset is not None
            start = (self.evaluate(offset) & _MASK[types.I32]) * scale
            self.regions[target >> _REGION][start : start + len(content)] = content

    def evaluate(self, expression: ConstExpr) -> int:
        ((opcode, value),) = expression.instructions
        if isinstance(value, ValueType):
            return 0
        if opcode == 0x23:
            return self.read(self.read(self.context + self.layout.globals + GLOBAL_SIZE * value))
        return self.funcrefs[value] if opcode == 0xD2 else value

    # What C functions do.

    def memmove(self, target: int, source: int, length: int) -> int:
        if length:
            start = source & (1 << _REGION) - 1
            content = self.regions[source >> _REGION][start : start + length]
            assert len(content) == length
            region, offset = self.locate(target, length, False)
            region[offset : offset + length] = content
        return 0

    def memset(self, target: int, value: int, length: int) -> int:
        if length:
            region, offset = self.locate(target, length, False)
            region[offset : offset + length] = bytes([value & 0xFF]) * length
        return 0

    def builtin(self, context: int, number: int, a: int, b: int, c: int) -> int:
        assert context == self.context
        if number == BUILTIN_MEMORY_GROW:
            region = self.regions[self.heap >> _REGION]
            previous = len(region) // PAGE_SIZE
            maximum = self.module.memories[a].maximum
            if previous + b > (65536 if maximum is None else maximum) or b > 900:
                return -1
            region.extend(bytes(b * PAGE_SIZE))
            self.write(self.memory + MEMORY["size"], len(region))
            return previous
        if number == BUILTIN_TABLE_GROW:
            structure = self.tables[a]
            previous = self.read(structure + TABLE["size"])
            maximum = self.module.tables[a].maximum
            if previous + b > (10_000 if maximum is None else maximum):
                return -1
            elements = self.regions[self.read(structure + TABLE["elements"]) >> _REGION]
            elements.extend(c.to_bytes(8, "little") * b)
            self.write(structure + TABLE["size"], previous + b)
            return previous
        if number == BUILTIN_EXCEPTION_ROOM:
            room = self.new_region(a)
            self.write(self.store + STORE["exception_room"], room)
            self.write(self.store + STORE["exception_end"], room + a)
            return 0
        func_type = self.module.func_type(a)
        listed = func_type.params if number == BUILTIN_LISTENER_BEFORE else func_type.results
        assert number in (BUILTIN_LISTENER_BEFORE, BUILTIN_LISTENER_AFTER)
        when = "before" if number == BUILTIN_LISTENER_BEFORE else "after"
        values = []
        for value_type in listed:
            values.append(self.read(b, 8 * value_type.slots))
            b += 8 * value_type.slots
        self.heard.append((when, a, values))
        return 0

    # Running.

    def call(self, index: int, arguments: list[int]) -> list[int]:
        """Call a function of the module."""
        if index < self.module.imported_functions:
            host = self.hosts[index]
            return [0 for _ in self.module.func_type(index).results] if host is None else host(arguments)
        function = self.compiled.get(index)
        if function is None:
            facts = validate_body(self.module, index, self.features)
            function = self.compiled[index] = translate(self.module, index, self.layout, facts, self.options)
            verify(function)
        self.depth += 1
        if self.depth > 400:
            self.depth = 0
            raise TrapError(TrapCode.CALL_STACK_EXHAUSTED)
        result = self.run(function, arguments)
        self.depth -= 1
        return result

    def run(self, function: Function, arguments: list[int]) -> list[int]:
        values: dict[int, int] = {}
        slots = [self.new_region(size) for size in function.stack_slots]
        block = function.blocks[0]
        incoming = arguments
        while True:
            assert len(block.params) == len(incoming)
            for param, value in zip(block.params, incoming):
                assert 0 <= value <= _MASK[param.type]
                values[param.id] = value
            terminator = block.terminator
            assert terminator is not None
            try:
                for inst in block.insts:
                    if inst.op == op.STACK_SLOT:
                        values[inst.id] = slots[inst.imm]
                    elif inst.op not in (op.RESULT, op.POLL):
                        self.execute(inst, [self.operand(arg, values) for arg in inst.args], values)
            except Thrown:
                if terminator.op != op.INVOKE:
                    raise
                assert isinstance(terminator, Branch)
                block = self.follow(block, terminator.targets[1])
                incoming = []
                continue
            operands = [self.operand(arg, values) for arg in terminator.args]
            if terminator.op == op.RETURN:
                return operands
            if isinstance(terminator, Call):
                return self.perform_call(terminator, operands)
            if terminator.op == op.TRAP:
                raise TrapError(terminator.imm)
            if terminator.op == op.THROW:
                raise Thrown(self.read(self.store + STORE["exception"]))
            edge = self.choose(terminator, operands)
            incoming = [self.operand(arg, values) for arg in edge.args]
            block = self.follow(block, edge)

    @staticmethod
    def follow(block: Block, edge: Edge) -> Block:
        assert block in edge.block.predecessors
        return edge.block

    @staticmethod
    def choose(terminator: Inst, operands: list[int]) -> Edge:
        assert isinstance(terminator, Branch), op.NAMES[terminator.op]
        if terminator.op in (op.JUMP, op.INVOKE):
            return terminator.targets[0]
        if terminator.op == op.BRIF:
            return terminator.targets[0 if operands[0] else 1]
        return terminator.targets[min(operands[0], len(terminator.targets) - 1)]

    def operand(self, inst: Inst, values: dict[int, int]) -> int:
        if inst.op == op.CONST:
            return inst.imm
        if inst.op == op.VMCTX:
            return self.context
        return self.heap if inst.op == op.MEMORY_BASE else values[inst.id]

    def execute(self, inst: Inst, a: list[int], values: dict[int, int]) -> None:
        operation = inst.op
        if isinstance(inst, Call):
            results = self.perform_call(inst, a)
            for result, value in zip((inst, *inst.results), results):
                values[result.id] = value & _MASK[result.type]
        elif operation in _WIDTHS:
            heap = operation >= op.HEAP_LOAD
            size, extends = _WIDTHS[operation]
            address = a[0] + inst.imm & _MASK[types.I64]
            if inst.type == types.VOID:
                self.write(address, a[1], size or types.BYTES[inst.args[1].type], heap)
            else:
                size = size or types.BYTES[inst.type]
                value = self.read(address, size, heap)
                values[inst.id] = (signed(value, 8 * size) if extends else value) & _MASK[inst.type]
        elif operation == op.TRAP_IF:
            if a[0]:
                raise TrapError(inst.imm)
        else:
            values[inst.id] = pure(inst, a)

    def perform_call(self, inst: Call, a: list[int]) -> list[int]:
        if inst.op in (op.CALL, op.RETURN_CALL):
            return self.call(inst.imm, a)
        if inst.op in (op.CALL_REF, op.RETURN_CALL_REF):
            index = self.read(a[0] + FUNCREF["code"])
            assert self.read(a[0] + FUNCREF["type_id"]) == self.type_ids[self.module.function_types[index]]
            return self.call(index, a[1:])
        return [self.natives[a[0]](*a[1:])]
