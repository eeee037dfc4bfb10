"""Runs the specification's test suite in the form of wabt's `wast2json`: JSON lists of commands, and their modules.

As a library: `run_file`, `run_folder`. As a program: python runner.py PATH [-k NAME] [--bounds-checks explicit]
[--cpu avx,avx2]; prints a table and exits with 1 when a command failed.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import attrs

import wasmetal
from wasmetal import (
    CompileError,
    Config,
    Engine,
    Features,
    Func,
    FuncType,
    Global,
    GlobalType,
    InvalidError,
    LinkError,
    MalformedError,
    Memory,
    MemoryType,
    Table,
    TableType,
    Trap,
    WasmError,
    WasmException,
)

BoundsChecks = Literal["auto", "guard", "explicit"]

#: What CompileErrors say about parts of the standard that the compiler leaves out.
NOT_SUPPORTED: Final = ("SIMD execution is not supported", "has no v128")


@attrs.define
class Result:
    """What became of the commands of one file."""

    name: str
    passed: int = 0
    #: Of the text format, which is not read.
    text: int = 0
    #: Commands that need what the compiler leaves out.
    unsupported: int = 0
    #: "line 12: assert_return: ..."
    failures: list[str] = attrs.field(factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return len(self.failures)

    @property
    def skipped(self) -> int:
        return self.text + self.unsupported


#: What the suite of 3.0 calls otherwise than that of 2.0.
_OTHER_WORDS: Final = {"immutable global": "global is immutable"}


class Failure(Exception):
    """A command did not do what it should."""


class Unsupported(Exception):
    """A command needs what the compiler leaves out."""


def spectest() -> dict[str, object]:
    """The host module that the scripts import from."""

    def ignore(*args: object) -> None:
        pass

    imports: dict[str, object] = {
        "global_i32": Global(GlobalType("i32"), 666),
        "global_i64": Global(GlobalType("i64"), 666),
        "global_f32": Global(GlobalType("f32"), 666.6),
        "global_f64": Global(GlobalType("f64"), 666.6),
        "table": Table(TableType("funcref", 10, 20)),
        "table64": Table(TableType("funcref", 10, 20, is64=True)),
        "memory": Memory(MemoryType(1, 2)),
    }
    for name, params in {
        "print": [],
        "print_i32": ["i32"],
        "print_i64": ["i64"],
        "print_f32": ["f32"],
        "print_f64": ["f64"],
        "print_i32_f32": ["i32", "f32"],
        "print_f64_f64": ["f64", "f64"],
    }.items():
        imports[name] = Func(ignore, FuncType(params))
    return imports


@attrs.frozen
class HostReference:
    """What `ref.extern N` stands for."""

    number: int


# Values. Slots of 64 bits go in and out, so that every bit of a NaN is compared.

_F32_QUIET: Final = 0x7FC0_0000
_F64_QUIET: Final = 0x7FF8_0000_0000_0000
_LANE_BITS: Final = {"i8": 8, "i16": 16, "i32": 32, "i64": 64, "f32": 32, "f64": 64}


def _vector(value: dict[str, Any]) -> int:
    """The bits of a v128 whose lanes are all numbers."""
    width = _LANE_BITS[value["lane_type"]]
    return sum(int(lane) % (1 << width) << (width * i) for i, lane in enumerate(value["value"]))


def _is_reference(value: dict[str, Any]) -> bool:
    return str(value["type"]).endswith("ref")


def _slots(value: dict[str, Any]) -> list[int]:
    """An argument that is not a reference."""
    if value["type"] == "v128":
        bits = _vector(value)
        return [bits & ((1 << 64) - 1), bits >> 64]
    return [int(value["value"]) % (1 << (32 if value["type"] in ("i32", "f32") else 64))]


def _object(value: dict[str, Any]) -> object:
    """An argument as a Python object."""
    if value["type"] == "externref":
        return None if value["value"] == "null" else HostReference(int(value["value"]))
    if _is_reference(value):
        if value["value"] != "null":
            raise Failure("a reference as an argument that is not null")
        return None
    slots = _slots(value)
    if value["type"] == "v128":
        return struct.pack("<QQ", *slots)
    if value["type"] == "f32":
        return struct.unpack("<f", struct.pack("<I", slots[0]))[0]
    if value["type"] == "f64":
        return struct.unpack("<d", struct.pack("<Q", slots[0]))[0]
    return slots[0]


def _float_matches(bits: int, expected: str, width: int) -> bool:
    """Core specification, appendix "NaN patterns": canonical is the quiet bit alone, arithmetic has it set."""
    quiet = _F32_QUIET if width == 32 else _F64_QUIET
    if expected == "nan:canonical":
        return bits & ~(1 << (width - 1)) == quiet
    if expected == "nan:arithmetic":
        return bits & quiet == quiet
    return bits == int(expected) % (1 << width)


def _number_matches(bits: int, expected: dict[str, Any]) -> bool:
    """Whether the bits of a result that is not a reference are as expected."""
    kind = expected["type"]
    if kind == "either":
        return any(_number_matches(bits, choice) for choice in expected["values"])
    if kind == "v128":
        lane_type = expected["lane_type"]
        width = _LANE_BITS[lane_type]
        mask = (1 << width) - 1
        return all(
            _float_matches(bits >> (width * i) & mask, str(lane), width)
            if lane_type in ("f32", "f64")
            else bits >> (width * i) & mask == int(lane) % (1 << width)
            for i, lane in enumerate(expected["value"])
        )
    width = 32 if kind in ("i32", "f32") else 64
    value = str(expected["value"])
    if kind in ("f32", "f64"):
        return _float_matches(bits, value, width)
    return bits == int(value) % (1 << width)


def _reference_matches(found: object, expected: dict[str, Any]) -> bool:
    value = expected.get("value")
    if value == "null":
        return found is None
    if expected["type"] == "externref":
        return found == HostReference(int(value)) if value is not None else found is not None
    return isinstance(found, Func)


class Script:
    """The execution of one file."""

    def __init__(self, path: Path, bounds_checks: BoundsChecks = "auto") -> None:
        self.folder = path.parent
        self.commands: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["commands"]
        self.result = Result(path.stem)
        self.features = Features.wasm_2_0() if path.parent.parent.name == "2.0" else Features.default()
        if path.parent.name == "custom-page-sizes":
            self.features = attrs.evolve(self.features, custom_page_sizes=True)
        self.engine = Engine(Config(bounds_checks=bounds_checks, features=self.features))
        #: What modules can import from.
        self.registered: dict[str, Any] = {"spectest": spectest()}
        #: Instances by their names in the script. None stands for a module that could not be instantiated.
        self.named: dict[str, wasmetal.Instance | None] = {}
        self.current: wasmetal.Instance | None = None
        #: Modules by their names in the script, None for the last that has none.
        self.definitions: dict[str | None, wasmetal.Module] = {}

    def run(self) -> Result:
        """Execute all commands."""
        start = time.perf_counter()
        for command in self.commands:
            if command.get("module_type") == "text":
                self.result.text += 1
                continue
            try:
                _COMMANDS[command["type"]](self, command)
            except Unsupported:
                self.result.unsupported += 1
            except wasmetal.Unsupported:
                self.result.unsupported += 1
            except CompileError as error:
                if any(words in str(error) for words in NOT_SUPPORTED):
                    self.result.unsupported += 1
                else:
                    self._fail(command, error)
            except Exception as error:  # whatever goes wrong is this command's failure
                self._fail(command, error)
            else:
                self.result.passed += 1
        self.result.seconds = time.perf_counter() - start
        return self.result

    def _fail(self, command: dict[str, Any], error: Exception) -> None:
        what = str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
        self.result.failures.append(f"line {command['line']}: {command['type']}: {what}")

    def _source(self, command: dict[str, Any]) -> bytes:
        return (self.folder / command["filename"]).read_bytes()

    def _instantiate(self, command: dict[str, Any]) -> wasmetal.Instance:
        return self.engine.compile(self._source(command)).instantiate(self.registered)

    def _instance(self, action: dict[str, Any]) -> wasmetal.Instance:
        instance = self.named[action["module"]] if "module" in action else self.current
        if instance is None:
            raise Unsupported("its module could not be instantiated")
        return instance

    def module(self, command: dict[str, Any]) -> None:
        self.current = None
        if "name" in command:
            self.named[command["name"]] = None
        self.current = self._instantiate(command)
        if "name" in command:
            self.named[command["name"]] = self.current

    def module_definition(self, command: dict[str, Any]) -> None:
        self.definitions[command.get("name")] = self.engine.compile(self._source(command))

    def module_instance(self, command: dict[str, Any]) -> None:
        self.current = self.definitions[command.get("definition")].instantiate(self.registered)
        if "name" in command:
            self.named[command["name"]] = self.current

    def register(self, command: dict[str, Any]) -> None:
        instance = self.named[command["name"]] if "name" in command else self.current
        if instance is None:
            raise Unsupported("its module could not be instantiated")
        self.registered[command["as"]] = instance

    def _call(self, action: dict[str, Any], expected: list[dict[str, Any]]) -> bool:
        """Call a function, and whether the results are as expected."""
        function = self._instance(action).exports[action["field"]]
        args = action["args"]
        if any(map(_is_reference, (*args, *expected))) or any(t.is_reference for t in function.type.results):
            found = function(*map(_object, args))
            results = found if len(expected) > 1 else (found,)[: len(expected)]
            return len(results) == len(expected) and all(
                _reference_matches(value, wanted) if _is_reference(wanted) else value == _object(wanted)
                for value, wanted in zip(results, expected, strict=True)
            )
        slots = function.call_raw(*(slot for value in args for slot in _slots(value)))
        for wanted in expected:
            bits, slots = slots[0], slots[1:]
            if wanted.get("values", (wanted,))[0]["type"] == "v128":
                bits, slots = bits | slots[0] << 64, slots[1:]
            if not _number_matches(bits, wanted):
                raise Failure(f"{action['field']}: expected {wanted}, found bits {bits:#x}")
        return not slots

    def action(self, command: dict[str, Any]) -> None:
        function = self._instance(command["action"]).exports[command["action"]["field"]]
        function(*map(_object, command["action"]["args"]))

    def assert_return(self, command: dict[str, Any]) -> None:
        action = command["action"]
        expected = command["expected"]
        if action["type"] == "get":
            variable = self._instance(action).exports[action["field"]]
            matches = variable.value == _object(expected[0])
        else:
            matches = self._call(action, expected)
        if not matches:
            raise Failure(f"{action['field']}: the result is not {expected}")

    def _trap(self, command: dict[str, Any], run: Callable[[], object]) -> None:
        try:
            run()
        except Trap as trap:
            # Some messages of the suite go on with details: "undefined element 7".
            if not command["text"].startswith(str(trap)) and not str(trap).startswith(command["text"]):
                raise Failure(f"trap {str(trap)!r} instead of {command['text']!r}") from trap
        else:
            raise Failure(f"no trap; expected {command['text']!r}")

    def assert_trap(self, command: dict[str, Any]) -> None:
        self._trap(command, lambda: self._call(command["action"], []))

    def assert_exception(self, command: dict[str, Any]) -> None:
        try:
            self._call(command["action"], [])
        except WasmException:
            return
        raise Failure("nothing was thrown")

    def assert_uninstantiable(self, command: dict[str, Any]) -> None:
        self._trap(command, lambda: self._instantiate(command))

    def _refused(
        self, command: dict[str, Any], error_type: type[WasmError], run: Callable[[], object], words: bool = True
    ) -> None:
        try:
            run()
        except WasmError as error:
            message = error.message if isinstance(error, CompileError) else str(error)
            if isinstance(error, wasmetal.Unsupported) and not getattr(self.features, error.feature):
                # What a version calls malformed or invalid because it came later.
                return
            # What comes behind a colon are details, of the interpreter that wrote the suite.
            wanted = command["text"].split(":")[0]
            wanted = _OTHER_WORDS.get(wanted, wanted)
            if type(error) is not error_type or (words and not message.startswith(wanted)):
                raise Failure(f"{type(error).__name__} {str(error)!r} instead of {command['text']!r}") from error
        else:
            raise Failure(f"accepted; expected {command['text']!r}")

    def assert_invalid(self, command: dict[str, Any]) -> None:
        self._refused(command, InvalidError, lambda: wasmetal.validate(self._source(command), self.features))

    def assert_malformed(self, command: dict[str, Any]) -> None:
        # The words depend on where a decoder notices the damage; wasm-core's tests look at them.
        self._refused(
            command, MalformedError, lambda: wasmetal.validate(self._source(command), self.features), words=False
        )

    def assert_unlinkable(self, command: dict[str, Any]) -> None:
        self._refused(command, LinkError, lambda: self._instantiate(command))


_COMMANDS: Final[dict[str, Callable[[Script, dict[str, Any]], None]]] = {
    "module": Script.module,
    "module_definition": Script.module_definition,
    "module_instance": Script.module_instance,
    "register": Script.register,
    "action": Script.action,
    "assert_return": Script.assert_return,
    "assert_trap": Script.assert_trap,
    "assert_exhaustion": Script.assert_trap,
    "assert_exception": Script.assert_exception,
    "assert_invalid": Script.assert_invalid,
    "assert_malformed": Script.assert_malformed,
    "assert_unlinkable": Script.assert_unlinkable,
    "assert_uninstantiable": Script.assert_uninstantiable,
}


def run_file(path: Path, bounds_checks: BoundsChecks = "auto") -> Result:
    """Run one JSON file."""
    return Script(path, bounds_checks).run()


def find_files(path: Path, name: str | None = None) -> list[Path]:
    """The JSON files of a folder (or the one file), those whose name contains `name`."""
    files = [path] if path.is_file() else sorted(path.glob("*.json"))
    return [file for file in files if name is None or name in file.stem]


def run_folder(path: Path, bounds_checks: BoundsChecks = "auto", name: str | None = None) -> Iterator[Result]:
    """Run every JSON file of a folder."""
    for file in find_files(path, name):
        yield run_file(file, bounds_checks)


def use_processor(names: Iterable[str]) -> None:
    """Make code for an x86-64 processor that has of this one's optional features just these and the required ones."""
    from wasm_backend_amd64 import backend, cpu

    found = tuple(sorted(backend.REQUIRED_FEATURES.union(names).intersection(cpu.features())))
    cpu.features = lambda: found  # type: ignore[assignment]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the WebAssembly specification's test suite.")
    parser.add_argument("path", type=Path, help="folder of JSON files, or one of them")
    parser.add_argument("-k", dest="name", help="only files whose name contains this")
    parser.add_argument("--bounds-checks", choices=["auto", "guard", "explicit"], default="auto")
    parser.add_argument("--cpu", help="optional features of the processor (x86-64) that code may use, with commas")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every failure, not just five of a file")
    arguments = parser.parse_args()
    if arguments.cpu is not None:
        use_processor(arguments.cpu.split(","))
    row = "{:32} {:>7} {:>7} {:>7} {:>12} {:>8}"
    print(row.format("file", "passed", "failed", "text", "unsupported", "seconds"))
    total = Result("total")
    for result in run_folder(arguments.path, arguments.bounds_checks, arguments.name):
        _print_row(row, result)
        for failure in result.failures if arguments.verbose else result.failures[:5]:
            print(f"    {failure[:300]}")
        total.passed += result.passed
        total.text += result.text
        total.unsupported += result.unsupported
        total.failures += result.failures
        total.seconds += result.seconds
    _print_row(row, total)
    if not total.passed and not total.failed:
        print("nothing to run", file=sys.stderr)
        return 1
    return 1 if total.failed else 0


def _print_row(row: str, result: Result) -> None:
    print(
        row.format(result.name, result.passed, result.failed, result.text, result.unsupported, f"{result.seconds:.2f}"),
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
