"""Faults: ours become traps, those of others go where they went before. Each case is a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap

import pytest
from systems import posix

from wasmetal.registry import backends as registry

pytestmark = posix

if not any(info.selected for info in registry.backends()):
    pytest.skip("a backend is needed for its signal handler", allow_module_level=True)

PRELUDE = r"""
import ctypes, faulthandler, mmap, os, signal, sys, tempfile, threading
from wasm_core.errors import Trap
from wasm_core.testing.patience import Effort
import wasmetal
from wasmetal.registry import backends as registry
from wasmetal.code import signals
from wasmetal.system import linux
Backend = registry.select()
backend = Backend()

# (module (memory 1) (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))
source = bytes.fromhex(
    "0061736d01000000" "010601" "60017f017f" "03020100" "0503010001" "07080104" "6c6f6164" "0000" "0a09010700"
    "2000" "280200" "0b"
)
instance = None

def ours():
    global instance
    if instance is None:
        instance = wasmetal.Module(source).instantiate()
    assert instance.exports.load(0) == 0
    for _ in range(3):
        try:
            instance.exports.load(-1)
        except Trap as trap:
            assert "out of bounds memory access" in str(trap)
        else:
            raise AssertionError("no trap")
    os.write(1, b"trapped\n")

def foreign():
    ctypes.string_at(64)  # strlen of some processors looks at 16 bytes that begin at a multiple of 16
"""


def run(program: str, *options: str) -> subprocess.CompletedProcess[str]:
    path = [entry for entry in sys.path if entry]
    done = subprocess.run(
        [sys.executable, *options, "-c", f"import sys; sys.path[:0] = {path!r}\n{PRELUDE}\n{textwrap.dedent(program)}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    # What QEMU's user-mode emulation says about a program that a signal killed.
    done.stderr = re.sub(r"qemu: uncaught target signal .*\n", "", done.stderr)
    return done


def test_faults_of_generated_code_are_traps() -> None:
    result = run("ours()")
    assert (result.returncode, result.stdout, result.stderr) == (0, "trapped\n", "")


def test_foreign_faults_kill_as_before() -> None:
    result = run("ours(); foreign()")
    assert result.returncode == -signal.SIGSEGV
    assert (result.stdout, result.stderr) == ("trapped\n", "")


def test_foreign_bus_errors_kill_as_before() -> None:
    result = run("""
        ours()
        with tempfile.TemporaryFile() as file:
            file.truncate(mmap.PAGESIZE)
            mapping = mmap.mmap(file.fileno(), mmap.PAGESIZE)
            file.truncate(0)
            mapping[0]
    """)
    assert result.returncode == -signal.SIGBUS
    assert result.stdout == "trapped\n"


def test_foreign_faults_reach_faulthandler() -> None:
    result = run("ours(); foreign()", "-X", "faulthandler")
    assert result.returncode == -signal.SIGSEGV
    assert result.stdout == "trapped\n"
    assert result.stderr.startswith("Fatal Python error: Segmentation fault")
    assert "in foreign" in result.stderr and "in ours" not in result.stderr


def test_faulthandler_that_comes_later() -> None:
    result = run("""
        ours()
        faulthandler.enable()
        signals.install(backend)
        ours()
        foreign()
    """)
    assert result.returncode == -signal.SIGSEGV
    assert result.stdout == "trapped\n" * 2
    assert result.stderr.count("Fatal Python error: Segmentation fault") == 1
    assert "in foreign" in result.stderr


def test_faulthandler_that_comes_and_goes() -> None:
    result = run("""
        ours()
        for _ in range(3):
            faulthandler.enable()
            signals.install(backend)
            ours()
            faulthandler.disable()
            signals.install(backend)
            ours()
        foreign()
    """)
    assert result.returncode == -signal.SIGSEGV
    assert (result.stdout, result.stderr) == ("trapped\n" * 7, "")


def test_a_signal_that_somebody_sends() -> None:
    result = run("ours(); os.kill(os.getpid(), signal.SIGSEGV); signal.pause()")
    assert result.returncode == -signal.SIGSEGV


def test_handlers_in_python_are_still_called() -> None:
    result = run(r"""
        signal.signal(signal.SIGSEGV, lambda number, frame: os.write(1, b"handled %d\n" % number))
        ours()
        os.kill(os.getpid(), signal.SIGSEGV)
        ours()
    """)
    assert (result.returncode, result.stdout) == (0, f"trapped\nhandled {int(signal.SIGSEGV)}\ntrapped\n")


def test_threads_have_no_signal_stack() -> None:
    result = run("""
        thread = threading.Thread(target=ours)
        thread.start()
        thread.join()
        ours()
        foreign()
    """, "-X", "faulthandler")  # fmt: skip
    assert result.returncode == -signal.SIGSEGV
    assert result.stdout == "trapped\n" * 2


def test_forked_children_trap_too() -> None:
    result = run("""
        ours()
        pid = os.fork()
        ours()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)
    assert (result.returncode, result.stdout) == (0, "trapped\n" * 3)


