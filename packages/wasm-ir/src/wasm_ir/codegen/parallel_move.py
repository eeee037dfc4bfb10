"""Parallel moves: several moves that happen as if all at once, put into an order that a machine can run one by one."""

from __future__ import annotations

from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter


@mypyc_attr(acyclic=True)
class MConstant(MInst):
    """Loads `constant` (a `const` instruction) into defs[0]."""

    __slots__ = ("constant",)

    def __init__(self, destination: int, constant: Inst) -> None:
        super().__init__(LOAD_CONSTANT, [destination], [], 0)
        self.constant = constant


class Move(MOp):
    """Moves uses[0] to defs[0]; `imm` is the IR type of the value. At least one of the two is a register."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        emitter.target.emit_move(emitter, inst.defs[0], inst.uses[0], inst.imm)


class LoadConstant(MOp):
    """The kind of `MConstant`."""

    __slots__ = ()

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        assert isinstance(inst, MConstant)
        emitter.target.emit_constant(emitter, inst.defs[0], inst.constant)


MOVE: Final = Move("move", is_move=True)
LOAD_CONSTANT: Final = LoadConstant("load_constant")

#: By register class: the type as which any spilled or stack-passed value but a vector can be copied.
_WORD_TYPES: Final[tuple[int, ...]] = (types.I64, types.F64)


def parallel_moves(moves: list[tuple[int, int | Inst, int]], scratch: tuple[int, int], spare: int) -> list[MInst]:
    """Order moves, given as (destination, source, IR type), that read all their sources before any destination changes.

    Destinations are distinct locations; a source is a location or a `const` instruction. `scratch` has a register per
    class that is neither source nor destination of any move; both may be overwritten. So may `spare`, a place in memory
    for a vector, where vectors in memory change places: then the result has an instruction that writes it.
    """
    count = len(moves)
    if count == 0:
        return []
    result: list[MInst] = []
    if count == 1:
        destination, source, value_type = moves[0]
        if isinstance(source, Inst):
            result.append(MConstant(destination, source))
        elif destination != source:
            if destination < 0 and source < 0:
                _memory_move(result, destination, source, value_type, scratch)
            else:
                result.append(MInst(MOVE, [destination], [source], value_type))
        return result

    constants: list[MInst] = []
    if not _interfere(moves):
        for destination, source, value_type in moves:
            if isinstance(source, Inst):
                constants.append(MConstant(destination, source))
            else:
                result.append(MInst(MOVE, [destination], [source], value_type))
        result += constants
        return result

    #: destination -> (source, type) of the moves not yet done.
    pending: dict[int, tuple[int, int]] = {}
    for destination, source, value_type in moves:
        if isinstance(source, Inst):
            constants.append(MConstant(destination, source))
        elif destination != source:
            pending[destination] = (source, value_type)

    #: How many pending moves read a place that is a destination too.
    readers: dict[int, int] = {}
    for source, _ in pending.values():
        if source in pending:
            readers[source] = readers.get(source, 0) + 1
    if not readers:
        for destination, (source, value_type) in pending.items():
            if destination < 0 and source < 0:
                _memory_move(result, destination, source, value_type, scratch)
            else:
                result.append(MInst(MOVE, [destination], [source], value_type))
        result += constants
        return result

    # Whatever nobody reads any more can be overwritten, which may free its own source in turn.
    ready = [destination for destination in pending if destination not in readers]
    while ready:
        destination = ready.pop()
        source, value_type = pending.pop(destination)
        if destination < 0 and source < 0:
            _memory_move(result, destination, source, value_type, scratch)
        else:
            result.append(MInst(MOVE, [destination], [source], value_type))
        left = readers.get(source, 0)
        if left:
            readers[source] = left - 1
            if left == 1:
                ready.append(source)

    # The rest are cycles without branches.
    while pending:
        start, (source, value_type) = pending.popitem()
        chain = [(start, source, value_type)]
        while source != start:
            destination = source
            source, value_type = pending.pop(destination)
            chain.append((destination, source, value_type))
        # value_type is now that of the value in `start`, which the last move of the chain reads.
        saved_class = types.CLASS[value_type]
        saved = scratch[saved_class]
        destination, source, saved_type = chain.pop()
        if value_type == types.V128 and any(place < 0 and origin < 0 for place, origin, _ in chain):
            # What is copied in between needs the only scratch register that is wide enough.
            _move(result, spare, start, types.V128, scratch)
            for place, origin, moved_type in chain:
                _move(result, place, origin, moved_type, scratch)
            _move(result, destination, spare, types.V128, scratch)
            continue
        result.append(MInst(MOVE, [saved], [start], value_type))
        for place, origin, moved_type in chain:
            if place < 0 and origin < 0:
                _memory_move(result, place, origin, _WORD_TYPES[1 - saved_class], scratch)
            else:
                result.append(MInst(MOVE, [place], [origin], moved_type))
        result.append(MInst(MOVE, [destination], [saved], saved_type))

    result += constants
    return result


def _interfere(moves: list[tuple[int, int | Inst, int]]) -> bool:
    """Whether some move may have to wait for another, or go through a scratch register."""
    written = 0
    writes_memory = False
    for destination, _, _ in moves:
        if destination >= 0:
            written |= 1 << destination
        else:
            writes_memory = True
    for _, source, _ in moves:
        if not isinstance(source, Inst) and (written >> source & 1 if source >= 0 else writes_memory):
            return True
    return False


def _move(result: list[MInst], destination: int, source: int, value_type: int, scratch: tuple[int, int]) -> None:
    """Copy a value, through a scratch register where need be."""
    if destination < 0 and source < 0:
        _memory_move(result, destination, source, value_type, scratch)
    else:
        result.append(MInst(MOVE, [destination], [source], value_type))


def _memory_move(result: list[MInst], destination: int, source: int, value_type: int, scratch: tuple[int, int]) -> None:
    """Copy a value from memory to memory through the scratch register of its class."""
    register_class = types.CLASS[value_type]
    copied_type = types.V128 if value_type == types.V128 else _WORD_TYPES[register_class]
    through = scratch[register_class]
    result.append(MInst(MOVE, [through], [source], copied_type))
    result.append(MInst(MOVE, [destination], [through], copied_type))
