"""The shared code generator's view of x86-64: prologue, moves, constants, trap sites, data, label references."""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.abi import LANDING_MARKER, PINNING_SIZE
from wasm_backend_amd64.control_instructions import (
    ENTER_SAVED,
    VECTOR_WORDS,
    WINDOWS_ENTER_SAVED,
    call_tail,
    check_stack,
    context_word,
    emit_poll_sites,
    emit_trap_tails,
    keeps_vectors,
    kept_vectors,
    saved_words,
)
from wasm_backend_amd64.encodings import Encoding
from wasm_backend_amd64.forms import load_float, load_integer
from wasm_backend_amd64.lower import Amd64Lowering
from wasm_backend_amd64.operands import REL8, REL32, frame_address, jump, rm_frame, shorten_jumps
from wasm_backend_amd64.registers import (
    CALLEE_REGISTER,
    CONTEXT_REGISTER,
    FLOAT_SCRATCH,
    MEMORY_REGISTER,
    NATIVE_REGISTERS,
    RBP,
    REGISTERS,
    RSP,
    SCRATCH,
    WINDOWS_REGISTERS,
)
from wasm_backend_amd64.vocabulary import vocabulary
from wasm_core.errors import CompileError
from wasm_ir import types
from wasm_ir.codegen.machinst import CALLS_REFERENCES, ENTERS, MAKES_CALLS, MFunction
from wasm_ir.codegen.target import Target
from wasm_ir.ir import ABI_WASM, Function, Inst
from wasm_ir.vmcontext import CONTEXT, FUNCREF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

#: Frames at least this large are checked against the stack limit before the stack pointer goes down; smaller ones in
#: functions that call nothing are not checked at all.
_PAGE: Final = 4096

# By type. Places of vectors in the frame are aligned to 16 bytes.
_MOVES: Final[tuple[Encoding, ...]] = (e.MOV_RR64, e.MOV_RR32, e.MOV_RR64, e.MOVAPS_RR, e.MOVAPS_RR, e.MOVAPS_RR)
# Integers are spilled with all 64 bits: a spilled i32 may be used as the i64 that it is zero-extended.
_LOADS: Final[tuple[Encoding, ...]] = (e.MOV_RM64, e.MOV_RM64, e.MOV_RM64, e.MOVSS_RM, e.MOVSD_RM, e.MOVAPS_RM)
_STORES: Final[tuple[Encoding, ...]] = (e.MOV_MR64, e.MOV_MR64, e.MOV_MR64, e.MOVSS_MR, e.MOVSD_MR, e.MOVAPS_MR)