def test_installing_again_does_nothing() -> None:
    result = run("""
        first = signals.install(backend)
        used = signals._installed.region.bytes_in_use
        action = [linux.signal_action(number).handler for number in (signal.SIGSEGV, signal.SIGBUS)]
        for _ in range(1000):
            assert signals.install(Backend()) is first
        assert signals.stub_addresses(backend) is first
        assert signals._installed.region.bytes_in_use == used
        assert action == [first.signal_handler] * 2
        print("done")
    """)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


def test_a_system_that_refuses_to_map_code_twice() -> None:
    """Code is written in place then; at no time is a page writable and executable."""
    result = run(r"""
        def refuse(*args):
            raise OSError("refused")
        os.memfd_create = refuse
        # An old libffi has such pages of its own.
        writable = lambda: {line.split()[0] for line in open("/proc/self/maps") if {"w", "x"} <= set(line.split()[1])}
        before = writable()
        ours()
        from wasmetal.code.arena import arena
        assert not arena().dual_mapping
        protections = {line.split()[1] for line in open("/proc/self/maps")}
        assert "r-xp" in protections and writable() <= before
        pid = os.fork()
        instance = wasmetal.Module(source + bytes.fromhex("00020178")).instantiate()  # another module: a custom section
        ours()
        if pid:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """)
    assert (result.returncode, result.stdout) == (0, "trapped\n" * 3), result.stderr


def test_a_python_built_without_memfd_create() -> None:
    """Pythons that are built for old C libraries have no `os.memfd_create`; the C library here has it."""
    result = run("""
        if hasattr(os, "memfd_create"):
            del os.memfd_create
        ours()
        from wasmetal.code.arena import arena
        assert arena().dual_mapping == hasattr(ctypes.CDLL(None), "memfd_create")
    """)
    assert (result.returncode, result.stdout) == (0, "trapped\n"), result.stderr


#: A stack for signals of a size that the system says is enough; `stack_t` and the numbers are those of Linux.
SIGNAL_STACK = r"""
class Stack(ctypes.Structure):
    _fields_ = [("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

room = mmap.mmap(-1, 65536)
def use_signal_stack():
    stack = Stack(ctypes.addressof(ctypes.c_char.from_buffer(room)), 0, 65536)
    assert ctypes.CDLL(None).sigaltstack(ctypes.byref(stack), None) == 0
"""


def test_a_signal_stack_of_the_embedder() -> None:
    result = run(SIGNAL_STACK + textwrap.dedent("""
        use_signal_stack()
        ours()
        assert any(room), "the handler ran elsewhere"
        foreign()
    """))  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (-signal.SIGSEGV, "trapped\n", "")


def test_a_signal_stack_in_a_thread_with_a_small_stack() -> None:
    result = run(SIGNAL_STACK + textwrap.dedent("""
        def work():
            ours()
            use_signal_stack()
            ours()
        threading.stack_size(131072)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """))  # fmt: skip
    assert (result.returncode, result.stdout, result.stderr) == (0, "trapped\n" * 2, "")


C_HANDLER = r"""
@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
def handler(number, information, context):
    # si_addr is behind three ints and their padding.
    address = ctypes.c_uint64.from_address(information + 16).value
    os.write(1, b"handler: %d at %d\n" % (number, address))
    os._exit(7)

def set_handler():
    action = linux.SigAction(
        handler=ctypes.cast(handler, ctypes.c_void_p).value, flags=linux.SA_SIGINFO | linux.SA_NODEFER
    )
    linux.set_signal_action(signal.SIGSEGV, action)
"""


def test_a_handler_of_c_code_that_was_there_before() -> None:
    """It gets what is not ours, with all that the system told us."""
    result = run(C_HANDLER + "\nset_handler()\nours()\nforeign()")
    assert (result.returncode, result.stdout) == (7, f"trapped\nhandler: {int(signal.SIGSEGV)} at 64\n"), result.stderr


def test_a_handler_of_c_code_that_comes_later() -> None:
    """The next instance puts ours in front of it; it goes on getting what is not ours."""
    program = "\nours()\nset_handler()\nwasmetal.Module(source).instantiate()\nours()\nforeign()"
    result = run(C_HANDLER + program)
    assert (result.returncode, result.stdout) == (7, f"trapped\ntrapped\nhandler: {int(signal.SIGSEGV)} at 64\n")


