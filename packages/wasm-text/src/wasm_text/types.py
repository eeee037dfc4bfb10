"""Types in text (core specification, section "Text Format", "Types"), read into the bytes of the binary format."""

from __future__ import annotations

from typing import Final

from wasm_core.defined_types import ARRAY, FUNC, REC, STRUCT, SUB, SUB_FINAL
from wasm_core.reader import HAS_MAXIMUM, HAS_PAGE_SIZE, IS_64, SHARED
from wasm_core.type_codes import (
    ABSTRACT_HEAP_CODES,
    EMPTY_BLOCK,
    I8,
    I16,
    ONE_BYTE_CODES,
    REF_NULL_PREFIX,
    REF_PREFIX,
    heap_type_name,
    type_name,
)
from wasm_text.encoding import signed, unsigned, vector
from wasm_text.reader import Reader
from wasm_text.spaces import IndexSpace
from wasm_text.tokens import LEFT, NUMBER, RIGHT, WORD

#: Value types of one word.
_VALUE_TYPES: Final = {type_name(code): bytes([code]) for code in ONE_BYTE_CODES}
_REFERENCE_TYPES: Final = {name: code for name, code in _VALUE_TYPES.items() if name.endswith("ref")}
_HEAP_TYPES: Final = {heap_type_name(-code): bytes([code]) for code in ABSTRACT_HEAP_CODES}
_PACKED_TYPES: Final = {"i8": bytes([I8]), "i16": bytes([I16])}
_CONST: Final = b"\0"
_MUTABLE: Final = b"\1"

# Forms of types in the binary format.
_ARRAY: Final = bytes([ARRAY])
_STRUCT: Final = bytes([STRUCT])
_FUNC: Final = bytes([FUNC])
_SUB: Final = bytes([SUB])
_SUB_FINAL: Final = bytes([SUB_FINAL])
_REC: Final = bytes([REC])

_VALUE_TYPE_EXPECTED: Final = "a value type"


class Signature:
    """Parameters and results of a function."""

    __slots__ = ("params", "results")

    def __init__(self) -> None:
        self.params: list[bytes] = []
        self.results: list[bytes] = []

    def encode(self) -> bytes:
        """The function type."""
        return _FUNC + vector(self.params) + vector(self.results)


