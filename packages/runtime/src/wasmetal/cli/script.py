"""Executes the commands of a script (.wast), as the specification's test suite is written, one by one.

Source: the reference interpreter's README, "Scripts".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from wasm_core.decoder import decode
from wasm_core.errors import CompileError, InvalidError, LinkError, MalformedError, Trap, Unsupported, WasmError
from wasm_core.types import FuncType, GlobalType, MemoryType, TableType
from wasm_core.validator import validate
from wasmetal.config import Config
from wasmetal.engine import Engine
from wasmetal.function import Func
from wasmetal.globals import Global
from wasmetal.instance import Instance
from wasmetal.memory import Memory
from wasmetal.module import Module
from wasmetal.table import Table

if TYPE_CHECKING:
    from wasm_text import Action, Command, ScriptModule, Value

_FUNCTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "print": (),
    "print_i32": ("i32",),
    "print_i64": ("i64",),
    "print_f32": ("f32",),
    "print_f64": ("f64",),
    "print_i32_f32": ("i32", "f32"),
    "print_f64_f64": ("f64", "f64"),
}
_QUIET: Final = {32: 0x7FC0_0000, 64: 0x7FF8_0000_0000_0000}
#: What the suite of 3.0 calls otherwise than that of 2.0.
_OTHER_WORDS: Final[Mapping[str, str]] = {"immutable global": "global is immutable"}
_NUMBERS: Final = ("i32", "i64", "f32", "f64", "v128")


class Wrong(Exception):
    """A command did not do what it should."""


class HostReference:
    """What `(ref.extern N)` stands for."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number: Final = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostReference) and other.number == self.number

    def __hash__(self) -> int:
        return hash(self.number)


def spectest() -> dict[str, object]:
    """The host module that scripts import from."""

    def ignore(*args: object) -> None:
        pass

    found: dict[str, object] = {
        "global_i32": Global(GlobalType("i32"), 666),
        "global_i64": Global(GlobalType("i64"), 666),
        "global_f32": Global(GlobalType("f32"), 666.6),
        "global_f64": Global(GlobalType("f64"), 666.6),
        "table": Table(TableType("funcref", 10, 20)),
        "table64": Table(TableType("funcref", 10, 20, is64=True)),
        "memory": Memory(MemoryType(1, 2)),
    }
    for name, params in _FUNCTIONS.items():
        found[name] = Func(ignore, FuncType(params))
    return found


