"""IR as text, for people and for tests.

Values and blocks are numbered in the order in which they appear. Constants and pinned values stand where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wasm_core.errors import TrapCode
from wasm_ir import opcodes, types
from wasm_ir.folding import from_float, signed, to_float
from wasm_ir.ir import ABI_C, Block, Branch, Call, Edge, Function, Inst

_MEMORY_OPERATIONS = range(opcodes.LOAD, opcodes.HEAP_STORE32 + 1)


def format_constant(type: int, bits: int) -> str:
    """A constant: its value, a colon, its type. NaNs show their bits."""
    if type in (types.I32, types.I64):
        text = str(signed(bits, types.BITS[type]))
    elif type in (types.F32, types.F64):
        value = to_float(type, bits)
        if value != value:
            text = f"nan({bits:#x})"
        elif type == types.F32:
            text = _shortest_f32(value, bits)
        else:
            text = repr(value)
    else:
        text = f"{bits:#x}"
    return f"{text}:{types.NAMES[type]}"


def _shortest_f32(value: float, bits: int) -> str:
    """The shortest decimal that rounds to the same single-precision number."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if from_float(types.F32, float(text)) == bits:
            break
    return repr(float(text))


class _Printer:
    def __init__(self, function: Function, places: Callable[[int], str] | None) -> None:
        self.function = function
        self.places = places
        self.values: dict[int, str] = {}
        self.blocks: dict[int, str] = {}

    def value(self, inst: Inst) -> str:
        if inst.op == opcodes.CONST:
            return format_constant(inst.type, inst.imm)
        if inst.op in (opcodes.VMCTX, opcodes.MEMORY_BASE):
            return opcodes.NAMES[inst.op]
        name = self.values.get(inst.id)
        if name is None:
            name = self.values[inst.id] = f"v{len(self.values)}"
        return name

    def operands(self, insts: Iterable[Inst]) -> str:
        return ", ".join([self.value(inst) for inst in insts])

    def block_name(self, block: Block) -> str:
        name = self.blocks.get(block.id)
        if name is None:
            name = self.blocks[block.id] = f"block{len(self.blocks)}"
        return name

    def edge(self, edge: Edge) -> str:
        name = self.block_name(edge.block)
        return f"{name}({self.operands(edge.args)})" if edge.args else name

    def run(self) -> list[tuple[str, int]]:
        """The lines, and the offset in the module that each comes from, 0 for none."""
        function = self.function
        own_offset = function.own_offset
        convention = " c" if function.abi == ABI_C else ""
        lines = [(f"{function.name}{convention} {function.signature!r} {{", 0)]
        lines += [(f"  slot{number}: {size} bytes", 0) for number, size in enumerate(function.stack_slots)]
        # The numbers of blocks are those of their order.
        for block in function.blocks:
            self.block_name(block)
        for block in function.blocks:
            lines.append((self.header(block), 0))
            lines += [(self.line(inst), own_offset(inst.offset)) for inst in block.insts if inst.op != opcodes.RESULT]
            terminator = block.terminator
            if terminator is None:
                lines.append(("  (no terminator)", 0))
            else:
                lines.append((self.line(terminator), own_offset(terminator.offset)))
        lines.append(("}", 0))
        return lines

    def header(self, block: Block) -> str:
        params = ", ".join([f"{self.value(param)}: {types.NAMES[param.type]}" for param in block.params])
        text = f"{self.block_name(block)}({params}):" if params else f"{self.block_name(block)}:"
        if block.is_loop_header:
            text += f"  ; loop, depth {block.loop_depth}"
        return text

    def line(self, inst: Inst) -> str:
        text = self.instruction(inst)
        if self.places is not None and inst.offset:
            text = f"{text:<48}; {self.places(self.function.own_offset(inst.offset))}"
        return "  " + text

    def instruction(self, inst: Inst) -> str:
        op = inst.op
        name = opcodes.NAMES[op]
        if isinstance(inst, Branch):
            parts = [self.value(arg) for arg in inst.args] + [self.edge(edge) for edge in inst.targets]
            return f"{name} {', '.join(parts)}"
        if isinstance(inst, Call):
            return self.call(inst)
        arguments = self.operands(inst.args)
        if op in (opcodes.TRAP, opcodes.TRAP_IF):
            return f"{name} {arguments + ', ' if arguments else ''}{_trap_name(inst.imm)}"
        if op in _MEMORY_OPERATIONS:
            address = f"[{self.value(inst.args[0])}{f'+{inst.imm}' if inst.imm else ''}]"
            if inst.type == types.VOID:
                value = inst.args[1]
                return f"{name}.{types.NAMES[value.type]} {address}, {self.value(value)}"
            return f"{self.value(inst)} = {name}.{types.NAMES[inst.type]} {address}"
        if op == opcodes.ICMP or op == opcodes.FCMP:
            condition = (opcodes.ICMP_NAMES if op == opcodes.ICMP else opcodes.FCMP_NAMES)[inst.imm]
            return f"{self.value(inst)} = {name}.{types.NAMES[inst.args[0].type]} {condition} {arguments}"
        if opcodes.V_SPLAT <= op <= opcodes.V_PROMOTE:
            return f"{self.value(inst)} = {name}{_vector_details(inst)} {arguments}"
        if op == opcodes.STACK_SLOT:
            return f"{self.value(inst)} = slot{inst.imm}"
        if inst.type == types.VOID:
            return f"{name} {arguments}" if arguments else name
        return f"{self.value(inst)} = {name}.{types.NAMES[inst.type]} {arguments}".rstrip()

    def call(self, call: Call) -> str:
        arguments = list(call.args)
        name = opcodes.NAMES[call.op]
        if call.op in (opcodes.CALL, opcodes.RETURN_CALL):
            target = f" {call.imm}"
        else:
            own = "own " if call.op == opcodes.CALL_REF and call.imm else ""
            target = f" {own}{self.value(arguments.pop(0))}"
        text = f"{name}{target}({self.operands(arguments)})"
        if call.type == types.VOID:
            return text
        results = [f"{self.value(result)}: {types.NAMES[result.type]}" for result in (call, *call.results)]
        return f"{', '.join(results)} = {text}"


