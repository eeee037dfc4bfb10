"""The specification's test suite, as far as decoding and validation go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs
import pytest

from wasm_core import (
    CompileError,
    DecodedModule,
    Features,
    InvalidError,
    MalformedError,
    Unsupported,
    decode,
    validate,
)

SHARED = Path(os.environ.get("WASMETAL_SHARED") or Path(__file__).resolve().parents[4] / "shared")

V2 = Features.wasm_2_0()
V3 = Features.wasm_3_0()
#: Suites, with what is switched on. That of threads is of the time before there could be several tables.
SUITES = {
    "2.0/core": V2,
    "2.0/simd": V2,
    **{f"3.0/{part}": V3 for part in ("core", "simd", "bulk-memory", "memory64", "multi-memory", "gc", "exceptions")},
    "3.0/relaxed-simd": V3,
    "proposals/threads": Features(
        sign_extension=True, saturating_float_to_int=True, multi_value=True, bulk_memory=True, threads=True
    ),
    "proposals/wide-arithmetic": attrs.evolve(V3, wide_arithmetic=True),
    "proposals/custom-page-sizes": attrs.evolve(V3, custom_page_sizes=True),
    "proposals/legacy-exceptions": attrs.evolve(V3, legacy_exceptions=True),
}
SCRIPTS = [(suite, path) for suite in SUITES for path in sorted((SHARED / "spec" / suite).glob("*.json"))]

# A truncated section can be noticed at several places, and the suite has the words of the one where the reference
# interpreter notices it: it reads on past the end of a function or section, and this decoder does not.
ENDS = (
    "unexpected end",
    "unexpected end of section or function",
    "length out of bounds",
)
ALIASES = {
    **dict.fromkeys(ENDS, ENDS),
    "END opcode expected": ENDS,
    "section size mismatch": ENDS,
    "illegal opcode": ENDS,
    # The suite puts an overlong integer in the place of a section's size or count, whose surplus bytes then are read
    # as the next thing; and for the interpreter, what starts a function type is a signed integer.
    "integer representation too long": (
        "unexpected end",
        "malformed section id 128",
        "malformed function type",
        "malformed definition type",
    ),
    "integer too large": ("unexpected end", "malformed section id 128"),
    # Words that changed from version to version.
    "immutable global": ("global is immutable",),
    "sub type": ("type mismatch",),
    **{
        f"type mismatch: instruction requires [i32] but stack has [{found}]": ("type mismatch: expected i32, found",)
        for found in ("", "i64")
    },
}

# What a suite calls malformed or invalid because it came later. Here nothing is: it needs a feature that is off.
LATER = {
    "malformed import kind": "exceptions",
    "integer too large": "threads",
    "malformed limits flags": "custom_page_sizes",
    "malformed memop flags": "multi_memory",
    "multiple memories": "multi_memory",
    "multiple tables": "reference_types",
}

pytestmark = pytest.mark.skipif(not SCRIPTS, reason="no specification test suite; set WASMETAL_SHARED")

EXPECTED: dict[str, type[CompileError]] = {"assert_invalid": InvalidError, "assert_malformed": MalformedError}
VALID = ("module", "module_definition", "assert_uninstantiable", "assert_unlinkable")


def _verdict(source: bytes, features: Features) -> CompileError | None:
    try:
        validate(decode(source, features), features)
    except CompileError as error:
        return error
    return None


def _commands(script: Path) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = json.loads(script.read_text())["commands"]
    return [c for c in commands if (c["type"] in EXPECTED or c["type"] in VALID) and "filename" in c]


@pytest.mark.parametrize(("suite", "script"), SCRIPTS, ids=lambda p: p if isinstance(p, str) else p.stem)
def test_script(suite: str, script: Path) -> None:
    wrong: list[str] = []
    for command in _commands(script):
        if command.get("module_type") == "text":
            continue
        source = (script.parent / command["filename"]).read_bytes()
        error = _verdict(source, SUITES[suite])
        expected = EXPECTED.get(command["type"])
        where = f"line {command['line']} ({command['filename']})"
        if expected is None:
            if error is not None:
                wrong.append(f"{where}: {error!r}")
        elif isinstance(error, Unsupported) and LATER.get(command["text"]) == error.feature:
            assert not getattr(SUITES[suite], error.feature)
        elif type(error) is not expected or error is None:
            wrong.append(f"{where}: expected {expected.__name__} {command['text']!r}, got {error!r}")
        else:
            texts = (command["text"], *ALIASES.get(command["text"], ()))
            if not error.message.startswith(texts):
                wrong.append(f"{where}: expected {command['text']!r}, got {error.message!r}")
            if error.offset is None or not 0 <= error.offset <= len(source):
                wrong.append(f"{where}: offset {error.offset} of {error.message!r}")
    assert not wrong, "\n".join(wrong)


def _count(suite: str) -> dict[str, int]:
    count: dict[str, int] = {}
    for part, script in SCRIPTS:
        for command in _commands(script) if part.startswith(suite) else ():
            kind = "text" if command.get("module_type") == "text" else command["type"]
            count[kind] = count.get(kind, 0) + 1
    return count


def test_number_of_commands() -> None:
    """That nothing was skipped but text: the counts of the suites at the tags wg-2.0 and wg-3.0, and of proposals."""
    assert _count("2.0") == {
        "module": 1599,
        "assert_invalid": 2146,
        "assert_malformed": 719,
        "assert_uninstantiable": 34,
        "assert_unlinkable": 83,
        "text": 1091,
    }
    assert _count("3.0") == {
        "module": 2220,
        "module_definition": 6,
        "assert_invalid": 2703,
        "assert_malformed": 711,
        "assert_uninstantiable": 54,
        "assert_unlinkable": 200,
        "text": 1235,
    }
    assert _count("proposals") == {
        "module": 155,
        "module_definition": 8,
        "assert_invalid": 128,
        "assert_malformed": 108,
        "assert_unlinkable": 61,
        "text": 40,
    }


def test_everything_can_be_switched_off() -> None:
    """A module that needs what is off is refused with the feature's name, or is valid without it."""
    old = Features.wasm_2_0()
    needed: set[str] = set()
    for suite, script in SCRIPTS:
        for command in _commands(script):
            if command["type"] != "module" or suite.startswith("2.0"):
                continue
            source = (script.parent / command["filename"]).read_bytes()
            error = _verdict(source, old)
            if isinstance(error, Unsupported):
                assert error.feature in error.message
                assert not getattr(old, error.feature)
                needed.add(error.feature)
            else:
                assert not isinstance(error, MalformedError), (script, command, error)
    # (Modules with the older exceptions have tags, which come first.)
    assert needed == {f for f in attrs.asdict(old) if not getattr(old, f)} - {"legacy_exceptions"}


def decoded(suite: str) -> list[DecodedModule]:
    """All modules of a suite that decode."""
    found = []
    for part, script in SCRIPTS:
        for command in _commands(script) if part == suite else ():
            if command.get("module_type") != "text":
                source = (script.parent / command["filename"]).read_bytes()
                try:
                    found.append(decode(source, SUITES[suite]))
                except CompileError:
                    assert command["type"] in EXPECTED
    return found
