"""Every command as a process of its own: streams of all kinds, terminals, signals, completion."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm_core.testing.builder import WasmBuilder

pytest.importorskip("termios", reason="about signals and terminals of POSIX")
import pty

pytest.importorskip("click", reason="the command line needs click")
pytest.importorskip("wasm_wasi", reason="programs need WASI")

EXAMPLES = Path(__file__).parents[3] / "examples"
WORDCOUNT = str(EXAMPLES / "wordcount" / "wordcount.wasm")
PLUGIN = str(EXAMPLES / "plugin" / "plugin.wasm")
WASI = "wasi_snapshot_preview1"
COMMAND = [sys.executable, "-m", "wasmetal"]
EBADF, EPIPE = 8, 64


@pytest.fixture(scope="module")
def cat(tmp_path_factory) -> str:
    """A program that copies stdin to stdout as it comes, and exits with the error number of a failed write."""
    wasm = WasmBuilder()
    op = wasm.op
    read = wasm.import_func(WASI, "fd_read", "iiii", "i")
    write = wasm.import_func(WASI, "fd_write", "iiii", "i")
    leave = wasm.import_func(WASI, "proc_exit", "i")
    wasm.memory(1, export="memory")

    def put(address: int, value: bytes) -> bytes:
        return bytes(op.i32(address) + value + op.I32_STORE)

    def load(address: int) -> bytes:
        return bytes(op.i32(address) + op.I32_LOAD)

    loop, end, branch, branch_if, equals_zero, tee = b"\x03\x40", b"\x0b", b"\x0c\x00", b"\x0d", b"\x45", b"\x22\x00"
    wasm.func(
        code=b"\x02\x40"
        + loop
        + put(0, op.i32(1024)) + put(4, op.i32(60000))
        + op.i32(0) + op.i32(0) + op.i32(1) + op.i32(8) + op.call(read)
        + branch_if + b"\x01"
        + load(8) + equals_zero + branch_if + b"\x01"
        + put(16, op.i32(1024)) + put(20, load(8))
        + op.i32(1) + op.i32(16) + op.i32(1) + op.i32(24) + op.call(write)
        + tee + b"\x04\x40" + op.get(0) + op.call(leave) + end
        + branch + end + end,
        locals="i",
        export="_start",
    )  # fmt: skip
    path = tmp_path_factory.mktemp("cat") / "cat.wasm"
    path.write_bytes(wasm.build())
    return str(path)


def run(*args: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *args], capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def test_run():
    done = run("run", WORDCOUNT, "-n", "1", input="a b a\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["1", "3", "6", "(stdin)", "2", "a"]


def test_inspect_is_plain_when_nobody_looks():
    done = run("inspect", PLUGIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  function  crc32     (i32, i32) -> (i32)\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


def test_validate(tmp_path):
    assert run("validate", PLUGIN).stdout == f"{PLUGIN}: valid\n"
    (tmp_path / "bad.wasm").write_bytes(Path(PLUGIN).read_bytes()[:-3])
    done = run("validate", str(tmp_path / "bad.wasm"))
    assert done.returncode == 1
    assert "malformed module" in done.stderr


def test_backends():
    done = run("backends")
    assert done.returncode == 0
    assert "* " in done.stdout


def test_ir():
    done = run("ir", PLUGIN, "crc32")
    assert done.returncode == 0
    assert done.stdout.startswith("function 3 (i32, i32) -> (i32) {")


def test_disasm():
    done = run("disasm", PLUGIN, "crc32")
    assert done.returncode == 0
    assert "; wasm 0xec i32.load8_u" in done.stdout


def test_disasm_without_capstone():
    code = "import sys; sys.modules['capstone'] = None; from wasmetal.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "disasm", PLUGIN, "crc32"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "pip install capstone" in done.stderr
    assert "; wasm 0xec i32.load8_u" in done.stdout


def test_version_names_packages_and_backend():
    done = run("--version")
    names = [line.split()[0] for line in done.stdout.splitlines()]
    for name in ("wasmetal", "wasm-core", "wasm-wasi", "backend"):
        assert name in names
    assert "wasm-backend-" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("wasmetal ", "inspect"),
        (f"wasmetal disasm {PLUGIN} cr", "crc32"),
        (f"wasmetal ir {PLUGIN} ", "divide"),
        ("wasmetal ir nothing.wasm ", ""),
        # Behind options.
        (f"wasmetal disasm --target arm64 {PLUGIN} cr", "crc32"),
        (f"wasmetal explore -o page.html {PLUGIN} divide cr", "crc32"),
        ("wasmetal disasm --target arm64 ", "file,"),
        ("wasmetal run --dir . --invoke f ", "file,"),
        ("wasmetal run --time", "--timeout"),
        ("wasmetal inspect --j", "--json"),
        ("wasmetal run ", "file,"),
    ],
)
def test_completion(words, expected):
    environment = {**os.environ, "_WASMETAL_COMPLETE": "bash_complete", "COMP_WORDS": words}
    environment["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    done = run(env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert expected in done.stdout
    assert bool(expected) == bool(done.stdout.strip())


def test_completion_for_a_shell():
    done = run(env={**os.environ, "_WASMETAL_COMPLETE": "zsh_source"})
    assert done.returncode == 0
    assert "_WASMETAL_COMPLETE" in done.stdout


def test_a_pipe(cat):
    data = os.urandom(1 << 20)
    done = subprocess.run([*COMMAND, "run", cat], input=data, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == data


@pytest.mark.parametrize(("redirection", "code"), [("0<&- 2>&-", 0), (">&-", EBADF), (">/dev/full", 51)])
def test_streams_that_are_closed_or_full(cat, redirection, code):
    script = f'printf abc | {{ "$0" "$@" {redirection}; }}'
    done = subprocess.run(["sh", "-c", script, *COMMAND, "run", cat], capture_output=True, timeout=60)
    assert done.returncode == code
    assert done.stderr == b""
    # Without a stdin there is nothing to read.
    assert done.stdout == b""


def test_a_reader_that_goes_away_is_an_error_number(cat):
    read_end, write_end = os.pipe()
    running = subprocess.Popen([*COMMAND, "run", cat], stdin=subprocess.PIPE, stdout=write_end, stderr=subprocess.PIPE)
    os.close(write_end)
    os.close(read_end)
    _, err = running.communicate(b"abc", timeout=60)
    assert (running.returncode, err) == (EPIPE, b"")


def expect(fd: int, wanted: bytes) -> bytes:
    """Read from a terminal until something has come."""
    seen = b""
    deadline = time.monotonic() + 60
    while wanted not in seen:
        assert time.monotonic() < deadline, seen
        try:
            seen += os.read(fd, 4096)
        except OSError as error:
            assert error.errno == errno.EIO
            raise AssertionError(seen) from None
    return seen


@pytest.fixture
def terminal(cat) -> Iterator[tuple[int, int]]:
    """The program in a terminal: its process and our end."""
    process, fd = pty.fork()
    if process == 0:
        os.execv(sys.executable, [*COMMAND, "run", cat])
    yield process, fd
    os.close(fd)


def test_a_program_in_a_terminal(terminal):
    process, fd = terminal
    os.write(fd, b"first\n")
    # The terminal's echo, then the program's.
    assert expect(fd, b"first\r\nfirst\r\n")
    os.write(fd, b"second\n")
    assert expect(fd, b"second\r\nsecond\r\n")
    os.write(fd, b"\x04")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_ctrl_c_in_a_terminal(terminal):
    process, fd = terminal
    os.write(fd, b"first\n")
    expect(fd, b"first\r\nfirst\r\n")
    os.write(fd, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130


def test_tables_are_coloured_in_a_terminal():
    process, fd = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="60")
        os.environ.pop("NO_COLOR", None)
        os.execv(sys.executable, [*COMMAND, "inspect", PLUGIN])
    seen = expect(fd, b"biggest functions")
    assert b"\x1b[" in seen
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(fd)


def _interrupted(running: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    return running.returncode, err


def test_ctrl_c_while_writing_to_a_full_pipe(cat):
    with open("/dev/zero", "rb") as zeros:
        running = subprocess.Popen([*COMMAND, "run", cat], stdin=zeros, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    # It has started, and then the pipe is full.
    assert os.read(running.stdout.fileno(), 1) == b"\0"
    time.sleep(0.2)
    code, err = _interrupted(running)
    assert code == 130
    assert b"Traceback" not in err


def test_listening(tmp_path, wasm):
    """A program that accepts one connection and sends what is in its memory."""
    builder = wasm()
    op = builder.op
    accept = builder.import_func(WASI, "sock_accept", "iii", "i")
    send = builder.import_func(WASI, "sock_send", "iiiii", "i")
    builder.memory(1, export="memory")
    builder.data(op.i32(0), bytes([16, 0, 0, 0, 5, 0, 0, 0]) + bytes(8) + b"hello")
    builder.func(
        code=op.i32(3) + op.i32(0) + op.i32(64) + op.call(accept) + op.DROP
        + op.i32(64) + op.I32_LOAD + op.i32(0) + op.i32(1) + op.i32(0) + op.i32(68) + op.call(send) + op.DROP,
        export="_start",
    )  # fmt: skip
    path = tmp_path / "server.wasm"
    path.write_bytes(builder.build())
    # An address of this process's own, where there are many: nobody else takes the port meanwhile.
    pid = os.getpid()
    host = f"127.{1 + (pid >> 16)}.{pid >> 8 & 255}.{pid & 255}" if sys.platform == "linux" else "127.0.0.1"
    with socket.create_server((host, 0)) as probe:
        port = probe.getsockname()[1]
    running = subprocess.Popen([*COMMAND, "run", "--listen", f"{host}:{port}", str(path)])
    deadline = time.monotonic() + 60
    while True:
        try:
            client = socket.create_connection((host, port), timeout=60)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with client:
        assert client.recv(100) == b"hello"
    assert running.wait(60) == 0
    assert run("run", "--listen", "nowhere", str(path)).returncode == 2


#: Commands, and what becomes of their streams; WASMETAL_ALL=1 combines them all.
ODD = [("run", "<&-"), ("inspect", ">/dev/full"), ("disasm", ">&-"), ("validate", "")]
if os.environ.get("WASMETAL_ALL"):
    ODD = [(command, stream) for command in ("run", "inspect", "disasm", "explore") for _, stream in ODD]


@pytest.mark.parametrize(("command", "redirection"), ODD)
def test_no_traceback_for_streams_and_names_of_all_kinds(command, redirection, tmp_path):
    odd = os.fsencode(tmp_path) + b"/odd\xff.wasm"
    with open(odd, "wb") as file:
        file.write(Path(PLUGIN).read_bytes())
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    file = b"-" if redirection == "<&-" else odd
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh", *COMMAND, command]
    done = subprocess.run([*shell, file], capture_output=True, timeout=60, env=environment)
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stderr and b"(a bug" not in done.stderr


def test_ctrl_c_at_any_moment():
    """Only while Python itself starts there may be a traceback, which is Python's."""
    code = "import sys; from wasmetal.__main__ import main; print(flush=True); sys.argv[1:] = %r; sys.exit(main())"
    codes = set()
    for moment in range(3):
        running = subprocess.Popen(
            [sys.executable, "-c", code % (["disasm", PLUGIN],)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(0.02 + 0.12 * moment)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
        if running.returncode == -signal.SIGINT and b"in main" not in err:
            continue  # on a busy machine it has not come to `main` yet
        codes.add(running.returncode)
        assert b"Traceback" not in err
    assert codes <= {0, 130}
