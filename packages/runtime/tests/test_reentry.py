"""Signal handlers, trace functions and several threads, at any moment of what the library does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from systems import posix

HERE = Path(__file__).parent
SOAK = HERE.parents[2] / "tests" / "soak" / "handlers.py"
#: Of the events every n-th times this number.
SPARSE = 1 if os.environ.get("WASMETAL_ALL") else 5


def run(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", *arguments], capture_output=True, text=True, timeout=timeout
    )


# Opcodes of `load`, tens of thousands, are tried here and there.
@pytest.mark.parametrize(
    ("work", "events", "stride"),
    [
        ("load", "line", 3),
        ("load", "opcode", 97),
        ("calls", "opcode", 1),
        ("grows", "opcode", 1),
        ("deadlines", "opcode", 1),
        ("merges", "opcode", 5),
        ("merges", "line", 1),
        ("closes", "opcode", 5),
        ("closes", "line", 1),
        ("awaits", "opcode", 31),
        ("images", "opcode", 97),
        ("images", "line", 17),
    ],
)
def test_an_exception_at_each_event(work: str, events: str, stride: int) -> None:
    """Nothing is left switched, nobody waits for ever, and everything works afterwards."""
    done = run(str(HERE / "interrupted_work.py"), work, events, str(stride * SPARSE))
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 100 // SPARSE


@posix
@pytest.mark.parametrize("raising", ["", "--raise"])
def test_handlers_anywhere(raising: str) -> None:
    """A few seconds of the soak: timers whose handler does everything itself, or raises."""
    done = run(str(SOAK), "--seconds", "3", *raising.split())
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]


def test_a_description_is_used_first_by_many_threads() -> None:
    """attrs must not work on one class in two threads at a time."""
    program = """
        from __future__ import annotations
        import sys, threading
        from wasm_core.lazy_attrs import field, frozen
        sys.setswitchinterval(1e-6)
        for round in range(30):
            @frozen
            class Description:
                number: "int"
                text: "str" = ""
                items: "tuple" = field(factory=tuple, kw_only=True)
            things = [Description(1), Description(1, "a")]
            barrier = threading.Barrier(6)
            failed = []
            def work():
                try:
                    barrier.wait()
                    assert "number=1" in repr(things[0])
                    assert things[0] == Description(1) and hash(things[1]) == hash(Description(1, "a"))
                    try:
                        things[0].number = 2
                    except AttributeError:
                        pass
                    else:
                        raise AssertionError("not frozen")
                except BaseException as error:
                    failed.append(error)
            threads = [threading.Thread(target=work) for _ in range(6)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            if failed: raise failed[0]
    """
    done = run("-c", textwrap.dedent(program), timeout=120)
    assert done.returncode == 0, done.stderr
