"""`wasmetal run` in its usual forms, without click, which takes as long to import as all the rest of a short program.

Whatever is not plain here (help, wrong usage, options with units, completion) is left to click.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: Options that may be repeated, and which parameter of `commands.run` has their values.
_REPEATED: Final = {"--dir": "directories", "--env": "environment", "--listen": "addresses", "--stub": "stubs"}
_SWITCHES: Final = {
    "--cache": ("cache", True),
    "--no-cache": ("cache", False),
    "--allow-precompiled": ("precompiled", True),
}


def parse_run(args: Sequence[str]) -> dict[str, Any] | None:
    """What click would call `commands.run` with; None where that is for click to say."""
    if not args or args[0] != "run" or "_WASMETAL_COMPLETE" in os.environ:
        return None
    given: dict[str, Any] = {"max_memory": None, "timeout": None, "invoke": None, "cache": True, "precompiled": False}
    given |= dict.fromkeys(_REPEATED.values(), ())
    at = 1
    while at < len(args) and args[at].startswith("-"):
        option, equals, value = args[at].partition("=")
        at += 1
        if option in _SWITCHES and not equals:
            name, value_of_switch = _SWITCHES[option]
            given[name] = value_of_switch
            continue
        if option not in _REPEATED and option != "--invoke":
            return None
        if not equals:
            if at == len(args) or args[at].startswith("-"):
                return None
            value = args[at]
            at += 1
        if option == "--invoke":
            given["invoke"] = value
        else:
            given[_REPEATED[option]] += (value,)
    if at == len(args):
        return None
    return given | {"file": args[at], "args": tuple(args[at + 1 :])}


def run(given: dict[str, Any]) -> int:
    """Run what `parse_run` found. Raises click.UsageError."""
    from wasmetal.cli import run as command

    surroundings = command.Surroundings(**{name: given.pop(name) for name in _REPEATED.values()})
    return command.run(given.pop("file"), given.pop("args"), surroundings, **given)