class Amd64Target(Target):
    """What the shared code generator asks of this architecture."""

    def __init__(self, features: frozenset[str], windows: bool = False) -> None:
        """`features`: names of the processor features that code may use (see cpu.py); `windows`: C functions have the
        convention of Windows."""
        # Aligned to what processors fetch at once, or a part of it; heads that dispatch to cache lines, which they take
        # most of.
        native = WINDOWS_REGISTERS if windows else NATIVE_REGISTERS
        super().__init__(REGISTERS, native, loop_alignment=16, shortens_jumps=True, dispatch_alignment=64)
        self.features = features
        self.windows = windows
        self.vocabulary = vocabulary(windows)

    def lower(self, function: Function) -> MFunction:
        """Instruction selection. Raises CompileError for what this backend does not have."""
        return Amd64Lowering(function, self.vocabulary, self.features).run()

    def extra_frame_words(self, function: Function, machine: MFunction) -> int:
        """Room for registers that `enter` destroys, or for the VMContext that calls through references change."""
        if self.windows and keeps_vectors(function, machine):
            return len(WINDOWS_ENTER_SAVED) + VECTOR_WORDS
        if machine.flags & ENTERS:
            return len(ENTER_SAVED)
        return 1 if machine.flags & CALLS_REFERENCES else 0

    def emit_prologue(self, emitter: Emitter) -> None:
        """Both entries, the frame, the stack limit check and saved registers."""
        code = emitter.code
        function = emitter.function
        flags = emitter.machine.flags
        size = emitter.frame.size
        in_wasm = function.abi == ABI_WASM
        if in_wasm and not function.uses_callee:
            asm.rm(code, e.MOV_RM64, CONTEXT_REGISTER, CALLEE_REGISTER, -1, 0, FUNCREF["context"])
            asm.rm(code, e.MOV_RM64, MEMORY_REGISTER, CONTEXT_REGISTER, -1, 0, CONTEXT["memory_base"])
            assert len(code) == PINNING_SIZE
        emitter.entry = len(code)
        asm.r(code, e.PUSH_R, RBP)
        asm.rr(code, e.MOV_RR64, RBP, RSP)
        if in_wasm and size >= _PAGE:
            asm.rm(code, e.LEA_RM64, SCRATCH, RSP, -1, 0, -size)
            check_stack(emitter, SCRATCH, 0)
        elif self.windows and not in_wasm:
            # The pages of a thread's stack come one by one, each when it is touched after the one above.
            for depth in range(_PAGE, size + 1, _PAGE):
                asm.rm(code, e.MOV_RM64, SCRATCH, RSP, -1, 0, -depth)
        if size:
            asm.ri(code, e.SUB_RI64, RSP, size)
        if in_wasm and size < _PAGE and flags & MAKES_CALLS and function.checks_stack:
            check_stack(emitter, RSP, 0)
        for register, offset in saved_words(emitter):
            asm.rm(code, e.MOV_MR64, register, RBP, -1, 0, offset)
        if self.windows:
            for register, offset in kept_vectors(emitter):
                asm.rm(code, e.MOVUPS_MR, register, RBP, -1, 0, offset)
        if in_wasm and flags & CALLS_REFERENCES:
            asm.rm(code, e.MOV_MR64, CONTEXT_REGISTER, RBP, -1, 0, context_word(emitter))

    def emit_move(self, emitter: Emitter, destination: int, source: int, type: int) -> None:
        """Move a value between two locations of which at least one is a register."""
        if source >= 0:
            if destination >= 0:
                asm.rr(emitter.code, _MOVES[type], destination, source)
            else:
                rm_frame(emitter, _STORES[type], source, destination)
        else:
            rm_frame(emitter, _LOADS[type], destination, source)

    def emit_constant(self, emitter: Emitter, destination: int, constant: Inst) -> None:
        """Load a constant into a location; changes the scratch register only for memory."""
        bits = constant.imm
        code = emitter.code
        value_type = constant.type
        if value_type <= types.I64:
            if destination >= 0:
                # No instruction leaves flags for another.
                if bits:
                    load_integer(emitter, destination, bits)
                else:
                    asm.rr(code, e.XOR_RR32, destination, destination)
                return
            number = (bits ^ 1 << 63) - (1 << 63)
            if -0x8000_0000 <= number <= 0x7FFF_FFFF:
                base, disp = frame_address(emitter, destination)
                asm.mi(code, e.MOV_MI64, base, -1, 0, disp, number)
            else:
                load_integer(emitter, SCRATCH, bits)
                rm_frame(emitter, e.MOV_MR64, SCRATCH, destination)
            return
        register = FLOAT_SCRATCH if destination < 0 else destination
        load_float(emitter, _LOADS[value_type], register, bits)
        if destination < 0:
            rm_frame(emitter, _STORES[value_type], register, destination)

    def emit_jump(self, emitter: Emitter, label: int) -> None:
        jump(emitter, label)

    def emit_poll(self, emitter: Emitter, wasm_offset: int) -> None:
        check_stack(emitter, RSP, wasm_offset)

    def emit_zero_extension(self, emitter: Emitter, register: int) -> None:
        asm.rr(emitter.code, e.MOV_RR32, register, register)

    def emit_load_word(self, emitter: Emitter, register: int, base: int, offset: int) -> None:
        asm.rm(emitter.code, e.MOV_RM64, register, base, -1, 0, offset)

    def emit_call_word(self, emitter: Emitter, base: int, offset: int) -> None:
        asm.m(emitter.code, e.CALL_M, base, -1, 0, offset)

    def emit_call_own(self, emitter: Emitter, callee: int) -> None:
        code = emitter.code
        asm.rm(code, e.MOV_RM64, SCRATCH, callee, -1, 0, FUNCREF["code"])
        asm.ri(code, e.ADD_RI64, SCRATCH, PINNING_SIZE)
        asm.r(code, e.CALL_R, SCRATCH)

    def context_place(self, emitter: Emitter) -> tuple[int, int]:
        return RBP, context_word(emitter)

    def emit_landing_marker(self, emitter: Emitter, label: int) -> None:
        code = emitter.code
        code += LANDING_MARKER
        emitter.buffer.fixups.append((len(code), label, REL32))
        code += b"\0\0\0\0"

    def emit_landing(self, emitter: Emitter) -> None:
        code = emitter.code
        asm.rm(code, e.LEA_RM64, RSP, RBP, -1, 0, -emitter.frame.size)
        asm.rm(code, e.MOV_RM64, CONTEXT_REGISTER, RBP, -1, 0, context_word(emitter))
        asm.rm(code, e.MOV_RM64, MEMORY_REGISTER, CONTEXT_REGISTER, -1, 0, CONTEXT["memory_base"])

    def shorten_jumps(self, emitter: Emitter, label: int, room: int) -> None:
        shorten_jumps(emitter, label, room)

    def emit_padding(self, emitter: Emitter, size: int) -> None:
        """Instructions that do nothing, as few as possible."""
        asm.nop(emitter.code, size)

    def emit_trap_site(self, emitter: Emitter, trap_code: int) -> None:
        """A call whose return address tells where the trap was."""
        if emitter.function.abi != ABI_WASM:
            raise CompileError("a function with the C convention cannot trap")
        call_tail(emitter, trap_code)

    def emit_data(self, emitter: Emitter) -> None:
        """Calls of the poll exit, trap tails, jump tables of offsets from their own start, constants (widest first)."""
        emit_poll_sites(emitter)
        emit_trap_tails(emitter)
        code = emitter.code
        buffer = emitter.buffer
        for label, targets in emitter.jump_tables:
            code += b"\xcc" * (-len(code) % 4)
            buffer.bind(label)
            start = len(code)
            for target in targets:
                position = len(code)
                # References count from the end of the entry; a table's entries count from its start.
                buffer.fixups.append((position, target, position + 4 - start))
                code += b"\0\0\0\0"
        for (bits, size), label in sorted(emitter.constants.items(), key=lambda item: -item[0][1]):
            code += b"\xcc" * (-len(code) % size)
            buffer.bind(label)
            code += bits.to_bytes(size, "little")

    def patch(self, code: bytearray, position: int, kind: int, target: int) -> None:
        """Resolve a reference; see REL32, REL8."""
        if kind == REL8:
            distance = target - position - 1
            assert -128 <= distance <= 127, "a jump was made too short"
            code[position] = distance & 0xFF
        else:
            asm.put_i32(code, position, target - position - 4 + kind)
