"""Little address space: memories do without guard pages by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import wasmetal
from wasmetal.store import memory_pool
from wasmetal.system.host import host

PROGRAM = """
import resource, sys
import wasmetal
from wasm_core.testing.builder import WasmBuilder

op = WasmBuilder.op
b = WasmBuilder()
b.memory(1, 100, export="memory")
b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
b.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
# Without a GIL Python reserves a gigabyte when it starts.
taken = 1 << 30 if "free-threading" in sys.version else 0
resource.setrlimit(resource.RLIMIT_AS, (taken + (MEBIBYTES << 20),) * 2)
"""


def run(limit: int, program: str) -> None:
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    source = f"import sys; sys.path[:0] = {path!r}\n{PROGRAM}{textwrap.dedent(program)}".replace(
        "MEBIBYTES", str(limit)
    )
    result = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.usefixtures("address_limit")
@pytest.mark.parametrize("mebibytes", [4000, 400])
def test_limited_address_space(mebibytes: int) -> None:
    run(mebibytes, """
        instances = [wasmetal.Module(b.build()).instantiate() for _ in range(3)]
        for instance in instances:
            exports = instance.exports
            assert not exports.memory.guarded
            assert exports.load(0) == 0 and exports.grow(50) == 1
            assert exports.load(51 * 65536 - 4) == 0
            for address in (51 * 65536 - 3, -1):
                try:
                    exports.load(address)
                except wasmetal.Trap as trap:
                    assert str(trap).startswith("out of bounds memory access")
                else:
                    raise AssertionError("no trap")
        try:
            while True:
                instances.append(wasmetal.Module(b.build()).instantiate())
        except MemoryError:
            pass
        assert instances[0].exports.load(4) == 0
        del instances[1:]
        wasmetal.Module(b.build()).instantiate()
        guarded = wasmetal.Engine(wasmetal.Config(bounds_checks="guard"))
        try:
            guarded.compile(b.build()).instantiate()
        except MemoryError as error:
            assert "guard pages" in str(error)
        else:
            raise AssertionError("no error")
    """)  # fmt: skip


def test_a_refused_reservation(wasm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two kinds of memory meet in one process, and in one instance."""
    op = wasm.op
    b = wasm()
    b.memory(1, export="memory")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    user = wasm()
    user.import_memory("m", "memory", 1)
    user.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    guarded = wasmetal.Module(b.build()).instantiate()
    reserve = host.reserve

    def refuse(size: int) -> int:
        if size >= 8 << 30:
            raise OSError("refused")
        return reserve(size)

    monkeypatch.setattr(host, "reserve", refuse)
    memory_pool.clear()
    checked = wasmetal.Module(b.build()).instantiate()
    assert guarded.exports.memory.guarded and not checked.exports.memory.guarded
    users = [wasmetal.Module(user.build()).instantiate({"m": each}) for each in (guarded, checked)]
    for instance in (guarded, checked, *users):
        assert instance.exports.load(65532) == 0
        for address in (65533, -1, 1 << 31):
            with pytest.raises(wasmetal.Trap, match="out of bounds memory access"):
                instance.exports.load(address)