#: (module (func $down (export "down") (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.add (i32.const
#: 1) (call $down (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0)))))
DOWN = """
down = wasmetal.Module(bytes.fromhex(
    "0061736d01000000" "010601" "60017f017f" "03020100" "07080104" "646f776e" "0000"
    "0a16" "0114" "00" "2000" "047f" "4101" "2000" "4101" "6b" "1000" "6a" "05" "4100" "0b" "0b"
)).instantiate().exports.down
def exhaust():
    try:
        down(-1)
    except Trap as trap:
        assert "call stack exhausted" in str(trap)
    else:
        raise AssertionError("no trap")
"""


def test_signals_at_every_depth_of_the_stack() -> None:
    """Handlers of the system (Python's is one) run on the stack of WebAssembly code, which is full again and again."""
    result = run(DOWN + textwrap.dedent("""
        seen = 0
        def count(number, frame):
            global seen
            seen += 1
        signal.signal(signal.SIGALRM, count)
        effort = Effort(1.5)
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        while effort.goes_on(seen > 5):
            exhaust()
            assert down(1000) == 1000
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert seen > 5, seen
    """))  # fmt: skip
    assert result.returncode == 0, result.stderr


#: (module (func (export "spin") (loop (br 0))))
SPIN = """
spin = wasmetal.Module(bytes.fromhex(
    "0061736d01000000" "0104" "01600000" "03020100" "07080104" "7370696e" "0000" "0a09" "0107" "00" "0340" "0c00" "0b0b"
)).instantiate().exports.spin
def running_function(seconds):
    try:
        with wasmetal.deadline(seconds):
            spin()
    except wasmetal.DeadlineExceeded:
        pass
"""


def test_faulthandler_dumps_while_code_runs() -> None:
    """`faulthandler.register`, whose handler runs where the signal finds the thread."""
    result = run(SPIN + textwrap.dedent("""
        import subprocess
        dumps = tempfile.TemporaryFile()
        faulthandler.register(signal.SIGUSR1, dumps, all_threads=True)
        kill = f"os.kill({os.getpid()}, {int(signal.SIGUSR1)})"
        program = f"import os, time\\nwhile True: time.sleep(0.005); {kill}"
        def count():
            return os.pread(dumps.fileno(), 1 << 24, 0).count(b"in running_function")
        with subprocess.Popen([sys.executable, "-SEc", program]) as sender:
            effort = Effort(0)
            while effort.goes_on(count() > 50):
                running_function(0.5)
            sender.kill()
        assert count() > 50, count()
        ours()
    """))  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "trapped\n"), result.stderr


def test_faulthandler_dumps_later_while_code_runs() -> None:
    """`dump_traceback_later`, from a thread of its own; which CPython does not make safe while Python code runs."""
    result = run(SPIN + textwrap.dedent("""
        dumps = tempfile.TemporaryFile()
        def dumped():
            text = os.pread(dumps.fileno(), 1 << 24, 0)
            return b"Timeout" in text and b"in running_function" in text
        effort = Effort(0)
        while effort.goes_on(dumped()):
            faulthandler.dump_traceback_later(0.5, file=dumps)
            running_function(1)
        assert dumped()
        ours()
    """))  # fmt: skip
    assert (result.returncode, result.stdout) == (0, "trapped\n"), result.stderr


# What docs/signals.md says cannot work, and what to do then.

BLOCKED = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSEGV])
"""
EXPLICIT = """
instance = wasmetal.Engine(wasmetal.Config(bounds_checks="explicit")).compile(source).instantiate()
"""


@pytest.mark.parametrize("before", ["", "signal.signal(signal.SIGSEGV, lambda *args: os._exit(5))"])
def test_a_blocked_fault_kills(before: str) -> None:
    result = run(f"{before}\n{BLOCKED}\nours()")
    assert (result.returncode, result.stdout) == (-signal.SIGSEGV, "")


@pytest.mark.parametrize(
    "trouble",
    [
        BLOCKED,
        "instance.exports.load(0)\nfaulthandler.enable()\n",
        C_HANDLER + "\ninstance.exports.load(0)\nset_handler()\n",
    ],
    ids=["blocked", "faulthandler", "handler"],
)
def test_explicit_checks_need_no_handler(trouble: str) -> None:
    result = run(f"{EXPLICIT}\n{trouble}\nours()")
    assert (result.returncode, result.stdout) == (0, "trapped\n"), result.stderr


def test_faulthandler_that_comes_later_sees_our_faults_until_the_next_instance() -> None:
    result = run("ours()\nfaulthandler.enable()\nours()")
    assert (result.returncode, result.stdout) == (-signal.SIGSEGV, "trapped\n")
    assert "Segmentation fault" in result.stderr
    result = run("ours()\nfaulthandler.enable()\nwasmetal.Module(source).instantiate()\nours()")
    assert (result.returncode, result.stdout, result.stderr) == (0, "trapped\n" * 2, "")
