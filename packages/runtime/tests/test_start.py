"""What a program imports and does, when it is compiled and when all of its code comes from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wasmetal.cpython import layouts
from wasmetal.glue import prebuild
from wasmetal.registry.selection import select

_PROGRAM = """
import sys
before = set(sys.modules)
import wasmetal
module = wasmetal.Engine(wasmetal.Config(cache=sys.argv[1])).compile(sys.argv[2])
instance = module.instantiate({"host": {"log": lambda value: None}})
assert instance.exports.double(21) == 42
print(*sorted(set(sys.modules) - before))
"""

#: What only compiling needs, and what takes long to import.
_NOT_NEEDED = (
    "wasm_core.body_validator",
    "wasm_core.instructions",
    "wasm_core.names",
    "wasm_core.opcodes",
    "wasm_ir.builder",
    "wasm_ir.codegen.pipeline",
    "wasm_ir.frontend",
    "wasm_ir.ir",
    "wasm_backend_amd64.encodings",
    "wasm_backend_amd64.target",
    "wasm_backend_arm64.encodings",
    "wasm_backend_arm64.target",
    "wasmetal.store.backtrace",
    "wasmetal.glue.python_api",
    "wasmetal.compiled.listener",
    "wasmetal.registry.backends",
)

#: What takes long to import, and nothing needs, compiling neither.
_NEVER_NEEDED = ("attr", "entrypoints", "hashlib", "json", "re", "typing")


#: What builds glue, which comes ready made.
_GLUE_MAKERS = (
    "wasm_backend_amd64.stubs",
    "wasm_backend_arm64.stubs",
    "wasmetal.glue.callbacks",
    "wasmetal.glue.entry",
    "wasmetal.glue.host",
    "wasmetal.glue.python_api",
    "wasmetal.glue.suspension",
    "wasmetal.glue.ticker_code",
)

#: Parts of the compiler that wait until a program needs them.
_COMPILER_PARTS = (
    "heapq",
    "math",
    "mmap",
    "platform",
    *(
        f"wasm_backend_{machine}.{part}"
        for machine in ("amd64", "arm64")
        for part in (
            "float_encodings",
            "float_instructions",
            "integer_instructions",
            "lower_division",
            "lower_float",
            "lower_vector",
            "native_instructions",
            "tail_calls",
            "vector_encodings",
        )
    ),
    "wasm_core.gc_instructions",
    "wasm_core.immediates",
    "wasm_core.instructions",
    "wasm_core.prefixed_instructions",
    "wasm_core.reference_instructions",
    "wasm_core.subtyping",
    "wasm_core.unset_locals",
    "wasm_core.vector_opcodes",
    "wasm_ir.codegen.loop_constants",
    "wasm_ir.frontend.bulk_tables",
    "wasm_ir.frontend.exceptions",
    "wasm_ir.frontend.fuel",
    "wasm_ir.frontend.hints",
    "wasm_ir.frontend.immediate_shapes",
    "wasm_ir.frontend.listener",
    "wasm_ir.frontend.rare",
    "wasm_ir.frontend.vectors",
    "wasm_ir.frontend.wide_arithmetic",
    "wasm_ir.passes.cold",
    "wasm_ir.reciprocals",
    "wasm_ir.symbols",
)

_COMMAND = """
import sys
before = set(sys.modules)
from wasmetal import cli
assert cli.main(["run", "--stub", "host", "--invoke", "double", sys.argv[2], "21"]) == 0
print(*sorted(set(sys.modules) - before))
"""


@pytest.fixture
def program(wasm, tmp_path: Path) -> Path:
    builder = wasm()
    op = wasm.op
    builder.import_func("host", "log", "i", "")
    builder.memory(1)
    builder.glob("i", op.i32(5), mutable=True)
    builder.func("i", "i", op.get(0) + op.call(0) + op.get(0) + op.get(0) + op.I32_ADD, export="double")
    path = tmp_path / "program.wasm"
    path.write_bytes(builder.build())
    return path


@pytest.mark.parametrize("code", [_PROGRAM, _COMMAND], ids=["program", "command"])
def test_a_warm_start_imports_no_compiler(code: str, program: Path, tmp_path: Path) -> None:
    imported = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "cache"), str(program)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        )
        imported.append(set(done.stdout.split()))
    cold, warm = imported
    assert {"wasm_ir.frontend", "wasm_core.body_validator"} <= cold
    assert not cold.intersection(_NEVER_NEEDED)
    assert not warm.intersection((*_NOT_NEEDED, *_NEVER_NEEDED))


def test_a_first_start_imports_what_it_needs(program: Path, tmp_path: Path) -> None:
    """And makes no glue, not even the very first one after the packages were installed."""
    if layouts.description()[0]:
        pytest.skip("of builds of CPython that few use there is no glue")
    backend = select("auto")
    row = [list(row.values()) for row in prebuild.LAYOUTS].index([*layouts.description()[1:]])
    make = [sys.executable, "-m", "wasmetal.glue.prebuild", str(tmp_path)]
    subprocess.run([*make, f"{row}={backend.__module__}:{backend.__name__}"], check=True, timeout=60)
    where = f"from wasmetal.glue import prebuilt; prebuilt.folder = {str(tmp_path)!r}"
    code = _PROGRAM.replace("import wasmetal\n", f"import wasmetal\n{where}\n")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "cache"), str(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    imported = set(done.stdout.split())
    assert "wasm_ir.frontend" in imported
    assert not imported.intersection((*_GLUE_MAKERS, *_COMPILER_PARTS, *_NEVER_NEEDED))


def test_names_are_imported_lazily() -> None:
    code = (
        "import sys, wasm_core; assert 'wasm_core.decoder' not in sys.modules; "
        "assert all(getattr(wasm_core, name) is not None for name in wasm_core.__all__); "
        "assert set(wasm_core.__all__) <= set(dir(wasm_core)); assert not hasattr(wasm_core, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
