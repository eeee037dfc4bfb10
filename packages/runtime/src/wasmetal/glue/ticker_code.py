"""Glue for interruption: IR of the ticker, the native thread that makes running code poll, and of what goes with it.

All of these are C functions that refer to nothing outside of their arguments: addresses come from the TICKER structure.
None needs the GIL. Those that Python calls (`OPERATIONS`) run with the GIL held, so one at a time (without one, `start`
and `stop_now` see to that themselves); each does its work in one call, so that no Python signal handler can come in
between.
"""

from __future__ import annotations

from wasm_ir import opcodes
from wasm_ir.ir import ABI_C, Block, Function, Inst, Signature
from wasm_ir.passes.loops import find_loops
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import CONTEXT, STORE
from wasmetal.glue.python_api import PythonBuilder
from wasmetal.glue.ticker_layout import DEADLINE, IDLE_TICKS, LOST, TICKER
from wasmetal.system.hold import FREE_THREADED
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: asm-generic/errno-base.h, errno.h: no thread is to be had.
_EAGAIN: Final = 11

_WORDS: Final = tuple(Signature((I64,) * count, (I64,)) for count in range(7))


class _Builder(PythonBuilder):
    """A builder with the C library's functions, whose addresses are in the TICKER structure."""

    ticker: Inst

    def begin_function(self) -> list[Inst]:
        parameters = self.start()
        self.ticker = parameters[0]
        return parameters[1:]

    def field(self, name: str) -> Inst:
        return self.get(self.ticker, TICKER[name])

    def set_field(self, name: str, value: int) -> None:
        self.set(self.ticker, self.const(I64, value), TICKER[name])

    def address_of(self, name: str) -> Inst:
        return self.binary(opcodes.IADD, I64, self.ticker, self.const(I64, TICKER[name]))

    def c(self, function: str, *arguments: Inst | int) -> Inst:
        """Call a C function; of a C int, the upper half of the result is rubbish."""
        words = [self.const(I64, word) if isinstance(word, int) else word for word in arguments]
        return self.call_native(self.field(function), _WORDS[len(words)], words)

    def step(self, name: str) -> Inst:
        """What the system does for this by calling C functions; the result of the last one."""
        results = [
            self.c(function, *[self._argument(argument) for argument in arguments])
            for function, arguments in host.TICKER_CALLS[name]
        ]
        return results[-1] if results else self.zero()

    def _argument(self, argument: int | str) -> Inst | int:
        if isinstance(argument, int):
            return argument
        if argument == "&":
            return self.ticker
        return self.address_of(argument[1:]) if argument.startswith("&") else self.field(argument)

    def lock(self) -> None:
        self.step("lock")

    def unlock(self) -> None:
        self.step("unlock")

    def set_timer(self, interval: str) -> None:
        self.c("timer_settime", self.field("timer"), 0, self.address_of(interval), 0)

    def begin_alone(self, busy: Block) -> None:
        """Leave for `busy` when another thread does this, or what `end_alone` has not ended yet. (A GIL keeps others
        out: nothing to do.)"""
        if FREE_THREADED:
            found = self.compare_exchange(self.ticker, self.zero(), self.const(I64, 1), TICKER["starting"])
            self.guard(self.icmp(opcodes.NE, found, self.zero()), busy)

    def end_alone(self) -> None:
        if FREE_THREADED:
            self.set_field("starting", 0)

    def zero(self) -> Inst:
        return self.const(I64, 0)

    def either(self, condition: Inst, then: Block, otherwise: Block) -> None:
        self.brif(condition, then, (), otherwise, ())


def _function(name: str, parameters: int) -> _Builder:
    return _Builder(Function(name, _WORDS[parameters], ABI_C))


def link() -> Function:
    """(ticker, word that points to the first of a list, links of a new member): put it in front."""
    b = _function("link", 3)
    head, links = b.begin_function()
    following, done = b.new_block(), b.new_block()
    b.lock()
    first = b.get(head, 0)
    b.set(links, first, 0)
    b.set(links, head, 8)
    b.set(head, links, 0)
    b.either(b.is_zero(first), done, following)
    b.switch_to(following)
    b.set(first, links, 8)
    b.jump(done)
    b.switch_to(done)
    b.unlock()
    b.ret([b.zero()])
    return b.function