class Script:
    """What a script has made so far, and how many of its commands did what they should."""

    def __init__(self, config: Config) -> None:
        self.passed = 0
        self.failed = 0
        #: Commands that need what this version does not have.
        self.unsupported = 0
        self._features: Final = config.features
        self._engine: Final = Engine(config)
        self._registered: Final[dict[str, Any]] = {"spectest": spectest()}
        #: Names under which something should have been registered that could not be instantiated.
        self._missing: Final[set[str]] = set()
        self._modules: Final[dict[str | None, Module | None]] = {}
        #: None as a value stands for an instance that could not be made.
        self._instances: Final[dict[str | None, Instance | None]] = {}

    def run(self, command: Command) -> str:
        """Run a command; what went wrong, or ""."""
        try:
            _COMMANDS[command.kind](self, command)
        except Unsupported:
            self.unsupported += 1
            return ""
        except CompileError as error:
            if "not supported" in error.message:
                self.unsupported += 1
                return ""
            problem = f"{type(error).__name__}: {error}"
        except Wrong as error:
            problem = str(error)
        except Exception as error:  # whatever goes wrong is this command's failure
            problem = f"{type(error).__name__}: {error}"
        else:
            self.passed += 1
            return ""
        self.failed += 1
        return problem.splitlines()[0]

    def _compile(self, module: ScriptModule) -> Module:
        return self._engine.compile(module.assemble())

    def _instantiate(self, module: ScriptModule) -> Instance:
        return self._link(self._compile(module))

    def _link(self, module: Module) -> Instance:
        if not self._missing.isdisjoint([wanted.module for wanted in module.imports]):
            raise Unsupported("what it imports from could not be instantiated", feature="")
        return module.instantiate(self._registered)

    def module(self, command: Command) -> None:
        """(module ...), (module definition ...)"""
        module = command.module
        assert module is not None
        made = self._instances if not module.definition else self._modules
        for name in {None, module.name}:
            made[name] = None
        compiled = self._compile(module)
        for name in {None, module.name}:
            self._modules[name] = compiled
        if not module.definition:
            instance = self._link(compiled)
            for name in {None, module.name}:
                self._instances[name] = instance

    def instance(self, command: Command) -> None:
        """(module instance ...)"""
        for name in {None, command.name}:
            self._instances[name] = None
        module = self._modules.get(command.target)
        if module is None:
            raise Unsupported("its module could not be compiled", feature="")
        instance = self._link(module)
        for name in {None, command.name}:
            self._instances[name] = instance

    def _find(self, name: str | None) -> Instance:
        if name not in self._instances:
            raise Wrong("there is no such instance")
        found = self._instances[name]
        if found is None:
            # Which failed already.
            raise Unsupported("its module could not be instantiated", feature="")
        return found

    def register(self, command: Command) -> None:
        """(register ...)"""
        assert command.name is not None
        self._missing.add(command.name)
        self._registered[command.name] = self._find(command.target)
        self._missing.discard(command.name)

    def _perform(self, action: Action, expected: list[Value]) -> None:
        """Do an action, and look at the results."""
        exported = self._find(action.module).exports[action.field]
        if action.type == "get":
            _check_object(exported.value, expected[0])
            return
        types = {value.type for value in (*action.arguments, *expected)} | {
            str(result) for result in exported.type.results
        }
        if types <= {*_NUMBERS, "either"}:
            slots = exported.call_raw(*[slot for value in action.arguments for slot in _slots(value)])
            _check_slots(slots, expected)
            return
        found = exported(*map(_object, action.arguments))
        results = found if len(expected) > 1 else (found,)[: len(expected)]
        if len(results) != len(expected):
            raise Wrong(f"{len(results)} results instead of {len(expected)}")
        for value, wanted in zip(results, expected, strict=True):
            _check_object(value, wanted)

    def action(self, command: Command) -> None:
        """(invoke ...), (get ...)"""
        assert command.action is not None
        exported = self._find(command.action.module).exports[command.action.field]
        if command.action.type == "invoke":
            exported(*map(_object, command.action.arguments))

    def assert_return(self, command: Command) -> None:
        assert command.action is not None
        self._perform(command.action, command.expected)

    def assert_exception(self, command: Command) -> None:
        assert command.action is not None
        try:
            self._perform(command.action, [])
        except (Trap, CompileError, Wrong):
            raise
        except WasmError:
            return
        raise Wrong("no exception")

    def assert_trap(self, command: Command) -> None:
        try:
            if command.module is not None:
                self._instantiate(command.module)
            else:
                assert command.action is not None
                self._perform(command.action, [])
        except Trap as trap:
            # Some messages go on with details: "undefined element 7".
            if not command.message.startswith(str(trap)) and not str(trap).startswith(command.message):
                raise Wrong(f"trap {str(trap)!r} instead of {command.message!r}") from trap
        else:
            raise Wrong(f"no trap, instead of {command.message!r}")

    def _refused(
        self, command: Command, kind: type[WasmError], attempt: Callable[[ScriptModule], object], words: bool = True
    ) -> None:
        assert command.module is not None
        try:
            attempt(command.module)
        except WasmError as error:
            if isinstance(error, Unsupported):
                if error.feature and not getattr(self._features, error.feature):
                    # What a version of the standard calls malformed or invalid because it came later.
                    return
                raise
            message = error.message if isinstance(error, CompileError) else str(error)
            # What comes behind a colon are details, of the interpreter that wrote the suite.
            wanted = command.message.split(":")[0]
            wanted = _OTHER_WORDS.get(wanted, wanted)
            if not isinstance(error, kind) or (words and not message.startswith(wanted)):
                raise Wrong(f"{type(error).__name__} {str(error)!r} instead of {command.message!r}") from error
        else:
            raise Wrong(f"accepted, instead of {command.message!r}")

    def _validate(self, module: ScriptModule) -> None:
        validate(decode(module.assemble(), self._features), self._features)

    def assert_malformed(self, command: Command) -> None:
        # The words depend on where a reader notices the damage.
        self._refused(command, MalformedError, self._validate, words=False)

    def assert_invalid(self, command: Command) -> None:
        self._refused(command, InvalidError, self._validate)

    def assert_unlinkable(self, command: Command) -> None:
        self._refused(command, LinkError, self._instantiate)


