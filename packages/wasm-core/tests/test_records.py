"""Records behave like frozen attrs classes."""

from __future__ import annotations

import copy
import pickle

import pytest

from wasm_core.features import Features
from wasm_core.records import FrozenRecordError, field, field_names, initialize, record, replace
from wasm_core.types import FuncType, MemoryType, TableType, ValueType


@record
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(factory=list, repr=False)
    named: bool = field(default=False, kw_only=True)


@record(kw_only=True)
class Named:
    value: int = 1


@record(eq=False)
class Single:
    value: int


@record
class Checked:
    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError("negative")


@record
class Own:
    value: int

    def __init__(self, text: str) -> None:
        initialize(self, value=int(text))


def test_construction() -> None:
    point = Point(1)
    assert (point.x, point.y, point.tags, point.named) == (1, 2, [], False)
    assert Point(1).tags is not point.tags
    assert Point(1, y=5, named=True) == Point(y=5, x=1, named=True)
    assert Named(value=3).value == 3 and Named().value == 1
    assert Own("7").value == 7
    assert field_names(point) == ("x", "y", "tags", "named")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Point(),
        lambda: Point(1, 2, [], True),
        lambda: Point(1, x=1),
        lambda: Point(1, z=1),
        lambda: Named(1),
    ],
)
def test_wrong_arguments(wrong) -> None:
    with pytest.raises(TypeError, match=r"Point|Named"):
        wrong()


def test_fields_cannot_be_changed() -> None:
    point = Point(1)
    with pytest.raises(FrozenRecordError):
        point.x = 2
    with pytest.raises(AttributeError):
        point.other = 2
    with pytest.raises(AttributeError):
        del point.x
    assert point == Point(1)


def test_equality_and_hash() -> None:
    assert FuncType(["i32"], []) == FuncType((ValueType.I32,), ())
    assert hash(FuncType(["i32"], [])) == hash(FuncType(["i32"]))
    assert FuncType() != MemoryType(0) and FuncType() != ((), ())
    assert len({MemoryType(1), MemoryType(1), MemoryType(1, 2)}) == 2
    assert Single(1) != Single(1)
    one = Single(1)
    assert one == one and len({one, one, Single(1)}) == 2


def test_repr() -> None:
    assert repr(Point(1)) == "Point(x=1, y=2, named=False)"
    assert repr(TableType("funcref", 1)).startswith("TableType(element=<ValueType.FUNCREF")


def test_check() -> None:
    with pytest.raises(ValueError, match="negative"):
        Checked(-1)
    with pytest.raises(ValueError, match="negative"):
        replace(Checked(1), value=-1)


@pytest.mark.parametrize("made", [Point(1, 2, ["a"]), Named(value=5), FuncType(["i32"], ["f64"]), Features.default()])
def test_copies(made: object) -> None:
    assert pickle.loads(pickle.dumps(made)) == made
    assert copy.copy(made) == made and copy.deepcopy(made) == made
    assert hash(replace(Features.default())) == hash(Features.default())


def test_replace() -> None:
    assert replace(MemoryType(1, 5), minimum=2) == MemoryType(2, 5)
    assert replace(TableType("funcref", 1), minimum=2) == TableType("funcref", 2)
    with pytest.raises(TypeError):
        replace(MemoryType(1), size=1)


def test_pattern_matching() -> None:
    match Point(1, 5):
        case Point(x, y):
            assert (x, y) == (1, 5)
        case _:
            pytest.fail("no match")
