"""How text that a module chose stands in messages: cut off where it is long, and on one line of printable characters.

Names in a module may have megabytes, line breaks and terminal escapes. A message that repeats them as they are could be
of any size, forge lines of a traceback, or steer a terminal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Characters of a name that are shown.
MAX_QUOTED: Final = 120
#: Names that are listed.
MAX_LISTED: Final = 20
#: Names among which a similar one is looked for; that takes some 10 µs for each.
_MAX_CANDIDATES: Final = 10_000


def shown(text: str, limit: int = MAX_QUOTED) -> str:
    """Text from a module for a message, without quotation marks.

    Args:
        text: Any text, of any length.
        limit: How many of its characters are shown: "..." stands for the others.

    Returns:
        Printable characters only; every other one is escaped as in a Python literal (at most 10 for one).
    """
    if len(text) > limit:
        text = f"{text[: limit - 3]}..."
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else repr(c)[1:-1] for c in text])


def quoted(text: object, limit: int = MAX_QUOTED) -> str:
    """A name from a module for a message, as a Python literal that is cut off where it is long.

    Args:
        text: A name, or None.
        limit: How many of its characters are shown: "..." stands for the others.
    """
    if isinstance(text, str) and len(text) > limit:
        text = f"{text[: limit - 3]}..."
    return repr(text)


def listed(names: Collection[str], limit: int = MAX_LISTED) -> str:
    """Names from a module as `shown`, separated by commas: the first ones, and how many more there are."""
    some = ", ".join([shown(name) for name in islice(names, limit)])
    return some if len(names) <= limit else f"{some} and {len(names) - limit} more"


def similar(name: str, names: Iterable[str]) -> str:
    """The end of a message that a name is unknown: "; did you mean ...?", or nothing if none of `names` is like it."""
    close = closest(name, names)
    return f"; did you mean {close!r}?" if close else ""


def closest(name: str, names: Iterable[str]) -> str:
    """The one of `names` that is most like a name, or ""; nothing is looked for that would take long."""
    if len(name) > MAX_QUOTED:
        return ""
    import difflib  # when something is wrong already

    candidates = [other for other in islice(names, _MAX_CANDIDATES) if len(other) <= MAX_QUOTED]
    close = difflib.get_close_matches(name, candidates, n=1)
    return close[0] if close else ""
