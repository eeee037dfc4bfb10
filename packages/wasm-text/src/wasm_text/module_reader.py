"""Modules and their fields (core specification, section "Text Format", "Modules"), read into sections of a binary.

Identifiers may be used before they are there. So the fields are gone through twice: once to number things
(`field_numbers`), once to read them.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Final

from wasm_core import opcodes as op
from wasm_core import sections
from wasm_core.type_codes import FUNCREF
from wasm_core.types import PAGE_SIZE
from wasm_text.encoding import sized, unsigned, vector
from wasm_text.errors import TextError
from wasm_text.expressions import ExpressionReader
from wasm_text.field_numbers import FUNC, GLOBAL, KINDS, MEMORY, TABLE, TAG, FieldNumbers
from wasm_text.spaces import IndexSpace
from wasm_text.tokens import LEFT, RIGHT, STRING, Tokens
from wasm_text.types import (
    Limits,
    annotated_name,
    read_address_type,
    read_limits,
    read_memory_type,
    read_page_size,
)

_END: Final = bytes([op.END])
_FUNCREF: Final = bytes([FUNCREF])
#: A reference to a function that is not null.
_REF_FUNC: Final = bytes([0x64, FUNCREF])
#: The kind of elements that are indices of functions.
_FUNCTION_INDICES: Final = b"\0"
_TABLE_WITH_INIT: Final = b"\x40\0"
_I32_ZERO: Final = bytes([op.I32_CONST, 0, op.END])
_I64_ZERO: Final = bytes([op.I64_CONST, 0, op.END])

# Flags of element and data segments.
_PASSIVE: Final = 1
_EXPLICIT: Final = 2
_DECLARED: Final = 3
_EXPRESSIONS: Final = 4


class Body:
    """A code entry, and where the instructions in it come from."""

    __slots__ = ("content", "hints", "label_names", "local_names", "mark_offsets", "mark_tokens", "token")

    def __init__(
        self, content: bytes, reader: ExpressionReader, token: int, before: int, hints: list[tuple[int, int]]
    ) -> None:
        """The entry of the function that starts with a token: `before` bytes of locals, and what `reader` has read."""
        self.token: Final = token
        self.content: Final = content
        self.mark_offsets: Final = reader.mark_offsets
        self.mark_tokens: Final = reader.mark_tokens
        self.local_names: Final = reader.locals.debug_names
        self.label_names: Final = reader.label_names
        #: Offsets (in the code entry) and values of branch hints.
        self.hints: Final = hints
        if before:
            for number, offset in enumerate(self.mark_offsets):
                self.mark_offsets[number] = offset + before


class ModuleReader(FieldNumbers):
    """Reads the fields of one module."""

    __slots__ = (
        "_numbers",
        "_types_read",
        "bodies",
        "data",
        "elements",
        "entries",
        "exports",
        "functions",
        "global_entries",
        "imported_functions",
        "imports",
        "memories",
        "start",
        "tables",
        "tag_entries",
    )

    def __init__(self, tokens: Tokens, pos: int = 0) -> None:
        super().__init__(tokens, pos)
        #: Entries of the sections.
        self.imports: Final[list[bytes]] = []
        self.functions: Final[list[bytes]] = []
        self.tables: Final[list[bytes]] = []
        self.memories: Final[list[bytes]] = []
        self.tag_entries: Final[list[bytes]] = []
        self.global_entries: Final[list[bytes]] = []
        self.exports: Final[list[bytes]] = []
        self.elements: Final[list[bytes]] = []
        self.bodies: Final[list[Body]] = []
        self.data: Final[list[bytes]] = []
        self.start: int | None = None
        self.imported_functions = 0
        #: By the number of the section: its entries, and the tokens that their fields start with.
        self.entries: Final[dict[int, tuple[list[bytes], array[int]]]] = {
            section: (entries, array("Q"))
            for section, entries in (
                (sections.TYPE, self.types.texts),
                (sections.IMPORT, self.imports),
                (sections.FUNCTION, self.functions),
                (sections.TABLE, self.tables),
                (sections.MEMORY, self.memories),
                (sections.GLOBAL, self.global_entries),
                (sections.EXPORT, self.exports),
                (sections.ELEMENT, self.elements),
                (sections.DATA, self.data),
                (sections.TAG, self.tag_entries),
            )
        }
        # How many of each kind were read.
        self._numbers: Final = [0, 0, 0, 0, 0]
        self._types_read = 0

    def read_fields(self) -> None:
        """Read fields up to the ")" of the module, or the end of the text.

        Raises:
            TextError: The first error; its `errors` are all that were found.
        """
        self.number_fields()
        end = self.pos
        # What is wrong with names and types would be wrong with all that makes use of them.
        self.stop_at_errors()
        self._each(self._read_type_field)
        self.stop_at_errors()
        self._each(self._read_field)
        self.stop_at_errors()
        self.pos = end

    def _each(self, read: Callable[[], None]) -> None:
        places = list(self.entries.values())
        for pos in self.fields:
            self.pos = pos
            try:
                read()
            except TextError as error:
                self.fail(error)
            for entries, tokens in places:
                while len(tokens) < len(entries):
                    tokens.append(pos + 1)

    # Types.

    def _read_type_field(self) -> None:
        if self.opens("type") or self.opens("rec"):
            self._types_read = self.types.read(self, self._types_read)

    # Fields.

    def _read_field(self) -> None:
        word = self.opened_word()
        read = _READ.get(word)
        if read is None:
            return
        at = self.pos
        self.pos += 2
        read(self)
        if self.kinds[self.pos] != RIGHT:
            raise self.unexpected(f'")" at the end of the {self.word(at + 1)}')

    def _next(self, kind: int) -> int:
        """The index of the next definition or import of a kind."""
        number = self._numbers[kind]
        self._numbers[kind] = number + 1
        return number

    def _read_exports(self, kind: int, index: int) -> None:
        """Read inline exports."""
        while self.accept_open("export"):
            self._export(self.name(), kind, index)
            self.close()

    def _export(self, name: str, kind: int, index: int) -> None:
        self.exports.append(sized(name.encode()) + bytes([kind]) + unsigned(index))

    def _read_inline_import(self) -> bytes | None:
        """Read `(import "module" "name")`, if it is there."""
        if not self.accept_open("import"):
            return None
        names = sized(self.name().encode()) + sized(self.name().encode())
        self.close()
        return names

    def _read_import(self) -> None:
        names = sized(self.name().encode()) + sized(self.name().encode())
        kind = KINDS[self.keyword_after_parenthesis()]
        self._next(kind)
        self.identifier()
        self._import(names, kind)
        self.close()

    def keyword_after_parenthesis(self) -> str:
        """Read "(" and a keyword, which the first pass has checked."""
        word = self.opened_word()
        self.pos += 2
        return word

    def _import(self, names: bytes, kind: int) -> None:
        """Read the type of an import."""
        if kind == FUNC:
            self.imported_functions += 1
            description = unsigned(self.types.read_use(self, IndexSpace("local")))
        elif kind == TABLE:
            limits = read_limits(self, read_address_type(self))
            description = self.types.read_reference_type(self) + limits.encode()
        elif kind == MEMORY:
            description = read_memory_type(self)
        elif kind == GLOBAL:
            description = self._read_global_type()
        else:
            description = b"\0" + unsigned(self.types.read_use(self, IndexSpace("local")))
        self.imports.append(names + bytes([kind]) + description)

    def _read_function(self) -> None:
        start = self.pos - 1
        index = self._next(FUNC)
        self.identifier()
        self._read_exports(FUNC, index)
        names = self._read_inline_import()
        if names is not None:
            self._import(names, FUNC)
            return
        self.start_body(IndexSpace("local"))
        type_index = self.types.read_use(self, self.locals)
        groups = self._read_locals()
        declared = vector(groups)
        self.start_code()
        self.read_instructions()
        self._emit(_END, self.pos)
        hints = self._find_hints(len(declared)) if self.tokens.annotations else []
        self.functions.append(unsigned(type_index))
        self.bodies.append(Body(declared + self.code, self, start, len(declared), hints))

    def _read_locals(self) -> list[bytes]:
        """Read local declarations: groups of equal types."""
        types: list[bytes] = []
        while self.accept_open("local"):
            at = self.pos
            name = self.identifier()
            if name is not None:
                index = self.declare(self.locals, name, at)
                annotated_name(self, self.pos, self.locals, index)
                types.append(self.types.read_value_type(self))
            else:
                while self.kinds[self.pos] != RIGHT:
                    types.append(self.types.read_value_type(self))
                    self.locals.count += 1
            self.close()
        groups: list[bytes] = []
        start = 0
        for number in range(1, len(types) + 1):
            if number == len(types) or types[number] != types[start]:
                groups.append(unsigned(number - start) + types[start])
                start = number
        return groups

    def _find_hints(self, before: int) -> list[tuple[int, int]]:
        from wasm_text.annotations import branch_hint

        found: list[tuple[int, int]] = []
        annotations = self.tokens.annotations
        for offset, token in zip(self.mark_offsets, self.mark_tokens, strict=True):
            index = token - 1 if token - 1 in annotations and self.kinds[token - 1] == LEFT else token
            if index in annotations:
                hint = branch_hint(self.tokens, index)
                if hint is not None:
                    found.append((offset + before, hint))
        return found

    def _read_expression(self) -> bytes:
        """Read a constant expression up to the ")" after it."""
        return self._constant(False)

    def _read_folded(self) -> bytes:
        """Read a constant expression of one folded instruction."""
        return self._constant(True)

    def _constant(self, folded: bool) -> bytes:
        # The data count section is for the code section alone.
        needs_data_count = self.needs_data_count
        self.start_body(IndexSpace("local"))
        self.start_code()
        if folded:
            self.read_instruction()
        else:
            self.read_instructions()
        self.needs_data_count = needs_data_count
        return bytes(self.code) + _END

    def _read_table(self) -> None:
        index = self._next(TABLE)
        self.identifier()
        self._read_exports(TABLE, index)
        names = self._read_inline_import()
        if names is not None:
            self._import(names, TABLE)
            return
        is64 = read_address_type(self)
        if self.types.at_reference_type(self):
            # The elements in line give the size.
            reference = self.types.read_reference_type(self)
            self.enter("elem")
            functions = self.kinds[self.pos] != LEFT
            items = self._read_functions() if functions else self._read_element_expressions()
            self.close()
            limits = Limits(is64)
            limits.minimum = limits.maximum = len(items)
            self.tables.append(reference + limits.encode())
            offset = _I64_ZERO if is64 else _I32_ZERO
            self._segment(
                0, index, offset, functions and reference in (_FUNCREF, _REF_FUNC), reference, items, functions, True
            )
            return
        limits = read_limits(self, is64)
        encoded = self.types.read_reference_type(self) + limits.encode()
        if self.kinds[self.pos] != RIGHT:
            encoded = _TABLE_WITH_INIT + encoded + self._read_expression()
        self.tables.append(encoded)

    def _read_functions(self) -> list[bytes]:
        """Read indices of functions."""
        items = []
        while self.at_index():
            items.append(unsigned(self.index(self.spaces.functions)))
        return items

    def _read_element_expressions(self) -> list[bytes]:
        """Read `(item ...)` and folded instructions."""
        items = []
        while self.kinds[self.pos] == LEFT:
            if self.accept_open("item"):
                items.append(self._read_expression())
                self.close()
            else:
                items.append(self._read_folded())
        return items

    def _segment(
        self,
        mode: int,
        table: int,
        offset: bytes,
        functions: bool,
        reference: bytes,
        items: list[bytes],
        are_indices: bool,
        explicit: bool = False,
    ) -> None:
        """Add an element segment.

        Args:
            mode: 0 for an active one, _PASSIVE or _DECLARED.
            table, offset: Of an active one.
            functions: Whether it is written as indices of functions.
            reference: The type of the elements.
            items: The elements: indices of functions if `are_indices`, else expressions.
            explicit: Whether the table is written though it is 0.
        """
        if not functions and are_indices:
            items = [bytes([op.REF_FUNC]) + item + _END for item in items]
        flags = mode
        if mode == 0 and (table or explicit or not (functions or reference == _FUNCREF)):
            flags = _EXPLICIT
        out = b"" if functions else reference
        if functions:
            out = _FUNCTION_INDICES
        else:
            flags |= _EXPRESSIONS
        head = unsigned(flags)
        if flags & _DECLARED == _EXPLICIT:
            head += unsigned(table)
        if mode == 0:
            head += offset
        if flags & _DECLARED:
            head += out
        self.elements.append(head + vector(items))

    def _read_elem(self) -> None:
        self.identifier()
        if self.accept("declare"):
            self._read_element_list(_DECLARED, 0, b"")
            return
        table = 0
        explicit = False
        if self.accept_open("table"):
            table = self.index(self.spaces.tables)
            self.close()
            explicit = True
        elif self.at_index():
            # An older form.
            table = self.index(self.spaces.tables)
            explicit = True
        if explicit or (self.kinds[self.pos] == LEFT and not self.types.at_reference_type(self)):
            self._read_element_list(0, table, self._read_offset(), explicit)
        else:
            self._read_element_list(_PASSIVE, 0, b"")

    def _read_offset(self) -> bytes:
        if self.accept_open("offset"):
            offset = self._read_expression()
            self.close()
            return offset
        return self._read_folded()

    def _read_element_list(self, mode: int, table: int, offset: bytes, explicit: bool = False) -> None:
        if self.accept("func") or (mode == 0 and (self.at_index() or self.kinds[self.pos] == RIGHT)):
            self._segment(mode, table, offset, True, _REF_FUNC, self._read_functions(), True, explicit)
            return
        reference = self.types.read_reference_type(self)
        self._segment(mode, table, offset, False, reference, self._read_element_expressions(), False, explicit)

    def _read_memory(self) -> None:
        index = self._next(MEMORY)
        self.identifier()
        self._read_exports(MEMORY, index)
        names = self._read_inline_import()
        if names is not None:
            self._import(names, MEMORY)
            return
        at = self.pos
        is64 = read_address_type(self)
        page_size = read_page_size(self)
        if self.accept_open("data"):
            content = self.strings()
            self.close()
            limits = Limits(is64)
            limits.page_size = page_size
            size = PAGE_SIZE if page_size is None else page_size
            limits.minimum = limits.maximum = -(-len(content) // size)
            self.memories.append(limits.encode())
            offset = _I64_ZERO if is64 else _I32_ZERO
            self._data_segment(index, offset, content)
            return
        self.pos = at
        self.memories.append(read_memory_type(self))

    def _data_segment(self, memory: int, offset: bytes, content: bytes) -> None:
        head = unsigned(_EXPLICIT) + unsigned(memory) if memory else b"\0"
        self.data.append(head + offset + sized(content))

    def _read_data(self) -> None:
        self.identifier()
        memory = 0
        active = True
        if self.accept_open("memory"):
            memory = self.index(self.spaces.memories)
            self.close()
        elif self.at_index():
            # An older form.
            memory = self.index(self.spaces.memories)
        elif self.kinds[self.pos] != LEFT:
            active = False
        if active:
            offset = self._read_offset()
            self._data_segment(memory, offset, self._read_content())
        else:
            self.data.append(unsigned(_PASSIVE) + sized(self._read_content()))

    def _read_content(self) -> bytes:
        if self.kinds[self.pos] not in (STRING, RIGHT):
            raise self.unexpected("a string")
        return self.strings()

    def _read_global_type(self) -> bytes:
        if self.accept_open("mut"):
            encoded = self.types.read_value_type(self) + b"\1"
            self.close()
            return encoded
        return self.types.read_value_type(self) + b"\0"

    def _read_global(self) -> None:
        index = self._next(GLOBAL)
        self.identifier()
        self._read_exports(GLOBAL, index)
        names = self._read_inline_import()
        if names is not None:
            self._import(names, GLOBAL)
            return
        encoded = self._read_global_type()
        self.global_entries.append(encoded + self._read_expression())

    def _read_tag(self) -> None:
        index = self._next(TAG)
        self.identifier()
        self._read_exports(TAG, index)
        names = self._read_inline_import()
        if names is not None:
            self._import(names, TAG)
            return
        self.tag_entries.append(b"\0" + unsigned(self.types.read_use(self, IndexSpace("local"))))

    def _read_export(self) -> None:
        name = self.name()
        kind = KINDS.get(self.opened_word())
        if kind is None:
            raise self.unexpected("(func ...), (table ...), (memory ...), (global ...) or (tag ...)")
        self.pos += 2
        index = self.index(self.space(kind))
        self.close()
        self._export(name, kind, index)

    def _read_start(self) -> None:
        if self.start is not None:
            raise self.error("multiple start sections", self.pos - 1)
        self.start = self.index(self.spaces.functions)


#: How the fields are read.
_READ: Final[dict[str, Callable[[ModuleReader], None]]] = {
    "import": ModuleReader._read_import,
    "func": ModuleReader._read_function,
    "table": ModuleReader._read_table,
    "memory": ModuleReader._read_memory,
    "global": ModuleReader._read_global,
    "tag": ModuleReader._read_tag,
    "export": ModuleReader._read_export,
    "start": ModuleReader._read_start,
    "elem": ModuleReader._read_elem,
    "data": ModuleReader._read_data,
}
