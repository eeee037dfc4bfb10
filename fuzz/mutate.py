"""Target: damaged modules. Only documented exceptions may come out."""

from __future__ import annotations

import functools
import os
import random
import traceback
from pathlib import Path

import wasmetal
from fuzz.case import Case
from fuzz.edge_values import bits, to_python
from fuzz.hosts import CODES
from fuzz.mutation import mutate
from fuzz.report import Report
from fuzz.run_wasmetal import MACHINES, engine
from wasm_core import WasmError

_SHARED = Path(os.environ.get("WASMETAL_SHARED", Path(__file__).parents[2] / "shared"))
#: Larger modules would take too long.
_LARGEST = 60_000
#: How long a module may run.
_SECONDS = 0.5
#: Most exports that are called.
_CALLS = 12


@functools.cache
def sources() -> list[Path]:
    """Modules to damage."""
    found = [*_SHARED.glob("corpus/*/program.wasm"), *_SHARED.glob("spec/2.0/core/**/*.wasm")]
    return sorted(path for path in found if 0 < path.stat().st_size <= _LARGEST)


def make(seed: str) -> Case:
    """The module that belongs to a seed."""
    chance = random.Random(seed)
    first, second = chance.sample(sources(), 2)
    return Case(mutate(first.read_bytes(), second.read_bytes(), chance), [])


def check(case: Case, seed: str) -> Report:
    """Decode, validate, instantiate, call."""
    chance = random.Random(seed)
    report = Report()
    try:
        report.kind = "rejected"
        made = engine(chance.choice(MACHINES)) if chance.random() < 0.5 else _lazy_engine()
        module = made.compile(case.binary)
        report.kind = "not instantiated"
        # A damaged loop may run forever.
        with wasmetal.deadline(_SECONDS), module.instantiate(_imports(module)) as instance:
            report.kind = "run"
            _use(instance, module, chance, report)
    except (WasmError, MemoryError):
        pass
    except Exception:
        report.find = traceback.format_exc()
    return report


@functools.cache
def _lazy_engine() -> wasmetal.Engine:
    """One that validates functions when they are called, and lets modules have little."""
    return wasmetal.Engine(wasmetal.Config(validation="lazy", max_memory_pages=100, max_table_elements=1000))


def _imports(module: wasmetal.Module) -> dict[str, dict[str, object]]:
    """Something for every import."""
    found: dict[str, dict[str, object]] = {}
    for wanted in module.imports:
        found.setdefault(wanted.module, {})[wanted.name] = _dummy(wanted.type)
    return found


def _dummy(type: wasmetal.ExternType) -> object:
    if isinstance(type, wasmetal.FuncType):
        results = [_zero(result) for result in type.results]
        answer = None if not results else results[0] if len(results) == 1 else tuple(results)
        return lambda *_: answer
    if isinstance(type, wasmetal.MemoryType):
        return wasmetal.Memory(type)
    if isinstance(type, wasmetal.TableType):
        return wasmetal.Table(type)
    assert isinstance(type, wasmetal.GlobalType)
    return wasmetal.Global(type, _zero(type.value_type))


def _zero(type: wasmetal.ValueType) -> object:
    return {"i32": 0, "i64": 0, "f32": 0.0, "f64": 0.0, "v128": bytes(16)}.get(type.value)


def _use(instance: wasmetal.Instance, module: wasmetal.Module, chance: random.Random, report: Report) -> None:
    """Call exported functions, and touch everything else that is exported."""
    for export in list(module.exports)[:_CALLS]:
        try:
            item = instance.exports[export.name]
            if isinstance(item, wasmetal.Func):
                params = [(type, CODES.get(type.value)) for type in item.type.params]
                arguments = [to_python(code, bits(chance, code)) if code else _zero(type) for type, code in params]
                report.calls += 1
                item(*arguments)
            elif isinstance(item, wasmetal.Memory):
                item.view()[:16].tobytes()
            elif isinstance(item, wasmetal.Table):
                _ = [item[i] for i in range(min(len(item), 16))]
            elif isinstance(item, wasmetal.Global):
                _ = item.value
        except (WasmError, MemoryError):
            pass
