"""Programs that run: `Wasi.run` and `Wasi.imports`."""

from __future__ import annotations

import gc
import io
import weakref

import pytest

import wasmetal
from wasm_core.testing.builder import Op, WasmBuilder
from wasm_wasi import Exit, Wasi

WASI = "wasi_snapshot_preview1"


def call(function: int, *args: int) -> bytes:
    """Call a function with constants."""
    return b"".join(map(Op.i32, args)) + Op.call(function)


def put(address: int, value: int) -> bytes:
    """Store an i32."""
    return Op.i32(address) + Op.i32(value) + Op.I32_STORE


def module(
    imports: list[tuple[str, str, str, str]],
    functions: list[tuple[str, bytes]],
    data: bytes = b"",
    start: int | None = None,
    memory: str | None = "memory",
    pages: int | None = 1,
) -> bytes:
    """A module with functions of type () -> () and a memory with `data` at 0 (none at all if `pages` is None)."""
    builder = WasmBuilder()
    for wanted in imports:
        builder.import_func(*wanted)
    for name, body in functions:
        builder.func(code=body, export=name)
    if pages is not None:
        builder.memory(pages, export=memory)
        builder.data(Op.i32(0), data)
    if start is not None:
        builder.start(len(imports) + start)
    return builder.build()


FD_WRITE = (WASI, "fd_write", "iiii", "i")
PROC_EXIT = (WASI, "proc_exit", "i", "")
#: iovec at 0: 5 bytes at 16.
HELLO = (16).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(8) + b"hello"
WRITE = call(0, 1, 0, 1, 8) + Op.DROP


def run(source: bytes, imports: dict[str, dict[str, object]] | None = None) -> tuple[int, bytes]:
    out = io.BytesIO()
    code = Wasi(stdin=None, stdout=out, stderr=None).run(wasmetal.Module(source), imports)
    return code, out.getvalue()


def test_a_program_that_returns():
    assert run(module([FD_WRITE], [("_start", WRITE)], HELLO)) == (0, b"hello")


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (-1, 2**32 - 1)])
def test_a_program_that_exits(code, expected):
    body = WRITE + call(1, code) + b"\x00"
    assert run(module([FD_WRITE, PROC_EXIT], [("_start", body)], HELLO)) == (expected, b"hello")


def test_a_start_function_that_uses_wasi():
    source = module([FD_WRITE], [("_start", WRITE), ("early", WRITE)], HELLO, start=1)
    assert run(source) == (0, b"hellohello")


def test_memory_that_grows():
    # memory.grow 1; the iovec moves to the new page.
    body = Op.i32(1) + Op.MEMORY_GROW + Op.DROP + put(65536, 16) + put(65540, 5) + call(0, 1, 65536, 1, 65544) + Op.DROP
    assert run(module([FD_WRITE], [("_start", WRITE + body)], HELLO)) == (0, b"hellohello")


def test_errors_are_numbers():
    # unreachable unless fd_write says EFAULT (21).
    body = call(0, 1, -1, 1, 8) + Op.i32(21) + b"\x47\x04\x40\x00\x0b"
    assert run(module([FD_WRITE], [("_start", body)], HELLO)) == (0, b"")


def test_more_imports():
    called = []
    source = module([("env", "f", "", ""), FD_WRITE], [("_start", call(0) + call(1, 1, 0, 1, 8) + Op.DROP)], HELLO)
    assert run(source, {"env": {"f": lambda: called.append(1)}}) == (0, b"hello")
    assert called == [1]
    with pytest.raises(wasmetal.LinkError, match="unknown import"):
        run(source)


def test_an_import_can_be_replaced():
    source = module([FD_WRITE], [("_start", WRITE)], HELLO)
    assert run(source, {WASI: {"fd_write": lambda *args: 0}}) == (0, b"")


def test_what_is_no_program():
    with pytest.raises(wasmetal.WasmError, match="_start"):
        run(module([FD_WRITE], [("main", WRITE)], HELLO))


def test_a_function_of_another_type_is_not_linked():
    with pytest.raises(wasmetal.LinkError, match="incompatible import type"):
        run(module([(WASI, "fd_write", "i", "i")], [("_start", b"")]))
    with pytest.raises(wasmetal.LinkError, match="unknown import"):
        run(module([(WASI, "fd_wrote", "i", "i")], [("_start", b"")]))


def test_a_trap_is_a_trap_and_closes_what_was_open(tmp_path, opened):
    # (the code that is made, and what is imported, is not the program's)
    Wasi(preopens={"/": tmp_path}, stdin=None, stdout=None, stderr=None).run(module([], [("_start", b"")], b""))
    before = opened()
    wasi = Wasi(preopens={"/": tmp_path}, stdin=None, stdout=None, stderr=None)
    with pytest.raises(wasmetal.Trap, match="unreachable"):
        wasi.run(wasmetal.Module(module([FD_WRITE], [("_start", WRITE + b"\x00")], HELLO)))
    assert opened() == before


def test_an_exception_of_an_embedders_stream_gets_through():
    class Broken(io.RawIOBase):
        def write(self, data: object) -> int:
            raise RuntimeError("broken")

    wasi = Wasi(stdin=None, stdout=Broken(), stderr=None)
    with pytest.raises(RuntimeError, match="broken"):
        wasi.run(wasmetal.Module(module([FD_WRITE], [("_start", WRITE)], HELLO)))


