"""Register allocation of real programs for x86-64, proved right function by function."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wasm_backend_amd64.backend import REQUIRED_FEATURES
from wasm_backend_amd64.registers import REGISTERS
from wasm_backend_amd64.target import Amd64Target
from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_ir.codegen.allocation_checker import check, snapshot
from wasm_ir.codegen.linear_scan import allocate
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.vmcontext import ContextLayout

_SHARED = Path(os.environ.get("WASMETAL_SHARED", Path(__file__).resolve().parents[4] / "shared"))
#: All programs of the corpus when set, otherwise some small ones.
_ALL = os.environ.get("WASMETAL_ALLOCATION_TESTS") is not None


def _programs() -> list[Path]:
    found = sorted(_SHARED.glob("corpus/*/program.wasm"))
    return found if _ALL else [path for path in found if path.stat().st_size < 30_000]


@pytest.mark.skipif(not _programs(), reason=f"no corpus in {_SHARED}")
@pytest.mark.parametrize("explicit_bounds", [False, True])
@pytest.mark.parametrize("path", _programs(), ids=lambda path: path.parent.name)
def test_program(path: Path, explicit_bounds: bool) -> None:
    module = decode(path.read_bytes())
    layout = ContextLayout(module)
    options = FrontendOptions(explicit_bounds=explicit_bounds, listener=False)
    target = Amd64Target(REQUIRED_FEATURES)
    first = module.imported_functions
    for index in range(first, first + len(module.body_starts)):
        function = translate(module, index, layout, validate_body(module, index), options)
        machine = target.lower(function)
        # Nothing that only other processors have is selected.
        assert {inst.op.feature for block in machine.blocks for inst in block.insts} <= {"", *REQUIRED_FEATURES}
        before = snapshot(machine)
        check(machine, before, allocate(machine, REGISTERS), REGISTERS)
