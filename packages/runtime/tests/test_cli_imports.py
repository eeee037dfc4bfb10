"""What `wasmetal run` gives a module besides WASI: preloaded modules, stand-ins; and its short forms."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("wasm_text", reason="the modules are text")

from wasmetal.cli.quick import written_out

NEEDY = """(module
  (import "env" "log" (func $log (param i32)))
  (import "env" "get" (func $get (result i64)))
  (import "x" "memory" (memory 1))
  (import "x" "table" (table 1 funcref))
  (import "x" "global" (global $g i32))
  (import "x" "tag" (tag (param i32)))
  (import "x" "mutable" (global (mut f64)))
  (func (export "get") (result i64) (call $get))
  (func (export "global") (result i32) (global.get $g))
  (func (export "_start") (call $log (i32.const 1))))"""
LIBRARY = """(module
  (func (export "log") (param i32))
  (func (export "get") (result i64) (i64.const 7)))"""


@pytest.fixture
def needy(tmp_path: Path) -> str:
    path = tmp_path / "needy.wat"
    path.write_text(NEEDY)
    return str(path)


@pytest.fixture
def library(tmp_path: Path) -> str:
    path = tmp_path / "library.wat"
    path.write_text(LIBRARY)
    return str(path)


def test_a_file_alone_is_run(say, library, needy, tmp_path):
    code, _, err = say(library)
    assert code == 1 and "not a program" in err
    code, _, err = say(str(tmp_path / "nothing"))
    assert code == 1 and "No such file" in err
    assert say("nothing")[0] == 2


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["a.wasm", "x"], ["run", "a.wasm", "x"]),
        (["./a", "--stub"], ["run", "./a", "--stub"]),
        (["-"], ["run", "-"]),
        (["inspect", "a.wasm"], ["inspect", "a.wasm"]),
        (["--version"], ["--version"]),
        ([], []),
        (["run", "--stub", "a.wasm"], ["run", "--stub=*", "a.wasm"]),
        (["run", "--stub", "env", "a.wasm"], ["run", "--stub", "env", "a.wasm"]),
        (["run", "--stub", "--invoke", "f", "a"], ["run", "--stub=*", "--invoke", "f", "a"]),
        # What a program is given is its own.
        (["run", "a.wasm", "--stub", "b.wasm"], ["run", "a.wasm", "--stub", "b.wasm"]),
        (["run", "--env", "--stub", "a.wasm"], ["run", "--env", "--stub", "a.wasm"]),
        (["stubs", "--stub", "b.wasm"], ["stubs", "--stub", "b.wasm"]),
    ],
)
def test_what_may_be_left_out(args, expected):
    assert written_out(args) == expected


def test_stand_ins_for_everything(say, needy):
    code, _, err = say("run", "--stub", needy)
    assert code == 134
    assert "'env'.'log' was called, an import that only --stub provides" in err
    assert "_start (function 4)" in err
    assert say("run", "--stub", "--invoke", "global", needy) == (0, "0\n", "")
    # Those of a module return zeros, and everything else is there too.
    assert say("run", "--stub", "env", "--stub", "x", "--invoke", "get", needy) == (0, "0\n", "")
    code, _, err = say("run", "--stub", "x", "--invoke", "get", needy)
    assert code == 1 and "(2 of 7 are missing)" in err


def test_preloaded_modules(say, needy, library, tmp_path):
    assert say("run", "--preload", f"env={library}", "--stub", "--invoke", "get", needy) == (0, "7\n", "")
    assert say("run", "--preload", f"env={library}", "--stub", needy) == (0, "", "")
    # Later ones import from earlier ones, and errors name the file that they are about.
    second = tmp_path / "second.wat"
    second.write_text('(module (import "a" "get" (func $f (result i64))) (export "get" (func $f)))')
    last = tmp_path / "last.wat"
    last.write_text('(module (import "b" "get" (func $f (result i64))) (export "f" (func $f)))')
    given = ["run", "--preload", f"a={library}", "--preload", f"b={second}", "--invoke", "f", str(last)]
    assert say(*given) == (0, "7\n", "")
    code, _, err = say(*given[:1], *given[3:])
    assert code == 1 and err.startswith(f"wasmetal: {second}: cannot link: unknown import")
    for wrong in ("a", "a="):
        assert say("run", "--preload", wrong, str(last))[0] == 2


def test_a_variable_of_the_host(say, needy, monkeypatch):
    monkeypatch.delenv("WASMETAL_TEST", raising=False)
    code, _, err = say("run", "--env", "WASMETAL_TEST", "--stub", needy)
    assert code == 2 and "not set here" in err
    monkeypatch.setenv("WASMETAL_TEST", "x")
    assert say("run", "--env", "WASMETAL_TEST", "--stub", needy)[0] == 134


def test_backends_by_name(say, library):
    from wasmetal import default_engine

    name = default_engine().backend.name
    assert say("run", "--backend", name, "--invoke", "get", library) == (0, "7\n", "")
    code, _, err = say("run", "--backend", "nothing", "--invoke", "get", library)
    assert code == 1 and "there is no backend 'nothing'" in err


@pytest.mark.parametrize("time", ["100s", "5m", "1h", "60000ms", "1e-9", "5d", "", "m", "nan", "9" * 400])
def test_units_of_time(say, library, time):
    wrong = time in ("1e-9", "5d", "", "m", "nan")
    assert say("run", "--timeout", time, "--invoke", "get", library)[0] == (2 if wrong else 0)


def test_milliseconds(say, tmp_path):
    path = tmp_path / "loop.wat"
    path.write_text('(module (func (export "_start") (loop (br 0))))')
    assert say("run", "--timeout", "50ms", str(path))[0] == 124
