"""Emission: from allocated machine instructions to bytes."""

from __future__ import annotations

from array import array

from wasm_core.errors import CompileError
from wasm_core.lazy_typing import mypyc_attr
from wasm_ir.backend import CompiledCode
from wasm_ir.codegen.code_buffer import CodeBuffer
from wasm_ir.codegen.frame import Frame
from wasm_ir.codegen.machinst import MBlock, MFunction
from wasm_ir.codegen.target import Target
from wasm_ir.ir import CALL_SITE_SHIFT, Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: How often emission may fail for want of longer forms.
_LARGEST_FAR: Final = 3


@mypyc_attr(native_class=False)
class OutOfReach(Exception):
    """Raised by Target.patch: a label is too far away for the instruction that refers to it."""


class Emitter:
    """The state of emitting one function; what `MOp.emit` functions work on."""

    __slots__ = (
        "block",
        "buffer",
        "code",
        "constants",
        "entry",
        "entry_label",
        "far",
        "frame",
        "function",
        "jump_tables",
        "machine",
        "next_block",
        "poll_sites",
        "target",
        "trap_sites",
        "trap_tails",
    )

    def __init__(self, function: Function, machine: MFunction, frame: Frame, target: Target, far: int) -> None:
        self.function = function
        self.machine = machine
        self.frame = frame
        self.target = target
        self.buffer = CodeBuffer()
        #: The same object as buffer.code.
        self.code = self.buffer.code
        #: How often emission has failed because a label was out of reach: the target then uses longer forms.
        self.far = far
        #: Offset of the entry for calls within the module.
        self.entry = 0
        self.entry_label = -1
        #: The block being emitted, and the one that follows it in the code (None after the last).
        self.block: MBlock = machine.blocks[0]
        self.next_block: MBlock | None = None
        #: Constant pool: (bit pattern, size in bytes) -> label.
        self.constants: dict[tuple[int, int], int] = {}
        #: (label of the table, labels of its targets)
        self.jump_tables: list[tuple[int, list[int]]] = []
        #: (label, trap code, offset in the module) of out-of-line trap exits.
        self.trap_sites: list[tuple[int, int, int]] = []
        #: (label, label to come back to, and what the target wants to know) of calls of the poll exit (emit_data).
        self.poll_sites: list[tuple[int, int, int, int]] = []
        #: Trap code -> label of the code that all its sites share (emit_data).
        self.trap_tails: dict[int, int] = {}

    def trap_label(self, trap_code: int, wasm_offset: int) -> int:
        """A label to branch to in order to trap; its code is emitted behind the function."""
        label = self.buffer.new_label()
        self.trap_sites.append((label, trap_code, wasm_offset))
        return label

    def own_entry(self) -> int:
        """Label of the entry for calls within the module, to which a function that calls itself goes."""
        label = self.entry_label
        if label < 0:
            label = self.entry_label = self.buffer.new_label()
            # Nothing in front of it is made shorter any more.
            self.buffer.labels[label] = self.entry
        return label

    def constant(self, bits: int, size: int) -> int:
        """Label of a constant of `size` bytes in the pool."""
        label = self.constants.get((bits, size))
        if label is None:
            label = self.constants[bits, size] = self.buffer.new_label()
        return label

    def jump_table(self, targets: list[int]) -> int:
        """Label of a table of the labels `targets`; its format is the target's (emit_data)."""
        label = self.buffer.new_label()
        self.jump_tables.append((label, targets))
        return label


def emit(function: Function, machine: MFunction, frame: Frame, target: Target) -> CompiledCode:
    """Emit an allocated function. Raises CompileError when it is too large for the target."""
    far = 0
    while True:
        try:
            return _emit(function, machine, frame, target, far)
        except OutOfReach:
            if far == _LARGEST_FAR:
                raise CompileError("the function is too large: its parts cannot reach each other") from None
            far += 1


