"""WebAssembly backtraces: the chain of frame pointers on a store's stack, and what was compiled to the pcs in it."""

from __future__ import annotations

import ctypes

from wasm_core.errors import BACKTRACE, MAX_FRAMES, Frame, MemoryAccess, Trap, describe
from wasm_ir.vmcontext import STORE
from wasmetal.store.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmetal.compiled.compiled_module import CompiledModule
    from wasmetal.store.members import Instance

#: Backtraces that are noted on an exception.
MAX_NOTES: Final = 8
#: Characters of a function's name that are reported: a module can give itself names of any length.
MAX_NAME: Final = 400

_TRAP_PC: Final = STORE["trap_pc"] // 8
_TRAP_FP: Final = STORE["trap_fp"] // 8
_FAULT_ADDRESS: Final = STORE["fault_address"] // 8

#: Bytes that the instructions from i32.load to i64.store32 access, by opcode.
_FIRST_ACCESS: Final = 0x28
_WIDTHS: Final = bytes((4, 8, 4, 8, 1, 1, 2, 2, 1, 1, 2, 2, 4, 4, 4, 8, 4, 8, 1, 2, 1, 2, 4))


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
    places: list[tuple[CompiledModule, int, int | None]] = []
    for _ in range(MAX_FRAMES):
        for module in modules:
            found = module.find(pc)
            if found:
                places.extend([(module, index, offset) for index, offset in found])
                break
        # A frame pointer that is out of line means that somebody else ran on this stack in the meantime.
        if frame_pointer % 8 or not stack.contains(frame_pointer) or not stack.contains(frame_pointer + 15):
            break
        caller, pc = (ctypes.c_uint64 * 2).from_address(frame_pointer)
        if caller <= frame_pointer:
            break
        frame_pointer = caller
    names = {
        module: module.function_names({index for of, index, _ in places if of is module})
        for module in {module for module, _, _ in places}
    }
    return tuple(
        [
            Frame(index, _short(names[module].get(index)), offset, _text_place(module, offset))
            for module, index, offset in places[:MAX_FRAMES]
        ]
    )


def _text_place(module: CompiledModule, offset: int | None) -> str | None:
    source_map = module.source_map
    return None if source_map is None or offset is None else source_map.place(offset)


def _short(name: str | None) -> str | None:
    return name if name is None or len(name) <= MAX_NAME else f"{name[: MAX_NAME - 3]}..."


def annotate(exception: BaseException, store: Store) -> None:
    """Add a note with the frames that an exception has just left.

    An exception can pass through WebAssembly code many times, once for every call out of a host function: only the
    innermost MAX_NOTES are described.
    """
    ours = [
        note for note in getattr(exception, "__notes__", ()) if isinstance(note, str) and note.startswith(BACKTRACE)
    ]
    if len(ours) > MAX_NOTES:
        return
    if len(ours) == MAX_NOTES:
        exception.add_note(f"{BACKTRACE} of calls further out: left out")
        return
    left = frames(store)
    # A trap that was raised at a poll has its frames.
    if left and not (isinstance(exception, Trap) and exception.frames == left):
        exception.add_note(describe(left))


def access(store: Store) -> MemoryAccess | None:
    """What is known about the access with which code of a store has just trapped."""
    address = store.words[_FAULT_ADDRESS]
    store.words[_FAULT_ADDRESS] = 0
    instances = store.instances
    width = _width(store, instances)
    if address:
        for instance in instances:
            for memory in instance.memories:
                if memory.reaches(address):
                    return MemoryAccess(address - memory._base, width, memory.size)
    return None if width is None else MemoryAccess(None, width, None)


def _width(store: Store, instances: list[Instance]) -> int | None:
    """How many bytes the instruction accesses that has trapped."""
    pc = store.words[_TRAP_PC]
    for module in {instance.code for instance in instances}:
        found = module.find(pc)
        if found:
            offset = found[0][1]
            if offset is None:
                return None
            opcode = module.module.source[offset]
            return _WIDTHS[opcode - _FIRST_ACCESS] if 0 <= opcode - _FIRST_ACCESS < len(_WIDTHS) else None
    return None
