"""What validating a function body tells the compiler in advance."""

from __future__ import annotations

from wasm_core.bisection import bisect_left


class BodyFacts:
    """Facts about one function body. All offsets are byte offsets in the module."""

    __slots__ = ("instruction_count", "local_sets", "loops", "never_null", "written_tables")

    def __init__(
        self,
        instruction_count: int,
        loops: dict[int, int] | None,
        local_sets: dict[int, list[int]],
        never_null: set[int] | None = None,
        written_tables: set[int] | None = None,
    ) -> None:
        #: Instructions in the body, the final `end` included.
        self.instruction_count = instruction_count
        #: Offset of the block type of every `loop` -> offset of the opcode of its `end`; None if there is no loop.
        self.loops = loops
        #: Local index -> ascending offsets of the opcodes of its local.set and local.tee instructions.
        self.local_sets = local_sets
        #: Offsets of the opcodes of instructions that look whether a reference is null, where its type says that it is
        #: not; None if there are none.
        self.never_null = never_null
        #: Indices of the tables that some instruction may change; None if there are none.
        self.written_tables = written_tables

    def assigned_between(self, local: int, start: int, end: int) -> bool:
        """Whether the bytes `start` <= offset < `end` hold a local.set or local.tee of `local`."""
        offsets = self.local_sets.get(local)
        if offsets is None:
            return False
        at = bisect_left(offsets, start)
        return at < len(offsets) and offsets[at] < end
