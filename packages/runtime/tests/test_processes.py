"""Modules go to other processes, and what goes wrong there comes back as itself."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

import wasmetal
from wasmetal import Module, Trap, TrapCode


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


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_an_executor(module: Module, method: str) -> None:
    # A result that cannot be unpickled ends the executor: every later call fails with BrokenProcessPool.
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        with pytest.raises(Trap) as caught:
            executor.submit(call, module, "outer", 1, 0).result(timeout=60)
        _check(caught.value)
        with pytest.raises(Trap) as caught:
            executor.submit(call, module, "load", -4).result(timeout=60)
        assert caught.value.access.memory_size == 65_536
        with pytest.raises(wasmetal.MalformedError) as malformed:
            executor.submit(load, b"nonsense").result(timeout=60)
        assert malformed.value.offset == 0
        assert executor.submit(call, module, "outer", 7, 2).result(timeout=60) == 3


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_pool(module: Module, method: str) -> None:
    # multiprocessing.Pool waits for ever for a result that cannot be unpickled.
    with multiprocessing.get_context(method).Pool(1) as pool:
        with pytest.raises(Trap) as caught:
            pool.apply_async(call, (module, "outer", 1, 0)).get(timeout=60)
        _check(caught.value)
        assert pool.apply_async(call, (module, "outer", 7, 2)).get(timeout=60) == 3


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
