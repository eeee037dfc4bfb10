"""The lexer: text to kinds and offsets of tokens (core specification, section "Text Format", "Lexical Format").

One regular expression finds each token together with the space before it. Annotations are taken out of the sequence of
tokens and kept apart, so that the grammar need not know where they may stand.
"""

from __future__ import annotations

import re
from array import array
from typing import Final

from wasm_text.errors import TextError, error_at

# Kinds of tokens, numbered as the groups of the regular expression.
LEFT: Final = 1
RIGHT: Final = 2
#: A word that starts with a small letter. Whether it is a keyword is for the grammar to say ("nan" and "inf" are not).
WORD: Final = 3
#: A word that starts with "$".
IDENTIFIER: Final = 4
#: A word that starts with a digit or a sign, whether it is a number or not.
NUMBER: Final = 5
STRING: Final = 6
#: An identifier in quotation marks: $"...".
QUOTED: Final = 7
#: What has the form of a token, but is none (yet).
RESERVED: Final = 8
_ANNOTATION: Final = 9
_NO_ANNOTATION: Final = 10
_COMMENT: Final = 11
#: The end of the text.
END: Final = 12

_CHARACTER: Final = r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]"
_STRING: Final = r'"(?:[^"\\\x00-\x1f\x7f]++|\\.)*+"'
_RESERVED: Final = rf"(?:{_CHARACTER}++|[,\[\]{{}}]|;(?!;)|{_STRING})"
#: What must not follow a token: together they would be one token, which is reserved.
_APART: Final = rf"(?!{_RESERVED})"
_COMMENT_WITHOUT_COMMENTS: Final = r"\(;[^(;]*+(?:(?:;(?!\))|\((?!;))[^(;]*+)*+;\)"
_TOKEN: Final = re.compile(
    rf"(?:[ \t\n\r]++|;;[^\n\r]*+|{_COMMENT_WITHOUT_COMMENTS})*+"
    rf"(?:(\((?![;@]))|(\))|([a-z]{_CHARACTER}*+){_APART}|(\${_CHARACTER}++){_APART}|([0-9+\-]{_CHARACTER}*+){_APART}"
    rf"|({_STRING}){_APART}|(\${_STRING}){_APART}|({_RESERVED}++)|(\(@(?:{_CHARACTER}++|{_STRING}))|(\(@)|(\(;)|(\Z)"
    r"|([\s\S]))"
)
_COMMENT_EDGE: Final = re.compile(r"\(;|;\)")


class Annotation:
    """An annotation `(@name ...)`: `text[start:end]`, parentheses included (appendix "Annotations")."""

    __slots__ = ("end", "name", "start")

    def __init__(self, name: str, start: int, end: int) -> None:
        #: The name as it is written: `custom`, or `"a b"`.
        self.name: Final = name
        self.start: Final = start
        self.end: Final = end


