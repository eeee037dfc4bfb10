"""What native wheels are made from: sources with numbers in them, and C with less in it. It must do what it did."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
sys.path.insert(0, str(NATIVE))
try:
    from constants import with_numbers
    from mending import TRACE, share_cleanups, shorten_failures
finally:
    sys.path.remove(str(NATIVE))

SOURCE = '''\
"""Text that is not ASCII: ä, →."""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MADE: list[str] = []

def make(name: str) -> int:
    MADE.append(name)
    return len(MADE)

LITERAL: Final = 3
FIRST: Final = make("first")
SECOND: Final[int] = make(
    # (a comment)
    "second ä"
)
SHIFTED: Final = 1 << FIRST
NAMES: Final[tuple[str, ...]] = ("a",)
TRUTH: Final = not MADE
LAST: Final = SHIFTED + SECOND
'''


def run(source: str) -> dict[str, object]:
    values: dict[str, object] = {}
    exec(compile(source, "example", "exec", flags=0x1000000), values)
    return {name: value for name, value in values.items() if name.isupper()}


def test_numbers_are_literals_and_what_computes_them_still_runs() -> None:
    before = run(SOURCE)
    changed = with_numbers(SOURCE, before)
    assert run(changed) == before
    literal = {
        statement.target.id
        for statement in ast.parse(changed).body
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(statement.value, ast.Constant)
    }
    assert literal == {"LITERAL", "FIRST", "SECOND", "SHIFTED", "LAST"}


def test_lines_stay_where_they_are() -> None:
    # Tracebacks of native code name them.
    changed = with_numbers(SOURCE, run(SOURCE)).splitlines()
    assert len(changed) == len(SOURCE.splitlines())
    assert [line for line in changed if line.startswith("LAST")] == changed[-1:]


@pytest.mark.parametrize("name", ["wasm_ir.opcodes", "wasm_ir.codegen.machinst", "wasm_core.type_codes"])
def test_modules_of_the_compiler_with_numbers_have_the_same_numbers(name: str) -> None:
    module = import_module(name)
    assert module.__file__
    path = Path(module.__file__)
    if path.suffix != ".py":
        pytest.skip("installed natively: its names are literals already")
    changed = with_numbers(path.read_text(encoding="utf-8"), vars(module))
    numbers = {key: value for key, value in vars(module).items() if type(value) is int and key.isupper()}
    values = dict.fromkeys(["__name__"], name)
    exec(compile(changed, name, "exec"), values)
    assert {key: values[key] for key in numbers} == numbers


FUNCTION = """\
char CPyDef_f(void) {
    if (a) goto CPyL3;
    if (b) goto CPyL4;
    if (c) goto CPyL5;
    return 1;
CPyL2: ;
    return 2;
CPyL3: ;
    CPyTagged_DecRef(cpy_r_a);
    goto CPyL2;
CPyL4: ;
    CPyTagged_DecRef(cpy_r_a);
    CPy_DecRef(cpy_r_b);
    CPy_DecRef(cpy_r_b);
    goto CPyL2;
CPyL5: ;
    CPy_DecRef(cpy_r_b);
    CPyTagged_DecRef(cpy_r_a);
    CPy_DecRef(cpy_r_c);
CPyL6: ;
    goto CPyL2;
}
"""


def given_up(text: str, label: str) -> Counter[str]:
    """What is given up from a label on, until the function returns."""
    lines = text.splitlines()
    found: Counter[str] = Counter()
    at = lines.index(f"{label}: ;")
    while not lines[at].startswith("    return"):
        if match := re.fullmatch(r"    goto (\w+);", lines[at]):
            at = lines.index(f"{match[1]}: ;")
        else:
            if "DecRef" in lines[at]:
                found[lines[at].strip()] += 1
            at += 1
    return found


def test_cleanups_are_shared_and_give_up_the_same() -> None:
    # (one too few is a leak, one too many a crash)
    text = FUNCTION + FUNCTION.replace("CPyDef_f", "CPyDef_g").replace("cpy_r_a", "cpy_r_z")
    changed = share_cleanups(text)
    for before, after in zip(text.split("char ")[1:], changed.split("char ")[1:], strict=True):
        for label in ("CPyL3", "CPyL4", "CPyL5"):
            assert given_up(after, label) == given_up(before, label)
    assert changed.count("DecRef") < text.count("DecRef")


def test_failures_name_the_same_places() -> None:
    text = """\
#include "__native_internal_p.h"
    CPy_AddTraceback("p/m.py", "first", 12, globals_m);
    CPy_AddTraceback("p/m.py", "second", 13, globals_m);
    CPy_AddTraceback("p/m.py", "<lambda>", -1, globals_m);
    CPy_TypeErrorTraceback("p/m.py", "first", 14, globals_m, "int or None", cpy_r_x);
    CPy_AttributeError("p/m.py", "third", "Class", "attribute", 70000, globals_m);
    CPy_AttributeError("p/m.py", "third", "Class", "attribute", 15, globals_m);
    PyErr_SetString(PyExc_NameError, "value for final name \\"X\\" was not set");
"""
    changed = shorten_failures(text)
    functions = changed.split('functions[] = "')[1].split('"')[0].replace("\\0", "\0")
    calls = changed[changed.index("    trace(") :]

    def place(written: str) -> tuple[str, int]:
        offset, line = re.fullmatch(r"(\d+)u << 16 \| (\d+)", written).groups()  # type: ignore[union-attr]
        return functions[int(offset) :].split("\0")[0], int(line)

    found = re.findall(r"(trace\w*)\((\d+u << 16 \| \d+)(.*)\);", calls)
    assert [(name, *place(where), rest) for name, where, rest in found] == [
        ("trace", "first", 12, ""),
        ("trace", "second", 13, ""),
        ("trace_type", "first", 14, ', "int or None", cpy_r_x'),
        ("trace_attribute", "third", 15, ', "Class\\0attribute"'),
    ]
    # What does not fit stays.
    assert "-1, globals_m" in calls
    assert '"attribute", 70000' in calls
    assert 'raise_NameError("value for final name \\"X\\" was not set")' in calls
    assert TRACE.search(calls) is None
