"""Subinterpreters, with the GIL or one of their own, are refused: nothing crashes, and the main one goes on."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

#: What a subinterpreter does, with the path in front.
INSIDE = """
for _ in range(2):
    try:
        import wasmetal
        wasmetal.Module(bytes.fromhex("0061736d01000000")).instantiate()
    except Exception as error:
        # Python 3.12 refuses ctypes where the GIL is not the main one's.
        assert "in the main interpreter of a process" in str(error) or "_ctypes" in str(error), error
    else:
        raise AssertionError("not refused")
"""

PRELUDE = """
import wasmetal
from wasm_core.testing.builder import WasmBuilder

if sys.version_info >= (3, 13):
    import _interpreters
    def create(isolated):
        return _interpreters.create("isolated" if isolated else "legacy")
    def run(interpreter, program):
        failure = _interpreters.exec(interpreter, program)
        assert failure is None, failure.formatted
else:
    import _xxsubinterpreters as _interpreters
    def create(isolated):
        return _interpreters.create(isolated=isolated)
    run = _interpreters.run_string

op = WasmBuilder.op
b = WasmBuilder()
b.memory(1)
b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
module = wasmetal.Module(b.build())

def check(exports):
    assert exports.load(0) == 0
    try:
        exports.load(-4)
    except wasmetal.Trap:
        return
    raise AssertionError("no trap")
"""


def run(program: str) -> None:
    path = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}\n"
    prelude = f"{path}INSIDE = {path + INSIDE!r}\n{PRELUDE}"
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", prelude + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("isolated", [True, False])
def test_a_subinterpreter_is_refused(isolated: bool) -> None:
    run(f"""
        exports = module.instantiate().exports
        check(exports)
        for _ in range(3):
            interpreter = create({isolated})
            run(interpreter, INSIDE)
            check(exports)
            _interpreters.destroy(interpreter)
            check(module.instantiate().exports)
        print("done")
    """)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="concurrent.interpreters came with Python 3.14")
def test_an_executor_of_interpreters() -> None:
    run("""
        from concurrent.futures import InterpreterPoolExecutor

        exports = module.instantiate().exports
        with InterpreterPoolExecutor(2) as executor:
            futures = [executor.submit(exec, INSIDE, {}) for _ in range(6)]
            check(exports)
            for future in futures:
                future.result()
            # What does not need machine code works.
            executor.submit(exec, "import wasm_core.decoder as d; d.decode(bytes.fromhex('0061736d01000000'))").result()
        check(exports)
        print("done")
    """)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="concurrent.interpreters came with Python 3.14")
def test_a_memory_is_seen_by_another_interpreter() -> None:
    """Views are shared by way of the buffer protocol: the memory must be there as long as they are."""
    run("""
        import gc
        from concurrent import interpreters

        memory = wasmetal.Memory(1, 2)
        interpreter = interpreters.create()
        interpreter.prepare_main(view=memoryview(memory))
        interpreter.exec("view[0] = 7; view[65535] = 8")
        assert bytes(memoryview(memory)[:1]) == b"\\x07"
        del memory
        gc.collect()
        interpreter.exec("assert (view[0], view[65535]) == (7, 8)")
        interpreter.close()
        print("done")
    """)