def unlink() -> Function:
    """(ticker, links of a member): take it out of its list. Nobody looks at it any more when this returns."""
    b = _function("unlink", 2)
    (links,) = b.begin_function()
    following, done = b.new_block(), b.new_block()
    b.lock()
    first = b.get(links, 0)
    before = b.get(links, 8)
    b.set(before, first, 0)
    b.either(b.is_zero(first), done, following)
    b.switch_to(following)
    b.set(first, before, 8)
    b.jump(done)
    b.switch_to(done)
    b.unlock()
    b.ret([b.zero()])
    return b.function


def move() -> Function:
    """(ticker, StoreContext, other StoreContext): give all VMContexts of a store to another one, on whose stack they
    run from then on. Nobody looks at the old one through them any more when this returns."""
    b = _function("move", 3)
    old, store = b.begin_function()
    scan, member, mine, done = (b.new_block() for _ in range(4))
    b.lock()
    b.jump(scan, (b.field("contexts"),))
    links = b.append_param(scan, I64)
    b.switch_to(scan)
    b.either(b.is_zero(links), done, member)
    b.switch_to(member)
    context = b.binary(opcodes.ISUB, I64, links, b.const(I64, CONTEXT["next"]))
    following = b.get(links, 0)
    b.brif(b.icmp(opcodes.EQ, b.get(context, CONTEXT["store"]), old), mine, (), scan, (following,))
    b.switch_to(mine)
    b.set(context, store, CONTEXT["store"])
    b.set(context, b.get(store, STORE["stack_limit"]), CONTEXT["stack_limit"])
    b.jump(scan, (following,))
    b.switch_to(done)
    b.unlock()
    b.ret([b.zero()])
    find_loops(b.function)
    return b.function


def start() -> Function:
    """(ticker, VMContext or 0): make sure that the ticker runs, or else the timer; returns an error number.

    Where there is neither, code of the VMContext calls out at its next poll, which sees to it (`ticker.fall_back`).
    """
    b = _function("start", 2)
    (context,) = b.begin_function()
    awake, asleep, join, create, failed, made, arm, disarm, none, mark, done = (b.new_block() for _ in range(11))
    if FREE_THREADED:
        busy = b.new_block()
        b.begin_alone(busy)
    b.lock()
    b.either(b.is_zero(b.field("alive")), asleep, awake)
    b.switch_to(awake)
    b.set_field("active", 1)
    b.unlock()
    b.end_alone()
    b.ret([b.zero()])
    b.switch_to(asleep)
    b.unlock()
    b.either(b.is_zero(b.field("joinable")), create, join)
    b.switch_to(join)
    b.step("join")
    b.set_field("joinable", 0)
    b.jump(create)
    b.switch_to(create)
    b.set_field("stop", 0)
    b.set_field("alive", 1)
    b.set_field("active", 1)
    b.step("block_signals")
    created = b.step("create")
    if host.CREATING_GIVES_THREAD:
        b.set(b.ticker, created, TICKER["thread"])
        error = b.binary(opcodes.IMUL, I32, b.is_zero(created), b.const(I32, _EAGAIN))
    else:
        error = b.unary(opcodes.WRAP, I32, created)
    b.step("restore_signals")
    b.either(error, failed, made)
    b.switch_to(made)
    b.set_field("joinable", 1)
    b.either(b.is_zero(b.field("has_timer")), done, disarm)
    b.switch_to(disarm)
    b.set_timer("no_interval")
    b.jump(done)
    b.switch_to(done)
    b.end_alone()
    b.ret([b.zero()])
    b.switch_to(failed)
    b.set_field("alive", 0)
    b.either(b.is_zero(b.field("has_timer")), none, arm)
    b.switch_to(arm)
    # The signal's handler does not stop the timer meanwhile.
    b.lock()
    b.set_field("active", 1)
    b.set_field("idle_ticks", 0)
    b.set_timer("tick_interval")
    b.unlock()
    b.end_alone()
    b.ret([b.zero()])
    b.switch_to(none)
    b.set_field("active", 0)
    b.set_field("failed", 1)
    result = b.unary(opcodes.EXTEND_U, I64, error)
    following = b.new_block()
    b.either(b.is_zero(context), following, mark)
    b.switch_to(mark)
    store = b.get(context, CONTEXT["store"])
    for field in ("deadline", "attention"):
        b.set(store, b.const(I64, 1), STORE[field])
    b.set(context, b.const(I64, -1), CONTEXT["stack_limit"])
    b.jump(following)
    b.switch_to(following)
    b.end_alone()
    b.ret([result])
    if FREE_THREADED:
        # Who starts it starts it for us as well; who forks looks afterwards whether anything runs.
        b.switch_to(busy)
        b.ret([b.zero()])
    return b.function


