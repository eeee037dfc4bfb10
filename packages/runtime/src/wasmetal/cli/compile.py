"""`wasmetal compile`: compile all functions of a module, into the cache or a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from wasm_core.decoder import decode
from wasm_core.errors import WasmError
from wasm_core.validator import validate_module
from wasmetal.cli.failures import Failure, about, read_with_places
from wasmetal.compiled import precompiled
from wasmetal.compiled.compiled_module import frontend_options
from wasmetal.config import Config
from wasmetal.engine import Engine
from wasmetal.registry import backends as registry

if TYPE_CHECKING:
    from wasmetal.cli.places import Places


@contextlib.contextmanager
def _progress(file: str) -> Iterator[precompiled.Progress | None]:
    """A bar on stderr while functions are compiled, if somebody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(os.path.basename(file), total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def compile_file(file: str, output: str | None, target: str | None) -> None:
    """Compile a file for this machine, or for the one that a backend is for."""
    if output is None and target is not None:
        raise click.UsageError("--target needs -o: the cache is for this machine")
    source, places = read_with_places(file)
    if output is None:
        _into_cache(file, source, places)
        return
    try:
        backend = registry.select(target or "auto", to_run=target is None)()
    except WasmError as error:
        raise Failure(str(error)) from None
    with about(file, places):
        config = Config()
        features = config.features
        options = frontend_options(config, backend, explicit_bounds=False, listener=None)
        module = decode(source, features)
        validate_module(module, features)
        with _progress(file) as progress:
            blobs = precompiled.compile_all(module, features, backend, options, progress)
        content = precompiled.serialize(source, features, backend, options, blobs)
    try:
        with open(output, "wb") as made:
            made.write(content)
    except OSError as error:
        raise Failure(f"{output}: {error.strerror or error}") from None
    click.echo(f"{output}: {len(blobs):,} functions for {backend.name}, {len(content):,} bytes")


def _into_cache(file: str, source: bytes, places: Places | None) -> None:
    with about(file, places):
        code = Engine(Config(cache=True)).compile(source).code
        with _progress(file) as progress:
            code.compile_all(progress)
        if not code.save():
            raise Failure("the cache cannot be written to: see wasmetal cache")
    click.echo(f"{file}: {len(code.module.body_starts):,} functions in the cache, {code.code_bytes:,} bytes of code")
