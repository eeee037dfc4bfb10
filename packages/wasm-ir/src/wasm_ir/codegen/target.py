"""What the shared code generator asks of an architecture."""

from __future__ import annotations

from wasm_core.lazy_typing import mypyc_attr
from wasm_ir.codegen.machinst import MFunction
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_ir.codegen.emission import Emitter


@mypyc_attr(allow_interpreted_subclasses=True)
class Target:
    """The base of one architecture's half of the code generator. Stateless: one object serves all functions."""

    def __init__(
        self,
        registers: RegisterSet,
        native_registers: RegisterSet,
        loop_alignment: int = 1,
        shortens_jumps: bool = False,
        dispatch_alignment: int = 1,
    ) -> None:
        #: In functions with WebAssembly's convention, and in those with the C convention.
        self.registers = registers
        self.native_registers = native_registers
        #: Heads of loops without loops and calls in them go to multiples of this many bytes; 1: wherever they come to
        #: lie.
        self.loop_alignment = loop_alignment
        #: The same for heads of loops, with whatever in them, that end with a jump through a table, where it is more.
        self.dispatch_alignment = dispatch_alignment
        #: There are jumps of several lengths: `shorten_jumps` is to be called.
        self.shortens_jumps = shortens_jumps

    def lower(self, function: Function) -> MFunction:
        """Instruction selection."""
        raise NotImplementedError

    def extra_frame_words(self, function: Function, machine: MFunction) -> int:
        """How many 8-byte words of its own the prologue stores in the frame (see frame.py)."""
        raise NotImplementedError

    def emit_prologue(self, emitter: Emitter) -> None:
        """Emit both entries (see CompiledCode; sets emitter.entry), the frame set-up and the stack limit check."""
        raise NotImplementedError

    def emit_move(self, emitter: Emitter, destination: int, source: int, type: int) -> None:
        """Move a value of IR type `type` between two locations of which at least one is a register."""
        raise NotImplementedError

    def emit_constant(self, emitter: Emitter, destination: int, constant: Inst) -> None:
        """Load a constant into a location; must not change any register but the destination and, if the destination is
        in memory, the scratch register of its class. It may change flags (see machinst)."""
        raise NotImplementedError

    def emit_jump(self, emitter: Emitter, label: int) -> None:
        """Emit a jump."""
        raise NotImplementedError

    def emit_poll(self, emitter: Emitter, wasm_offset: int) -> None:
        """Emit the call of the poll exit that is made when the stack pointer is below the stack limit."""
        raise NotImplementedError

    def emit_zero_extension(self, emitter: Emitter, register: int) -> None:
        """Clear the upper half of an integer register."""
        raise NotImplementedError

    def emit_load_word(self, emitter: Emitter, register: int, base: int, offset: int) -> None:
        """Load the 8 bytes at [base + offset]."""
        raise NotImplementedError

    def emit_call_word(self, emitter: Emitter, base: int, offset: int) -> None:
        """Call the address in the 8 bytes at [base + offset]."""
        raise NotImplementedError

    def emit_call_own(self, emitter: Emitter, callee: int) -> None:
        """Call the code that the funcref in register `callee` names behind what pins VMContext and memory base."""
        raise NotImplementedError

    def context_place(self, emitter: Emitter) -> tuple[int, int]:
        """Base register and offset of where a function that calls references keeps its VMContext."""
        raise NotImplementedError

    def emit_landing_marker(self, emitter: Emitter, label: int) -> None:
        """Behind a call: an instruction that does nothing, by which the throw exit finds the landing pad at `label`."""
        raise NotImplementedError

    def emit_landing(self, emitter: Emitter) -> None:
        """At a landing pad: with the frame pointer alone, restore the stack pointer and pinned registers."""
        raise NotImplementedError

    def shorten_jumps(self, emitter: Emitter, label: int, room: int) -> None:
        """Make jumps to `label`, which is bound next, behind at most `room` bytes, as short as they can be."""
        raise NotImplementedError

    def emit_padding(self, emitter: Emitter, size: int) -> None:
        """Emit `size` bytes that do nothing when they are run; where both alignments are 1 it is never called."""
        raise NotImplementedError

    def emit_trap_site(self, emitter: Emitter, trap_code: int) -> None:
        """Emit the out-of-line code that leaves through the trap exit; the emitter records its return address."""
        raise NotImplementedError

    def emit_data(self, emitter: Emitter) -> None:
        """After the code: align and emit constant pool and jump tables."""
        raise NotImplementedError

    def patch(self, code: bytearray, position: int, kind: int, target: int) -> None:
        """Resolve a label reference at `position` to offset `target` of the same code.

        Raises OutOfReach when the instruction cannot refer that far: everything is then emitted again with a
        larger `Emitter.far`.
        """
        raise NotImplementedError