def test_imports_by_hand():
    out = io.BytesIO()
    source = module([FD_WRITE, PROC_EXIT], [("say", WRITE), ("leave", call(1, 7))], HELLO)
    with Wasi(stdin=None, stdout=out, stderr=None) as wasi:
        compiled = wasmetal.Module(source)
        first, second = compiled.instantiate(wasi.imports), compiled.instantiate(wasi.imports)
        assert wasi.imports is wasi.imports
        # Each with the memory of its own.
        first.exports.memory[16:21] = b"first"
        second.exports.memory[16:21] = b"other"
        first.exports.say()
        second.exports.say()
        first.exports.say()
        assert out.getvalue() == b"firstotherfirst"
        with pytest.raises(Exit) as caught:
            first.exports.leave()
        assert caught.value.code == 7
    # Closed: no descriptor any more.
    first.exports.say()
    assert out.getvalue() == b"firstotherfirst"


def test_functions_that_are_taken_out_work_on_the_memory_of_whoever_calls():
    out = io.BytesIO()
    compiled = wasmetal.Module(module([FD_WRITE], [("say", WRITE)], HELLO))
    with Wasi(stdin=None, stdout=out, stderr=None) as wasi:
        functions = dict(wasi.imports[WASI])
        first, second = (compiled.instantiate({WASI: functions}) for _ in range(2))
        first.exports.memory[16:21] = b"first"
        for instance in (second, first, second):
            instance.exports.say()
        assert out.getvalue() == b"hellofirsthello"
        # Called from Python there is no memory.
        assert functions["fd_write"](1, 0, 1, 8) == 21
        assert functions["sched_yield"]() == 0


def test_a_start_function_with_imports_by_hand():
    out = io.BytesIO()
    source = module([FD_WRITE], [("early", WRITE)], HELLO, start=0)
    with Wasi(stdin=None, stdout=out, stderr=None) as wasi:
        wasmetal.Module(source).instantiate(wasi.imports)
    assert out.getvalue() == b"hello"


def test_instances_go_without_the_garbage_collector():
    compiled = wasmetal.Module(module([FD_WRITE], [("say", WRITE)], HELLO))
    with Wasi(stdin=None, stdout=None, stderr=None) as wasi:
        instance = compiled.instantiate(wasi.imports)
        instance.exports.say()
        gone = weakref.ref(instance.exports.memory)
        gc.disable()
        try:
            del instance
            assert gone() is None
        finally:
            gc.enable()


def test_imports_of_an_instance_without_an_exported_memory():
    out = io.BytesIO()
    source = module([FD_WRITE], [("say", WRITE)], HELLO, memory=None)
    with Wasi(stdin=None, stdout=out, stderr=None) as wasi:
        wasmetal.Module(source).instantiate(wasi.imports).exports.say()
    assert out.getvalue() == b"hello"


def test_programs_without_a_memory():
    source = module([PROC_EXIT, FD_WRITE], [("_start", call(1, 1, 0, 1, 8) + Op.DROP + call(0, 5))], pages=None)
    assert run(source) == (5, b"")
    with Wasi(stdin=None, stdout=None, stderr=None) as wasi, pytest.raises(Exit):
        wasmetal.Module(source).instantiate(wasi.imports).exports["_start"]()


def test_imports_are_a_mapping_with_every_function():
    with Wasi(stdin=None, stdout=None, stderr=None) as wasi:
        functions = wasi.imports[WASI]
        assert len(functions) == len(list(functions)) == 46
        assert str(functions["fd_seek"].type) == "(i32, i64, i32, i32) -> (i32)"
        assert functions["fd_seek"] is functions["fd_seek"]
        assert "fd_sought" not in functions


def test_each_run_is_a_process_of_its_own(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    wasi = Wasi(stdin=None, stdout=tmp_path / "out", stderr=None)
    compiled = wasmetal.Module(module([FD_WRITE], [("_start", WRITE)], HELLO))
    for _ in range(2):
        assert wasi.run(compiled) == 0
        assert (tmp_path / "out").read_bytes() == b"hello"


def test_what_python_has_printed_comes_first(capfd):
    print("first ", end="")
    Wasi(stdin=None, stderr=None).run(wasmetal.Module(module([FD_WRITE], [("_start", WRITE)], HELLO)))
    assert capfd.readouterr().out == "first hello"


def test_bad_settings(tmp_path):
    with pytest.raises(TypeError, match="args"):
        Wasi(args="program")
    with pytest.raises(ValueError, match="NUL"):
        Wasi(args=["a\0b"])
    for env in ({"A=B": "x"}, {"": "x"}, {"A": "x\0"}):
        with pytest.raises(ValueError, match=r"name|NUL"):
            Wasi(env=env)
    with pytest.raises(TypeError, match=r"\.buffer"):
        Wasi(stdout=io.StringIO())
    with pytest.raises(FileNotFoundError):
        Wasi(preopens={"/": tmp_path / "nothing"})
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Wasi(preopens={"/": tmp_path / "file"})
