"""Instructions, flat and folded (core specification, section "Text Format", "Instructions").

What is open (blocks, folded instructions) is a stack of states, so that depth costs no recursion.
"""

from __future__ import annotations

from array import array
from typing import Final

from wasm_core import opcodes as op
from wasm_text.body_reader import BodyReader
from wasm_text.errors import TextError
from wasm_text.immediates import Row, rows
from wasm_text.tokens import LEFT, RIGHT, WORD, Tokens

# What is open. Those up to _LAST_SEQUENCE contain instructions of any form.
#: A block that `end` closes; one of `if`, `try` and their parts.
_FLAT_BLOCK: Final = 1
_FLAT_IF: Final = 2
_FLAT_ELSE: Final = 3
_FLAT_TRY: Final = 4
_FLAT_CATCH: Final = 5
_FLAT_CATCH_ALL: Final = 6
#: (block ...)
_BLOCK: Final = 7
#: (if ... (then ...
_THEN: Final = 8
#: (if ... (else ...
_ELSE: Final = 9
#: (try (do ...
_DO: Final = 10
#: (try ... (catch ...
_CATCH: Final = 11
_CATCH_ALL: Final = 12
_LAST_SEQUENCE: Final = 12
#: (instruction ..., whose operands must be folded, too.
_FOLDED: Final = 13
#: (if ..., of which the condition may come, and (then must.
_CONDITION: Final = 14
#: (try, of which (do must come.
_TRY: Final = 15
#: (if ... (then ...) with or without (else ...).
_AFTER_THEN: Final = 16
_AFTER_ELSE: Final = 17
#: (try (do ...), with clauses.
_AFTER_DO: Final = 18
_AFTER_CATCH: Final = 19
_AFTER_CATCH_ALL: Final = 20

#: After the ")" that closes a part of `if` or `try`.
_AFTER: Final = {
    _THEN: _AFTER_THEN,
    _ELSE: _AFTER_ELSE,
    _DO: _AFTER_DO,
    _CATCH: _AFTER_CATCH,
    _CATCH_ALL: _AFTER_CATCH_ALL,
}
#: The instructions that are not just a name with immediates.
_STRUCTURE: Final = frozenset(
    {"block", "loop", "if", "else", "end", "try", "catch", "catch_all", "delegate", "try_table"}
)
_END: Final = bytes([op.END])
_ELSE_OPCODE: Final = bytes([op.ELSE])
#: What may come where a state wants something in particular.
_EXPECTED: Final = {
    _FOLDED: '"(" or ")"',
    _CONDITION: '"(then"',
    _TRY: '"(do"',
    _AFTER_THEN: '"(else" or ")"',
    _AFTER_ELSE: '")"',
    _AFTER_DO: '"(catch", "(catch_all", "(delegate" or ")"',
    _AFTER_CATCH: '"(catch", "(catch_all" or ")"',
    _AFTER_CATCH_ALL: '")"',
}


