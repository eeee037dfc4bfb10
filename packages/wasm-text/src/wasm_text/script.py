"""Scripts (.wast): modules, actions and assertions, as the specification's reference interpreter runs them.

What a module's text says is read when its binary is asked for, so that one that is malformed on purpose can be skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from wasm_text.assemble import assemble, read_module, tokenize
from wasm_text.binary import Binary, SourceMap
from wasm_text.field_numbers import FIELDS
from wasm_text.immediates import read_float, read_shape, read_signed
from wasm_text.module_reader import ModuleReader
from wasm_text.tokens import END, NUMBER, RIGHT, Tokens

_NAN_PATTERNS: Final = ("nan:canonical", "nan:arithmetic")
#: Assertions about a module, with a message.
_ABOUT_MODULES: Final = frozenset(
    {
        *("assert_malformed", "assert_invalid", "assert_unlinkable", "assert_uninstantiable"),
        *("assert_malformed_custom", "assert_invalid_custom"),
    }
)
#: Assertions about an action, with a message.
_WITH_MESSAGE: Final = frozenset({"assert_trap", "assert_exhaustion"})
#: References in arguments and results, and what their type is called.
_REFERENCES: Final = {
    "ref.func": "funcref",
    "ref.extern": "externref",
    "ref.host": "anyref",
    "ref.any": "anyref",
    "ref.eq": "eqref",
    "ref.i31": "i31ref",
    "ref.struct": "structref",
    "ref.array": "arrayref",
    "ref.exn": "exnref",
}


class Value:
    """An argument, or a pattern that a result must match."""

    __slots__ = ("choices", "lane_type", "lanes", "type", "value")

    def __init__(self, type: str, value: int | str | None) -> None:
        #: "i32", "f64", "v128", "externref" and so on; "either" for a choice.
        self.type: Final = type
        #: Integers signed; floats as their bits, or "nan:canonical" or "nan:arithmetic"; "null", or the number of a
        #: host's reference; None for a reference of which only the type is given, and for vectors.
        self.value: Final = value
        #: Of a vector: "i8", "i16", "i32", "i64", "f32" or "f64", and the lanes, as `value`.
        self.lane_type = ""
        self.lanes: list[int | str] = []
        #: Of a choice.
        self.choices: list[Value] = []

    def __repr__(self) -> str:
        if self.choices:
            return f"either {self.choices}"
        return f"{self.type} {[self.lane_type, *self.lanes] if self.lanes else self.value}"


class Action:
    """A call of an exported function (`invoke`), or a look at an exported global (`get`)."""

    __slots__ = ("arguments", "field", "module", "type")

    def __init__(self, type: str, module: str | None, field: str, arguments: list[Value]) -> None:
        self.type: Final = type
        #: The identifier of the instance; None is the latest.
        self.module: Final = module
        self.field: Final = field
        self.arguments: Final = arguments


class ScriptModule:
    """A module in a script: of text, a binary in strings, or text in strings ("quote")."""

    __slots__ = ("_pos", "_tokens", "data", "definition", "form", "name")

    def __init__(
        self, form: str, name: str | None, definition: bool, data: bytes, tokens: Tokens | None, pos: int
    ) -> None:
        #: "text", "binary" or "quote".
        self.form: Final = form
        self.name: Final = name
        #: Whether it is only defined, and instantiated by other commands.
        self.definition: Final = definition
        #: The bytes of the strings.
        self.data: Final = data
        # Where its identifier would be.
        self._tokens: Final = tokens
        self._pos: Final = pos

    def assemble(self) -> bytes:
        """The binary.

        Raises:
            TextError: The text is malformed.
        """
        return self.assemble_with_map()[0]

    def assemble_with_map(self) -> tuple[bytes, SourceMap | None]:
        """The binary, and which place in the text each of its instructions comes from."""
        if self.form == "binary":
            return self.data, None
        if self._tokens is None:
            return assemble(self.data, file="<quote>"), None
        binary = self._read(ModuleReader(self._tokens, self._pos))
        return binary.content, binary.source_map

    def _read(self, reader: ModuleReader) -> Binary:
        binary = read_module(reader)
        if reader.kinds[reader.pos] not in (RIGHT, END):
            raise reader.unexpected("a field of a module")
        return binary


class Command:
    """One command of a script; its fields are set where the command has them."""

    __slots__ = ("action", "expected", "kind", "line", "message", "module", "name", "target")

    def __init__(self, kind: str, line: int) -> None:
        #: "module", "instance", "register", "action" or the name of an assertion.
        self.kind: Final = kind
        self.line: Final = line
        self.module: ScriptModule | None = None
        self.action: Action | None = None
        self.expected: list[Value] = []
        #: What an error or trap must say.
        self.message = ""
        #: What is registered, or the name of a new instance.
        self.name: str | None = None
        #: The identifier of the instance to register, or of the module to instantiate.
        self.target: str | None = None


def parse_script(text: str | bytes, *, file: str | os.PathLike[str] | None = None) -> list[Command]:
    """The commands of a script.

    Args:
        text: The script; bytes are UTF-8.
        file: What errors say the text comes from.

    Raises:
        TextError: It is no script. What is wrong within a module is found when the module is assembled.
    """
    return list(_Script(tokenize(text, file)).commands())


class _Script:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens: Final = tokens
        self._reader: Final = ModuleReader(tokens)
        # The line of a place that was asked for last.
        self._line = 1
        self._position = 0

    def commands(self) -> Iterator[Command]:
        reader = self._reader
        if reader.opened_word() in FIELDS:
            # A module without parentheses around it.
            command = Command("module", 1)
            command.module = ScriptModule("text", None, False, b"", self._tokens, 0)
            yield command
            return
        while reader.kinds[reader.pos] != END:
            yield self._command()

    def _line_of(self, index: int) -> int:
        start = self._tokens.starts[index]
        text = self._tokens.text
        self._line += text.count("\n", self._position, start)
        self._position = start
        return self._line

    def _command(self) -> Command:
        reader = self._reader
        word = reader.opened_word()
        line = self._line_of(reader.pos)
        if word == "module":
            return self._module_command(line)
        if word in ("invoke", "get"):
            command = Command("action", line)
            command.action = self._action()
            return command
        if not (word.startswith("assert_") or word == "register"):
            raise reader.unexpected("a command: (module, (register, (invoke, (get, (assert_...")
        command = Command(word, line)
        reader.pos += 2
        if word == "register":
            command.name = reader.name()
            command.target = reader.identifier()
        elif word in ("assert_return", "assert_exception"):
            command.action = self._action()
            while reader.kinds[reader.pos] != RIGHT:
                command.expected.append(self._value())
        elif word in _ABOUT_MODULES or (word in _WITH_MESSAGE and reader.opens("module")):
            command.module = self._module()
            command.message = reader.name()
        elif word in _WITH_MESSAGE:
            command.action = self._action()
            command.message = reader.name()
        else:
            reader.pos -= 2
            raise reader.unexpected("an assertion")
        reader.close()
        return command

    def _module_command(self, line: int) -> Command:
        reader = self._reader
        at = reader.pos
        reader.pos += 2
        if reader.accept("instance"):
            command = Command("instance", line)
            command.name = reader.identifier()
            command.target = reader.identifier()
            reader.close()
            return command
        reader.pos = at
        command = Command("module", line)
        command.module = self._module()
        return command

    def _module(self) -> ScriptModule:
        reader = self._reader
        at = reader.pos
        reader.enter("module")
        definition = reader.accept("definition")
        start = reader.pos
        name = reader.identifier()
        for form in ("binary", "quote"):
            if reader.accept(form):
                data = reader.strings()
                reader.close()
                return ScriptModule(form, name, definition, data, None, 0)
        reader.pos = at
        reader.skip()
        return ScriptModule("text", name, definition, b"", self._tokens, start)

    def _action(self) -> Action:
        reader = self._reader
        word = reader.opened_word()
        if word not in ("invoke", "get"):
            raise reader.unexpected("(invoke or (get")
        reader.pos += 2
        module = reader.identifier()
        field = reader.name()
        arguments: list[Value] = []
        if word == "invoke":
            while reader.kinds[reader.pos] != RIGHT:
                arguments.append(self._value())
        reader.close()
        return Action(word, module, field, arguments)

    def _value(self) -> Value:
        reader = self._reader
        at = reader.pos
        word = reader.opened_word()
        reader.pos += 2
        value: Value
        if word == "i32.const" or word == "i64.const":
            value = Value(word[:3], read_signed(reader, int(word[1:3])))
        elif word == "f32.const" or word == "f64.const":
            value = Value(word[:3], self._float(int(word[1:3])))
        elif word == "v128.const":
            value = self._vector()
        elif word == "ref.null":
            # The type of a null need not be given.
            heap_type = "any"
            if reader.kinds[reader.pos] != RIGHT:
                heap_type = reader.word(reader.pos)
                reader.pos += 1
            value = Value(_NULLS.get(heap_type, f"{heap_type}ref"), "null")
        elif word in _REFERENCES:
            number = reader.unsigned(32) if reader.kinds[reader.pos] == NUMBER else None
            value = Value(_REFERENCES[word], number)
        elif word == "either":
            value = Value("either", None)
            while reader.kinds[reader.pos] != RIGHT:
                value.choices.append(self._value())
        else:
            reader.pos = at
            raise reader.unexpected("a constant")
        reader.close()
        return value

    def _float(self, bits: int) -> int | str:
        reader = self._reader
        word = reader.word(reader.pos)
        if word in _NAN_PATTERNS:
            reader.pos += 1
            return word
        return read_float(reader, bits)

    def _vector(self) -> Value:
        reader = self._reader
        lanes, bits, floats = read_shape(reader)
        value = Value("v128", None)
        value.lane_type = f"f{bits}" if floats else f"i{bits}"
        if floats:
            value.lanes = [self._float(bits) for _ in range(lanes)]
        else:
            value.lanes = [read_signed(reader, bits) for _ in range(lanes)]
        return value


#: What nulls are called whose heap type's name is not that of the reference type.
_NULLS: Final = {
    "none": "nullref",
    "nofunc": "nullfuncref",
    "noextern": "nullexternref",
    "noexn": "nullexnref",
}
