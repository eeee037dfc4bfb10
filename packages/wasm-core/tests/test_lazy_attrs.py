"""Classes that attrs finishes when they are first used: before and afterwards they are what attrs makes."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from typing import Any, ClassVar

import attrs
import pytest

from wasm_core import lazy_attrs
from wasm_core.types import FuncType, MemoryType, TableType, ValueType


def declare(field: Any, frozen: Any) -> tuple[type, type, type]:
    """The same three classes with one or the other decorator."""

    @frozen
    class Point:
        """A point."""

        unit: ClassVar[str] = "m"
        x: int
        y: int = 2
        names: list[str] = field(factory=list)

        def double(self) -> int:
            return 2 * self.x

    @frozen(kw_only=True)
    class Settings:
        level: int = 1
        text: str = field(default="7", converter=str)

        def __attrs_post_init__(self) -> None:
            if self.level < 0:
                raise ValueError("below zero")

    @frozen(eq=False)
    class Mixed:
        source: bytes = field(repr=False)
        size: int = field(default=0, kw_only=True)
        rest: tuple[int, ...] = field(default=(), converter=tuple)

    for cls in (Point, Settings, Mixed):
        cls.__qualname__ = cls.__name__
    return Point, Settings, Mixed


def lazy() -> tuple[type, type, type]:
    return declare(lazy_attrs.field, lazy_attrs.frozen)


#: Class number, positional and keyword arguments.
CALLS: list[tuple[int, tuple[Any, ...], dict[str, Any]]] = [
    (0, (1,), {}),
    (0, (1, 3), {}),
    (0, (), {"y": 5, "x": 4}),
    (0, (1,), {"names": ["a"]}),
    (0, (), {}),
    (0, (1, 2, [], 4), {}),
    (0, (1,), {"x": 1}),
    (0, (1,), {"z": 1}),
    (1, (), {}),
    (1, (), {"level": 3, "text": 5}),
    (1, (3,), {}),
    (1, (), {"level": -1}),
    (2, (b"", [1, 2]), {}),
    (2, (b"",), {"size": 3, "rest": [4]}),
    (2, (b"", [1], 2), {}),
    (2, (b"", 5), {}),
]


def outcome(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    try:
        made = cls(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return [getattr(made, name) for name in cls.__slots__ if name != "__weakref__"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("completed", [False, True])
@pytest.mark.parametrize(("number", "args", "kwargs"), CALLS)
def test_made_as_attrs_makes_them(completed: bool, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    ours = lazy()[number]
    real = declare(attrs.field, attrs.frozen)[number]
    if completed:
        attrs.fields(ours)
    assert outcome(ours, args, kwargs) == outcome(real, args, kwargs)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(
    "use",
    [
        lambda cls, make: repr(make()),
        lambda cls, make: make() == make(),
        lambda cls, make: make() != make(),
        lambda cls, make: [(field.name, field.default, field.kw_only, field.repr) for field in attrs.fields(cls)],
        lambda cls, make: attrs.asdict(make()),
        lambda cls, make: repr(attrs.evolve(make())),
        lambda cls, make: attrs.has(cls),
        lambda cls, make: str(inspect.signature(cls)),
        lambda cls, make: cls.__match_args__,
        lambda cls, make: (cls.__name__, cls.__doc__, cls.__module__),
        lambda cls, make: repr(copy.copy(make())),
        lambda cls, make: repr(copy.deepcopy(make())),
        lambda cls, make: setattr(make(), cls.__slots__[0], 1),
        lambda cls, make: setattr(make(), "other", 1),
        lambda cls, make: delattr(make(), cls.__slots__[0]),
        # (both alive, as one may get the address, and so the hash, of one that is gone)
        lambda cls, make: len({hash(made) for made in (make(), make())}),
    ],
)
def test_used_as_attrs_makes_them(number: int, use: Any) -> None:
    args = [(1,), (), (b"",)][number]

    def result(cls: type) -> object:
        try:
            return use(cls, lambda: cls(*args))
        except (TypeError, AttributeError) as error:
            return type(error), str(error)

    assert result(lazy()[number]) == result(declare(attrs.field, attrs.frozen)[number])


def test_objects_from_before_equal_those_from_afterwards() -> None:
    _, settings, _ = lazy()
    before = settings(level=4)
    assert repr(before) == "Settings(level=4, text='7')"
    afterwards = settings(level=4)
    assert before == afterwards and hash(before) == hash(afterwards)
    assert before != settings(level=5)


def test_pickling() -> None:
    for value in (MemoryType(1, 2), TableType(ValueType.FUNCREF), FuncType(("i32",), ())):
        assert pickle.loads(pickle.dumps(value)) == value


def test_values() -> None:
    point, _, _ = lazy()
    assert lazy_attrs.values(point(1, names=["a"])) == (1, 2, ["a"])


def test_attrs_is_imported_when_it_is_needed_and_not_before() -> None:
    code = (
        "import sys\n"
        "from wasm_core.types import FuncType, MemoryType\n"
        "from wasm_core.module import DecodedModule\n"
        "memory = MemoryType(1, maximum=2)\n"
        "assert (memory.minimum, memory.maximum, memory.shared) == (1, 2, False)\n"
        "assert {FuncType(['i32']): 1}[FuncType(('i32',), ())] == 1\n"
        "assert 'attr' not in sys.modules\n"
        "assert memory == MemoryType(1, 2)\n"
        "import attr\n"
        "assert attr.has(DecodedModule)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
