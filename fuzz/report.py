"""What a target tells about one case."""

from __future__ import annotations

import attrs


@attrs.define
class Report:
    """The outcome of one case."""

    #: What is wrong; "" if nothing.
    find: str = ""
    functions: int = 0
    calls: int = 0
    instructions: int = 0
    #: The name of a kind of outcome that is worth counting.
    kind: str = ""