def stop_now() -> Function:
    """(ticker): end the ticker's thread, if there is one, and wait until it has gone.

    Without a GIL there will be none until TICKER.starting is 0 again, and this returns 1 when another thread starts
    one, without having done anything.
    """
    b = _function("stop", 1)
    b.begin_function()
    if FREE_THREADED:
        busy = b.new_block()
        b.begin_alone(busy)
    there, gone = b.new_block(), b.new_block()
    b.either(b.is_zero(b.field("joinable")), gone, there)
    b.switch_to(there)
    b.set_field("stop", 1)
    b.step("wake")
    b.step("join")
    for name in ("joinable", "alive", "active", "stop"):
        b.set_field(name, 0)
    b.jump(gone)
    b.switch_to(gone)
    b.ret([b.zero()])
    if FREE_THREADED:
        b.switch_to(busy)
        b.ret([b.const(I64, 1)])
    return b.function


def _look(b: _Builder) -> Inst:
    """Look which stores run, and raise the stack limit of VMContexts whose code should call out: of the main thread,
    for Python's signal handlers; of a thread one of whose deadlines has passed; of a store that is to be interrupted.

    The mutex is held. Returns whether any store runs; `b` is in a new block.
    """
    scan, member, busy, deadlines, deadline, passed, judged, mark, scanned = (b.new_block() for _ in range(9))
    b.step("now")
    seconds = b.binary(opcodes.IMUL, I64, b.field("now_seconds"), b.const(I64, 1_000_000_000))
    now = b.binary(opcodes.IADD, I64, seconds, b.field("now_nanoseconds"))
    b.jump(scan, (b.field("contexts"), b.zero()))

    links, found = b.append_param(scan, I64), b.append_param(scan, I64)
    b.switch_to(scan)
    b.either(b.is_zero(links), scanned, member)
    b.switch_to(member)
    context = b.binary(opcodes.ISUB, I64, links, b.const(I64, CONTEXT["next"]))
    store = b.get(context, CONTEXT["store"])
    owner = b.get(store, STORE["owner"])
    following = b.get(links, 0)
    rests = b.icmp(opcodes.LE_U, owner, b.const(I64, LOST))
    b.brif(rests, scan, (following, found), busy, ())
    b.switch_to(busy)
    in_main = b.icmp(opcodes.EQ, owner, b.field("main"))
    asked = b.icmp(opcodes.NE, b.get(store, STORE["interrupt"]), b.zero())
    b.jump(deadlines, (b.field("deadlines"), b.binary(opcodes.OR, I32, in_main, asked)))

    due_links, wanted = b.append_param(deadlines, I64), b.append_param(deadlines, I32)
    b.switch_to(deadlines)
    verdict = b.append_param(judged, I32)
    b.brif(b.is_zero(due_links), judged, (wanted,), deadline, ())
    b.switch_to(deadline)
    its = b.icmp(opcodes.EQ, b.get(due_links, DEADLINE["thread"]), owner)
    due = b.icmp(opcodes.LE_S, b.get(due_links, DEADLINE["due"]), now)
    b.brif(b.binary(opcodes.AND, I32, its, due), passed, (), deadlines, (b.get(due_links, 0), wanted))
    b.switch_to(passed)
    b.set(store, b.const(I64, 1), STORE["deadline"])
    b.jump(judged, (b.const(I32, 1),))
    b.switch_to(judged)
    b.brif(verdict, mark, (), scan, (following, b.const(I64, 1)))
    b.switch_to(mark)
    b.set(store, b.const(I64, 1), STORE["attention"])
    b.set(context, b.const(I64, -1), CONTEXT["stack_limit"])
    b.jump(scan, (following, b.const(I64, 1)))
    b.switch_to(scanned)
    return found


