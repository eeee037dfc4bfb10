"""What `Wasi` takes for its arguments, and how it shows itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasm_core.testing.builder import WasmBuilder
from wasm_wasi import Wasi


def program(code: int) -> bytes:
    builder = WasmBuilder()
    op = builder.op
    builder.import_func("wasi_snapshot_preview1", "proc_exit", "i", "")
    builder.func("", "", op.i32(code) + op.call(0), export="_start")
    return builder.build()


def test_run_takes_what_module_takes(tmp_path: Path) -> None:
    path = tmp_path / "program.wasm"
    path.write_bytes(program(5))
    assert Wasi().run(path) == Wasi().run(str(path)) == Wasi().run(program(5)) == 5
    path.write_bytes(b"\0asm")
    with pytest.raises(Exception, match=r"program\.wasm: "):
        Wasi().run(path)


def test_preopens(tmp_path: Path) -> None:
    name = str(tmp_path)
    assert Wasi(preopens=[tmp_path])._preopens == Wasi(preopens={name: tmp_path})._preopens == {name: name}
    with pytest.raises(TypeError, match="preopens must be a mapping"):
        Wasi(preopens=name)
    with pytest.raises(TypeError, match="preopens must be a mapping"):
        Wasi(preopens=tmp_path)
    with pytest.raises(FileNotFoundError):
        Wasi(preopens=[tmp_path / "absent"])


def test_wrong_arguments_and_variables() -> None:
    with pytest.raises(TypeError, match=r"args\[1\] must be a string, not int"):
        Wasi(args=["prog", 1])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="env must be a mapping, such as"):
        Wasi(env=["A=1"])  # type: ignore[arg-type]


def test_repr_shows_no_values_of_variables(tmp_path: Path) -> None:
    shown = repr(Wasi(args=["prog", "x\n"], env={"TOKEN": "secret"}, preopens={"/data": tmp_path}))
    assert shown == f"<Wasi, arguments: prog, x\\n; variables: TOKEN; preopens: /data ({tmp_path})>"
    assert repr(Wasi()) == "<Wasi, nothing given>"
    assert len(repr(Wasi(args=["x" * 100_000] * 100))) < 4000
