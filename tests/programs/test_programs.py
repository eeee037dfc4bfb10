"""Programs in C, C++ and Rust, compiled here, do the same as with wasmtime.

Compilers take their time, so this is for whoever asks: `WASMETAL_PROGRAMS=1 pytest tests/programs` (or a folder instead
of 1, for the compiled programs).
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

import wasmetal
from wasm_wasi import Wasi


def load(name: str) -> ModuleType:
    """A module beside this one; tests are not a package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


building, running = load("building"), load("running")

pytestmark = pytest.mark.skipif(not os.environ.get("WASMETAL_PROGRAMS"), reason="WASMETAL_PROGRAMS=1 compiles and runs")


def build(name: str) -> Path:
    try:
        path: Path = building.build(name)
    except building.Unavailable as reason:
        pytest.skip(str(reason))
    return path


WORDS = b"to be or not to be\n"
#: Arguments, environment, exit code, and a line of the output.
RUNS = {
    "cpp": (["/d/file", "3"], {}, 3, b"median 501113, sum 100092246506"),
    "rust": (["/d", "more"], {"GREETING": "hi"}, 7, b"median 499434, sum 99983660492, distinct 181282"),
    "sqlite": (["/d/db", "2000"], {}, 0, b"2000|9397746.571|item-10008033|item-9997449"),
}


@pytest.mark.parametrize("name", RUNS)
def test_program(name, tmp_path):
    args, env, code, line = RUNS[name]
    program = build(name)
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    outcome = running.with_wasmetal(program, args, env, tmp_path / "ours", WORDS)
    assert outcome.code == code
    assert line in outcome.stdout.splitlines()
    pytest.importorskip("wasmtime", reason="no wasmtime to compare with")
    assert running.with_wasmtime(program, args, env, tmp_path / "theirs", WORDS) == outcome
    ours, theirs = (
        {path.name: path.read_bytes() for path in (tmp_path / side).iterdir()} for side in ("ours", "theirs")
    )
    assert ours == theirs


@pytest.mark.parametrize("encoding", ["legacy", "standard"])
@pytest.mark.parametrize("name", ["exceptions", "longjmp"])
def test_exceptions(name, encoding, tmp_path):
    """They print what the program prints that was compiled for this machine."""
    program = build(f"{name}_{encoding}")
    native = subprocess.run([building.build_native(f"{name}_{encoding}")], capture_output=True, check=True)
    outcome = running.with_wasmetal(program, [], {}, tmp_path, b"")
    assert (outcome.code, outcome.stdout) == (0, native.stdout)


def test_a_server():
    program = build("echo_server")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code: list[int] = []
        wasi = Wasi(["server"], sockets=[listener], stdin=None, stdout=None)
        server = threading.Thread(target=lambda: code.append(wasi.run(wasmetal.Module(program))))
        server.start()
        for last in (False, True):
            with socket.create_connection(listener.getsockname(), timeout=60) as client:
                client.sendall(b"hello\n")
                assert client.recv(100) == b"HELLO\n"
                client.sendall(b"x" * 100_000)
                received = 0
                while received < 100_000:
                    received += len(client.recv(65536))
                if last:
                    client.sendall(b"quit\n")
                    assert client.recv(100) == b"QUIT\n"
                    assert client.recv(100) == b""
        server.join(60)
        assert code == [0]


@pytest.mark.parametrize("kind", ["files", "pipes"])
def test_copying(tmp_path, kind):
    program = build("copy")
    content = os.urandom(1 << 20) * 8
    (tmp_path / "in").write_bytes(content)
    command = [sys.executable, "-m", "wasmetal", "run"]
    if kind == "files":
        command += ["--dir", f"{tmp_path}::/d", str(program), "100000", "/d/in", "/d/out"]
        assert subprocess.run(command, timeout=120).returncode == 0
        assert (tmp_path / "out").read_bytes() == content
    else:
        done = subprocess.run([*command, str(program), "100000"], input=content, capture_output=True, timeout=120)
        assert (done.returncode, done.stdout) == (0, content)
