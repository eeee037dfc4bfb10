"""Machine code as text that changes no more than the code does: labels in the place of addresses.

Between instructions stand labels for what is branched to. A reference to a function slot shows its function, and an
instruction that has a row in the pc table the WebAssembly instruction that it is for. Data behind the code: jump
tables as labels, constants as bytes.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Final

from wasm_ir.backend import Backend, CompiledCode

#: Instructions after which a row of the pc table is a return address.
_CALLS: Final = frozenset({"call", "bl", "blr"})
_NOTE_COLUMN: Final = 44

# What instructions refer to. A table is read through its address, a constant is loaded.
_CODE: Final = 0
_TABLE: Final = 1
_CONSTANT: Final = 2

_NUMBER: Final = r"(?P<number>0x[0-9a-f]+|\d+)"
#: Backend -> forms of references: the instruction, of which the group `address` gives way to a label, the kind, and
#: whether the number counts from the end of the instruction.
_REFERENCES: Final = {
    "amd64": (
        (re.compile(rf"(?:j\w+|call) (?P<address>{_NUMBER})$"), _CODE, False),
        (re.compile(rf"nop dword ptr \[(?P<address>rcx (?P<sign>[+-]) {_NUMBER})\]"), _CODE, True),
        (re.compile(rf"lea .*(?P<address>rip (?P<sign>[+-]) {_NUMBER})"), _TABLE, True),
        (re.compile(rf".*(?P<address>rip (?P<sign>[+-]) {_NUMBER})"), _CONSTANT, True),
    ),
    "arm64": (
        (re.compile(rf"(?:b|bl|b\.\w+|cbn?z \w+,|tbn?z \w+, #\w+,|adr xzr,) (?P<address>#{_NUMBER})$"), _CODE, False),
        (re.compile(rf"adr \w+, (?P<address>#{_NUMBER})$"), _TABLE, False),
        (re.compile(rf"ldr \w+, (?P<address>#{_NUMBER})$"), _CONSTANT, False),
    ),
}
#: Backend -> how a reference to a function slot looks before it is relocated.
_SLOT: Final = {"amd64": "rip", "arm64": "#0"}
#: What fills up the space between code and data.
_PADDING: Final = frozenset({"int3", "udf #0"})


def listing(backend: Backend, made: CompiledCode, wasm: Mapping[int, str]) -> list[str] | None:
    """The text of a function's code, line by line; None without a disassembler.

    Args:
        backend: The backend, amd64 or arm64, that compiled the function.
        made: The function.
        wasm: The text of WebAssembly instructions by their offset in the module.
    """
    lines = backend.disassemble(made.code, 0)
    if lines is None:
        return None
    slots = {relocation.offset: relocation.target for relocation in made.relocations}
    #: Address of an instruction -> what it refers to, and the text with a gap for its label.
    references: dict[int, tuple[int, str]] = {}
    #: Address of data -> its kind.
    data: dict[int, int] = {}
    end = len(made.code)
    code = []
    for address, encoded, text in lines:
        if address >= end:
            break
        after = address + len(encoded)
        slot = next((slots[at] for at in range(address, after) if at in slots), None)
        if slot is not None:
            text = text.replace(_SLOT[backend.name], f"slot {slot}", 1)
        else:
            for form, kind, is_relative in _REFERENCES[backend.name]:
                if found := form.match(text):
                    target = int(found["number"], 0)
                    if is_relative:
                        target = after - target if found["sign"] == "-" else after + target
                    start, stop = found.span("address")
                    references[address] = target, text[:start] + "{}" + text[stop:]
                    if kind != _CODE and target > address:
                        data[target] = kind
                        end = min(end, target)
                    break
        code.append((address, after, text))
    while code and code[-1][2] in _PADDING:
        code.pop()
    tables = _tables(made.code, data)
    targets = {target for target, _ in references.values()}.union(*tables.values()) - {made.entry}
    labels = {target: f"L{number}" for number, target in enumerate(sorted(targets))}
    labels[made.entry] = "entry"
    places = dict(zip(made.pcs, made.wasm_offsets))
    out: list[str] = []
    for address, after, text in code:
        if address in labels:
            out.append(f"{labels[address]}:")
        if address in references:
            target, form_text = references[address]
            text = form_text.replace("{}", labels[target])
        is_call = text.partition(" ")[0] in _CALLS
        note = wasm.get(places.pop(after if is_call else address, 0), "")
        out.append(f"  {text:<{_NOTE_COLUMN}}; {note}" if note else f"  {text}")
    borders = [*sorted(data), len(made.code)]
    for start, stop in itertools.pairwise(borders):
        out.append(f"{labels[start]}:")
        if start in tables:
            out.append("  " + " ".join(labels[target] for target in tables[start]))
        else:
            out.append(f"  {made.code[start:stop].hex(' ', 4)}")
    return out


def _tables(code: bytes, data: Mapping[int, int]) -> dict[int, list[int]]:
    """The jump tables among the data, by their place: what their entries, distances from the table, lead to."""
    tables: dict[int, list[int]] = {}
    borders = [*sorted(data), len(code)]
    for start, stop in itertools.pairwise(borders):
        if data[start] == _TABLE:
            entries = [int.from_bytes(code[at : at + 4], "little", signed=True) for at in range(start, stop - 3, 4)]
            tables[start] = [start + entry for entry in entries if -start <= entry < 0]
    return tables
