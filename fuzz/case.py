"""A module and what to do with it: the same for every engine, and kept in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

#: ["call", name, [bit patterns in hexadecimal]], ["set", global, value] or ["state"].
Step = list[Any]
#: What came of a step, in JSON's types.
Result = Any


@attrs.define
class Case:
    """Everything that a run depends on."""

    binary: bytes
    steps: list[Step]

    def save(self, path: Path, expected: list[Result] | None = None) -> None:
        """Write `path`.wasm and `path`.json."""
        path.with_suffix(".wasm").write_bytes(self.binary)
        steps = ",\n  ".join(map(json.dumps, self.steps))
        results = ""
        if expected is not None:
            results = ',\n "expected": [\n  ' + ",\n  ".join(map(json.dumps, expected)) + "\n ]"
        path.with_suffix(".json").write_text(f'{{"steps": [\n  {steps}\n ]{results}\n}}\n')


def load(path: Path) -> tuple[Case, list[Result] | None]:
    """Read what `Case.save` wrote."""
    described = json.loads(path.with_suffix(".json").read_text())
    return Case(path.with_suffix(".wasm").read_bytes(), described["steps"]), described.get("expected")
