"""`wasmetal wat` and `wat2wasm`: between binaries and the text format."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from wasmetal.cli.failures import Failure, about, read, read_content
from wasmetal.text import ADVICE, assemble

if TYPE_CHECKING:
    pass

#: Kinds of tokens, and how they look in a terminal.
_STYLES: Final = {"comment": "bright_black", "string": "yellow", "name": "green", "number": "magenta", "head": "cyan"}
_TOKEN: Final = re.compile(
    r'(?P<comment>;;[^\n]*|\(;.*?;\))|(?P<string>"(?:[^"\\]|\\.)*")|(?P<name>\$(?:"(?:[^"\\]|\\.)*"|[^\s()"]+))'
    r"|(?P<number>(?<=[\s])[-+]?[0-9][^\s()]*)|(?P<head>(?<=\()[a-z@][^\s()]*)"
)


def wat(file: str, *, fold: bool, offsets: bool, names: bool) -> None:
    """Print a module in the text format; in a terminal coloured, and page by page."""
    try:
        from wasm_text import format
    except ModuleNotFoundError as error:
        raise _without(error) from None
    source = read(file)
    with about(file):
        text = format(source, fold=fold, offsets=offsets, generate_names=names)
    if sys.stdout is not None and sys.stdout.isatty():
        click.echo_via_pager(_coloured(text))
    else:
        click.echo(text, nl=False)


def _without(error: ModuleNotFoundError) -> Exception:
    return Failure(ADVICE) if error.name == "wasm_text" else error


def _coloured(text: str) -> Iterator[str]:
    def style(match: re.Match[str]) -> str:
        assert match.lastgroup is not None
        return click.style(match.group(), fg=_STYLES[match.lastgroup])

    return (_TOKEN.sub(style, line) for line in text.splitlines(keepends=True))


def wat2wasm(file: str, output: str | None) -> None:
    """Assemble a text; the binary goes to a file, by default of the same name with .wasm in the place of .wat."""
    content = read_content(file)
    with about(file):
        binary = assemble(content, "<stdin>" if file == "-" else file)[0]
    if output is None:
        output = "-" if file == "-" else str(Path(file).with_suffix(".wasm"))
    if output == "-":
        if sys.stdout.isatty():
            raise Failure("this would write a binary to the terminal: name a file with -o")
        sys.stdout.buffer.write(binary)
        return
    try:
        Path(output).write_bytes(binary)
    except OSError as error:
        raise Failure(f"{output}: {error.strerror or error}") from None