_COMMANDS: Final[Mapping[str, Callable[[Script, Command], None]]] = {
    "module": Script.module,
    "instance": Script.instance,
    "register": Script.register,
    "action": Script.action,
    "assert_return": Script.assert_return,
    "assert_exception": Script.assert_exception,
    "assert_trap": Script.assert_trap,
    "assert_exhaustion": Script.assert_trap,
    "assert_uninstantiable": Script.assert_trap,
    "assert_malformed": Script.assert_malformed,
    "assert_malformed_custom": Script.assert_malformed,
    "assert_invalid": Script.assert_invalid,
    "assert_invalid_custom": Script.assert_invalid,
    "assert_unlinkable": Script.assert_unlinkable,
}


# Values. Numbers go in and out as slots of 64 bits, so that every bit of a NaN is compared.


def _bits(value: Value) -> int:
    """A number, which is not a pattern."""
    if value.type != "v128":
        assert isinstance(value.value, int)
        return value.value % (1 << int(value.type[1:]))
    width = int(value.lane_type[1:])
    bits = 0
    for number, lane in enumerate(value.lanes):
        assert isinstance(lane, int)
        bits |= lane % (1 << width) << (width * number)
    return bits


def _slots(value: Value) -> list[int]:
    bits = _bits(value)
    return [bits & (1 << 64) - 1, bits >> 64] if value.type == "v128" else [bits]


def _object(value: Value) -> object:
    """An argument as a Python object."""
    if value.type == "v128":
        return _bits(value).to_bytes(16, "little")
    if value.type == "f32":
        return struct.unpack("<f", _bits(value).to_bytes(4, "little"))[0]
    if value.type == "f64":
        return struct.unpack("<d", _bits(value).to_bytes(8, "little"))[0]
    if value.type in ("i32", "i64"):
        return value.value
    return HostReference(value.value) if isinstance(value.value, int) else None


def _check_slots(slots: tuple[int, ...], expected: list[Value]) -> None:
    at = 0
    for wanted in expected:
        wide = wanted.type == "v128" or (wanted.type == "either" and wanted.choices[0].type == "v128")
        bits = slots[at] | (slots[at + 1] << 64 if wide else 0)
        at += 2 if wide else 1
        if not _matches(bits, wanted):
            raise Wrong(f"bits {bits:#x} instead of {wanted}")
    if at != len(slots):
        raise Wrong("more results than expected")


def _matches(bits: int, wanted: Value) -> bool:
    if wanted.type == "either":
        return any(_matches(bits, choice) for choice in wanted.choices)
    if wanted.type == "v128":
        width = int(wanted.lane_type[1:])
        mask = (1 << width) - 1
        return all(
            _number_matches(bits >> (width * number) & mask, lane, width) for number, lane in enumerate(wanted.lanes)
        )
    return wanted.value is not None and _number_matches(bits, wanted.value, int(wanted.type[1:]))


def _number_matches(bits: int, wanted: int | str, width: int) -> bool:
    """Core specification, appendix "NaN patterns": canonical is the quiet bit alone, arithmetic has it set."""
    if wanted == "nan:canonical":
        return bits & ~(1 << (width - 1)) == _QUIET[width]
    if wanted == "nan:arithmetic":
        return bits & _QUIET[width] == _QUIET[width]
    return isinstance(wanted, int) and bits & (1 << width) - 1 == wanted % (1 << width)


def _check_object(found: object, wanted: Value) -> None:
    if not _object_matches(found, wanted):
        raise Wrong(f"{found!r} instead of {wanted}")


def _object_matches(found: object, wanted: Value) -> bool:
    if wanted.type == "either":
        return any(_object_matches(found, choice) for choice in wanted.choices)
    if wanted.type in ("i32", "i64"):
        return found == wanted.value
    if wanted.type in ("f32", "f64"):
        width = int(wanted.type[1:])
        assert isinstance(found, float) and wanted.value is not None
        bits = int.from_bytes(struct.pack("<f" if width == 32 else "<d", found), "little")
        return _number_matches(bits, wanted.value, width)
    if wanted.type == "v128":
        assert isinstance(found, bytes)
        return _matches(int.from_bytes(found, "little"), wanted)
    if wanted.value == "null":
        return found is None
    if isinstance(wanted.value, int):
        return found == HostReference(wanted.value)
    return isinstance(found, Func) if wanted.type == "funcref" else found is not None
