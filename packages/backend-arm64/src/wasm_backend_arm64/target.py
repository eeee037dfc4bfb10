"""The shared code generator's view of AArch64: prologue, moves, constants, trap sites, data, label references."""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.abi import PINNING_SIZE
from wasm_backend_arm64.control_instructions import (
    ENTER_SAVED,
    FLOATS_SAVED,
    SAVES_FLOATS,
    check_stack,
    context_place,
    emit_poll_sites,
    emit_trap_site,
    emit_trap_tails,
    restore_sp,
    save_registers,
)
from wasm_backend_arm64.encodings import Access
from wasm_backend_arm64.lower import Arm64Lowering
from wasm_backend_arm64.operands import (
    DISTANCE,
    INSTRUCTION,
    TABLE_ENTRY,
    is_compact,
    jump,
    load_float,
    load_integer,
    rm_frame,
)
from wasm_backend_arm64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    FLOAT_SCRATCH,
    FRAME_POINTER,
    LINK_REGISTER,
    MEMORY_REGISTER,
    REGISTERS,
    SCRATCH,
    SCRATCH2,
    SP,
    ZR,
)
from wasm_core.errors import CompileError
from wasm_ir import types
from wasm_ir.backend import RELOCATION_SYMBOL
from wasm_ir.codegen.emission import OutOfReach
from wasm_ir.codegen.machinst import CALLS_REFERENCES, ENTERS, MAKES_CALLS, MFunction
from wasm_ir.codegen.target import Target
from wasm_ir.ir import ABI_C, ABI_WASM, Function, Inst
from wasm_ir.vmcontext import CONTEXT, FUNCREF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: Frames of this size and more are checked before the stack pointer goes there; smaller ones after, and those in
#: functions that call nothing are not checked at all.
_PAGE: Final = 4096
#: Types of values that are in v0..v31.
_FLOAT_TYPES: Final = frozenset((types.F32, types.F64, types.V128))

# By type. Words of the frame have 8 bytes, places of vectors 16, to which they are aligned. Integers are spilled with
# all 64 bits: a spilled i32 may be used as the i64 that it is zero-extended.
_LOADS: Final[tuple[Access, ...]] = (e.LDR_RM64, e.LDR_RM64, e.LDR_RM64, e.LDR_FM64, e.LDR_FM64, e.LDR_FM128)
_STORES: Final[tuple[Access, ...]] = (e.STR_RM64, e.STR_RM64, e.STR_RM64, e.STR_FM64, e.STR_FM64, e.STR_FM128)


