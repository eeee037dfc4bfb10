"""The commands and their options. What they do stands in one module each, imported when the command runs."""

from __future__ import annotations

import click

from wasmetal import __version__


def _print_version(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        click.echo(f"wasmetal {__version__}")
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def wasmetal() -> None:
    """WebAssembly, compiled to machine code by Python."""


# Everything behind FILE belongs to the program, also what looks like an option.
@wasmetal.command(context_settings={"allow_interspersed_args": False})
@click.option(
    "--dir",
    "directories",
    multiple=True,
    metavar="HOST[::GUEST]",
    help="Let the program use a directory, under the name GUEST (else under its own). May be repeated.",
)
@click.option(
    "--env", "environment", multiple=True, metavar="K=V", help="Set an environment variable. May be repeated."
)
@click.option("--invoke", metavar="NAME", help="Call this export with ARGS as numbers, and print what it returns.")
@click.argument("file")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(
    file: str, args: tuple[str, ...], directories: tuple[str, ...], environment: tuple[str, ...], invoke: str | None
) -> int:
    """Run a program; the exit code is its own.

    134 on a trap, 130 on Ctrl-C, 1 when FILE is not a valid module or cannot be linked, 2 for wrong usage.
    """
    from wasmetal.cli import run as command

    return command.run(file, args, directories, environment, invoke)


@wasmetal.command()
@click.argument("file")
def inspect(file: str) -> None:
    """Show imports, exports, sections and sizes of a module."""
    from wasmetal.cli import inspect as command

    command.inspect(file)


@wasmetal.command()
@click.argument("file")
def validate(file: str) -> None:
    """Check that a file is a valid module."""
    from wasmetal.cli import inspect as command

    command.validate(file)


@wasmetal.command()
def backends() -> None:
    """Show the installed backends, and which one this machine gets."""
    from wasmetal.cli import inspect as command

    command.backends()


@wasmetal.command()
@click.argument("file")
@click.argument("function", metavar="FUNC")
def ir(file: str, function: str) -> None:
    """Show the intermediate representation of a function (by index or name), before optimisation."""
    from wasmetal.cli import code as command

    command.ir(file, function)


@wasmetal.command()
@click.argument("file")
@click.argument("function", metavar="FUNC")
def disasm(file: str, function: str) -> None:
    """Show the machine code of a function (by index or name)."""
    from wasmetal.cli import code as command

    command.disasm(file, function)
