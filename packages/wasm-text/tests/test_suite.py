"""The specification's scripts are read, and their modules are those of the binaries made from them.

Those that are not large, and some of their modules; `WASMETAL_ALL=1` takes all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wasm_core import CompileError, decode, validate
from wasm_text import Command, TextError, Value, parse_script
from wasm_text.printer import format

SHARED = Path(os.environ.get("WASMETAL_SHARED") or Path(__file__).resolve().parents[4] / "shared")
SUITES = SHARED / "spec"
#: Bytes of a large script.
_LARGE = 20_000
SCRIPTS = [
    script
    for script in sorted(SUITES.glob("scripts/**/*.wast"))
    if os.environ.get("WASMETAL_ALL") or script.stat().st_size < _LARGE
]

pytestmark = pytest.mark.skipif(not SCRIPTS, reason="no specification test suite; set WASMETAL_SHARED")

#: Words of 2.0 (and of proposals from its time) for what 3.0 calls differently.
NEW_WORDS = {"malformed lane index": "i8 constant out of range"}
#: What 2.0 calls malformed text, and 3.0 well-formed but invalid: limits and offsets of more than 32 bits.
NOW_INVALID = ("i32 constant", "i32 constant out of range")
#: The official binaries have an open type where the specification says that only a final one is meant:
#: `(func)` stands for the first type `(rec (type (sub final (func))))`.
OPEN_TYPES = ("gc/type-subtyping.18.wasm", "gc/type-subtyping.19.wasm")


def name_of(script: Path) -> str:
    return str(script.relative_to(SUITES / "scripts").with_suffix(""))


def json_of(script: Path) -> Path:
    suite, *folders, name = script.relative_to(SUITES / "scripts").with_suffix(".json").parts
    return SUITES / Path(suite, *(folders or ["core"]), name)


def pairs(script: Path) -> list[tuple[Command, dict[str, Any]]]:
    """The commands of a script, and what the official tool made of them."""
    commands = parse_script(script.read_bytes(), file=script.name)
    expected = json.loads(json_of(script).read_text())["commands"]
    if script.stem == "annotations" and len(commands) != len(expected):
        # That tool does not see commands that start with an annotation.
        lines = {command["line"] for command in expected}
        commands = [command for command in commands if command.line in lines]
    assert len(commands) == len(expected)
    return list(zip(commands, expected, strict=True))


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_script(script: Path, binaries: Any) -> None:
    wrong = [
        f"line {command.line}: {problem}"
        for command, expected in pairs(script)
        if (problem := _problem(command, expected, json_of(script), binaries))
    ]
    assert not wrong


def _problem(command: Command, expected: dict[str, Any], path: Path, binaries: Any) -> str:
    if command.line != expected["line"]:
        return f"the command is on line {expected['line']}"
    if command.module is not None:
        if expected.get("module_type") == "text":
            return _malformed(command, expected)
        return _module(command, path.parent / expected["filename"], binaries)
    if command.action is not None:
        action = expected["action"]
        if (command.action.type, command.action.field) != (action["type"], action["field"]):
            return "another action"
        if command.action.module is not None and command.action.module != action["module"].removeprefix("$"):
            return "another instance"
        wanted = [*action.get("args", []), *expected.get("expected", [])]
        found = [*command.action.arguments, *command.expected]
        if command.kind in ("assert_return", "assert_exception") and not _same_values(found, wanted):
            return f"{found} instead of {wanted}"
    return ""


def _malformed(command: Command, expected: dict[str, Any]) -> str:
    assert command.module is not None
    words = NEW_WORDS.get(expected["text"], expected["text"])
    try:
        binary = command.module.assemble()
    except TextError as error:
        return "" if error.message.startswith(words) else f"{error.message!r} instead of {words!r}"
    if expected["type"] == "assert_malformed" and words not in NOW_INVALID:
        return f"accepted, not {words!r}"
    try:
        validate(decode(binary))
    except CompileError:
        return ""
    return f"valid, not {words!r}"


def _module(command: Command, path: Path, binaries: Any) -> str:
    assert command.module is not None
    wanted = path.read_bytes()
    binary = command.module.assemble()
    if command.module.form == "binary":
        return "" if binary == wanted else "another binary"
    found = binaries.sections(binary)
    if found == binaries.sections(wanted) or "/".join(path.parts[-2:]) in OPEN_TYPES:
        return ""
    return str(binaries.difference(binary, wanted))


def _same_values(found: list[Value], wanted: list[dict[str, Any]]) -> bool:
    return len(found) == len(wanted) and all(map(_same_value, found, wanted))


def _same_value(found: Value, wanted: dict[str, Any]) -> bool:
    kind = wanted["type"]
    if kind == "either":
        return _same_values(found.choices, wanted["values"])
    if kind == "v128":
        bits = int(found.lane_type[1:])
        lanes = wanted["value"]
        return found.lane_type == wanted["lane_type"] and all(
            _same_number(lane, value, bits) for lane, value in zip(found.lanes, lanes, strict=True)
        )
    if kind in ("i32", "i64", "f32", "f64"):
        return found.type == kind and _same_number(found.value, wanted["value"], int(kind[1:]))
    value = wanted.get("value")
    if value in (None, "null", "any"):
        return found.value == value or (found.type.endswith("ref") and found.value is None)
    return str(found.value) == str(value)


def _same_number(found: int | str | None, wanted: str, bits: int) -> bool:
    if isinstance(found, str):
        return found == wanted
    return found is not None and (found - int(wanted)) % (1 << bits) == 0


BINARIES = [
    folder
    for folder in sorted({path.parent for path in SUITES.glob("*/*/*.wasm")})
    if folder.parent.name in ("2.0", "3.0", "proposals")
]


@pytest.mark.parametrize("folder", BINARIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_printed_modules_are_the_same_again(folder: Path, binaries: Any) -> None:
    from wasm_text import assemble

    wrong: list[str] = []
    printed = 0
    paths = sorted(folder.glob("*.wasm"))
    for path in paths if os.environ.get("WASMETAL_ALL") or len(paths) < 200 else paths[::8]:
        binary = path.read_bytes()
        try:
            text = format(binary, features=binaries.features)
        except CompileError:
            # A malformed one.
            continue
        printed += 1
        again = assemble(text)
        difference = binaries.difference(binary, again)
        if difference:
            wrong.append(f"{path.name}: {difference}")
        elif path.stem != "custom.1" and format(again, features=binaries.features) != text:
            # (In that one sections are empty, and are not there in what is assembled.)
            wrong.append(f"{path.name}: printed in another way")
    assert printed
    assert not wrong


#: Bytes of a large program.
_LARGE_PROGRAM = 50_000
PROGRAMS = [
    pytest.param(path, id=path.parent.name, marks=[pytest.mark.long] if path.stat().st_size > _LARGE_PROGRAM else [])
    for path in sorted(SHARED.glob("corpus/*/program.wasm"))
]


@pytest.mark.parametrize("path", PROGRAMS)
def test_printed_programs_are_the_same_again(path: Path, binaries: Any) -> None:
    from wasm_text import assemble

    binary = path.read_bytes()
    text = format(binary)
    again = assemble(text)
    assert not binaries.difference(binary, again)
    assert format(again) == text
