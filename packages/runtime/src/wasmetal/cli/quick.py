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
_REPEATED: Final = {
    "--dir": "directories",
    "--env": "environment",
    "--listen": "addresses",
    "--preload": "preloads",
    "--stub": "stubs",
}
#: All options that have a value.
_WITH_VALUE: Final = frozenset({*_REPEATED, "--backend", "--fuel", "--invoke", "--max-memory", "--timeout"})
_SWITCHES: Final = {
    "--cache": ("cache", True),
    "--no-cache": ("cache", False),
    "--allow-precompiled": ("precompiled", True),
}


def written_out(args: Sequence[str]) -> list[str]:
    """Arguments with what may be left out: `run` before a file, and "*" for a `--stub` that names no module."""
    args = list(args)
    if args and (args[0] == "-" or (not args[0].startswith("-") and any(sign in args[0] for sign in f"./{os.sep}"))):
        # No command has a dot or a slash.
        args.insert(0, "run")
    if args[:1] != ["run"]:
        return args
    at = 1
    while at < len(args) and args[at].startswith("-") and args[at] not in ("-", "--"):
        if args[at] == "--stub" and (at + 1 == len(args) or args[at + 1].startswith("-") or _is_file(args[at + 1])):
            args[at] = "--stub=*"
        at += 2 if args[at] in _WITH_VALUE else 1
    return args


def _is_file(name: str) -> bool:
    return name.endswith((".wasm", ".wat", ".cwasm"))


def parse_run(args: Sequence[str]) -> dict[str, Any] | None:
    """What click would call `commands.run` with; None where that is for click to say."""
    if not args or args[0] != "run" or "_WASMETAL_COMPLETE" in os.environ:
        return None
    given: dict[str, Any] = {"max_memory": None, "timeout": None, "invoke": None, "backend": None, "fuel": None}
    given |= {"cache": True, "precompiled": False}
    given |= dict.fromkeys(_REPEATED.values(), ())
    at = 1
    while at < len(args) and args[at].startswith("-"):
        option, equals, value = args[at].partition("=")
        at += 1
        if option in _SWITCHES and not equals:
            name, value_of_switch = _SWITCHES[option]
            given[name] = value_of_switch
            continue
        if option not in _REPEATED and option not in ("--backend", "--invoke"):
            return None
        if not equals:
            if at == len(args) or args[at].startswith("-"):
                return None
            value = args[at]
            at += 1
        if option in _REPEATED:
            given[_REPEATED[option]] += (value,)
        else:
            given[option.removeprefix("--")] = value
    if at == len(args):
        return None
    return given | {"file": args[at], "args": tuple(args[at + 1 :])}


def run(given: dict[str, Any]) -> int:
    """Run what `parse_run` found. Raises click.UsageError."""
    from wasmetal.cli import run as command

    surroundings = command.Surroundings(**{name: given.pop(name) for name in _REPEATED.values()})
    return command.run(given.pop("file"), given.pop("args"), surroundings, **given)
