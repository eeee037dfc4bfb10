"""The number of the layout that runtime, compiler and backends must agree on."""

from __future__ import annotations

import hashlib

import pytest

from wasm_ir import backend as backend_protocol
from wasm_ir import vmcontext
from wasm_ir.vmcontext import Layout
from wasmetal import Engine, WasmError
from wasmetal.code import version
from wasmetal.glue.glue import Glue
from wasmetal.store import shared_glue

#: Layout number -> checksum of what it stands for.
CHECKSUMS = {
    1: "eb6eafef9906910d",
    2: "204bf015a2ef850e",
    3: "1ca2c24b20c9d22a",
    4: "be3ca5eddae728af",
    5: "be3ca5eddae728af",
    6: "5868b93d843d03c3",
}


def checksum() -> str:
    lines = []
    for module in (vmcontext, backend_protocol):
        for name, value in sorted(vars(module).items()):
            if name.isupper() and name not in ("LAYOUT", "TYPE_CHECKING"):
                lines.append(f"{name} {value.offsets if isinstance(value, Layout) else value}")
    lines += sorted(vars(backend_protocol.Stubs).get("__annotations__", ()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_a_change_of_the_layout_raises_its_number() -> None:
    assert CHECKSUMS.get(vmcontext.LAYOUT) == checksum(), (
        "what generated code and the runtime share has changed: raise LAYOUT in wasm_ir.vmcontext and in "
        "wasmetal.code.version by one, and put the new number here with this checksum"
    )


def test_runtime_and_compiler_agree() -> None:
    assert version.LAYOUT == vmcontext.LAYOUT == Engine().backend.layout


@pytest.mark.parametrize("part", ["runtime", "wasm-ir", "backend"])
def test_versions_that_do_not_fit_are_refused(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mixed versions would crash: code would look for things where they are not."""
    engine = Engine()
    if part == "runtime":
        monkeypatch.setattr(shared_glue, "LAYOUT", version.LAYOUT + 1)
    elif part == "wasm-ir":
        monkeypatch.setattr(vmcontext, "LAYOUT", version.LAYOUT + 1)
    else:
        monkeypatch.setattr(type(engine.backend), "layout", version.LAYOUT + 1)
    with pytest.raises(WasmError, match="do not fit each other"):
        engine.glue  # noqa: B018 - it is made here
    monkeypatch.undo()
    assert isinstance(engine.glue, Glue)