class Tokens:
    """The tokens of a text."""

    __slots__ = ("annotation_places", "annotations", "count", "ends", "file", "kinds", "starts", "text")

    def __init__(self, text: str, file: str | None = None, base: int = 0, end: int | None = None) -> None:
        """Find the tokens of `text[base:end]`.

        Raises:
            TextError: There is something that cannot be part of a token, or a string, comment or annotation is not
                closed.
        """
        self.text: Final = text
        self.file: Final = file
        #: One of the constants above for every token; three times END follows the last.
        self.kinds: Final = bytearray()
        #: Where tokens start and end in the text.
        self.starts: Final = array("Q")
        self.ends: Final = array("Q")
        #: By the number of the token that comes next.
        self.annotations: Final[dict[int, list[Annotation]]] = {}
        #: The keys of that, ascending.
        self.annotation_places: Final[list[int]] = []
        self._find(base, len(text) if end is None else end)
        #: Number of tokens.
        self.count: Final = len(self.kinds)
        for _ in range(3):
            self._add(END, len(text) if end is None else end, len(text) if end is None else end)

    def _add(self, kind: int, start: int, end: int) -> None:
        self.kinds.append(kind)
        self.starts.append(start)
        self.ends.append(end)

    def _find(self, position: int, limit: int) -> None:
        text = self.text
        add_kind = self.kinds.append
        add_start = self.starts.append
        add_end = self.ends.append
        # How many parentheses are open within an annotation, where it starts, and its name; 0 outside of one.
        depth = 0
        opened: list[int] = []
        name = ""
        while True:
            restart = -1
            for match in _TOKEN.finditer(text, position, limit):
                kind = match.lastindex
                assert kind is not None
                if kind < RESERVED and not depth:
                    add_kind(kind)
                    add_start(match.start(kind))
                    add_end(match.end())
                    continue
                start = match.start(kind)
                if kind == _COMMENT:
                    restart = self._end_of_comment(start, limit)
                    break
                if kind == END:
                    if depth:
                        raise self.error_between("unclosed annotation", opened[0], opened[0] + 2)
                    return
                if kind > END:
                    raise self._illegal(start, limit)
                if kind == _NO_ANNOTATION:
                    # Within an annotation any word may come, one of a single "@" too.
                    if not depth:
                        raise self.error_between("empty annotation id", start, start + 2)
                    depth += 1
                elif kind == _ANNOTATION:
                    if text[start + 2 : match.end()] == '""':
                        raise self.error_between("empty annotation id", start, match.end())
                    if not depth:
                        name = text[start + 2 : match.end()]
                        if name[0] == '"':
                            self._check_name(name, start, match.end())
                        opened.append(start)
                    depth += 1
                elif not depth:
                    word = text[start : match.end()]
                    if word == "$":
                        raise self.error_between("empty identifier", start, start + 1)
                    add_kind(kind)
                    add_start(start)
                    add_end(match.end())
                elif kind == LEFT:
                    depth += 1
                elif kind == RIGHT:
                    depth -= 1
                    if not depth:
                        found = Annotation(name, opened.pop(), match.end())
                        number = len(self.kinds)
                        if number not in self.annotations:
                            self.annotations[number] = []
                            self.annotation_places.append(number)
                        self.annotations[number].append(found)
            if restart < 0:
                return
            position = restart

    def _end_of_comment(self, start: int, limit: int) -> int:
        """Where a block comment ends that may have others in it."""
        depth = 0
        for match in _COMMENT_EDGE.finditer(self.text, start, limit):
            depth += 1 if match.group() == "(;" else -1
            if not depth:
                return match.end()
        raise self.error_between("unclosed comment", start, start + 2)

    def _check_name(self, name: str, start: int, end: int) -> None:
        from wasm_text.strings import StringError, decode_name

        try:
            decode_name(name)
        except StringError as error:
            raise self.error_between(error.message, start, end) from None

    def _illegal(self, start: int, limit: int) -> TextError:
        """What to say of a character that cannot start a token."""
        character = self.text[start]
        if character != '"':
            return self.error_between(f"illegal character {character!a}", start, start + 1)
        match = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\.)*').match(self.text, start, limit)
        end = limit if match is None else match.end()
        if end >= limit or self.text[end] in "\n\r" or self.text[end] == "\\":
            return self.error_between("unclosed string", start, end)
        return self.error_between(f"illegal character {self.text[end]!a} in a string", end, end + 1)

    def word(self, index: int) -> str:
        """The text of a token."""
        return self.text[self.starts[index] : self.ends[index]]

    def error(self, message: str, index: int, expected: str = "", suggestion: str = "") -> TextError:
        """An error about a token."""
        return error_at(message, self.text, self.starts[index], self.ends[index], self.file, expected, suggestion)

    def error_between(self, message: str, start: int, end: int) -> TextError:
        """An error about a part of the text."""
        return error_at(message, self.text, start, end, self.file)
