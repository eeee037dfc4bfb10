"""Fuel: counting the work that code does, so that it can be limited (`FrontendOptions.fuel`).

Each instruction costs 1, but for those that make no code or only shape it (`_FREE`); so does entering a function, and
each byte, element or page that an instruction copies, fills or adds. Wasmtime counts the same. What a stretch of
straight code costs is known here, and subtracted at its end. So the sum depends on nothing but the instructions that
run. When there is none left, code traps at the next function that is entered or head of a loop.

The rest is in the VMContext where other code may run: in front of calls, when an exception is thrown and when the
function returns, and at the head of every loop, so that a trap takes back what ran since then only. Meanwhile the
function has it in a variable, as if it were one more local.
"""

from __future__ import annotations

from wasm_core import opcodes as wasm
from wasm_core.errors import TrapCode
from wasm_core.instructions import IMM_CAST_LABEL, IMM_LABEL, IMM_LABEL_TABLE
from wasm_ir import opcodes as ir
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.types import I64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OUT_OF_FUEL: Final = TrapCode.OUT_OF_FUEL.value

#: Instructions that cost nothing.
_FREE: Final = frozenset(
    (
        *(wasm.NOP, wasm.DROP, wasm.BLOCK, wasm.LOOP, wasm.ELSE, wasm.END, wasm.UNREACHABLE, wasm.RETURN),
        *(wasm.CATCH, wasm.CATCH_ALL, wasm.DELEGATE),
    )
)
#: Instructions in front of which the rest must be in the VMContext.
_LEAVING: Final = frozenset(
    (
        *(wasm.CALL, wasm.CALL_INDIRECT, wasm.CALL_REF),
        *(wasm.RETURN_CALL, wasm.RETURN_CALL_INDIRECT, wasm.RETURN_CALL_REF),
        *(wasm.THROW, wasm.THROW_REF, wasm.RETHROW, wasm.UNREACHABLE),
    )
)
#: Instructions that do as much as they are told: each byte, element or page costs 1 more.
_BULK: Final = frozenset(
    (
        *(wasm.MEMORY_COPY, wasm.MEMORY_FILL, wasm.MEMORY_INIT, wasm.MEMORY_GROW),
        *(wasm.TABLE_COPY, wasm.TABLE_FILL, wasm.TABLE_INIT, wasm.TABLE_GROW),
    )
)
#: Where a stretch ends, besides branches: something else may run before or behind it.
_ENDS: Final = (
    frozenset(
        (
            *(wasm.LOOP, wasm.IF, wasm.ELSE, wasm.END, wasm.RETURN),
            *(wasm.TRY, wasm.TRY_TABLE, wasm.CATCH, wasm.CATCH_ALL, wasm.DELEGATE),
        )
    )
    | _LEAVING
    | _BULK
)
_BRANCHES: Final = (IMM_LABEL, IMM_LABEL_TABLE, IMM_CAST_LABEL)
#: What entering a function costs.
_ENTRY: Final = 1


class Fuel:
    """What is known of one function."""

    __slots__ = ("costs", "in_memory", "local")

    def __init__(self, local: int, source: bytes, start: int, end: int) -> None:
        #: Number of the variable, as a local.
        self.local = local
        #: The variable is not one: there are too many values.
        self.in_memory = False
        #: Offset of each instruction at which a stretch ends -> what the stretch costs, that instruction included.
        self.costs: dict[int, int] = {}
        # Most code is compiled without, and need not wait for it.
        from wasm_core.disassembler import instructions_between

        cost = _ENTRY
        for offset, instruction, _ in instructions_between(source, start, end):
            opcode = instruction.opcode
            if opcode not in _FREE:
                cost += 1
            if opcode in _ENDS or instruction.immediate in _BRANCHES:
                self.costs[offset] = cost
                cost = 0


def begin(s: State) -> None:
    """At the start of the function, `s.where` being its first instruction: get what there is, and check it."""
    local = len(s.locals.types)
    s.locals.types.append(I64)
    fuel = s.fuel = Fuel(local, s.source, s.where, s.end)
    sets = s.locals.sets.copy()
    sets[local] = list(fuel.costs)
    s.locals.sets = sets
    reload(s)
    check(s)


def _value(s: State) -> Inst:
    fuel = s.fuel
    assert fuel is not None
    if fuel.in_memory:
        return s.builder.load(ir.LOAD, I64, s.builder.vmctx(), s.layout.fuel)
    value = s.defs.get(fuel.local)
    return s.locals.read(fuel.local) if value is None else value


def _subtract(s: State, cost: Inst) -> None:
    fuel = s.fuel
    assert fuel is not None
    builder = s.builder
    if cost.op == ir.CONST:
        # Not made one with steps before it: what they have left would have to be kept, though nobody needs it any more.
        rest = builder.binary_as_is(ir.IADD, I64, _value(s), builder.const(I64, -cost.imm))
    else:
        rest = builder.binary(ir.ISUB, I64, _value(s), cost)
    if fuel.in_memory:
        builder.store(ir.STORE, builder.vmctx(), rest, s.layout.fuel)
    else:
        s.defs[fuel.local] = rest


def charge(s: State) -> None:
    """Before the instruction at `s.where`: pay for the stretch that it ends."""
    fuel = s.fuel
    assert fuel is not None
    cost = fuel.costs.get(s.where, -1)
    # (what comes before it may be something that cannot run)
    if cost < 0 or not s.reachable:
        return
    if cost:
        _subtract(s, s.builder.const(I64, cost))
    if s.source[s.where] in _LEAVING:
        save(s)


def save(s: State) -> None:
    """Put the rest where others find it."""
    fuel = s.fuel
    assert fuel is not None
    if fuel.in_memory:
        return
    value = _value(s)
    # (what was loaded is what is there: whatever changes that changes the variable)
    if value.op != ir.LOAD:
        s.builder.store(ir.STORE, s.builder.vmctx(), value, s.layout.fuel)


def charge_bulk(s: State, count: Inst) -> None:
    """Before something is done with `count` (an i64, not negative) bytes or elements: pay for it, or trap."""
    _subtract(s, count)
    save(s)
    check(s)


def charge_growth(s: State, count: Inst, previous: Inst) -> None:
    """Behind an instruction that was to add `count` pages or elements: pay if it has, `previous` not being -1."""
    builder = s.builder
    failed = builder.icmp(ir.EQ, previous, builder.const(I64, -1))
    _subtract(s, builder.select(failed, builder.const(I64, 0), count))


def reload(s: State) -> None:
    """Behind something that has run other code."""
    fuel = s.fuel
    assert fuel is not None
    if not fuel.in_memory:
        s.defs[fuel.local] = s.builder.load(ir.LOAD, I64, s.builder.vmctx(), s.layout.fuel)


def check(s: State) -> None:
    """Trap if nothing is left, which has been saved."""
    builder = s.builder
    builder.trap_if(builder.icmp(ir.LE_S, _value(s), builder.const(I64, 0)), _OUT_OF_FUEL)