class TypeTable:
    """The types of a module: its type section."""

    __slots__ = ("_plain", "fields", "signatures", "space", "texts")

    def __init__(self, space: IndexSpace) -> None:
        self.space: Final = space
        #: Recursion groups as they are encoded; a type without a group is one.
        self.texts: Final[list[bytes]] = []
        #: The signature of every type that is a function's.
        self.signatures: Final[dict[int, Signature]] = {}
        #: The names of the fields of structures.
        self.fields: Final[dict[int, IndexSpace]] = {}
        #: Function types that can stand for a type without a name, by their encoding.
        self._plain: Final[dict[bytes, int]] = {}

    def find(self, signature: Signature) -> int:
        """The first function type that has a signature; a new one at the end of all if there is none."""
        encoded = signature.encode()
        found = self._plain.get(encoded)
        if found is None:
            found = self._plain[encoded] = self.space.count
            self.space.count += 1
            self.texts.append(encoded)
            self.signatures[found] = signature
        return found

    def read(self, reader: Reader, index: int) -> int:
        """Read a `type` or `rec` field whose first type has a certain index; returns the index of the next one."""
        if reader.accept_open("rec"):
            types = []
            while reader.opens("type"):
                encoded, _ = self._read_type(reader, index)
                types.append(encoded)
                index += 1
            reader.close()
            self.texts.append(_REC + vector(types))
            return index
        encoded, plain = self._read_type(reader, index)
        if plain:
            self._plain.setdefault(encoded, index)
        self.texts.append(encoded)
        return index + 1

    def _read_type(self, reader: Reader, index: int) -> tuple[bytes, bool]:
        """Read one type; also whether it is a plain function type."""
        reader.enter("type")
        reader.identifier()
        if not reader.accept_open("sub"):
            encoded = self._read_composite(reader, index)
            reader.close()
            return encoded, encoded.startswith(_FUNC)
        final = reader.accept("final")
        supertypes = []
        while reader.at_index():
            supertypes.append(unsigned(reader.index(self.space)))
        composite = self._read_composite(reader, index)
        reader.close()
        reader.close()
        if final and not supertypes:
            return composite, composite.startswith(_FUNC)
        return (_SUB_FINAL if final else _SUB) + vector(supertypes) + composite, False

    def _read_composite(self, reader: Reader, index: int) -> bytes:
        if reader.accept_open("func"):
            signature = Signature()
            self.read_signature(reader, signature, None)
            reader.close()
            self.signatures[index] = signature
            return signature.encode()
        if reader.accept_open("struct"):
            fields: list[bytes] = []
            names = self.fields[index] = IndexSpace("field")
            while reader.accept_open("field"):
                at = reader.pos
                name = reader.identifier()
                if name is not None:
                    reader.declare(names, name, at)
                    fields.append(self._read_field(reader))
                else:
                    while reader.kinds[reader.pos] != RIGHT:
                        reader.declare(names, None, at)
                        fields.append(self._read_field(reader))
                reader.close()
            reader.close()
            return _STRUCT + vector(fields)
        if reader.accept_open("array"):
            # (The element may be written as a field.)
            if reader.accept_open("field"):
                reader.identifier()
                element = self._read_field(reader)
                reader.close()
            else:
                element = self._read_field(reader)
            reader.close()
            return _ARRAY + element
        raise reader.unexpected("(func ...), (struct ...) or (array ...)")

    def _read_field(self, reader: Reader) -> bytes:
        if reader.accept_open("mut"):
            storage = self._read_storage(reader)
            reader.close()
            return storage + _MUTABLE
        return self._read_storage(reader) + _CONST

    def _read_storage(self, reader: Reader) -> bytes:
        if reader.kinds[reader.pos] == WORD:
            packed = _PACKED_TYPES.get(reader.word(reader.pos))
            if packed is not None:
                reader.pos += 1
                return packed
        return self.read_value_type(reader)

    def read_value_type(self, reader: Reader) -> bytes:
        """Read a value type."""
        pos = reader.pos
        if reader.kinds[pos] == WORD:
            code = _VALUE_TYPES.get(reader.word(pos))
            if code is not None:
                reader.pos = pos + 1
                return code
        elif reader.kinds[pos] == LEFT:
            return self._read_long_reference(reader, _VALUE_TYPE_EXPECTED)
        raise reader.unexpected(_VALUE_TYPE_EXPECTED)

    def at_reference_type(self, reader: Reader) -> bool:
        """Whether a reference type comes next."""
        pos = reader.pos
        return reader.opens("ref") or (reader.kinds[pos] == WORD and reader.word(pos) in _REFERENCE_TYPES)

    def read_reference_type(self, reader: Reader) -> bytes:
        """Read a reference type."""
        pos = reader.pos
        if reader.kinds[pos] == WORD:
            code = _REFERENCE_TYPES.get(reader.word(pos))
            if code is not None:
                reader.pos = pos + 1
                return code
        elif reader.kinds[pos] == LEFT:
            return self._read_long_reference(reader, "a reference type")
        raise reader.unexpected("a reference type")

    def read_reference_parts(self, reader: Reader) -> tuple[bool, bytes]:
        """Read a reference type: whether it is nullable, and the heap type."""
        encoded = self.read_reference_type(reader)
        if len(encoded) == 1:
            return True, encoded
        return encoded[0] == REF_NULL_PREFIX, encoded[1:]

    def _read_long_reference(self, reader: Reader, expected: str) -> bytes:
        if not reader.opens("ref"):
            raise reader.unexpected(expected)
        reader.pos += 2
        null = reader.accept("null")
        heap_type = self.read_heap_type(reader)
        reader.close()
        if null:
            return heap_type if heap_type[0] in ABSTRACT_HEAP_CODES else bytes([REF_NULL_PREFIX]) + heap_type
        return bytes([REF_PREFIX]) + heap_type

    def read_heap_type(self, reader: Reader) -> bytes:
        """Read a heap type."""
        pos = reader.pos
        if reader.kinds[pos] == WORD:
            code = _HEAP_TYPES.get(reader.word(pos))
            if code is not None:
                reader.pos = pos + 1
                return code
        elif reader.at_index():
            return signed(reader.index(self.space))
        raise reader.unexpected("a heap type")

    def read_signature(self, reader: Reader, signature: Signature, params: IndexSpace | None) -> bool:
        """Read any number of `(param ...)`, then of `(result ...)`; returns whether there were any.

        Args:
            signature: Gets the types.
            params: Gets the names of parameters; without it, they may have names all the same, which are not kept.
        """
        start = reader.pos
        while reader.accept_open("param"):
            at = reader.pos
            name = reader.identifier()
            if name is not None:
                signature.params.append(self.read_value_type(reader))
                if params is not None:
                    reader.declare(params, name, at)
                    annotated_name(reader, at + 1, params, params.count - 1)
            else:
                while reader.kinds[reader.pos] != RIGHT:
                    signature.params.append(self.read_value_type(reader))
                    if params is not None:
                        params.count += 1
            reader.close()
        self.read_results(reader, signature.results)
        return reader.pos != start

    def read_results(self, reader: Reader, results: list[bytes]) -> None:
        """Read any number of `(result ...)`."""
        while reader.accept_open("result"):
            while reader.kinds[reader.pos] != RIGHT:
                results.append(self.read_value_type(reader))
            reader.close()

    def read_use(self, reader: Reader, params: IndexSpace | None) -> int:
        """Read a type use; returns the index of the type. `params` gets the parameters and their names.

        Raises:
            TextError: Or the type that is named is not the one that is described.
        """
        at = reader.pos
        index = self._read_type_index(reader)
        signature = Signature()
        described = self.read_signature(reader, signature, params)
        return self._check_use(reader, at, index, signature, described, params)

    def read_nameless_use(self, reader: Reader) -> int:
        """Read a type use whose parameters must not have names."""
        at = reader.pos
        index = self._read_type_index(reader)
        signature = Signature()
        described = self._read_nameless(reader, signature)
        return self._check_use(reader, at, index, signature, described, None)

    def read_block_type(self, reader: Reader) -> bytes:
        """Read a block type."""
        at = reader.pos
        if reader.kinds[at] != LEFT:
            return bytes([EMPTY_BLOCK])
        index = self._read_type_index(reader)
        signature = Signature()
        described = self._read_nameless(reader, signature)
        if index < 0 and not signature.params and len(signature.results) < 2:
            return signature.results[0] if signature.results else bytes([EMPTY_BLOCK])
        return signed(self._check_use(reader, at, index, signature, described, None))

    def _read_nameless(self, reader: Reader, signature: Signature) -> bool:
        start = reader.pos
        while reader.accept_open("param"):
            while reader.kinds[reader.pos] != RIGHT:
                signature.params.append(self.read_value_type(reader))
            reader.close()
        self.read_results(reader, signature.results)
        return reader.pos != start

    def _read_type_index(self, reader: Reader) -> int:
        """Read `(type x)`; -1 if it is not there."""
        if not reader.accept_open("type"):
            return -1
        index = reader.index(self.space)
        reader.close()
        return index

    def _check_use(
        self, reader: Reader, at: int, index: int, signature: Signature, described: bool, params: IndexSpace | None
    ) -> int:
        if index < 0:
            return self.find(signature)
        declared = self.signatures.get(index)
        if described:
            if declared is None:
                raise reader.error(f"unknown type {reader.word(at + 2)}", at + 2)
            if declared.params != signature.params or declared.results != signature.results:
                if reader.opens("param") or reader.opens("type"):
                    raise reader.unexpected("another order: (type ...), (param ...), (result ...)")
                raise reader.error(f"inline function type is not that of type {reader.word(at + 2)}", at)
        elif params is not None and declared is not None:
            params.count += len(declared.params)
        return index


