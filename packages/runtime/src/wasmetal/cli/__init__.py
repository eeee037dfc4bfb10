"""The command line. Needs click (`pip install wasmetal[cli]`), which is imported only when a command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        args: The arguments without the program's name; those of the process if None.

    Returns:
        The exit code: the program's own, or one of `wasmetal.cli.failures`.
    """
    try:
        import click  # noqa: F401
    except ModuleNotFoundError:
        print("wasmetal: the command line needs click: pip install 'wasmetal[cli]'", file=sys.stderr)
        return 1
    from wasmetal.cli.failures import run_command

    return run_command(args)
