"""`wasmetal explore`: a web page with text, IR and machine code of functions side by side.

The page has everything in it: a template (`explore.html` beside this file), and one JSON object per function, of which
its script shows one at a time.
"""

from __future__ import annotations

import html
import json
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from wasm_core import opcodes
from wasm_core.disassembler import disassemble, format_instruction
from wasm_core.errors import CompileError
from wasm_core.instructions import IMM_BLOCK, IMM_BLOCK_CATCHES
from wasm_core.quoting import shown
from wasm_ir.backend import Backend
from wasm_ir.frontend import FrontendOptions
from wasm_ir.printer import listed_function
from wasmetal.cli.code import Loaded, backend_for, instructions
from wasmetal.cli.output import write_file
from wasmetal.cli.places import Places
from wasmetal.compiled.compiled_module import frontend_options
from wasmetal.config import Config

#: How much goes into a page when no function is named: bytes of WebAssembly code, and functions.
MOST_CODE: Final = 100_000
MOST_FUNCTIONS: Final = 2_000
#: Levels that nested instructions are indented for.
_MOST_LEVELS: Final = 32
#: What goes back a level, and, but for `end`, forward again behind it.
_MIDDLE: Final = frozenset((opcodes.ELSE, opcodes.CATCH, opcodes.CATCH_ALL))

#: A line: pieces of text, each with the offset of the WebAssembly instruction that it belongs to, 0 for none.
Line = list[tuple[int, str]]


def explore(file: str, functions: Sequence[str], output: str | None, target: str | None) -> None:
    """Write the page for the functions, by index or name; for all that there is room for if none are given."""
    backend = backend_for(target)
    loaded = Loaded.read(file)
    chosen = list(dict.fromkeys(loaded.find(function) for function in functions)) or list(_first(loaded))
    left_out = 0 if functions else len(loaded.own()) - len(chosen)
    name = "<stdin>" if file == "-" else file
    notice = ""
    if left_out:
        notice = (
            f"the first {len(chosen):,} of {len(loaded.own()):,} functions; wasmetal explore FILE FUNC... for others"
        )
    page = _page(loaded, chosen, backend, name, notice)
    if output is None and sys.stdout is not None and sys.stdout.isatty():
        output = f"{Path(name).stem if file != '-' else 'stdin'}.explore.html"
    if output is None or output == "-":
        for part in page:
            click.echo(part, nl=False)
    else:
        write_file(output, (part.encode() for part in page))
        click.echo(f"{output}: {len(chosen):,} function{'s' * (len(chosen) != 1)} for {backend.name}", err=True)
    if notice:
        click.echo(f"wasmetal: {notice}", err=True)


def _first(loaded: Loaded) -> Iterator[int]:
    """The first functions, as many as a page should have."""
    size = 0
    for index in loaded.own()[:MOST_FUNCTIONS]:
        start, end = loaded.module.body(index)
        size += end - start
        if size > MOST_CODE and index > loaded.module.imported_functions:
            return
        yield index


def _page(loaded: Loaded, chosen: Sequence[int], backend: Backend, name: str, notice: str) -> Iterator[str]:
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    head, tail = template.split("<!-- functions -->")
    words = {"title": shown(name), "backend": backend.name, "notice": notice}
    for key, value in words.items():
        head = head.replace(f"{{{key}}}", html.escape(value))
    yield head
    options = frontend_options(Config(), backend, explicit_bounds=False, listener=None)
    for index in chosen:
        made = json.dumps(_function(loaded, index, backend, options), separators=(",", ":"))
        # Nothing in a string may end the element.
        yield f'<script type="application/json" class="function">{made.replace("<", chr(92) + "u003c")}</script>\n'
    yield tail


def _function(loaded: Loaded, index: int, backend: Backend, options: FrontendOptions) -> dict[str, object]:
    """What the page shows of one function."""
    start, end = loaded.module.body(index)
    found: dict[str, object] = {
        "index": index,
        "title": shown(loaded.title(index), 400),
        "wasm": [],
        "ir": [],
        "code": [],
    }
    try:
        found["wasm"] = _lines(_text(loaded.places, start, end) if loaded.places else _instructions(loaded, index))
        function = loaded.translate(index, options)
        found["ir"] = _lines([(offset, line)] for line, offset in listed_function(function))
        listing: list[tuple[int, int]] = []
        function.listing = listing
        made = backend.compile(function)
    except CompileError as error:
        found["error"] = shown(str(error), 400)
        return found
    code = instructions(backend, made.code, [pc for pc, _ in listing])
    found["code"] = _lines(_code(code, listing))
    found["size"] = len(made.code)
    return found


def _lines(lines: Iterable[Line]) -> list[list[int | str]]:
    """Lines as the page has them: offset, text, offset, text, ..."""
    return [[item for piece in line for item in piece] for line in lines]


def _instructions(loaded: Loaded, index: int) -> Iterator[Line]:
    """The WebAssembly instructions of a function, indented."""
    level = 0
    for offset, instruction, immediates in disassemble(loaded.module, index):
        opcode = instruction.opcode
        if opcode in (opcodes.END, opcodes.DELEGATE) or opcode in _MIDDLE:
            level -= 1
        indent = "  " * min(max(level, 0), _MOST_LEVELS)
        note = ""
        if opcode in (opcodes.CALL, opcodes.RETURN_CALL):
            name = loaded.name_of.get(immediates[0])
            note = f"  ;; {shown(name)}" if name else ""
        yield [(0, f"{offset:6x}  "), (offset, f"{indent}{format_instruction(instruction, immediates)}{note}")]
        if instruction.immediate in (IMM_BLOCK, IMM_BLOCK_CATCHES) or opcode in _MIDDLE:
            level += 1


def _text(places: Places, start: int, end: int) -> Iterator[Line]:
    """The lines of the text that a function was assembled from."""
    text = places.source_map.text
    # Where in the text something begins, and what. (Operands that are folded into an instruction come before it in the
    # binary, and behind it in the text.)
    marks: dict[int, int] = {}
    for offset in range(start, end):
        position = places.source_map.position(offset)
        if position is not None:
            marks.setdefault(position, offset)
    positions = sorted(marks)
    first = bisect_right(places.line_starts, positions[0]) - 1
    last = bisect_right(places.line_starts, positions[-1])
    # (the function's own parenthesis may be closed on a line of its own)
    for number in range(first, last):
        at = places.line_starts[number]
        stop = places.line_starts[number + 1] if number + 1 < len(places.line_starts) else len(text) + 1
        line: Line = [(0, f"{number + 1:5}  ")]
        while at < stop - 1:
            known = bisect_right(positions, at)
            following = min(positions[known] if known < len(positions) else stop - 1, stop - 1)
            mark = marks[positions[known - 1]] if known > 1 else 0
            line.append((mark, text[at:following]))
            at = following
        yield line


def _code(code: Iterable[tuple[int, bytes, str]], listing: Sequence[tuple[int, int]]) -> Iterator[Line]:
    """Machine code, each instruction with the WebAssembly instruction that it is made for."""
    starts = [pc for pc, _ in listing]
    origins = [origin for _, origin in listing]
    # What the allocator has added belongs to what follows.
    for number in range(len(origins) - 2, -1, -1):
        if origins[number] < 0:
            origins[number] = max(origins[number + 1], 0)
    for address, data, text in code:
        origin = origins[bisect_right(starts, address) - 1]
        yield [(0, f"{address:6x}  "), (max(origin, 0), text or data.hex())]
