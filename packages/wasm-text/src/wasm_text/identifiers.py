"""Identifiers for printed modules: from names where there are any, made up otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

#: What an identifier can be without quotation marks.
_PLAIN: Final = re.compile(r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]+")
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f\x7f]')


def name_literal(name: str) -> str:
    """The string literal for a name."""
    return '"' + _ESCAPED.sub(_escape, name) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    return "\\" + character if character in '"\\' else f"\\{ord(character):02x}"


def identifier(name: str) -> str:
    """The identifier for a name, which is not empty."""
    return "$" + (name if _PLAIN.fullmatch(name) else name_literal(name))


class Identifiers:
    """The identifiers of one index space."""

    __slots__ = ("_declarations", "_names")

    def __init__(self, count: int, names: Mapping[int, str], others: Mapping[int, str], prefix: str) -> None:
        """Choose identifiers.

        Args:
            count: How many things there are.
            names: The names that things have.
            others: What those without a name may be called.
            prefix: What those without either are called, with their number behind it; "" leaves the number alone.
        """
        self._names: Final[list[str]] = []
        self._declarations: Final[list[str]] = []
        taken = set(names.values())
        used: set[str] = set()
        numbers: dict[str, int] = {}
        for index in range(count):
            own = names.get(index)
            wanted = own or others.get(index) or (f"{prefix}{index}" if prefix else "")
            if not wanted:
                self._names.append(str(index))
                self._declarations.append(f"(;{index};)")
                continue
            # Names in the name section need not be unique.
            found = wanted
            number = numbers.get(wanted, 0)
            while found in used or (found in taken and found != own):
                number += 1
                found = f"{wanted}#{number}"
            numbers[wanted] = number
            used.add(found)
            text = identifier(found)
            self._names.append(text)
            if own is not None and found != own:
                text += f" (@name {name_literal(own)})"
            self._declarations.append(text)

    def __len__(self) -> int:
        return len(self._names)

    def use(self, index: int) -> str:
        """How something is referred to."""
        return self._names[index] if index < len(self._names) else str(index)

    def declaration(self, index: int) -> str:
        """What stands after the keyword where something is declared."""
        return self._declarations[index] if index < len(self._declarations) else ""
