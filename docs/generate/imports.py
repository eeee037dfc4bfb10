"""Which module imports which, read off the source: for the pictures, and for the test of what may import what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "packages"
RUNTIME = PACKAGES / "runtime/src"

#: Modules that make use of a package where it is installed; others may name its types.
WHERE_INSTALLED = {"wasmetal.text": {"wasm_text"}, "wasmetal.importer": {"wasm_wasi"}}


@cache
def _statements(path: Path) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """The import statements of a file, and whether each is for type checking only."""
    found = []
    waiting: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text()), False)]
    while waiting:
        node, for_types = waiting.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append((node, for_types))
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            waiting += [(child, True) for child in node.body]
            waiting += [(child, for_types) for child in node.orelse]
        elif not isinstance(node, ast.expr):
            waiting += [(child, for_types) for child in ast.iter_child_nodes(node)]
    return found


def imports(path: Path, known: set[str], for_types: bool = True) -> Iterator[str]:
    """Modules that a file imports anywhere: in functions, and for type checking too unless `for_types` is off."""
    for node, only_types in _statements(path):
        if only_types and not for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            assert not node.level, f"{path}: imports are absolute"
            for alias in node.names:
                module = f"{node.module}.{alias.name}"
                yield module if module in known else str(node.module)


def modules(source: Path) -> dict[str, Path]:
    """The modules below a folder, by name."""
    found = {}
    for path in source.rglob("*.py"):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def room_of(module: str) -> str:
    """The room of the runtime that a module is in; "" for those right in `wasmetal`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (RUNTIME / "wasmetal" / parts[1]).is_dir() else ""


def runtime_graph() -> dict[str, set[str]]:
    """What each module of the runtime imports of the runtime. (The package itself only hands out names.)"""
    known = modules(RUNTIME)
    return {
        module: {name for name in imports(path, set(known)) if name in known and name not in (module, "wasmetal")}
        for module, path in known.items()
        if module != "wasmetal"
    }


def package_graph() -> dict[str, set[str]]:
    """What each package needs of the others as a library, by the names of imports: not what it uses where installed."""
    sources = {source.parent.name: source.parent for source in PACKAGES.glob("*/src/*/__init__.py")}
    graph: dict[str, set[str]] = {}
    for name, source in sources.items():
        graph[name] = set()
        for module, path in modules(source.parent).items():
            if path.parent.name != "cli":
                tops = {found.partition(".")[0] for found in imports(path, set(), for_types=False)}
                graph[name] |= (tops & sources.keys()) - {name} - WHERE_INSTALLED.get(module, set())
    return graph


def room_graph() -> dict[str, set[str]]:
    """What each room of the runtime imports of the others."""
    graph: dict[str, set[str]] = {}
    for module, found in runtime_graph().items():
        if module != "wasmetal.__main__":
            graph.setdefault(room_of(module), set()).update(room_of(name) for name in found)
    return {room: rooms - {room} for room, rooms in graph.items()}
