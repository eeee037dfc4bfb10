"""Tags, and the exceptions of WebAssembly as Python has them (core specification, section "Tag Instances")."""

from __future__ import annotations

import secrets
from array import array
from typing import Any, Final
from weakref import WeakValueDictionary

import wasm_core  # in annotations its names are looked up when somebody asks what they mean
from wasm_core.defined_types import function_type
from wasm_core.errors import Thrown
from wasm_core.quoting import shown
from wasm_core.types import FuncType
from wasmetal.system.hold import serialized

#: Address -> tag. What thrown exceptions carry leads here.
_tags: Final[WeakValueDictionary[int, Tag]] = WeakValueDictionary()
#: Tags that have been pickled, or come from a pickle.
_pickled: Final[WeakValueDictionary[bytes, Tag]] = WeakValueDictionary()


@serialized
def tag_at(address: int) -> Tag | None:
    """The tag that the address stands for, if it is alive."""
    return _tags.get(address)


@serialized
class Tag:
    """What kind of exception one is: a handler for a tag catches the exceptions that were thrown with the same object.

    Instances export and import tags. Those of one pickle are the same as those of another that was made in the same
    process.
    """

    __slots__ = ("__weakref__", "_defined_type", "_identity", "_token", "_type", "address")

    def __init__(self, type: FuncType) -> None:
        """Make a tag.

        Args:
            type: Its parameters are the types of the values that exceptions carry; it has no results.

        Raises:
            TypeError: `type` is no FuncType.
            ValueError: It has results.
        """
        if hasattr(self, "_type"):
            raise TypeError("a Tag cannot be initialized twice")
        from wasmetal.store.plain_types import func_type

        type = func_type(type)
        if type.results:
            raise ValueError(f"a tag's type has no results: {shown(str(type), 400)}")
        self._type = type
        self._defined_type = function_type(type)
        self._token = b""
        # Only its address matters: while we have it nobody else does.
        self._identity = array("Q", (0,))
        #: What stands for the tag in code and exceptions.
        self.address: int = self._identity.buffer_info()[0]
        _tags[self.address] = self

    @property
    def type(self) -> FuncType:
        """A function type, whose parameters are what exceptions with this tag carry."""
        return self._type

    @classmethod
    def of_module(cls, type: FuncType, defined_type: wasm_core.DefinedType) -> Tag:
        """A tag that a module defines; two types of modules can be different though they look the same."""
        tag = cls(type)
        tag._defined_type = defined_type
        return tag

    def has_type(self, defined_type: wasm_core.DefinedType) -> bool:
        """Whether it can be imported as a tag of the type."""
        return self._defined_type == defined_type

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._token:
            self._token = secrets.token_bytes(16)
            _pickled[self._token] = self
        return _unpickled, (self._token, self._type)

    def __copy__(self) -> Tag:
        return self

    def __deepcopy__(self, memo: object) -> Tag:
        return self

    def __repr__(self) -> str:
        return f"<wasmetal.Tag {shown(str(self._type), 400)}>"


def _unpickled(token: bytes, type: FuncType) -> Tag:
    tag = _pickled.get(token)
    if tag is None:
        tag = Tag(type)
        tag._token = token
        tag = _pickled.setdefault(token, tag)
    return tag


class WasmException(Thrown):
    """An exception of WebAssembly that nothing in WebAssembly has caught; raised by a host function, one is thrown.

    Notes (`__notes__`) say where it was thrown.
    """

    def __init__(self, tag: Tag, values: tuple[object, ...] = ()) -> None:
        """Make an exception.

        Args:
            tag: What kind it is.
            values: What it carries, as many as the tag's type has parameters.

        Raises:
            TypeError: `tag` is no Tag, or there are more or fewer values than its type says.
        """
        if not issubclass(type(tag), Tag):
            raise TypeError(f"a wasmetal.Tag is needed, not {type(tag).__name__}")
        values = tuple(values)
        expected = len(tag.type.params)
        if len(values) != expected:
            raise TypeError(f"an exception with this tag carries {expected} values, not {len(values)}")
        super().__init__(tag, values)

    @property
    def tag(self) -> Tag:
        """What kind of exception it is."""
        tag: Tag = self.args[0]
        return tag

    @property
    def values(self) -> tuple[object, ...]:
        """What it carries."""
        values: tuple[object, ...] = self.args[1]
        return values

    def __str__(self) -> str:
        carried = ", ".join([shown(repr(value), 100) for value in self.values])
        return f"uncaught exception of WebAssembly ({carried})" if carried else "uncaught exception of WebAssembly"


#: The tag of Python exceptions that WebAssembly may catch (`Config.catch_python_exceptions`).
python_exception: Final = Tag(FuncType(["externref"], []))
