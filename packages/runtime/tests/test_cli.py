"""The command line: exit codes, one clear line for what goes wrong, and nothing imported for nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from systems import posix, windows

pytest.importorskip("click", reason="the command line needs click")

from wasm_core.testing.patience import PATIENCE
from wasm_ir.backend import HostSupport
from wasmetal.cli import main

EXAMPLES = Path(__file__).parents[3] / "examples"
WORDCOUNT = str(EXAMPLES / "wordcount" / "wordcount.wasm")
PLUGIN = str(EXAMPLES / "plugin" / "plugin.wasm")

#: (func (export "trap") unreachable) (func (export "loop") (loop (br 0)))
#: (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
#: (func (export "pair") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
SMALL = bytes.fromhex(
    "0061736d01000000"
    "011103 600000 60027f7f017f 60027e7c027c7e"
    "030504 00000102"
    "071c04 0474726170 0000 046c6f6f70 0001 03646976 0002 0470616972 0003"
    "0a1c04 0300000b 0700 03400c000b0b 0700 200020016d0b 0600 200120000b"
)


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.wasm"
    path.write_bytes(SMALL)
    return str(path)


def process(*args: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "wasmetal", *args], **options)  # type: ignore[call-overload]


def test_version_and_help(say):
    code, out, _ = say("--version")
    assert code == 0
    assert out.startswith("wasmetal ")
    code, out, _ = say("--help")
    assert code == 0
    for command in ("run", "inspect", "validate", "backends", "ir", "disasm"):
        assert command in out
    code, out, _ = say("run", "--help")
    assert code == 0
    assert "--dir" in out


@pytest.mark.parametrize(
    "args", [(), ("nothing",), ("run",), ("run", "--nothing", "x"), ("inspect",), ("inspect", "a", "b"), ("ir", "a")]
)
def test_wrong_usage(say, args):
    code, _, err = say(*args)
    assert code == 2
    assert "Usage" in err


def test_a_program_with_files_and_arguments(say, tmp_path):
    (tmp_path / "text").write_bytes(b"one two two\nthree three three\n")
    code, out, err = say("run", "--dir", f"{tmp_path}::/data", WORDCOUNT, "-n", "2", "/data/text")
    assert (code, err) == (0, "")
    assert out.split() == ["2", "6", "30", "/data/text", "3", "three", "2", "two"]
    # Not given, so not there.
    code, _, err = say("run", WORDCOUNT, tmp_path / "text")
    assert code == 1
    assert "wordcount: " in err


def test_arguments_behind_the_file_are_the_programs(say):
    for args in (("--help",), ("--version",), ("--", "-n")):
        code, out, _ = say("run", WORDCOUNT, *args)
        assert code == 1
        assert "Usage" not in out
    assert say("run", WORDCOUNT, "-n", "x")[0] == 2


def test_environment(say):
    assert say("run", "--env", "A", WORDCOUNT)[0] == 2
    assert say("run", "--env", "=A", WORDCOUNT)[0] == 2
    assert say("run", "--env", "A=B=C", WORDCOUNT, "/nothing")[0] == 1


def test_directories_that_are_read_only(say, tmp_path, wasm, monkeypatch):
    # The program makes a directory and exits with the error number.
    builder = wasm()
    op = builder.op
    make = builder.import_func("wasi_snapshot_preview1", "path_create_directory", "iii", "i")
    exit = builder.import_func("wasi_snapshot_preview1", "proc_exit", "i", "")
    builder.memory(1)
    builder.data(op.i32(0), b"new")
    builder.func("", "", op.i32(3) + op.i32(0) + op.i32(3) + op.call(make) + op.call(exit), export="_start")
    path = tmp_path / "make.wasm"
    path.write_bytes(builder.build())
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    for given in ("folder:ro", "folder::/data:ro", f"{folder}::folder:ro"):
        assert say("run", "--dir", given, path) == (69, "", "")
        assert list(folder.iterdir()) == []
    assert say("run", "--dir", "folder::/data", path) == (0, "", "")
    # A directory of such a name can still be given.
    (tmp_path / "odd:ro").mkdir()
    assert say("run", "--dir", "odd:ro::/data", path) == (0, "", "")


@pytest.mark.parametrize("directory", ["", "::x", "x::", ":ro", "x:::ro", "::x:ro"])
def test_bad_directories(say, directory):
    assert say("run", "--dir", directory, WORDCOUNT)[0] == 2


def test_directories_that_are_not_there(say, tmp_path):
    code, _, err = say("run", "--dir", tmp_path / "nothing", WORDCOUNT)
    assert code == 1
    assert windows or "No such file or directory" in err  # (in the system's words)
    code, _, err = say("run", "--dir", f"{tmp_path}::/", "--dir", f"{tmp_path}::/", WORDCOUNT)
    assert code == 2
    assert "two directories" in err


@pytest.mark.parametrize("size", ["", "x", "-1", "1.5M", "1T", "MiB", "٣"])
def test_sizes_that_are_none(say, size):
    assert say("run", "--max-memory", size, WORDCOUNT)[0] == 2


def test_most_memory(say, tmp_path, wasm):
    for size, code in (("64KiB", 1), ("2MiB", 0), ("2097152", 0), ("1G", 0)):
        found, out, err = say("run", "--max-memory", size, "--stub", "env", "--invoke", "divide", PLUGIN, "7", "2")
        assert (found, out) == (code, "" if code else "3\n")
        assert ("over the limit of 1" in err) == bool(code)
    builder = wasm()
    builder.memory(1)
    builder.func("i", "i", builder.op.get(0) + builder.op.MEMORY_GROW, export="grow")
    path = tmp_path / "grow.wasm"
    path.write_bytes(builder.build())
    assert say("run", "--max-memory", "1MiB", "--invoke", "grow", path, "15")[1] == "1\n"
    assert say("run", "--max-memory", "1MiB", "--invoke", "grow", path, "16")[1] == "-1\n"


def test_most_memory_with_64_bit_addresses(say, tmp_path):
    path = tmp_path / "wide.wasm"
    # (memory i64 1) (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
    path.write_bytes(
        b"\0asm\1\0\0\0\1\6\1\x60\1\x7e\1\x7e\3\2\1\0\5\3\1\4\1\7\x0c\2\4grow\0\0\1m\2\0\x0a\x08\1\6\0\x20\0\x40\0\x0b"
    )
    for arguments, pages, answer in (
        ((), 1000, 1),
        ((), 1 << 18, -1),
        (("--max-memory", "1MiB"), 16, -1),
        (("--max-memory", "32GiB"), 1000, 1),
    ):
        assert say("run", *arguments, "--invoke", "grow", path, str(pages))[:2] == (0, f"{answer}\n")
    assert "memory: 1 pages or more, 64-bit\n" in say("inspect", path)[1]


def test_functions_that_do_nothing(say, tmp_path, wasm):
    builder = wasm()
    op = builder.op
    five = builder.import_func("host", "five", "if", "I")
    builder.import_func("host", "nothing", "F", "")
    builder.func("", "I", op.i32(1) + b"\x43" + bytes(4) + op.call(five), export="f")
    path = tmp_path / "stubs.wasm"
    path.write_bytes(builder.build())
    assert say("run", "--stub", "host", "--invoke", "f", path) == (0, "0\n", "")
    assert say("run", "--invoke", "f", path)[0] == 1


def test_addresses_that_are_none(say):
    code, _, err = say("run", "--listen", "nowhere", WORDCOUNT)
    assert code == 2
    assert "HOST:PORT" in err


def test_help_has_examples(say):
    for command in ("run", "inspect", "validate", "backends", "ir", "disasm"):
        code, out, _ = say(command, "--help")
        assert code == 0
        assert f"  wasmetal {command}" in out.split("Example")[1]
        # Nothing is folded in a way that cannot be pasted.
        assert all(len(line) <= 90 for line in out.splitlines())
    assert "_WASMETAL_COMPLETE" in say("--help")[1]


def test_invoke(say, small):
    assert say("run", "--invoke", "div", small, "-7", "0x2") == (0, "-3\n", "")
    assert say("run", "--invoke", "pair", small, "5", "2.5") == (0, "2.5\n5\n", "")
    assert say("run", "--invoke", "div", small, "4294967295", "1") == (0, "-1\n", "")


@pytest.mark.parametrize("args", [("1",), ("1", "2", "3"), ("1", "x"), ("1", "2.5"), ("1", "4294967296")])
def test_invoke_with_wrong_arguments(say, small, args):
    code, _, err = say("run", "--invoke", "div", small, *args)
    assert code == 2
    assert "Traceback" not in err


def test_invoke_of_what_is_not_there(say, small):
    code, _, err = say("run", "--invoke", "dvi", small)
    assert code == 1
    assert "did you mean 'div'?" in err
    code, _, err = say("run", small)
    assert code == 1
    assert "--invoke" in err
    assert "trap, loop, div, pair" in err


def test_exceptions_that_nothing_catches(say, tmp_path):
    import wasmetal
    from wasm_core.testing.builder import Op, WasmBuilder

    if not getattr(wasmetal.default_engine().backend, "exceptions", False):
        pytest.skip("the backend has no exceptions")
    w = WasmBuilder()
    tag = w.tag("i", export="t")
    w.func("", "", Op.i32(5) + Op.throw(tag), export="_start")
    w.memory(1, export="memory")
    program = tmp_path / "throws.wasm"
    program.write_bytes(w.build())
    code, out, err = say("run", str(program))
    assert code == 134 and out == ""
    assert err.splitlines()[0] == "wasmetal: uncaught exception of WebAssembly (5)"
    assert "_start (function 0)" in err
    code, out, err = say("inspect", str(program))
    assert code == 0 and "tag" in out and "(i32) -> ()" in out


def test_traps(say, small):
    code, out, err = say("run", "--invoke", "trap", small)
    assert (code, out) == (134, "")
    assert err.splitlines()[0] == "wasmetal: trap: unreachable"
    assert err.splitlines()[1] == "WebAssembly backtrace (innermost first):"
    assert "0: trap (function 0)" in err.splitlines()[2]
    code, _, err = say("run", "--invoke", "div", small, "1", "0")
    assert code == 134
    assert "integer divide by zero" in err


def test_an_import_that_nobody_gives(say):
    code, _, err = say("run", "--invoke", "divide", PLUGIN, "1", "2")
    assert code == 1
    first, more = err.splitlines()
    assert "cannot link: unknown import" in first and "--stub" in more


ELF = b"\x7fELF\x02\x01\x01" + bytes(100)
BAD_FILES = {
    "empty": b"",
    "magic only": b"\0asm",
    "truncated": SMALL[:-5],
    "random": bytes(range(256)) * 8,
    "random behind the header": SMALL[:8] + bytes(range(17, 256)),
    "elf": ELF,
    "component": b"\0asm\x0d\0\x01\0" + bytes(30),
    "future": b"\0asm\x02\0\0\0",
    "invalid": SMALL.replace(bytes.fromhex("200020016d0b"), bytes.fromhex("200020016a1a")),
    "text": b"(module)",
}


@pytest.mark.parametrize("command", ["run", "inspect", "validate", "ir", "disasm"])
@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES)
def test_bad_files(say, tmp_path, command, content):
    path = tmp_path / "bad.wasm"
    path.write_bytes(content)
    code, out, err = say(command, path, *(["2"] if command in ("ir", "disasm") else []))
    if command == "inspect" and code == 0:
        # Function bodies are not looked at.
        assert content == BAD_FILES["invalid"]
        return
    assert (code, out) == (1, "")
    assert err.startswith(f"wasmetal: {path}: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("command", ["run", "inspect", "validate"])
def test_files_that_cannot_be_read(say, tmp_path, command):
    of_a_directory = "Permission denied" if windows else "Is a directory"
    for path, reason in ((tmp_path / "nothing", "No such file"), (tmp_path, of_a_directory)):
        code, _, err = say(command, path)
        assert code == 1
        assert err.startswith(f"wasmetal: {path}: {reason}")
        assert len(err.splitlines()) == 1
    if not windows and os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.touch(0o000)
        assert "Permission denied" in say(command, locked)[2]


def test_names_cannot_steer_the_terminal(say, tmp_path):
    path = tmp_path / "evil.wasm"
    path.write_bytes(SMALL.replace(b"\x03div", b"\x03\x1b[m"))
    code, out, err = say("inspect", path)
    assert code == 0
    assert "\x1b" not in out
    _, _, err = say("run", path)
    assert "\x1b" not in err


def test_inspect(say):
    code, out, _ = say("inspect", PLUGIN)
    assert code == 0
    assert "functions: 5 of its own with 444 bytes of code, 1 imported" in out
    assert "function  env.on_word  (i32, i32) -> ()" in out
    assert "crc32" in out
    assert "code" in out


def test_validate(say, small):
    assert say("validate", small) == (0, f"{small}: valid\n", "")


def test_backends(say):
    code, out, _ = say("backends")
    assert code == 0
    assert "* " in out


@pytest.mark.parametrize("command", ["ir", "disasm"])
def test_code_of_a_function(say, command):
    if command == "disasm":
        pytest.importorskip("capstone", reason="no disassembler")
    by_name = say(command, PLUGIN, "crc32")
    assert by_name[0] == 0
    assert "crc32" in by_name[1] or "function 3" in by_name[1]
    assert by_name == say(command, PLUGIN, "3")
    for function, message in (("99", "no function 99"), ("0", "imported"), ("crc23", "did you mean 'crc32'?")):
        code, _, err = say(command, PLUGIN, function)
        assert code == 1
        assert message in err
    if command == "disasm":
        assert "ret" in by_name[1]
        assert "; wasm 0x" in by_name[1]


@pytest.mark.parametrize(("target", "call"), [("amd64", "call"), ("arm64", "blr")])
def test_code_for_another_machine(say, monkeypatch, target, call):
    """On a machine without any backend of its own too; each call has one note, in its own line."""
    pytest.importorskip("capstone", reason="no disassembler")
    backend = pytest.importorskip(f"wasm_backend_{target}", reason=f"no backend {target}")
    support = HostSupport(False, "for another machine")
    for name, other in vars(backend).items():
        if name.endswith("Backend"):
            monkeypatch.setattr(other, "host_support", classmethod(lambda cls: support))
    code, out, err = say("disasm", "--target", target, WORDCOUNT, "_start")
    assert code == 0, err
    calls = [line for line in out.splitlines() if "; wasm" in line and " call " in line.partition("; wasm")[2]]
    assert calls
    for line in calls:
        assert line.split()[2] == call
    notes = [line.partition("; wasm ")[2] for line in calls]
    assert len(set(notes)) == len(notes)
    code, _, err = say("disasm", "--target", "pdp11", WORDCOUNT, "_start")
    assert code == 1 and "no backend 'pdp11'" in err


@posix
def test_ctrl_c_while_waiting_for_input():
    running = process("run", WORDCOUNT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    # Not before the program runs: the arena for code shows that it is about to.
    deadline = time.monotonic() + 60
    while b"wasmetal-code" not in Path(f"/proc/{running.pid}/maps").read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in err


@posix
def test_a_reader_that_has_had_enough(small):
    script = f"{sys.executable} -m wasmetal inspect {small} | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=60)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_without_click():
    code = "import sys; sys.modules['click'] = None; from wasmetal.cli import main; sys.exit(main(['backends']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"pip install 'wasmetal[cli]'" in done.stderr


def test_without_wasi():
    code = "import sys; sys.modules['wasm_wasi'] = None; from wasmetal.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, "run", WORDCOUNT], capture_output=True, timeout=60)
    assert done.returncode == 1
    assert b"pip install wasm-wasi" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_not_needed_is_not_imported(small):
    code = (
        "import sys\n"
        "import wasmetal\n"
        "assert 'click' not in sys.modules\n"
        "from wasmetal.cli import main\n"
        f"main(['run', '--invoke', 'div', {small!r}, '1', '1'])\n"
        "for name in ('rich', 'wasm_wasi', 'capstone'):\n"
        "    assert name not in sys.modules, name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_timeout(say, small):
    start = time.monotonic()
    code, out, err = say("run", "--timeout", "0.1", "--invoke", "loop", small)
    assert (code, out) == (124, "")
    assert "deadline exceeded" in err and "loop" in err
    assert time.monotonic() - start < PATIENCE
    assert say("run", "--timeout", "100", "--invoke", "div", small, "7", "2")[:2] == (0, "3\n")
    for wrong in ("-1", "soon"):
        assert say("run", "--timeout", wrong, small)[0] == 2


@posix
def test_ctrl_c_in_a_loop(wasm, tmp_path):
    """The program says that it is about to loop."""
    pytest.importorskip("wasm_wasi", reason="programs need WASI")
    program = wasm()
    op = program.op
    write = program.import_func("wasi_snapshot_preview1", "fd_write", "iiii", "i")
    program.memory(1, export="memory")
    program.data(op.i32(0), (8).to_bytes(4, "little") + (1).to_bytes(4, "little") + b"x")
    arguments = op.i32(1) + op.i32(0) + op.i32(1) + op.i32(16)
    program.func(code=arguments + op.call(write) + op.DROP + b"\x03\x40\x0c\x00\x0b", export="_start")
    path = tmp_path / "loop.wasm"
    path.write_bytes(program.build())
    running = process("run", str(path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout.read(1) == b"x"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"Traceback" not in err


def test_in_a_terminal_errors_lead_to_a_page(small: str, capsys, monkeypatch) -> None:
    for arguments, section in (
        (["run", "--invoke", "trap", small], "unreachable"),
        (["validate", __file__], "malformederror"),
    ):
        main(arguments)
        assert "errors.md" not in capsys.readouterr().err
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        main(arguments)
        assert capsys.readouterr().err.endswith(f"errors.md#{section}\n")
        monkeypatch.undo()