#: Vector operations whose imm says nothing.
_SHAPELESS = (
    *(opcodes.V_SWIZZLE, opcodes.V_RELAXED_SWIZZLE, opcodes.V_NOT, opcodes.V_ANDNOT, opcodes.V_BITSELECT),
    *(opcodes.V_ANY_TRUE, opcodes.V_DEMOTE, opcodes.V_PROMOTE),
)


def _vector_details(inst: Inst) -> str:
    """What the imm of a vector operation says: lane shape; lane, condition or half; bytes of a shuffle."""
    op = inst.op
    if op in _SHAPELESS:
        return ""
    if op == opcodes.V_SHUFFLE:
        return f" [{' '.join([str(byte) for byte in inst.imm.to_bytes(16, 'little')])}]"
    shape = opcodes.SHAPE_NAMES[inst.imm & opcodes.SHAPE_MASK]
    rest = inst.imm >> opcodes.SHAPE_SHIFT
    if op == opcodes.V_ICMP:
        return f".{shape} {opcodes.ICMP_NAMES[rest]}"
    if op == opcodes.V_FCMP:
        return f".{shape} {opcodes.FCMP_NAMES[rest]}"
    if op in (opcodes.V_EXTRACT_S, opcodes.V_EXTRACT_U, opcodes.V_REPLACE):
        return f".{shape}[{rest}]"
    if op in (opcodes.V_EXTEND_S, opcodes.V_EXTEND_U, opcodes.V_EXTMUL_S, opcodes.V_EXTMUL_U):
        return f".{shape} {'high' if rest else 'low'}"
    return f".{shape}"


def _trap_name(code: int) -> str:
    return TrapCode(code).name.lower()


def format_function(
    function: Function, offsets: bool = False, places: Callable[[int], str] = lambda offset: f"{offset:#x}"
) -> str:
    """The text of a function.

    Args:
        function: The function.
        offsets: Whether instructions show where in the module they come from.
        places: How that is written: from the byte offset in the module.
    """
    lines = _Printer(function, places if offsets else None).run()
    return "\n".join([line for line, _ in lines]) + "\n"


def listed_function(function: Function) -> list[tuple[str, int]]:
    """The lines of `format_function`, each with the offset in the module that it comes from, 0 for none."""
    return _Printer(function, None).run()
