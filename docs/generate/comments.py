"""Lets the reference have what stands in `#:` comments above variables, where there is no docstring."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import griffe


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


class Comments(griffe.Extension):
    """Asked about every variable that is found in the source."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Take the comment right above, if it is one."""
        if attr.docstring is not None or attr.lineno is None or not isinstance(attr.filepath, Path):
            return
        lines = _lines(attr.filepath)
        start = end = attr.lineno - 1
        while start and lines[start - 1].lstrip().startswith("#:"):
            start -= 1
        text = "\n".join(line.strip().removeprefix("#:").strip() for line in lines[start:end])
        if text:
            attr.docstring = griffe.Docstring(text, lineno=start + 1, parent=attr)
