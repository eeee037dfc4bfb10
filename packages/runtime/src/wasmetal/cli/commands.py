"""The commands and their options. What they do stands in one module each, imported when the command runs."""

from __future__ import annotations

import re
from typing import Final

import click
from click.shell_completion import CompletionItem

from wasmetal import __version__
from wasmetal.config import MAX_FUEL

#: Distributions that `--version` names where they are installed.
_PACKAGES: Final = ("wasm-core", "wasm-ir", "wasm-wasi", "wasm-text")
_TIMES: Final = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def _print_version(context: click.Context, option: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    import importlib.metadata
    import platform

    from wasmetal.registry.backends import backends

    click.echo(f"wasmetal {__version__}")
    for package in _PACKAGES:
        try:
            click.echo(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    chosen = next((backend for backend in backends() if backend.selected), None)
    name = f"{chosen.name} ({chosen.distribution} {chosen.version})" if chosen else "none for this machine"
    click.echo(f"backend {name}")
    click.echo(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}, {platform.machine()}"
    )
    context.exit()


def _size(context: click.Context, option: click.Parameter, value: str | None) -> int | None:
    """A number of bytes, with a unit if there is one: 1000000, 64MiB, 2G (units are powers of 1024)."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", value.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size, such as 64MiB or 2G")
    return int(match[1]) * _UNITS[match[2].lower()]


def _seconds(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """A time in seconds, or with a unit: 2.5, 300ms, 90s, 5m, 1h."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(ms|s|m|h|)", value.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a time, such as 2.5 (seconds), 300ms, 90s, 5m or 1h")
    return float(match[1]) * _TIMES[match[2].lower()]


def _complete_function(context: click.Context, argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The functions of the file in front; nothing where there is none to be read."""
    from wasmetal.cli.completion import function_names

    file = context.params.get("file")
    if not isinstance(file, str):
        return []
    return [CompletionItem(name) for name in function_names(file) if name.startswith(incomplete)]


_FILE: Final = click.Path()
_TARGET: Final = click.option("--target", metavar="NAME", help="Code for another machine, by the name of its backend.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  wasmetal program.wasm one two           run a program
  wasmetal run --dir . program.wasm       the same, and let it use files
  wasmetal inspect library.wasm           see what a module offers
  wasmetal run --invoke add library.wasm 1 2
  wasmetal COMMAND --help                 more about a command

\b
Completion of commands, options, files and functions in bash (or zsh, fish):
  eval "$(_WASMETAL_COMPLETE=bash_source wasmetal)"
""",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the versions of the packages and the backend.",
)
def wasmetal() -> None:
    """WebAssembly, compiled to machine code by Python."""


# Everything behind FILE belongs to the program, also what looks like an option.
@wasmetal.command(
    context_settings={"allow_interspersed_args": False},
    epilog="""\b
Examples:
  wasmetal run program.wasm --verbose input.txt
  wasmetal run --dir . program.wasm input.txt
  wasmetal run --dir /srv/data::/data --env LANG=C program.wasm /data/input.txt
  wasmetal run --max-memory 64MiB --listen 127.0.0.1:8080 server.wasm
  wasmetal run --preload env=library.wasm --timeout 5m program.wasm
  wasmetal run --invoke add library.wasm 1 2
  wasmetal program.wasm one two           the same as run program.wasm one two

\b
A program reaches no file, no variable and no address but those that it is
given. It has its standard streams. Options stand before FILE: what comes
behind it belongs to the program.
""",
)
@click.option(
    "--dir",
    "directories",
    multiple=True,
    metavar="HOST[::GUEST][:ro]",
    type=click.Path(),
    help="Let the program use a directory, under the name GUEST (else under its own); with :ro it cannot change it. "
    "May be repeated.",
)
@click.option(
    "--env",
    "environment",
    multiple=True,
    metavar="K[=V]",
    help="Set an environment variable; without =V to the value that it has here. May be repeated.",
)
@click.option(
    "--listen",
    "addresses",
    multiple=True,
    metavar="HOST:PORT",
    help="Listen at an address; the program finds the socket as the descriptor behind its directories (3 if it has "
    "none). May be repeated.",
)
@click.option(
    "--max-memory",
    callback=_size,
    metavar="SIZE",
    help="Most memory that the program may have, in bytes or with a unit: 64MiB, 2G. It is rounded down to pages of "
    "64 KiB.",
)
@click.option(
    "--timeout",
    callback=_seconds,
    metavar="TIME",
    help="End the program after so many seconds (looked at every 40 ms), or with a unit: 300ms, 90s, 5m, 1h; the exit "
    "code is 124 then. "
    "Compiling the functions that it calls counts too.",
)
@click.option(
    "--stub",
    "stubs",
    multiple=True,
    metavar="[MODULE]",
    help="Give FILE a stand-in for everything that it imports from MODULE: functions do nothing and return zeros. "
    "Without MODULE (or with *): for all imports that nothing else provides; calling one of these functions is a trap "
    "that names it. May be repeated.",
)
@click.option(
    "--preload",
    "preloads",
    multiple=True,
    metavar="NAME=FILE",
    help="Instantiate another module first, and let what it exports be imported from NAME. May be repeated; later ones "
    "import from earlier ones.",
)
@click.option(
    "--fuel",
    type=click.IntRange(0, MAX_FUEL),
    metavar="N",
    help="Let the code of each module do so much work (about as many instructions, the same on every machine); more is "
    "a trap. Code is some 8 % slower then.",
)
@click.option("--backend", metavar="NAME", help="Compile with this backend, see `backends`.")
@click.option(
    "--invoke",
    metavar="NAME",
    help="Call this export with ARGS as numbers, and print what it returns.",
)
@click.option("--cache/--no-cache", default=True, help="Keep compiled code for the next time, see `cache` (default).")
@click.option(
    "--allow-precompiled",
    "precompiled",
    is_flag=True,
    help="FILE is the output of compile. It is machine code, not confined in any way: only for files that you trust.",
)
@click.argument("file", type=_FILE)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(
    file: str,
    args: tuple[str, ...],
    directories: tuple[str, ...],
    environment: tuple[str, ...],
    addresses: tuple[str, ...],
    max_memory: int | None,
    timeout: float | None,
    stubs: tuple[str, ...],
    preloads: tuple[str, ...],
    backend: str | None,
    fuel: int | None,
    invoke: str | None,
    cache: bool,
    precompiled: bool,
) -> int:
    """Run a program; the exit code is its own.

    134 on a trap, 124 when --timeout ends it, 130 on Ctrl-C, 1 when FILE is not a valid module or cannot be linked, 2
    for wrong usage.
    """
    from wasmetal.cli import run as command

    surroundings = command.Surroundings(
        directories=directories, environment=environment, addresses=addresses, preloads=preloads, stubs=stubs
    )
    return command.run(
        file,
        args,
        surroundings,
        invoke=invoke,
        max_memory=max_memory,
        timeout=timeout,
        backend=backend,
        fuel=fuel,
        cache=cache,
        precompiled=precompiled,
    )


@wasmetal.command(
    "compile",
    epilog="""\b
Examples:
  wasmetal compile program.wasm
  wasmetal compile -o program.cwasm program.wasm && wasmetal run --allow-precompiled program.cwasm
""",
)
@click.option("-o", "output", metavar="OUT", type=click.Path(), help="Write a file; else the code goes to the cache.")
@click.option("--target", metavar="NAME", help="Compile for another machine, by the name of its backend; needs -o.")
@click.argument("file", type=_FILE)
def compile_(file: str, output: str | None, target: str | None) -> None:
    """Compile all functions of a module, so that nothing is left to compile when it runs.

    A file that is written with -o is good for this version of wasmetal, for processors with the same features. It is
    machine code: run it, or load it with wasmetal.Module.deserialize, only where you trust whoever made it.
    """
    from wasmetal.cli import compile as command

    command.compile_file(file, output, target)


@wasmetal.group(invoke_without_command=True)
@click.pass_context
def cache(context: click.Context) -> None:
    """Show the cache of compiled code: where it is, and how large."""
    if context.invoked_subcommand is None:
        context.invoke(cache_show)


@cache.command("show")
def cache_show() -> None:
    """Show where the cache is, and how large."""
    from wasmetal.cli import cache as command

    command.show()


@cache.command("clear")
def cache_clear() -> None:
    """Remove everything from the cache. Programs that are running go on."""
    from wasmetal.cli import cache as command

    command.clear()


@wasmetal.command(
    epilog="""\b
Examples:
  wasmetal inspect library.wasm
  wasmetal inspect library.wasm | grep '^  function'
  wasmetal inspect --json library.wasm | jq .features
"""
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@click.argument("file", type=_FILE)
def inspect(file: str, as_json: bool) -> None:
    """Show imports, exports, sections, sizes, producers and needed features of a module.

    Function bodies are read for the features that their instructions need, but not validated: validate does that.
    """
    from wasmetal.cli import inspect as command

    command.inspect(file, as_json)


@wasmetal.command(
    epilog="""\b
Example:
  wasmetal validate library.wasm && echo good
"""
)
@click.argument("file", type=_FILE)
def validate(file: str) -> None:
    """Check that a file is a valid module. Nothing of it is run.

    The exit code is 0 if it is, else 1, and a line says what is wrong at which byte.
    """
    from wasmetal.cli import inspect as command

    command.validate(file)


@wasmetal.command(
    epilog="""\b
Examples:
  wasmetal wat library.wasm
  wasmetal wat --offsets library.wasm > library.wat
"""
)
@click.option("--fold/--flat", default=True, help="Write operands in the parentheses of their instruction (default).")
@click.option("--offsets", is_flag=True, help="Write the offset in FILE of every instruction, as a comment.")
@click.option(
    "--names/--no-names", default=True, help="Make up identifiers for what has no name (default); else use numbers."
)
@click.argument("file", type=_FILE)
def wat(file: str, fold: bool, offsets: bool, names: bool) -> None:
    """Show a module in the text format. Needs wasm-text (pip install wasm-text).

    The output assembles to the same module again. FILE may be text too, which is laid out anew.
    """
    from wasmetal.cli import text as command

    command.wat(file, fold=fold, offsets=offsets, names=names)


@wasmetal.command(
    epilog="""\b
Examples:
  wasmetal wat2wasm library.wat
  wasmetal wat2wasm -o - library.wat | wasmetal validate -
"""
)
@click.option("-o", "output", metavar="OUT", type=click.Path(), help="The binary; else FILE with .wasm at the end.")
@click.argument("file", type=_FILE)
def wat2wasm(file: str, output: str | None) -> None:
    """Make a binary of a module in the text format. Needs wasm-text (pip install wasm-text).

    Whether the module is valid is not checked: validate does that, for text too.
    """
    from wasmetal.cli import text as command

    command.wat2wasm(file, output)


@wasmetal.command(
    epilog="""\b
Example:
  wasmetal wast testsuite/*.wast
"""
)
@click.option(
    "--standard",
    type=click.Choice(["1.0", "2.0", "3.0"]),
    help="The version of WebAssembly that the scripts are about; else all that is on by default.",
)
@click.argument("files", metavar="FILE...", type=_FILE, nargs=-1, required=True)
def wast(files: tuple[str, ...], standard: str | None) -> int:
    """Run scripts of the specification's test suite. Needs wasm-text (pip install wasm-text).

    A line tells of each command that failed, and one of each file how many passed. The exit code is 1 if any failed.
    """
    from wasmetal.cli import wast as command

    return command.wast(files, standard or "")


@wasmetal.command(
    epilog="""\b
Examples:
  wasmetal backends
  wasmetal backends --check
"""
)
@click.option("--check", is_flag=True, help="Try each that runs here: calls, traps, memory, threads and so on.")
def backends(check: bool) -> int:
    """Show the installed backends, and which one this machine gets.

    With --check the exit code is 1 if anything does not work as it should; what is printed then is what a report of it
    needs.
    """
    from wasmetal.cli import inspect as command

    command.backends()
    if not check:
        return 0
    from wasmetal.cli import check as checking

    return checking.check()


@wasmetal.command(
    epilog="""\b
Examples:
  wasmetal stubs library.wasm -o library_types.py
  wasmetal stubs --as-module library.wasm -o library.pyi
"""
)
@click.option("-o", "output", metavar="OUT", type=click.Path(), help="Write a file; else the types are printed.")
@click.option("--as-module", is_flag=True, help="A stub for what `import` makes of FILE with wasmetal.importer.")
@click.argument("file", type=_FILE)
def stubs(file: str, output: str | None, as_module: bool) -> None:
    """Write what a module exports and imports as types for type checkers and editors.

    Names of parameters are those of the module's name section.
    """
    from wasmetal.cli import stubs as command

    command.stubs(file, output, as_module)


_FUNCTION_EXAMPLES: Final = """\b
Examples:
  wasmetal {0} library.wasm add
  wasmetal {0} library.wasm 3
"""


@wasmetal.command(short_help="Show the IR of a function.", epilog=_FUNCTION_EXAMPLES.format("ir"))
@click.argument("file", type=_FILE)
@click.argument("function", metavar="FUNC", shell_complete=_complete_function)
def ir(file: str, function: str) -> None:
    """Show the intermediate representation of a function, before optimisation.

    FUNC is an index or a name: from the name section, or one that the function is exported by.
    """
    from wasmetal.cli import code as command

    command.ir(file, function)


@wasmetal.command(
    short_help="Show the machine code of functions.",
    epilog=_FUNCTION_EXAMPLES.format("disasm") + "  wasmetal disasm library.wasm | less\n",
)
@click.argument("file", type=_FILE)
@click.argument("function", metavar="[FUNC]", required=False, shell_complete=_complete_function)
@_TARGET
def disasm(file: str, function: str | None, target: str | None) -> int:
    """Show the machine code of a function, or of all, beside the places in FILE that it comes from.

    FUNC is an index or a name: from the name section, or one that the function is exported by. Instructions appear as
    text if capstone is installed (pip install capstone), else as bytes. The exit code is 1 if there is no code for one
    of the functions.
    """
    from wasmetal.cli import code as command

    return command.disasm(file, function, target)


@wasmetal.command(
    short_help="Show text, IR and machine code side by side in a web page.",
    epilog="""\b
Examples:
  wasmetal explore library.wasm               writes library.explore.html
  wasmetal explore -o page.html library.wat add
  wasmetal explore -o - library.wasm > page.html
""",
)
@click.option(
    "-o",
    "output",
    metavar="OUT",
    type=click.Path(),
    help="The page; else it goes to a file named like FILE, or to stdout where that is no terminal.",
)
@_TARGET
@click.argument("file", type=_FILE)
@click.argument("functions", metavar="[FUNC]...", nargs=-1, shell_complete=_complete_function)
def explore(file: str, functions: tuple[str, ...], output: str | None, target: str | None) -> None:
    """Write a web page with the WebAssembly, the IR and the machine code of functions side by side.

    What belongs together has one colour. The page needs no server and nothing from the network. FUNC is an index or a
    name; without it all functions are in the page, of a large module the first ones.
    """
    from wasmetal.cli import explore as command

    command.explore(file, functions, output, target)
