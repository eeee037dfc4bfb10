"""Target: damaged text, and damaged modules as text.

Only documented exceptions may come out, and what is printed must be read.
"""

from __future__ import annotations

import functools
import os
import random
import re
import traceback
from pathlib import Path

from fuzz.case import Case
from fuzz.mutate import sources as binaries
from fuzz.mutation import mutate
from fuzz.report import Report
from wasm_core import WasmError
from wasm_core.instructions import by_name
from wasm_text import ScriptModule, TextError, assemble, format, parse_script

_SHARED = Path(os.environ.get("WASMETAL_SHARED", Path(__file__).parents[2] / "shared"))
#: Larger modules would take too long.
_LARGEST = 4000
_MODULE = re.compile(r"^\(module.*?^\)", re.DOTALL | re.MULTILINE)
_PIECE = re.compile(r'"[^"]*"|[()]|[^\s()"]+|\s+|"')
_WORDS = ("0", "-1", "0x", "nan:0x0", "offset=", "align=0", "(;", ";)", ";;", "(@a", '"', "$x", '$"a b"', "4294967296")
_CHARACTERS = ("", "(", ")", '"', "\\", "$", "0", "x", "_", ".", "-", " ", "\0", "é", "\n", "@", ";")


@functools.cache
def texts() -> list[str]:
    """Modules of the specification's scripts."""
    found = []
    for path in sorted(_SHARED.glob("spec/scripts/**/*.wast")):
        found += _MODULE.findall(path.read_text("utf-8", errors="replace"))
    return [text for text in found if len(text) < _LARGEST]


@functools.cache
def words() -> list[str]:
    """What is put in the place of something else."""
    return [*sorted(by_name()), *_WORDS]


def make(seed: str) -> Case:
    """The text or module that belongs to a seed."""
    chance = random.Random(seed)
    if chance.random() < 0.3:
        first, second = chance.sample(binaries(), 2)
        return Case(mutate(first.read_bytes(), second.read_bytes(), chance), [])
    first_text, second_text = chance.sample(texts(), 2)
    return Case(damage(first_text, second_text, chance).encode(errors="replace"), [])


def damage(text: str, other: str, chance: random.Random) -> str:
    """A damaged copy of a text, perhaps with pieces of another."""
    pieces: list[str] = _PIECE.findall(text)
    others: list[str] = _PIECE.findall(other) if chance.random() < 0.3 else pieces
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(pieces) + 1)
        end = min(len(pieces), at + chance.choice((0, 1, 1, 1, 2, 5, 30)))
        what = chance.randrange(5)
        if what == 0:
            pieces[at:end] = [chance.choice(words())]
        elif what == 1:
            del pieces[at:end]
        elif what == 2:
            pieces[at:at] = pieces[at:end]
        elif what == 3:
            start = chance.randrange(len(others) + 1)
            pieces[at:end] = others[start : start + end - at]
        elif at < len(pieces) and pieces[at]:
            piece = pieces[at]
            place = chance.randrange(len(piece))
            pieces[at] = piece[:place] + chance.choice(_CHARACTERS) + piece[place + 1 :]
    return "".join(pieces)


def check(case: Case, seed: str) -> Report:
    """Assemble (if it is text), print, assemble again."""
    report = Report()
    try:
        if case.binary.startswith(b"\0"):
            report.kind = "binary rejected"
            _try(ScriptModule("binary", None, False, case.binary, None, 0), report)
            return report
        report.kind = "text rejected"
        for command in parse_script(case.binary):
            if command.module is not None:
                _try(command.module, report)
    except WasmError:
        pass
    except Exception:
        report.find = traceback.format_exc()
    return report


def _try(module: ScriptModule, report: Report) -> None:
    """Assemble a module, print it and assemble what was printed, which must be right."""
    try:
        printed = format(module.assemble())
    except WasmError:
        # (What is assembled may refer to types that do not exist.)
        return
    report.kind = "text assembled"
    try:
        assemble(printed)
    except TextError as error:
        report.find = str(error)
