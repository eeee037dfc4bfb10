"""The vector instructions of WebAssembly: shapes, and where the standard leaves the bits of a NaN open."""

from __future__ import annotations

import re
from typing import Final

import attrs

from fuzz.edge_values import F32, F64, V128
from wasm_core.instructions import IMM_LANE, IMM_MEMARG, IMM_MEMARG_LANE, IMM_NONE, instructions
from wasm_core.instructions import Instruction as Described
from wasm_core.testing.binary import unsigned

SHAPES: Final = ("i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2")
#: Shape -> bits of a lane.
WIDTH: Final = {"i8x16": 8, "i16x8": 16, "i32x4": 32, "i64x2": 64, "f32x4": 32, "f64x2": 64}
#: Shape -> type of the lanes in which NaNs are.
FLOATS: Final = {"f32x4": F32, "f64x2": F64}
#: The NaNs that these give may have any bits; other instructions for floats move NaNs or do not give any.
_ARITHMETIC: Final = re.compile(
    r"(add|sub|mul|div|min|max|sqrt|ceil|floor|trunc|nearest|relaxed_(min|max|madd|nmadd)|demote|promote)(_.*)?$"
)
_MOVES: Final = ("abs", "neg", "pmin", "pmax", "replace_lane")
_LAST_SHAPE: Final = re.compile(r"_(?:low_|high_)?([if]\d+x\d+)")


@attrs.frozen
class VectorInstruction:
    """An instruction that takes vectors or gives one, other than a constant or a shuffle."""

    name: str
    code: bytes
    #: The shape before the dot; "v128" for those without one.
    shape: str
    #: In what shape it looks at its operands.
    operand_shape: str
    params: tuple[int, ...]
    #: 0 for stores.
    result: int
    #: How many numbers of lanes there are; 0 when there is no such immediate.
    lanes: int
    #: Bytes of memory; 0 when it is no access.
    access: int
    #: The type of lanes in which a NaN that it makes has open bits; 0 for none.
    makes_nan: int
    #: NaN lanes of its operands come out as they are, or with another sign.
    moves_nan: bool

    @property
    def is_comparison(self) -> bool:
        """Whether lanes become ones or zeros."""
        return re.match(r"(eq|ne|lt|gt|le|ge)(_[su])?$", self.name.partition(".")[2]) is not None

    @property
    def operand_nan(self) -> int:
        """The type of lanes of operands in which the bits of a NaN do not show, but for `moves_nan`; 0 for none."""
        return FLOATS.get(self.operand_shape, 0)


def _row(described: Described) -> VectorInstruction:
    shape, _, operation = described.name.partition(".")
    assert described.params is not None and described.results is not None
    # Of conversions the last shape is the operand's.
    other = _LAST_SHAPE.search(operation)
    operand_shape = other[1] if other else shape
    if operation.startswith("convert"):
        operand_shape = "i32x4"
    makes_nan = FLOATS.get(shape, 0) if _ARITHMETIC.match(operation) else 0
    return VectorInstruction(
        described.name,
        b"\xfd" + unsigned(described.opcode & 0xFFF),
        shape,
        operand_shape,
        described.params,
        described.results[0] if described.results else 0,
        described.lanes,
        described.access_size,
        makes_nan,
        shape in FLOATS and operation in _MOVES,
    )


_SIMPLE: Final = (IMM_NONE, IMM_LANE, IMM_MEMARG, IMM_MEMARG_LANE)
ALL: Final = [
    _row(described) for described in instructions() if described.opcode >> 12 == 0xFD and described.immediate in _SIMPLE
]
#: Without those that access memory: of a vector, by shape, and together.
COMPUTING: Final = [row for row in ALL if row.result == V128 and not row.access]
BY_SHAPE: Final = {shape: [row for row in COMPUTING if row.shape == shape] for shape in SHAPES}
#: From a vector to a number, by the type of that.
TO_SCALAR: Final = {
    type: [row for row in ALL if row.result == type and V128 in row.params] for type in {row.result for row in ALL}
}
TRUTHS: Final = [row for row in ALL if row.name.endswith(("any_true", "all_true", "bitmask"))]
LOADS: Final = [row for row in ALL if row.access and row.result == V128]
STORES: Final = [row for row in ALL if row.access and row.result == 0]
BY_NAME: Final = {row.name: row for row in ALL}
