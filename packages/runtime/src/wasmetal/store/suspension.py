"""Calls that can be suspended: `Func.call_async`.

The coroutine that `call_async` makes owns its SuspendableCall, which nobody else has, and resumes it when what a host
function wanted to wait for is there. So who may resume what, and in which order, is decided by Python's own rules for
coroutines; the rest by CALL.state, which `wasmetal.glue.suspension` looks at.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from wasm_core.errors import Unsupported, WasmError
from wasm_ir.vmcontext import FUNCREF
from wasmetal.cpython import c_stack
from wasmetal.cpython.native_callable import NativeCallable, inherit_vectorcall
from wasmetal.glue import values
from wasmetal.glue.host_layout import CALL, CALL_ENDED
from wasmetal.glue.ticker_layout import BUSY
from wasmetal.store.exception_roots import rooted
from wasmetal.store.functions import FunctionCore, WasmFunction, pack, slots_array
from wasmetal.store.parked_frames import park
from wasmetal.system.hold import NOTHING, serialized

if TYPE_CHECKING:
    from wasmetal.store.members import Instance
    from wasmetal.store.parked_frames import ParkedFrames

_STATE: Final = CALL["state"] // 8


@serialized
class SuspendableCall(NativeCallable):
    """One call of a function; calling it starts or resumes it, see `wasmetal.glue.suspension.entry`."""

    __slots__ = ("_code", "_hold", "_parked", "_start", "awaited", "core", "host", "instance", "slots")

    def __init__(self, core: WasmFunction, instance: Instance) -> None:
        glue = core.glue
        if not glue.can_suspend:
            raise Unsupported("the backend cannot suspend calls", feature="call_async")
        self.core = core
        # The frames are good for one stack.
        instance.store.keep_stack()
        #: Stays as long as the call: also when it is closed meanwhile.
        self.instance = instance
        #: What a host function has returned that is to be waited for.
        self.awaited: Any = None
        #: That host function: its thunk is the innermost one on the stack, whoever else has it.
        self.host: FunctionCore | None = None
        self.slots = slots_array(core.type)
        self._code = glue.start(core.type)
        self._start = array("Q", bytes(FUNCREF.size))
        self._start[FUNCREF["code"] // 8] = self._code.address
        words = array("Q", bytes(CALL.size))
        frames, outer = bytearray(), bytearray()
        for name, word in (
            ("context", instance.context),
            ("start", self._start.buffer_info()[0]),
            ("function", core.funcref),
            ("slots", ctypes.addressof(self.slots)),
            ("frames", id(frames)),
            ("outer", id(outer)),
        ):
            words[CALL[name] // 8] = word
        self._parked: ParkedFrames = (words, frames, outer)
        self._hold = park(self._parked)
        self._funcref = words.buffer_info()[0]
        self._entry = glue.suspendable_entry

    def set_arguments(self, args: Sequence[object]) -> None:
        """Put the arguments in the slots.

        Raises:
            TypeError, OverflowError: They are not what the type says.
        """
        # A funcref among them may move the instance to another store.
        for number, slot in enumerate(values.to_slots(self.core.type.params, args, self.instance.store)):
            self.slots[number] = slot

    def results(self) -> object:
        """What the call returns, from the slots."""
        results = self.core.type.results
        return pack(values.from_slots(results, self.slots[: values.slot_count(results)], self.instance.store))

    def discard(self) -> None:
        """Let it never be resumed. Nothing in WebAssembly notices."""
        self._parked[0][_STATE] = CALL_ENDED


inherit_vectorcall(SuspendableCall)


async def call_async(core: WasmFunction, args: Sequence[object]) -> object:
    """Call a function, and wait for what host functions want to wait for."""
    instance = core.opened()
    c_stack.learn()
    call = SuspendableCall(core, instance)
    simple = type(core) is WasmFunction and not core.has_references
    if simple:
        call.set_arguments(args)
    value: object = None
    error: BaseException | None = None
    begun = False
    try:
        while True:
            if instance.closed:
                raise WasmError("instance is closed")
            # It may have become part of another.
            instance.store.keep_stack()
            if simple:
                left = call(value, error)
            else:
                # In these blocks nothing that is just on its way goes. While the call is suspended it is in its frames.
                with (
                    core.turn(),
                    instance.store.use() if core.has_references else NOTHING,
                    rooted(call.slots) if core.has_exceptions else NOTHING,
                ):
                    if not begun:
                        begun = True
                        call.set_arguments(args)
                        args = ()
                    left = call(value, error)
                    if left is None:
                        return call.results()
            if left is not True:
                if left is None:
                    return call.results()
                if left is False:
                    raise WasmError(BUSY)
                c_stack.make_room(left)
                continue
            value = error = None
            try:
                value = await call.awaited
            except GeneratorExit:
                # The coroutine is closed, or nobody has it any more.
                raise
            except BaseException as raised:
                error = raised
    except BaseException:
        error = None  # its traceback has this frame
        # This one's traceback has the call, which nobody can resume any more.
        call.discard()
        raise
