"""Writes into sources that mypyc compiles the numbers that final names stand for.

To mypyc a final name is a constant if a literal is behind it; any other is a variable, of which every use asks whether
it has been set. Operations of the IR, registers and so on are numbered by the tables that they come from.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from shutil import copytree, ignore_patterns


def _numbered(tree: ast.Module, values: Mapping[str, object]) -> Iterator[tuple[ast.AnnAssign, str, int]]:
    """The statements that give final names of a module numbers, by more than a literal."""
    for statement in tree.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as computed):
                value = values.get(name)
                final = ast.unparse(statement.annotation) in ("Final", "Final[int]")
                if final and type(value) is int and not isinstance(computed, ast.Constant):
                    yield statement, name, value


def with_numbers(source: str, values: Mapping[str, object]) -> str:
    """The source of a module with numbers behind final names, `values` being what the module has when it is imported.

    What has been there is done before, as it may do more than make a number. Lines stay where they are.
    """
    lines = source.encode().splitlines(keepends=True)
    for statement, name, value in _numbered(ast.parse(source), values):
        computed = statement.value
        assert computed is not None
        first, last = statement.lineno - 1, computed.end_lineno
        assert last == statement.end_lineno
        assert last is not None
        begin = lines[first][: statement.col_offset]
        end = lines[last - 1][statement.end_col_offset :]
        text = "".join(f"{line}\n" for line in ast.unparse(computed).splitlines()).rstrip()
        calls = any(isinstance(node, ast.Call) for node in ast.walk(computed))
        replacement = f"{text}; " if calls else ""
        breaks = b"\n" * (last - 1 - first)
        made = f"{replacement}{name}: Final = {value}".encode()
        lines[first:last] = [begin + made + end + breaks] + [b""] * (last - 1 - first)
    return b"".join(lines).decode()


def copy_sources(root: Path, folder: Path, modules: Mapping[str, str]) -> None:
    """Copy the sources of all packages, with numbers in those modules (path relative to the root -> name)."""
    sources = sorted((root / "packages").glob("*/src"))
    for source in sources:
        copytree(source, folder / source.relative_to(root), ignore=ignore_patterns("__pycache__", "*.so", "*.glue"))
    path = sys.path[:]
    # Not modules that an earlier build has installed.
    sys.path[:0] = map(str, sources)
    try:
        for place, name in modules.items():
            file = folder / place
            file.write_text(with_numbers(file.read_text(), vars(import_module(name))))
    finally:
        sys.path[:] = path