def ticker() -> Function:
    """(ticker): the thread. It looks every tick.

    It ends when nothing has been running for IDLE_TICKS. TICKER.active turns 0 one tick before: whoever enters a store
    then calls `start`, and whoever did so just before is seen by the last look.
    """
    b = _function("ticker", 1)
    b.begin_function()
    loop, look = b.new_block(), b.new_block()
    running, idle, resting, ending, last_tick, last_look, woken, over, stopped = (b.new_block() for _ in range(9))
    b.jump(loop, (b.zero(),))

    idle_ticks = b.append_param(loop, I64)
    b.switch_to(loop)
    b.step("wait")
    b.either(b.is_zero(b.field("stop")), look, stopped)
    b.switch_to(look)
    b.lock()
    found = _look(b)
    b.either(b.is_zero(found), idle, running)
    b.switch_to(running)
    b.set_field("active", 1)
    b.unlock()
    b.jump(loop, (b.zero(),))
    b.switch_to(idle)
    ticks = b.binary(opcodes.IADD, I64, idle_ticks, b.const(I64, 1))
    b.either(b.icmp(opcodes.LT_U, ticks, b.const(I64, IDLE_TICKS)), resting, ending)
    b.switch_to(resting)
    b.unlock()
    b.jump(loop, (ticks,))
    b.switch_to(ending)
    b.either(b.icmp(opcodes.EQ, ticks, b.const(I64, IDLE_TICKS)), last_tick, last_look)
    b.switch_to(last_tick)
    b.set_field("active", 0)
    b.unlock()
    b.jump(loop, (ticks,))
    b.switch_to(last_look)
    b.either(b.is_zero(b.field("active")), over, woken)
    b.switch_to(woken)
    b.unlock()
    b.jump(loop, (b.zero(),))

    b.switch_to(over)
    b.set_field("alive", 0)
    b.unlock()
    b.ret([b.zero()])
    b.switch_to(stopped)
    b.ret([b.zero()])
    find_loops(b.function)
    return b.function


def tick(address: int) -> Function:
    """Handler of the timer's signal, a C function (signal, information, context): looks, as the thread does every tick.

    It may come in the middle of anything, so it only tries to get the mutex. What it calls keeps errno.
    """
    b = _Builder(Function("tick", _WORDS[3], ABI_C))
    b.start()
    # Read from there, because nothing can be added to a symbol.
    b.ticker = b.get(b.pointer(address), TICKER["address"])
    leave, running, idle, ending, last_tick, last_look, woken, over, done = (b.new_block() for _ in range(9))
    b.guard(b.unary(opcodes.WRAP, I32, b.step("trylock")), leave)
    found = _look(b)
    b.either(b.is_zero(found), idle, running)
    b.switch_to(running)
    b.set_field("active", 1)
    b.set_field("idle_ticks", 0)
    b.jump(done)
    b.switch_to(idle)
    ticks = b.binary(opcodes.IADD, I64, b.field("idle_ticks"), b.const(I64, 1))
    b.set(b.ticker, ticks, TICKER["idle_ticks"])
    b.either(b.icmp(opcodes.LT_U, ticks, b.const(I64, IDLE_TICKS)), done, ending)
    b.switch_to(ending)
    b.either(b.icmp(opcodes.EQ, ticks, b.const(I64, IDLE_TICKS)), last_tick, last_look)
    b.switch_to(last_tick)
    b.set_field("active", 0)
    b.jump(done)
    b.switch_to(last_look)
    b.either(b.is_zero(b.field("active")), over, woken)
    b.switch_to(woken)
    b.set_field("idle_ticks", 0)
    b.jump(done)
    b.switch_to(over)
    b.set_timer("no_interval")
    b.jump(done)
    b.switch_to(done)
    b.unlock()
    b.jump(leave)
    b.switch_to(leave)
    b.ret([b.zero()])
    find_loops(b.function)
    return b.function
