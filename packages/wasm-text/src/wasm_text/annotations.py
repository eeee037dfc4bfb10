"""Annotations that have a meaning (appendix "Custom Sections and Annotations"; proposal branch hinting).

`(@name "...")` names something in the name section, `(@custom "name" place "data")` is a custom section,
`(@metadata.code.branch_hint "\\00")` says which way a branch goes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

from wasm_core import sections
from wasm_text.errors import TextError
from wasm_text.reader import Reader
from wasm_text.strings import encode_string
from wasm_text.tokens import END, Annotation, Tokens

#: Names of sections in `(@custom "..." (before type))`, and where they stand among others.
SECTION_NAMES: Final = {
    "type": sections.TYPE,
    "import": sections.IMPORT,
    "func": sections.FUNCTION,
    "table": sections.TABLE,
    "memory": sections.MEMORY,
    "tag": sections.TAG,
    "global": sections.GLOBAL,
    "export": sections.EXPORT,
    "start": sections.START,
    "elem": sections.ELEMENT,
    "datacount": sections.DATA_COUNT,
    "code": sections.CODE,
    "data": sections.DATA,
}
#: The name of the annotation, and of the custom section that it goes to.
BRANCH_HINTS: Final = "metadata.code.branch_hint"


class CustomSection:
    """A custom section, and the section of the standard that it stands before (or after); 0 is the edge of the file."""

    __slots__ = ("after", "content", "name", "section")

    def __init__(self, name: str, content: bytes, section: int, after: bool) -> None:
        self.name: Final = name
        self.content: Final = content
        self.section: Final = section
        self.after: Final = after


def _inside(tokens: Tokens, annotation: Annotation) -> Reader:
    """What is in an annotation after its name."""
    start = annotation.start + 2 + len(annotation.name)
    return Reader(Tokens(tokens.text, tokens.file, start, annotation.end - 1))


def _find(tokens: Tokens, index: int, name: str) -> list[Annotation]:
    return [
        found
        for found in tokens.annotations.get(index, ())
        if found.name == name or (found.name[0] == '"' and found.name == encode_string(name.encode()))
    ]


def _finish(reader: Reader) -> None:
    if reader.kinds[reader.pos] != END:
        raise reader.unexpected('")"')


def name_before(tokens: Tokens, index: int) -> str | None:
    """The name that an annotation before token `index` gives."""
    found = _find(tokens, index, "name")
    if not found:
        return None
    if len(found) > 1:
        raise tokens.error_between("@name annotation: multiple name", found[1].start, found[1].end)
    reader = _inside(tokens, found[0])
    name = reader.name()
    _finish(reader)
    return name


def custom_sections(tokens: Tokens, index: int) -> list[CustomSection]:
    """The custom sections of annotations before token `index`."""
    return [_custom_section(_inside(tokens, found)) for found in _find(tokens, index, "custom")]


def _custom_section(reader: Reader) -> CustomSection:
    try:
        name = reader.name()
    except TextError as error:
        if error.message.startswith("unexpected"):
            error.args = (f"@custom annotation: missing section name, {error.message}",)
            error.message = error.args[0]
        raise
    after = True
    section = 0
    word = reader.opened_word()
    if word:
        if word not in ("before", "after"):
            raise reader.unexpected('"(before" or "(after"')
        after = word == "after"
        reader.pos += 2
        place = reader.keyword("the name of a section")
        if place == ("last" if after else "first"):
            section = 0
        elif place in SECTION_NAMES:
            section = SECTION_NAMES[place]
        else:
            reader.pos -= 1
            raise reader.unexpected("the name of a section")
        reader.close()
    content = reader.strings()
    _finish(reader)
    return CustomSection(name, content, section, after)


def branch_hint(tokens: Tokens, index: int) -> int | None:
    """The hint of annotations before token `index`: 0 for unlikely, 1 for likely."""
    found = _find(tokens, index, BRANCH_HINTS)
    if not found:
        return None
    reader = _inside(tokens, found[0])
    at = reader.pos
    value = reader.strings()
    _finish(reader)
    if value not in (b"\0", b"\1"):
        raise reader.error("@metadata.code.branch_hint annotation: invalid value", at, '"\\00" or "\\01"')
    return value[0]


def indices(tokens: Tokens, first: int, last: int) -> list[int]:
    """The tokens from `first` up to `last` that annotations stand before."""
    places = tokens.annotation_places
    return places[bisect_left(places, first) : bisect_right(places, last)]
