"""`wasmetal wast`: runs scripts of the specification's test suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import click

from wasm_core.errors import WasmError
from wasm_core.features import Features
from wasmetal.cli.failures import Failure, read_content
from wasmetal.cli.script import Script
from wasmetal.config import Config
from wasmetal.text import ADVICE

_STANDARDS: Final[Mapping[str, Callable[[], Features]]] = {
    "": Features.default,
    "1.0": Features.wasm_1_0,
    "2.0": Features.wasm_2_0,
    "3.0": Features.wasm_3_0,
}


def wast(files: tuple[str, ...], standard: str) -> int:
    """Run some scripts; the exit code. `standard` is a version of WebAssembly, or "" for everything that is on."""
    try:
        from wasm_text import parse_script
    except ModuleNotFoundError as error:
        if error.name != "wasm_text":
            raise
        raise Failure(ADVICE) from None
    failed = False
    for file in files:
        name = "<stdin>" if file == "-" else file
        try:
            commands = parse_script(read_content(file), file=name)
        except WasmError as error:
            first, *more = str(error).splitlines()
            raise Failure(first, more=more) from error
        script = Script(Config(features=_STANDARDS[standard]()))
        for command in commands:
            problem = script.run(command)
            if problem:
                click.echo(f"{name}:{command.line}: {command.kind}: {problem}")
        failed = failed or script.failed > 0
        unsupported = f", {script.unsupported} not supported" if script.unsupported else ""
        click.echo(f"{name}: {script.passed} passed, {script.failed} failed{unsupported}")
    return 1 if failed else 0
