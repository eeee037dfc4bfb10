"""Going through tokens: what the rules of the grammar have in common."""

from __future__ import annotations

from array import array
from typing import Final

from wasm_core.quoting import closest
from wasm_text import numbers
from wasm_text.errors import TextError
from wasm_text.keywords import is_token, keywords
from wasm_text.numbers import NumberError
from wasm_text.spaces import IndexSpace
from wasm_text.strings import StringError, decode_name, decode_string
from wasm_text.tokens import END, IDENTIFIER, LEFT, NUMBER, QUOTED, RESERVED, RIGHT, STRING, WORD, Tokens

#: What an index may be.
_INDEX: Final = (NUMBER, IDENTIFIER, QUOTED)


class Reader:
    """A place in a sequence of tokens.

    Methods that read something leave `pos` behind it, and raise TextError if something else is there.
    """

    __slots__ = ("ends", "kinds", "pos", "starts", "text", "tokens")

    def __init__(self, tokens: Tokens, pos: int = 0) -> None:
        self.tokens: Final = tokens
        self.text: Final = tokens.text
        self.kinds: Final[bytearray] = tokens.kinds
        self.starts: Final[array[int]] = tokens.starts
        self.ends: Final[array[int]] = tokens.ends
        #: Number of the next token.
        self.pos = pos

    def word(self, index: int) -> str:
        """The text of a token."""
        return self.text[self.starts[index] : self.ends[index]]

    # What comes next.

    def at_word(self, word: str) -> bool:
        """Whether a certain keyword comes next."""
        pos = self.pos
        return self.kinds[pos] == WORD and self.word(pos) == word

    def opens(self, word: str) -> bool:
        """Whether "(" and a certain keyword come next."""
        pos = self.pos
        return self.kinds[pos] == LEFT and self.kinds[pos + 1] == WORD and self.word(pos + 1) == word

    def opened_word(self) -> str:
        """The keyword after the "(" that comes next, or ""."""
        pos = self.pos
        return self.word(pos + 1) if self.kinds[pos] == LEFT and self.kinds[pos + 1] == WORD else ""

    def at_index(self) -> bool:
        """Whether a number or an identifier comes next."""
        kind = self.kinds[self.pos]
        return kind in _INDEX

    # Reading.

    def enter(self, word: str) -> None:
        """Read "(" and a keyword."""
        if not self.opens(word):
            raise self.unexpected(f"({word}")
        self.pos += 2

    def accept(self, word: str) -> bool:
        """Read a keyword, if that is what comes next."""
        if self.at_word(word):
            self.pos += 1
            return True
        return False

    def accept_open(self, word: str) -> bool:
        """Read "(" and a keyword, if that is what comes next."""
        if self.opens(word):
            self.pos += 2
            return True
        return False

    def close(self) -> None:
        """Read ")"."""
        if self.kinds[self.pos] != RIGHT:
            raise self.unexpected('")"')
        self.pos += 1

    def keyword(self, expected: str = "a keyword") -> str:
        """Read any word."""
        if self.kinds[self.pos] != WORD:
            raise self.unexpected(expected)
        self.pos += 1
        return self.word(self.pos - 1)

    def identifier_text(self, index: int) -> str:
        """The characters of an identifier, which may be in quotation marks, without the "$"."""
        word = self.word(index)
        if self.kinds[index] == IDENTIFIER:
            return word[1:]
        try:
            name = decode_name(word)
        except StringError as error:
            raise self.error(error.message, index) from None
        if not name:
            raise self.error("empty identifier", index)
        return name

    def identifier(self) -> str | None:
        """Read an identifier, if one comes next."""
        kind = self.kinds[self.pos]
        if kind != IDENTIFIER and kind != QUOTED:
            return None
        self.pos += 1
        return self.identifier_text(self.pos - 1)

    def string(self) -> bytes:
        """Read a string."""
        if self.kinds[self.pos] != STRING:
            raise self.unexpected("a string")
        try:
            data = decode_string(self.word(self.pos))
        except StringError as error:
            raise self.error(error.message, self.pos) from None
        self.pos += 1
        return data

    def strings(self) -> bytes:
        """Read as many strings as there are."""
        parts = []
        while self.kinds[self.pos] == STRING:
            parts.append(self.string())
        return b"".join(parts)

    def name(self) -> str:
        """Read a string that is a name."""
        try:
            return self.string().decode()
        except UnicodeDecodeError:
            raise self.error("malformed UTF-8 encoding", self.pos - 1) from None

    def unsigned(self, bits: int, what: str = "") -> int:
        """Read an unsigned number of so many bits; `what` it is, if not a constant of the type with these bits."""
        if self.kinds[self.pos] != NUMBER:
            raise self.unexpected("a number")
        try:
            value = numbers.unsigned(self.word(self.pos), bits)
        except NumberError:
            raise self.error(f"{what or f'i{bits} constant'} out of range", self.pos) from None
        if value is None:
            raise self.unexpected("an unsigned number")
        self.pos += 1
        return value

    def index(self, space: IndexSpace) -> int:
        """Read a number or an identifier that stands for something in an index space."""
        if self.kinds[self.pos] == NUMBER:
            return self.unsigned(32)
        if not self.at_index():
            raise self.unexpected(f"the number or identifier of a {space.unknown}")
        name = self.identifier_text(self.pos)
        found = space.indices.get(name)
        if found is None:
            raise self.unknown(space.unknown, name, list(space.indices))
        self.pos += 1
        return found

    def optional_index(self, space: IndexSpace) -> int:
        """Read an index if there is one; 0 stands for none."""
        return self.index(space) if self.at_index() else 0

    def declare(self, space: IndexSpace, name: str | None, at: int) -> int:
        """Number something new, whose identifier (if it has one) is token `at`."""
        index = space.count
        space.count = index + 1
        if name is not None:
            if name in space.indices:
                raise self.error(f"duplicate {space.kind} {self.word(at)}", at)
            space.indices[name] = index
            space.debug_names[index] = name
        return index

    def skip(self) -> None:
        """Read everything up to the ")" that belongs to the "(" that comes next."""
        kinds = self.kinds
        pos = self.pos
        depth = 0
        while True:
            kind = kinds[pos]
            if kind == LEFT:
                depth += 1
            elif kind == RIGHT:
                depth -= 1
                if depth == 0:
                    break
            elif kind == END:
                raise self.error('unexpected end: this "(" is not closed', self.pos)
            pos += 1
        self.pos = pos + 1

    # Errors.

    def error(self, message: str, index: int, expected: str = "", suggestion: str = "") -> TextError:
        """An error about a token."""
        return self.tokens.error(message, index, expected, suggestion)

    def unknown(self, what: str, name: str, choices: list[str]) -> TextError:
        """An error about the identifier that comes next, which stands for nothing."""
        similar = closest(name, choices)
        return self.error(f"unknown {what} {self.word(self.pos)}", self.pos, "", f"${similar}" if similar else "")

    def unexpected(self, expected: str = "") -> TextError:
        """An error about the next token, which cannot stand there, or is no token at all."""
        pos = self.pos
        if self.kinds[pos] == LEFT and self.kinds[pos + 1] in (WORD, RESERVED):
            # A keyword with a parenthesis: that is what to show.
            if self.kinds[pos + 1] == RESERVED or not is_token(self.word(pos + 1)):
                return self.unknown_operator(pos + 1)
            return self.error(f"unexpected token ({self.word(pos + 1)}", pos, expected)
        kind = self.kinds[pos]
        if kind == END:
            return self.error("unexpected token: the text ends here", pos, expected)
        word = self.word(pos)
        if kind == RESERVED or (kind in (WORD, NUMBER) and not is_token(word)):
            return self.unknown_operator(pos, expected)
        return self.error(f"unexpected token {word if len(word) < 60 else word[:57] + '...'}", pos, expected)

    def unknown_operator(self, index: int, expected: str = "") -> TextError:
        """An error about a word that has no meaning."""
        word = self.word(index)
        similar = _OLD_NAMES.get(word) or (closest(word, keywords()) if "a" <= word[0] <= "z" else "")
        return self.error(f"unknown operator {word}", index, expected, similar)


#: Words of drafts of the standard, which are in old texts still.
_OLD_NAMES: Final = {
    "get_local": "local.get",
    "set_local": "local.set",
    "tee_local": "local.tee",
    "get_global": "global.get",
    "set_global": "global.set",
    "current_memory": "memory.size",
    "grow_memory": "memory.grow",
    "anyfunc": "funcref",
}
