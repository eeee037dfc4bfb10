"""Modules go to other processes, and what goes wrong there comes back as itself."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from systems import posix

import wasmetal
from wasmetal import Config, Engine, Module, Trap, TrapCode, shipping
from wasmetal.compiled import precompiled
from wasmetal.compiled.compiled_module import CompiledModule

#: Seconds that a worker may need: it imports pytest first, which takes a busy machine a minute under emulation.
PATIENCE = 300


def call(module: Module, name: str, *arguments: int) -> Any:
    """What workers do."""
    return module.instantiate().exports[name](*arguments)


def load(source: bytes) -> None:
    wasmetal.validate(source)


@pytest.fixture
def module(wasm: Any) -> Module:
    builder = wasm()
    op = wasm.op
    builder.memory(1)
    builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_DIV_S, export="div")
    builder.func("ii", "i", op.get(0) + op.get(1) + op.call(0), export="outer")
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    return Module(builder.build())


def _check(error: BaseException) -> None:
    assert isinstance(error, Trap)
    assert (type(error), str(error), error.code) == (Trap, "integer divide by zero", TrapCode.INTEGER_DIVIDE_BY_ZERO)
    assert [frame.function_name for frame in error.frames] == ["div", "outer"]
    assert "outer" in error.__notes__[0]


FORKING = [pytest.param(method, marks=posix) for method in ("fork", "forkserver")]


@pytest.mark.parametrize("method", ["spawn", *FORKING])
def test_an_executor(module: Module, method: str) -> None:
    # A result that cannot be unpickled ends the executor: every later call fails with BrokenProcessPool.
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        with pytest.raises(Trap) as caught:
            executor.submit(call, module, "outer", 1, 0).result(timeout=PATIENCE)
        _check(caught.value)
        with pytest.raises(Trap) as caught:
            executor.submit(call, module, "load", -4).result(timeout=PATIENCE)
        assert caught.value.access.memory_size == 65_536
        with pytest.raises(wasmetal.MalformedError) as malformed:
            executor.submit(load, b"nonsense").result(timeout=PATIENCE)
        assert malformed.value.offset == 0
        assert executor.submit(call, module, "outer", 7, 2).result(timeout=PATIENCE) == 3


@pytest.mark.parametrize("method", ["spawn", FORKING[0]])
def test_a_pool(module: Module, method: str) -> None:
    # multiprocessing.Pool waits for ever for a result that cannot be unpickled.
    with multiprocessing.get_context(method).Pool(1) as pool:
        with pytest.raises(Trap) as caught:
            pool.apply_async(call, (module, "outer", 1, 0)).get(timeout=PATIENCE)
        _check(caught.value)
        assert pool.apply_async(call, (module, "outer", 7, 2)).get(timeout=PATIENCE) == 3


def test_joblib(module: Module) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib is not installed")
    with pytest.raises(Trap) as caught:
        joblib.Parallel(n_jobs=2)(joblib.delayed(call)(module, "outer", n, 0) for n in range(2))
    _check(caught.value)


def test_dask(module: Module) -> None:
    distributed = pytest.importorskip("distributed", reason="dask's distributed is not installed")
    with distributed.LocalCluster(1, dashboard_address=None) as cluster, distributed.Client(cluster) as client:
        with pytest.raises(Trap) as caught:
            client.submit(call, module, "outer", 1, 0).result()
        _check(caught.value)


# What crosses, and what is done with it there.


@pytest.fixture
def complete(module: Module) -> Module:
    """A module all of whose functions are compiled."""
    return Engine(Config(compile="eager")).compile(module.source)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "_kept", {})


def loads_of(module: Module) -> partial[Module]:
    return partial(pickle.loads, pickle.dumps(module))


def compiler_was_used(module: Module, number: int) -> bool:
    assert call(module, "outer", number, 1) == number
    return "wasm_ir.frontend" in sys.modules


def test_a_module_in_each_task_is_compiled_once(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    # It was read, validated and compiled for each task, as nothing but the task had it.
    loads = loads_of(module)
    wasmetal.default_engine().delete_compiled_module(module)
    compiled = []
    assemble = CompiledModule.assemble

    def noting(code: CompiledModule, index: int) -> Any:
        compiled.append(index)
        return assemble(code, index)

    monkeypatch.setattr(CompiledModule, "assemble", noting)
    for _ in range(3):
        assert call(loads(), "div", 6, 2) == 3
    assert compiled == [0]


def test_configurations_are_kept_apart(module: Module) -> None:
    other = Engine(Config(hold_gil=True)).compile(module.source)
    for made in (module, other):
        assert loads_of(made)().engine.config == made.engine.config


def test_machine_code_crosses_where_there_is_all_of_it(module: Module, complete: Module) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert not any(executor.map(partial(compiler_was_used, complete), range(4)))
        # (called once, this one has not all of its functions)
        assert call(module, "div", 6, 2) == 3
        assert executor.submit(compiler_was_used, module, 4).result(timeout=PATIENCE)


def test_what_was_deserialized_crosses_with_its_code(module: Module) -> None:
    content = module.serialize()
    wasmetal.default_engine().delete_compiled_module(module)
    loaded = Module.deserialize(content)
    assert loaded.code.is_complete
    assert loads_of(loaded)().code.is_complete


def test_code_that_does_not_fit_is_compiled_again(complete: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    # Workers may have another processor, or another version.
    loads = loads_of(complete)
    monkeypatch.setattr(precompiled, "runtime_interface", lambda: "another one")
    del complete
    assert call(loads(), "div", 6, 2) == 3


def test_few_are_kept(wasm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MAX_KEPT", 3)
    pickles = []
    for number in range(5):
        builder = wasm()
        builder.func("", "i", wasm.op.i32(number), export="f")
        pickles.append(pickle.dumps(Module(builder.build())))
    for made in pickles:
        pickle.loads(made)
    first, *_ = shipping._kept
    pickle.loads(pickles[2])
    # Now used last.
    pickle.loads(pickles[0])
    assert len(shipping._kept) == 3
    assert first in shipping._kept
    monkeypatch.setattr(shipping, "MAX_KEPT_BYTES", 0)
    pickle.loads(pickles[1])
    assert len(shipping._kept) == 1


class Named(Module):
    """Somebody's own."""


def test_a_class_derived_from_module_is_kept_apart(module: Module) -> None:
    named = pickle.loads(pickle.dumps(Named(module.source)))
    plain = pickle.loads(pickle.dumps(module))
    assert (type(named), type(plain)) == (Named, Module)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_protocols(module: Module, complete: Module, protocol: int) -> None:
    for made in (module, complete):
        assert call(pickle.loads(pickle.dumps(made, protocol)), "div", 6, 2) == 3


def test_the_bytes_can_stay_out_of_the_pickle(module: Module, complete: Module) -> None:
    for made in (module, complete):
        buffers: list[pickle.PickleBuffer] = []
        content = pickle.dumps(made, 5, buffer_callback=buffers.append)
        assert made.source not in content
        # As a cluster gives them: of any kind.
        copies = [bytearray(buffer.raw()) for buffer in buffers]
        assert call(pickle.loads(content, buffers=copies), "div", 6, 2) == 3


def test_a_process_that_pickles_nothing_does_not_import_it(module: Module, tmp_path: Path) -> None:
    path = tmp_path / "module.wasm"
    path.write_bytes(module.source)
    program = (
        f"import sys, wasmetal; wasmetal.instantiate({str(path)!r}); assert 'wasmetal.shipping' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)
