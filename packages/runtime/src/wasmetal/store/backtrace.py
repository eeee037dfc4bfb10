"""WebAssembly backtraces: the chain of frame pointers on a store's stack, and what was compiled to the pcs in it."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

from wasm_core.errors import Frame, Trap
from wasm_ir.vmcontext import STORE
from wasmetal.store.store import Store

if TYPE_CHECKING:
    from wasmetal.compiled.compiled_module import CompiledModule

#: Innermost frames that are reported; a stack overflow has very many.
MAX_FRAMES: Final = 256
#: Backtraces that are noted on an exception.
MAX_NOTES: Final = 8
#: Characters of a function's name that are reported: a module can give itself names of any length.
MAX_NAME: Final = 400

_TITLE: Final = "WebAssembly backtrace"

_TRAP_PC: Final = STORE["trap_pc"] // 8
_TRAP_FP: Final = STORE["trap_fp"] // 8


def frames(store: Store) -> tuple[Frame, ...]:
    """The WebAssembly functions that were active when the store's last trap or unwind happened, innermost first.

    Every function keeps a frame pointer: it points to the caller's, and the return address is in the word above (ABI of
    the backends). The chain leaves the store's stack at the function that entered WebAssembly code.
    """
    stack = store.stack
    if stack is None:
        return ()
    modules = {instance.code for instance in store.instances}
    pc = store.words[_TRAP_PC]
    frame_pointer = store.words[_TRAP_FP]
    found: list[Frame] = []
    for _ in range(MAX_FRAMES):
        for module in modules:
            place = module.find(pc)
            if place is not None:
                index, offset = place
                found.append(Frame(index, _short_name(module, index), offset))
                break
        # A frame pointer that is out of line means that somebody else ran on this stack in the meantime.
        if frame_pointer % 8 or not stack.contains(frame_pointer) or not stack.contains(frame_pointer + 15):
            break
        caller, pc = (ctypes.c_uint64 * 2).from_address(frame_pointer)
        if caller <= frame_pointer:
            break
        frame_pointer = caller
    return tuple(found)


def _short_name(module: CompiledModule, index: int) -> str | None:
    name = module.function_name(index)
    return name if name is None or len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..."


def annotate(exception: BaseException, store: Store) -> None:
    """Add a note with the frames that an exception has just left.

    An exception can pass through WebAssembly code many times, once for every call out of a host function: only the
    innermost MAX_NOTES are described.
    """
    ours = [note for note in getattr(exception, "__notes__", ()) if isinstance(note, str) and note.startswith(_TITLE)]
    if len(ours) > MAX_NOTES:
        return
    if len(ours) == MAX_NOTES:
        exception.add_note(f"{_TITLE} of calls further out: left out")
        return
    left = frames(store)
    # A trap that was raised at a poll has its frames.
    if left and not (isinstance(exception, Trap) and exception.frames == left):
        exception.add_note(describe(left))


def describe(found: tuple[Frame, ...]) -> str:
    """Frames as lines for people."""
    lines = [f"{_TITLE} (innermost first):"]
    for number, frame in enumerate(found):
        name = frame.function_name or "<unnamed>"
        place = "" if frame.module_offset is None else f" at {frame.module_offset:#x}"
        lines.append(f"  {number}: {name} (function {frame.function_index}){place}")
    return "\n".join(lines)