class ExpressionReader(BodyReader):
    """A reader of instructions, which become bytes of `code`."""

    __slots__ = ("_pending", "_places", "_rows", "_states", "code", "mark_offsets", "mark_tokens")

    def __init__(self, tokens: Tokens, pos: int = 0) -> None:
        super().__init__(tokens, pos)
        #: The instructions that were read.
        self.code = bytearray()
        #: Where in `code` instructions start, and the tokens of their names.
        self.mark_offsets = array("Q")
        self.mark_tokens = array("Q")
        self._rows: Final = rows()
        # Of what is open: the state, the instruction that is written when it closes, the token of its name.
        self._states: list[int] = []
        self._pending: list[bytes] = []
        self._places: list[int] = []

    def start_code(self) -> None:
        """Begin an expression."""
        self.code = bytearray()
        self.mark_offsets = array("Q")
        self.mark_tokens = array("Q")

    def _emit(self, encoded: bytes, place: int) -> None:
        self.mark_offsets.append(len(self.code))
        self.mark_tokens.append(place)
        self.code += encoded

    def _open(self, state: int, encoded: bytes, place: int) -> None:
        self._states.append(state)
        self._pending.append(encoded)
        self._places.append(place)

    def _leave(self) -> None:
        self._states.pop()
        self._pending.pop()
        self._places.pop()

    def read_instruction(self) -> None:
        """Read one folded instruction."""
        if self.kinds[self.pos] != LEFT:
            raise self.unexpected("an instruction in parentheses")
        self._read(True)

    def read_instructions(self) -> None:
        """Read instructions up to the ")" after them, which is left."""
        self._read(False)

    def _read(self, single: bool) -> None:
        kinds = self.kinds
        starts = self.starts
        ends = self.ends
        text = self.text
        known = self._rows
        states = self._states
        # An error may have left something.
        states.clear()
        self._pending.clear()
        self._places.clear()
        while True:
            pos = self.pos
            kind = kinds[pos]
            if kind == LEFT:
                place = pos + 1
                name = text[starts[place] : ends[place]]
                row = known.get(name)
                state = states[-1] if states else 0
                if row is None or name in _STRUCTURE or state > _CONDITION:
                    self._read_opened(name, row, state)
                else:
                    self.pos = pos + 2
                    encoded = row.opcode if row.read is None else row.read(self, row)
                    if kinds[self.pos] == RIGHT:
                        self.pos += 1
                        self._emit(encoded, place)
                    else:
                        self._open(_FOLDED, encoded, place)
            elif kind == WORD:
                name = text[starts[pos] : ends[pos]]
                row = known.get(name)
                if row is None or (states and states[-1] > _LAST_SEQUENCE):
                    raise self._unexpected_here()
                self.pos = pos + 1
                if name in _STRUCTURE:
                    self._read_flat(name, row, pos)
                else:
                    self._emit(row.opcode if row.read is None else row.read(self, row), pos)
            elif kind == RIGHT:
                if not states:
                    return
                self._close()
            else:
                raise self._unexpected_here()
            if single and not states:
                return

    def _unexpected_here(self) -> TextError:
        """An error about the next token, with what could come in this state."""
        state = self._states[-1] if self._states else 0
        if state > _LAST_SEQUENCE:
            return self.unexpected(_EXPECTED[state])
        return self.unexpected("an instruction")

    def _read_flat(self, name: str, row: Row, place: int) -> None:
        """Read the rest of a flat instruction that begins, divides or ends a block."""
        states = self._states
        state = states[-1] if states else 0
        if name == "end":
            if not _FLAT_BLOCK <= state <= _FLAT_CATCH_ALL:
                self.pos = place
                raise self.unexpected("an instruction")
            self.check_label()
            self.pop_label()
            self._leave()
            self._emit(_END, place)
        elif name == "else":
            if state != _FLAT_IF:
                self.pos = place
                raise self.unexpected("an instruction")
            self.check_label()
            states[-1] = _FLAT_ELSE
            self._emit(_ELSE_OPCODE, place)
        elif name == "catch" or name == "catch_all":
            if state != _FLAT_TRY and state != _FLAT_CATCH:
                self.pos = place
                raise self.unexpected("an instruction")
            states[-1] = _FLAT_CATCH if name == "catch" else _FLAT_CATCH_ALL
            self._emit(row.opcode if row.read is None else row.read(self, row), place)
        elif name == "delegate":
            if state != _FLAT_TRY:
                self.pos = place
                raise self.unexpected("an instruction")
            self.pop_label()
            self._leave()
            assert row.read is not None
            self._emit(row.read(self, row), place)
        else:
            label = self.identifier()
            assert row.read is not None
            self._emit(row.read(self, row), place)
            self.push_label(label)
            self._open(_FLAT_IF if name == "if" else _FLAT_TRY if name == "try" else _FLAT_BLOCK, b"", place)

    def _read_opened(self, name: str, row: Row | None, state: int) -> None:
        """Read "(" and a name that begins a block or a part of one."""
        states = self._states
        place = self.pos + 1
        if name == "then" and state == _CONDITION:
            self.pos += 2
            self._emit(self._pending[-1], self._places[-1])
            self.push_label(self._condition_label())
            states[-1] = _THEN
        elif name == "else" and state == _AFTER_THEN:
            self.pos += 2
            self._emit(_ELSE_OPCODE, place)
            states[-1] = _ELSE
        elif name == "do" and state == _TRY:
            self.pos += 2
            states[-1] = _DO
        elif name in ("catch", "catch_all") and state in (_AFTER_DO, _AFTER_CATCH):
            self.pos += 2
            assert row is not None
            self._emit(row.opcode if row.read is None else row.read(self, row), place)
            states[-1] = _CATCH if name == "catch" else _CATCH_ALL
        elif name == "delegate" and state == _AFTER_DO:
            self.pos += 2
            assert row is not None and row.read is not None
            self.pop_label()
            self._leave()
            self._emit(row.read(self, row), place)
            self.close()
            self.close()
        elif row is None or state > _CONDITION or name in ("else", "end", "catch", "catch_all", "delegate"):
            raise self._unexpected_here()
        else:
            self.pos += 2
            at = self.pos
            label = self.identifier()
            assert row.read is not None
            encoded = row.read(self, row)
            if name == "if":
                # The label is in scope from (then on, and is read again there.
                self._open(_CONDITION, encoded, place)
                return
            self._emit(encoded, place)
            self.push_label(label)
            self._open(_TRY if name == "try" else _BLOCK, b"", at)

    def _condition_label(self) -> str | None:
        """The label of the (if that is open."""
        at = self.pos
        self.pos = self._places[-1] + 1
        label = self.identifier()
        self.pos = at
        return label

    def _close(self) -> None:
        """Read a ")" that closes something."""
        states = self._states
        state = states[-1]
        place = self.pos
        if state == _FOLDED:
            self._emit(self._pending[-1], self._places[-1])
            self._leave()
        elif state == _BLOCK or state >= _AFTER_THEN:
            self._emit(_END, place)
            self.pop_label()
            self._leave()
        elif state in _AFTER:
            states[-1] = _AFTER[state]
        elif state <= _LAST_SEQUENCE:
            raise self.unexpected('"end"')
        else:
            raise self._unexpected_here()
        self.pos = place + 1
