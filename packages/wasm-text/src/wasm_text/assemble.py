"""Texts of modules to binaries: what users call."""

from __future__ import annotations

import os

from wasm_core.decoder import decode
from wasm_core.features import Features
from wasm_core.module import DecodedModule
from wasm_text.annotations import CustomSection, custom_sections, indices, name_before
from wasm_text.binary import Binary, SourceMap, encode
from wasm_text.errors import error_at
from wasm_text.module_reader import ModuleReader
from wasm_text.tokens import END, LEFT, RIGHT, Tokens


def assemble(text: str | bytes, *, file: str | os.PathLike[str] | None = None) -> bytes:
    """The binary of a module in the text format.

    Identifiers go to its name section.

    Args:
        text: `(module ...)`, or the fields of a module alone; bytes are UTF-8.
        file: What errors say the text comes from.

    Raises:
        TextError: The text is no module. Whether the module is valid is not checked.
    """
    return assemble_with_map(text, file=file)[0]


def assemble_with_map(
    text: str | bytes, *, file: str | os.PathLike[str] | None = None
) -> tuple[bytes, SourceMap | None]:
    """As `assemble`; and which place in the text each instruction of the binary comes from.

    There is no map if the text is `(module binary ...)`, or if its module is text in a string.
    """
    tokens = tokenize(text, file)
    reader = ModuleReader(tokens)
    if reader.accept_open("module"):
        at = reader.pos
        reader.identifier()
        if reader.at_word("binary") or reader.at_word("quote"):
            word = reader.keyword()
            content = reader.strings()
            reader.close()
            finish(reader)
            return (content if word == "binary" else assemble(content, file=file)), None
        reader.pos = at
        binary = read_module(reader)
        reader.close()
    else:
        binary = read_module(reader)
    finish(reader)
    return binary.content, binary.source_map


def parse(
    text: str | bytes, *, file: str | os.PathLike[str] | None = None, features: Features | None = None
) -> DecodedModule:
    """The module that a text describes, as the decoder gives it for its binary.

    Args:
        text: As for `assemble`.
        file: As for `assemble`.
        features: Which parts of WebAssembly are on; `Features.default()` if None.

    Raises:
        TextError: The text is no module.
        MalformedError: It needs a feature that is off.
    """
    return decode(assemble(text, file=file), Features.default() if features is None else features)


def tokenize(text: str | bytes, file: str | os.PathLike[str] | None = None) -> Tokens:
    """The tokens of a text; bytes are UTF-8."""
    name = None if file is None else os.fspath(file)
    if isinstance(text, bytes):
        data = text
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            before = data[: error.start].decode()
            shown = before + data[error.start :].decode(errors="replace")
            raise error_at("malformed UTF-8 encoding", shown, len(before), len(before) + 1, name) from None
    return Tokens(text, name)


def read_module(reader: ModuleReader) -> Binary:
    """Read the fields of a module, from its identifier (if any) up to the ")" that ends it or the end of the text."""
    first = reader.pos
    customs: list[CustomSection] = []
    name = reader.identifier()
    annotations = reader.tokens.annotations
    if annotations:
        name = name_before(reader.tokens, reader.pos) or name
    reader.read_fields()
    if annotations:
        places = {*reader.fields, reader.pos}
        for index in indices(reader.tokens, first, reader.pos):
            if index in places:
                customs += custom_sections(reader.tokens, index)
    return encode(reader, name, customs)


def finish(reader: ModuleReader) -> None:
    """Check that nothing follows."""
    if reader.kinds[reader.pos] != END:
        if reader.kinds[reader.pos] == LEFT:
            raise reader.unexpected("the end of the text, as there is one module")
        raise reader.unexpected("the end of the text" if reader.kinds[reader.pos] == RIGHT else '"("')
