"""Pages on their way from the repository to the site: links that lead out of docs/, and what is generated."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs.generate import command_line, lists, pictures

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = "https://github.com/wasmetal/wasmetal"

#: Pages of the site that are at the top of the repository.
FROM_THE_TOP: Final = {
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}


def _in_a_block(made: Callable[[], str]) -> Callable[[], str]:
    return lambda: f"<div>{made()}</div>"


#: What stands for `<!-- generated: NAME -->` on a page.
GENERATED: Final[dict[str, Callable[[], str]]] = {
    "commands": command_line.commands,
    "exit codes": command_line.exit_codes,
    "exceptions": lists.exceptions,
    "trap codes": lists.trap_codes,
    "settings": lists.settings,
    "features": lists.features,
    "context": lambda: lists.layout("CONTEXT"),
    "store": lambda: lists.layout("STORE"),
    "steps of a loop": lambda: lists.steps("loop"),
    "packages": _in_a_block(pictures.packages),
    "rooms": _in_a_block(pictures.rooms),
}

_MARK: Final = re.compile(r"^<!-- generated: (.+) -->$", re.MULTILINE)
_LINK: Final = re.compile(r"(\[[^\]]*\]\()([^)\s#]+)((?:#[^)\s]*)?\))")


def marks(text: str) -> list[str]:
    """What a page wants to be generated."""
    return _MARK.findall(text)


def for_the_site(text: str, page: str) -> str:
    """A page as the site shows it.

    Args:
        text: Markdown.
        page: Its place in docs/; of those in `FROM_THE_TOP`, the place that the site gives it.
    """
    here = posixpath.dirname(f"docs/{page}") if page not in FROM_THE_TOP else ""
    at = posixpath.dirname(page)
    tops = {name: place for place, name in FROM_THE_TOP.items()}

    def link(match: re.Match[str]) -> str:
        start, target, end = match.groups()
        if ":" in target:
            return match[0]
        path = posixpath.normpath(posixpath.join(here, target))
        if path in tops:
            found = posixpath.relpath(tops[path], at or ".")
        elif path.startswith("docs/"):
            found = posixpath.relpath(path.removeprefix("docs/"), at or ".")
        else:
            found = f"{SOURCE}/{'tree' if (ROOT / path).is_dir() else 'blob'}/main/{path}"
        return f"{start}{found}{end}"

    return _MARK.sub(lambda match: GENERATED[match[1]](), _LINK.sub(link, text))
