"""The reference of the command line, made of what click knows of it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from wasmetal.cli import failures
from wasmetal.cli.commands import wasmetal


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _paragraphs(text: str | None) -> Iterator[str]:
    """Help text for Markdown: what click shows as it stands is a block of code."""
    for part in inspect.cleandoc(text or "").split("\n\n"):
        if part.startswith("\b\n"):
            first, _, rest = part[2:].partition("\n")
            yield from (
                (first, "", "```text", inspect.cleandoc(rest), "```", "") if first.endswith(":") else (part[2:], "")
            )
        elif part:
            yield from (part, "")


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    name = context.command_path
    yield from (f"## {name}", "", *_paragraphs(command.help))
    yield from ("```text", context.get_usage().removeprefix("Usage: "), "```", "")
    records = [record for option in command.params if (record := option.get_help_record(context))]
    if records:
        yield from ("| option | |", "|---|---|")
        yield from (f"| `{option}` | {_cell(text)} |".replace("\n", " ") for option, text in records)
        yield ""
    yield from _paragraphs(command.epilog)
    if isinstance(command, click.Group):
        for key in command.list_commands(context):
            found = command.get_command(context, key)
            assert found is not None
            yield from _command(click.Context(found, info_name=key, parent=context))


def commands() -> str:
    """A section for each command."""
    return "\n".join(_command(click.Context(wasmetal, info_name="wasmetal")))


def exit_codes() -> str:
    """The table of exit codes other than a program's own."""
    lines = inspect.getsource(failures).splitlines()
    rows = []
    for number, line in enumerate(lines):
        name, found, value = line.partition(": Final = ")
        if found and name.isupper() and value.isdigit():
            rows.append(f"| {value} | {lines[number - 1].removeprefix('#: ')} |")
    return "\n".join(["| exit code | |", "|---|---|", *rows])
