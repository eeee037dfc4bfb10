"""Native modules, where they are installed: each is found as a module of its own."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

if importlib.util.find_spec("wasm_ir__mypyc") is None:
    pytest.skip("not installed natively: nox -s mypyc", allow_module_level=True)


def native_modules(package: str) -> list[str]:
    folder = Path(str(importlib.import_module(package).__file__)).parent
    found = folder.rglob(f"*{EXTENSION_SUFFIXES[0]}")
    places = (path.relative_to(folder.parent) for path in found)
    return sorted(".".join([*place.parts[:-1], place.name.partition(".")[0]]) for place in places)


@pytest.mark.parametrize("package", ["wasm_core", "wasm_ir"])
def test_each_module_can_be_the_first(package: str) -> None:
    # Most are otherwise imported by others of their library, which does not ask Python's importer.
    modules = native_modules(package)
    assert modules
    script = (
        "import importlib.util, sys\n"
        "for name in sys.argv[1:]:\n"
        "    module = importlib.import_module(name)\n"
        "    assert module.__name__ == module.__spec__.name == name, name\n"
        "    assert sys.modules[name] is module, name\n"
        "    assert importlib.util.find_spec(name).origin == module.__file__ == module.__spec__.origin, name\n"
    )
    # The last ones first, and one by one: in another order each.
    for order in (modules[::-1], modules[len(modules) // 2 :], modules[::7]):
        subprocess.run([sys.executable, "-P", "-c", script, *order], check=True, timeout=60)


def test_failures_in_native_code_name_file_function_and_line() -> None:
    from wasm_core import MalformedError, decode

    with pytest.raises(MalformedError) as caught:
        decode(b"\0asm\1\0\0\0\1\x7f")
    entries = [(os.path.basename(entry.path), entry.name) for entry in caught.traceback]
    assert ("decoder.py", "decode") in [(os.path.basename(str(path)), name) for path, name in entries]
    # (lines are those of the sources, counted from 0 here)
    assert all(entry.lineno > 0 for entry in caught.traceback[1:])
