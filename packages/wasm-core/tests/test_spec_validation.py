"""The specification's test suite, as far as decoding and validation go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from wasm_core import CompileError, Features, InvalidError, MalformedError, Unsupported, decode, validate

SHARED = Path(os.environ.get("WASMETAL_SHARED") or Path(__file__).resolve().parents[4] / "shared")
SCRIPTS = sorted(p for part in ("core", "simd") for p in (SHARED / "spec" / "2.0" / part).glob("*.json"))

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
    "integer representation too long": ("unexpected end", "malformed section id 128", "malformed function type"),
}

pytestmark = pytest.mark.skipif(not SCRIPTS, reason="no specification test suite; set WASMETAL_SHARED")

# What the suite of 2.0 calls malformed and later versions do not: tags among the imports, shared memories.
LATER = ("malformed import kind", "integer too large")

EXPECTED: dict[str, type[CompileError]] = {"assert_invalid": InvalidError, "assert_malformed": MalformedError}
FEATURES = Features.wasm_2_0()
VALID = ("module", "assert_uninstantiable", "assert_unlinkable")


def _verdict(source: bytes) -> CompileError | None:
    try:
        validate(decode(source, FEATURES), FEATURES)
    except CompileError as error:
        return error
    return None


def _commands(script: Path) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = json.loads(script.read_text())["commands"]
    return [c for c in commands if (c["type"] in EXPECTED or c["type"] in VALID)]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_script(script: Path) -> None:
    wrong: list[str] = []
    for command in _commands(script):
        if command.get("module_type") == "text":
            continue
        source = (script.parent / command["filename"]).read_bytes()
        error = _verdict(source)
        expected = EXPECTED.get(command["type"])
        where = f"line {command['line']} ({command['filename']})"
        if expected is None:
            if error is not None:
                wrong.append(f"{where}: {error!r}")
        elif isinstance(error, Unsupported) and command["text"] in LATER:
            assert error.feature in ("exceptions", "threads")
        elif type(error) is not expected or error is None:
            wrong.append(f"{where}: expected {expected.__name__} {command['text']!r}, got {error!r}")
        else:
            texts = (command["text"], *ALIASES.get(command["text"], ()))
            if not error.message.startswith(texts):
                wrong.append(f"{where}: expected {command['text']!r}, got {error.message!r}")
            if error.offset is None or not 0 <= error.offset <= len(source):
                wrong.append(f"{where}: offset {error.offset} of {error.message!r}")
    assert not wrong, "\n".join(wrong)


def test_number_of_commands() -> None:
    """That nothing was skipped but text: the counts of the suite at the tag wg-2.0."""
    count: dict[str, int] = {}
    for script in SCRIPTS:
        for command in _commands(script):
            kind = "text" if command.get("module_type") == "text" else command["type"]
            count[kind] = count.get(kind, 0) + 1
    assert count == {
        "module": 1599,
        "assert_invalid": 2146,
        "assert_malformed": 719,
        "assert_uninstantiable": 34,
        "assert_unlinkable": 83,
        "text": 1091,
    }
