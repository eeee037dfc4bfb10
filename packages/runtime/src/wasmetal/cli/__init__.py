"""The command line. Needs click (`pip install wasmetal[cli]`), but for running programs (`quick`).

May import all other rooms; none imports it.
"""

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
    from wasmetal.cli.dispatch import run_command

    return run_command(sys.argv[1:] if args is None else args)
