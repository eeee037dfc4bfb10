"""Output: tables, coloured and fitted to the window in a terminal, plain lines for everything else, so that grep works;
and files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from typing import Final

import click

from wasmetal.cli.failures import Failure

# Wide enough for any line: what is not read by a person is not folded.
_UNLIMITED: Final = 1_000_000
# Styles of columns, first to last; the last one goes on.
_STYLES: Final = ("cyan", "bold", "")


def printable(text: str) -> str:
    """The text, quoted if a terminal could be steered by it or nothing would be seen."""
    return text if text and text.isprintable() else repr(text)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a title, columns of numbers to the right. Nothing for no rows."""
    cells = [[printable(cell) if cell else "" for cell in row] for row in rows]
    if not cells:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, (name, column) in enumerate(zip(columns, zip(*cells))):
        is_number = all(cell.replace(",", "").isdigit() for cell in column)
        style = _STYLES[min(number, len(_STYLES) - 1)]
        drawn.add_column(name, justify="right" if is_number else "left", style=style, overflow="fold")
    for row in cells:
        drawn.add_row(*map(Text, row))
    with console.capture() as capture:
        console.print(drawn)
    click.echo(f"\n{title}")
    for line in capture.get().splitlines():
        click.echo(f"  {line.rstrip()}")


def write_file(path: str, parts: Iterable[bytes]) -> None:
    """Write a file; nothing is left of it if that fails.

    Raises:
        Failure: It cannot be written.
    """
    try:
        target = open(path, "wb")  # noqa: SIM115  (closed below)
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    try:
        with target:
            target.writelines(parts)
    except BaseException as error:
        if os.path.isfile(path):
            with contextlib.suppress(OSError):
                os.unlink(path)
        if isinstance(error, OSError):
            raise Failure(f"{path}: {error.strerror or error}") from None
        raise