class Arm64Target(Target):
    """What the shared code generator asks of this architecture."""

    def __init__(self, features: frozenset[str]) -> None:
        """`features`: names of the processor features that code may use (see cpu.py)."""
        super().__init__(REGISTERS, REGISTERS)
        self.features = features

    def lower(self, function: Function) -> MFunction:
        """Instruction selection. Raises CompileError for what this backend does not have."""
        machine = Arm64Lowering(function, self.features).run()
        if machine.flags & ENTERS or (function.abi == ABI_C and not _FLOAT_TYPES.isdisjoint(machine.vreg_types)):
            machine.flags |= SAVES_FLOATS
        return machine

    def extra_frame_words(self, function: Function, machine: MFunction) -> int:
        """Room for registers that C wants kept, or for the VMContext that calls through references change."""
        flags = machine.flags
        if function.abi == ABI_C:
            return len(ENTER_SAVED) * (flags & ENTERS != 0) + len(FLOATS_SAVED) * (flags & SAVES_FLOATS != 0)
        return 1 if flags & CALLS_REFERENCES else 0

    def emit_prologue(self, emitter: Emitter) -> None:
        """Both entries, the frame, the stack limit check and saved registers."""
        code = emitter.code
        function = emitter.function
        flags = emitter.machine.flags
        frame = emitter.frame
        size = frame.size
        in_wasm = function.abi == ABI_WASM
        if in_wasm and not function.uses_callee:
            asm.rm(code, e.LDR_RM64, CONTEXT_REGISTER, CALLEE_REGISTER, FUNCREF["context"])
            asm.rm(code, e.LDR_RM64, MEMORY_REGISTER, CONTEXT_REGISTER, CONTEXT["memory_base"])
            assert len(code) == PINNING_SIZE
        emitter.entry = len(code)
        if is_compact(frame):
            asm.pair(code, e.STP_RRM64_PRE, FRAME_POINTER, LINK_REGISTER, SP, -16 - size)
            asm.add_sp(code, FRAME_POINTER, SP, 0, SCRATCH)
        else:
            asm.pair(code, e.STP_RRM64_PRE, FRAME_POINTER, LINK_REGISTER, SP, -16)
            asm.add_sp(code, FRAME_POINTER, SP, 0, SCRATCH)
            if in_wasm and size >= _PAGE:
                asm.add_sp(code, SCRATCH2, SP, -size, SCRATCH)
                check_stack(emitter, SCRATCH2, 0)
            asm.add_sp(code, SP, SP, -size, SCRATCH)
        if in_wasm and size < _PAGE and flags & MAKES_CALLS and function.checks_stack:
            check_stack(emitter, SP, 0)
        save_registers(emitter)
        if in_wasm and flags & CALLS_REFERENCES:
            base, offset = context_place(emitter)
            asm.rm(code, e.STR_RM64, CONTEXT_REGISTER, base, offset)

    def emit_move(self, emitter: Emitter, destination: int, source: int, type: int) -> None:
        """Move a value between two locations of which at least one is a register."""
        if source < 0:
            rm_frame(emitter, _LOADS[type], destination, source)
        elif destination < 0:
            rm_frame(emitter, _STORES[type], source, destination)
        elif type == types.V128:
            asm.rrr(emitter.code, e.ORR_RRR16B, destination, source, source)
        elif type >= types.F32:
            asm.rr(emitter.code, e.FMOV_RR64, destination, source)
        else:
            asm.rrr(emitter.code, e.ORR_RRR64, destination, ZR, source)

    def emit_constant(self, emitter: Emitter, destination: int, constant: Inst) -> None:
        """Load a constant into a location; changes no flags, and the scratch registers only for memory and floats."""
        bits = constant.imm
        value_type = constant.type
        if value_type <= types.I64:
            if destination >= 0:
                load_integer(emitter, destination, bits)
            elif bits == 0:
                rm_frame(emitter, e.STR_RM64, ZR, destination)
            else:
                load_integer(emitter, SCRATCH, bits)
                rm_frame(emitter, e.STR_RM64, SCRATCH, destination)
            return
        if destination >= 0:
            load_float(emitter, destination, bits, value_type)
        else:
            load_float(emitter, FLOAT_SCRATCH, bits, value_type)
            rm_frame(emitter, _STORES[value_type], FLOAT_SCRATCH, destination)

    def emit_jump(self, emitter: Emitter, label: int) -> None:
        jump(emitter, label)

    def emit_poll(self, emitter: Emitter, wasm_offset: int) -> None:
        check_stack(emitter, SP, wasm_offset)

    def emit_zero_extension(self, emitter: Emitter, register: int) -> None:
        asm.rrr(emitter.code, e.MOV_RZR32, register, ZR, register)

    def emit_load_word(self, emitter: Emitter, register: int, base: int, offset: int) -> None:
        asm.rm(emitter.code, e.LDR_RM64, register, base, offset)

    def emit_call_word(self, emitter: Emitter, base: int, offset: int) -> None:
        asm.rm(emitter.code, e.LDR_RM64, SCRATCH, base, offset)
        asm.r(emitter.code, e.BLR_R, SCRATCH)

    def emit_call_own(self, emitter: Emitter, callee: int) -> None:
        code = emitter.code
        asm.rm(code, e.LDR_RM64, SCRATCH, callee, FUNCREF["code"])
        asm.rri(code, e.ADD_RRI64, SCRATCH, SCRATCH, PINNING_SIZE)
        asm.r(code, e.BLR_R, SCRATCH)

    def context_place(self, emitter: Emitter) -> tuple[int, int]:
        return context_place(emitter)

    def emit_landing_marker(self, emitter: Emitter, label: int) -> None:
        code = emitter.code
        buffer = emitter.buffer
        if not emitter.far:
            buffer.refer(label, INSTRUCTION)
            asm.branch_r(code, e.ADR_RL, ZR)
            return
        # A megabyte is not enough: to a branch, which is passed here.
        asm.patch(code, asm.branch_r(code, e.ADR_RL, ZR), len(code) + 4)
        asm.patch(code, asm.branch(code), len(code) + 4)
        jump(emitter, label)

    def emit_landing(self, emitter: Emitter) -> None:
        code = emitter.code
        restore_sp(emitter)
        base, offset = context_place(emitter)
        asm.rm(code, e.LDR_RM64, CONTEXT_REGISTER, base, offset)
        asm.rm(code, e.LDR_RM64, MEMORY_REGISTER, CONTEXT_REGISTER, CONTEXT["memory_base"])

    def emit_padding(self, emitter: Emitter, size: int) -> None:
        """Never asked for: instructions are aligned by nature."""
        raise NotImplementedError

    def emit_trap_site(self, emitter: Emitter, trap_code: int) -> None:
        """A call whose return address tells where the trap was."""
        if emitter.function.abi != ABI_WASM:
            raise CompileError("a function with the C convention cannot trap")
        emit_trap_site(emitter, trap_code)

    def emit_data(self, emitter: Emitter) -> None:
        """Calls of the poll exit, trap tails, jump tables of offsets from their own start, constants, widest first."""
        emit_poll_sites(emitter)
        emit_trap_tails(emitter)
        code = emitter.code
        buffer = emitter.buffer
        for label, targets in emitter.jump_tables:
            buffer.bind(label)
            start = len(code)
            for target in targets:
                position = len(code)
                buffer.fixups.append((position, target, TABLE_ENTRY))
                code += (position - start).to_bytes(4, "little")
        for (bits, size), label in sorted(emitter.constants.items(), key=lambda item: -item[0][1]):
            code += bytes(-len(code) % size)
            buffer.bind(label)
            if emitter.function.symbols and size == 8:
                from wasm_ir.symbols import symbol_number

                symbol = symbol_number(bits)
                if symbol >= 0:
                    buffer.relocate(RELOCATION_SYMBOL, symbol)
            code += bits.to_bytes(size, "little")

    def patch(self, code: bytearray, position: int, kind: int, target: int) -> None:
        """Resolve a reference. Raises OutOfReach."""
        if kind == INSTRUCTION:
            if not asm.patch(code, position, target):
                raise OutOfReach
        elif kind == TABLE_ENTRY:
            # The entry's place counted from the table's start is there: what is wanted is the distance from the start.
            distance = target - position + int.from_bytes(code[position : position + 4], "little")
            code[position : position + 4] = (distance & 0xFFFF_FFFF).to_bytes(4, "little")
        else:
            assert kind == DISTANCE
            asm.patch_halves(code, position, target - (position - 4))