def _emit(function: Function, machine: MFunction, frame: Frame, target: Target, far: int) -> CompiledCode:
    emitter = Emitter(function, machine, frame, target, far)
    buffer = emitter.buffer
    blocks = machine.blocks
    for block in blocks:
        block.label = buffer.new_label()
        block.landing_label = -1
    for block in blocks:
        if block.lands:
            pad = block.edges[1].block
            if pad.landing_label < 0:
                pad.landing_label = buffer.new_label()
    listing = function.listing
    if listing is not None:
        # (another attempt may have begun it)
        listing[:] = [(0, 0)]
        buffer.listing = listing
    target.emit_prologue(emitter)
    last = len(blocks) - 1
    loops = target.loop_alignment
    dispatches = target.dispatch_alignment
    shortens = target.shortens_jumps
    labels = buffer.labels
    for number, block in enumerate(blocks):
        alignment = loops if block.is_tight_loop else 1
        # More edges than two: a jump through a table.
        if alignment < dispatches and block.is_loop_header and len(block.edges) > 2:
            alignment = dispatches
        is_aligned = alignment > 1
        if shortens and labels[block.label] != -1 and block.landing_label < 0:
            target.shorten_jumps(emitter, block.label, alignment if is_aligned else 0)
        if is_aligned:
            padding = -len(buffer.code) % alignment
            if padding:
                target.emit_padding(emitter, padding)
            buffer.settled = len(buffer.code)
        emitter.block = block
        if block.landing_label >= 0:
            # Does nothing for those who come another way.
            buffer.bind(block.landing_label)
            target.emit_landing(emitter)
        buffer.bind(block.label)
        emitter.next_block = blocks[number + 1] if number < last else None
        if listing is not None:
            _emit_listed(emitter, block, listing)
            continue
        for inst in block.insts:
            inst.op.emit(emitter, inst)
    for label, trap_code, wasm_offset in emitter.trap_sites:
        buffer.bind(label)
        if listing is not None:
            listing.append((len(buffer.code), wasm_offset))
        target.emit_trap_site(emitter, trap_code)
        buffer.mark(len(buffer.code), wasm_offset)
    if listing is not None:
        listing.append((len(buffer.code), 0))
    target.emit_data(emitter)
    code = buffer.code
    for position, label, kind in buffer.fixups:
        offset = labels[label]
        assert offset >= 0, "reference to a label that was never bound"
        target.patch(code, position, kind, offset)
    if function.call_sites:
        _add_callers(function, buffer)
    # The runtime looks pcs up by bisection.
    assert buffer.pcs == sorted(buffer.pcs)
    return CompiledCode(
        bytes(code),
        emitter.entry,
        buffer.relocations,
        array("I", buffer.pcs),
        array("I", buffer.wasm_offsets),
        frame.size,
    )


def _add_callers(function: Function, buffer: CodeBuffer) -> None:
    """Rows of instructions from bodies that stand in the place of calls: a second one behind each, for the call."""
    pcs: list[int] = []
    offsets: list[int] = []
    for pc, offset in zip(buffer.pcs, buffer.wasm_offsets):
        pcs.append(pc)
        offsets.append(offset & (1 << CALL_SITE_SHIFT) - 1)
        if offset >> CALL_SITE_SHIFT:
            pcs.append(pc)
            offsets.append(function.own_offset(offset))
    buffer.pcs = pcs
    buffer.wasm_offsets = offsets
    listing = buffer.listing
    if listing is not None:
        listing[:] = [(pc, function.own_offset(origin)) for pc, origin in listing]


def _emit_listed(emitter: Emitter, block: MBlock, listing: list[tuple[int, int]]) -> None:
    """Emit a block, and note where the code of each instruction begins and what it was made for."""
    origins = emitter.machine.origins
    assert origins is not None
    code = emitter.code
    for inst in block.insts:
        # What the allocator has added (moves) is for what follows.
        listing.append((len(code), origins.get(inst, -1)))
        inst.op.emit(emitter, inst)
