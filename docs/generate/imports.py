"""Which module imports which, read off the source: for the pictures, and for the test of what may import what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGES = Path(__file__).parents[2] / "packages"
RUNTIME = PACKAGES / "runtime/src"

#: Modules that make use of a package where it is installed; others may name its types.
WHERE_INSTALLED = {"wasmetal.text": {"wasm_text"}, "wasmetal.importer": {"wasm_wasi"}}


def imports(path: Path, known: set[str], for_types: bool = True) -> Iterator[str]:
    """Modules that a file imports anywhere: in functions, and for type checking too unless `for_types` is off."""
    tree = ast.parse(path.read_text())
    if not for_types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
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
