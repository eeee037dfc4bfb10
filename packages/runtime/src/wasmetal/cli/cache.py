"""`wasmetal cache`: the cache that `wasmetal run` uses."""

from __future__ import annotations

import click

from wasmetal.cli.failures import Failure
from wasmetal.code.cache import CodeCache, default_directory
from wasmetal.config import Config


def _cache() -> CodeCache:
    return CodeCache(default_directory(), Config().cache_limit)


def show() -> None:
    """Print where the cache is and what is in it."""
    state = _cache().state()
    click.echo(f"directory: {state.directory}{f' (not used: {state.refusal})' if state.refusal else ''}")
    click.echo(f"entries: {state.entries:,}")
    click.echo(f"size: {state.size:,} bytes")
    click.echo(f"limit: {state.limit:,} bytes")


def clear() -> None:
    """Remove everything."""
    cache = _cache()
    refusal = cache.refusal()
    if refusal:
        raise Failure(f"{cache.directory}: {refusal}")
    try:
        count = cache.clear()
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    click.echo(f"{count:,} entries removed")
