"""The first call of a function imports what it needs; signal handlers and trace functions come in the middle of it."""

from __future__ import annotations

import subprocess
import sys

#: Each line of a module that is imported during a call is interrupted, and in that moment a program of its own makes
#: calls for the first time: what they import is half there.
_PROGRAM = """
import os, sys
from wasm_wasi.functions import guarded
from wasm_wasi.guest_memory import GuestMemory
from wasm_wasi.process import Process

class ByteMemory:
    def __init__(self):
        self.bytes = bytearray(65536)
    def view(self):
        return memoryview(self.bytes)

def calls():
    process = Process((), (), {"/": sys.argv[1]}, (None, None, None))
    process.guest = GuestMemory(ByteMemory())
    process.guest.view[:4] = b"file"
    # Arguments of a read of nothing, of a path, of no subscription (INVAL), of no socket (NOTSOCK), of 8 random bytes.
    results = [
        guarded(name, process)(*arguments)
        for name, arguments in (
            ("path_filestat_set_times", (3, 0, 0, 4, 0, 0, 10)),
            ("fd_sync", (3,)),
            ("poll_oneoff", (0, 0, 0, 64)),
            ("sock_recv", (3, 0, 0, 0, 64, 72)),
            ("fd_filestat_get", (3, 128)),
            ("random_get", (256, 8)),
        )
    ]
    process.close()
    return results

def trace(frame, event, argument):
    global interrupted
    if "wasm_wasi" in frame.f_code.co_filename and frame.f_code.co_name == "<module>":
        if event == "line":
            sys.settrace(None)
            interrupted += 1
            results.add(tuple(calls()))
            # What the calls imported is there now; the import goes on, and the next one is of another module.
            for name in sorted(set(sys.modules) - before - set(importing())):
                if name.startswith("wasm_wasi."):
                    del sys.modules[name]
            late._whole.clear()
            sys.settrace(trace)
        return trace
    return trace if "importlib" in frame.f_code.co_filename else None

def importing():
    ours = [name for name in sys.modules if name.startswith("wasm_wasi.")]
    return [name for name in ours if getattr(sys.modules[name].__spec__, "_initializing", False)]

from wasm_wasi import late
open(os.path.join(sys.argv[1], "file"), "w").close()
before = set(sys.modules)
interrupted, results = 0, set()
sys.settrace(trace)
done = tuple(calls())
sys.settrace(None)
assert done == (0, 0, 28, 57, 0, 0), done
assert results == {done}, results
print(interrupted)
"""


def test_calls_in_the_middle_of_the_imports_of_first_calls(tmp_path) -> None:
    command = [sys.executable, "-X", "faulthandler", "-c", _PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
