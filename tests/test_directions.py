"""Which package, and which room of the runtime, may import which."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))

from docs.generate.imports import (  # noqa: E402
    PACKAGES,
    RUNTIME,
    WHERE_INSTALLED,
    imports,
    modules,
    room_of,
    runtime_graph,
)

#: Package -> packages that it may import.
MAY_IMPORT_PACKAGES = {
    "wasm_core": set(),
    "wasm_ir": {"wasm_core"},
    "wasm_backend_amd64": {"wasm_core", "wasm_ir"},
    "wasm_backend_arm64": {"wasm_core", "wasm_ir"},
    "wasmetal": {"wasm_core", "wasm_ir"},
    "wasm_text": {"wasm_core"},
    "wasm_wasi": {"wasm_core", "wasmetal"},
}

#: What the command line makes use of where it is installed.
AT_THE_COMMAND_LINE = {"wasm_wasi", "wasm_text"}

#: Room of the runtime -> rooms that it may import. "" is what users hold: the modules right in `wasmetal`.
MAY_IMPORT_ROOMS = {
    "system": set(),
    "cpython": {"system"},
    "registry": set(),
    "code": {"system"},
    "glue": {"system", "cpython", "code"},
    "compiled": {"system", "cpython", "code", "glue"},
    "store": {"system", "cpython", "code", "glue", "compiled", "registry"},
    "": {"system", "cpython", "code", "glue", "compiled", "store", "registry"},
    "cli": {"system", "cpython", "code", "glue", "compiled", "store", "registry", ""},
}

#: The command `python -m wasmetal` is the command line's own front door.
FRONT_DOORS = {"wasmetal.__main__"}

#: Modules that import each other: at most so many in one room.
LARGEST_CIRCLE = 3


@pytest.mark.parametrize("package", MAY_IMPORT_PACKAGES)
def test_packages_import_one_way(package: str) -> None:
    (source,) = PACKAGES.glob(f"*/src/{package}")
    for module, path in modules(source.parent).items():
        allowed = {package} | MAY_IMPORT_PACKAGES[package] | WHERE_INSTALLED.get(module, set())
        if path.parent.name == "cli":
            allowed |= AT_THE_COMMAND_LINE
        tops = {name.partition(".")[0] for name in imports(path, set(), for_types=package != "wasmetal")}
        wrong = (tops & MAY_IMPORT_PACKAGES.keys()) - allowed
        assert not wrong, f"{path} imports {wrong}"


def test_rooms_import_one_way() -> None:
    wrong = [
        f"{module} imports {imported}"
        for module, names in runtime_graph().items()
        for imported in names
        if module not in FRONT_DOORS
        and room_of(imported) != room_of(module)
        and room_of(imported) not in MAY_IMPORT_ROOMS[room_of(module)]
    ]
    assert not wrong


def test_each_room_is_in_the_table() -> None:
    rooms = {path.name for path in (RUNTIME / "wasmetal").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == MAY_IMPORT_ROOMS.keys() - {""}
    for room in rooms:
        assert (RUNTIME / "wasmetal" / room / "__init__.py").read_text().startswith('"""'), f"{room} says what it is"


def test_circles_are_small() -> None:
    graph = runtime_graph()
    reached = {module: _reachable(graph, module) for module in graph}
    for module in graph:
        circle = sorted(other for other in reached[module] if module in reached.get(other, ()))
        assert len(circle) <= LARGEST_CIRCLE, f"these import each other: {circle}"


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        for other in graph.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


#: What asks the operating system for mappings, limits and handlers.
SYSTEM_NAMES = ("mmap", "mprotect", "madvise", "sigaction(", "/proc/", "CDLL(None", "resource.")


def test_only_one_room_asks_the_system() -> None:
    for module, path in modules(RUNTIME).items():
        if room_of(module) != "system":
            found = [name for name in SYSTEM_NAMES if name in path.read_text()]
            assert not found, f"{module} has {found}: that belongs to wasmetal.system"