def annotated_name(reader: Reader, index: int, space: IndexSpace, number: int) -> None:
    """Let an annotation `(@name "...")` before token `index` name something."""
    annotations = reader.tokens.annotations
    if annotations and index in annotations:
        from wasm_text.annotations import name_before

        name = name_before(reader.tokens, index)
        if name is not None:
            space.debug_names[number] = name


class Limits:
    """The limits of a memory or a table: numbers, and whether addresses have 64 bits."""

    __slots__ = ("is64", "maximum", "minimum", "page_size", "shared")

    def __init__(self, is64: bool) -> None:
        self.is64 = is64
        self.minimum = 0
        self.maximum: int | None = None
        self.shared = False
        self.page_size: int | None = None

    def encode(self) -> bytes:
        """In the binary format."""
        flags = 0
        if self.maximum is not None:
            flags |= HAS_MAXIMUM
        if self.shared:
            flags |= SHARED
        if self.is64:
            flags |= IS_64
        if self.page_size is not None:
            flags |= HAS_PAGE_SIZE
        out = bytes([flags]) + unsigned(self.minimum)
        if self.maximum is not None:
            out += unsigned(self.maximum)
        if self.page_size is not None:
            out += unsigned(self.page_size.bit_length() - 1)
        return out


def read_address_type(reader: Reader) -> bool:
    """Read "i32" or "i64", or nothing; returns whether addresses have 64 bits."""
    if reader.accept("i64"):
        return True
    reader.accept("i32")
    return False


def read_limits(reader: Reader, is64: bool) -> Limits:
    """Read one or two numbers."""
    limits = Limits(is64)
    limits.minimum = reader.unsigned(64)
    if reader.kinds[reader.pos] == NUMBER:
        limits.maximum = reader.unsigned(64)
    return limits


def read_page_size(reader: Reader) -> int | None:
    """Read `(pagesize n)`, if it is there."""
    if not reader.accept_open("pagesize"):
        return None
    at = reader.pos
    size = reader.unsigned(64)
    if not size or size & (size - 1):
        raise reader.error("invalid custom page size", at, "a power of two")
    reader.close()
    return size


def read_memory_type(reader: Reader) -> bytes:
    """Read a memory type."""
    limits = read_limits(reader, read_address_type(reader))
    limits.shared = reader.accept("shared")
    limits.page_size = read_page_size(reader)
    return limits.encode()
