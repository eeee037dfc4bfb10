"""The port to macOS, as far as it can be tested without a Mac: with a stand-in for the C library (mac.py), on Linux."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from wasmetal.glue.ticker_layout import TICKER
from wasmetal.system import interface

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in translates to Linux")

MAC = Path(__file__).with_name("mac.py")
PORTS = ("linux", "darwin", "windows")
#: Of ports: where they are told what to do.
SYSTEM = Path(interface.__file__).parent


def names_of(module: str) -> set[str]:
    """What a module has at its top, by its source: it can be imported on its system only."""
    tree = ast.parse((SYSTEM / f"{module}.py").read_text())
    found = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Assign):
            found |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found.add(statement.target.id)
        elif isinstance(statement, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in statement.names}
    return found


@pytest.mark.parametrize("port", PORTS)
def test_a_port_has_all_of_the_interface(port: str) -> None:
    wanted = {name for name in vars(interface.System) if not name.startswith("_")}
    assert wanted - names_of(port) == set()


def run(code: str) -> None:
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", f"import sys; sys.path.insert(0, {str(MAC.parent)!r})\n{code}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_runtime_on_it() -> None:
    """Calls, traps by faults, interruption, threads and so on, on code that was written in place."""
    pytest.importorskip("click", reason="the checks are those of the command line")
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", str(MAC)], capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "garbage\n" in result.stdout


def test_what_is_discarded_reads_as_zero_and_stays_protected() -> None:
    run(
        "import ctypes, mac\n"
        "host = mac.become_mac()\n"
        "page = host.PAGE\n"
        "start = host.reserve(8 * page)\n"
        "host.commit(start + page, 2 * page)\n"
        "host.commit(start + 5 * page, page)\n"
        "for n in (1, 2, 5): ctypes.c_uint64.from_address(start + n * page).value = n\n"
        "host.discard(start, 8 * page)\n"
        "for n in (1, 2, 5):\n"
        "    word = ctypes.c_uint64.from_address(start + n * page)\n"
        "    assert word.value == 0, n\n"
        "    word.value = 7\n"
        "ranges = [(place - start, size, rights) for place, size, rights in host._regions(start, 8 * page)]\n"
        "expected = [(0, 1, 0), (1, 2, 3), (3, 2, 0), (5, 1, 3), (6, 2, 0)]\n"
        "assert ranges == [(a * page, b * page, c) for a, b, c in expected], ranges\n"
    )


def test_the_ticker_calls_what_there_is() -> None:
    run(
        "import mac\n"
        f"fields = {set(TICKER.offsets)!r}\n"
        "host = mac.become_mac()\n"
        "from wasmetal.system import darwin\n"
        "for calls in host.TICKER_CALLS.values():\n"
        "    for function, arguments in calls:\n"
        "        assert function in host.TICKER_FUNCTIONS\n"
        "        for argument in arguments:\n"
        "            assert isinstance(argument, int) or argument.lstrip('&') in fields | {''}, argument\n"
        "assert darwin.TICKER_FUNCTIONS.keys() <= fields\n"
    )


def test_the_processor_sees_code_that_was_written() -> None:
    run("import mac\nhost = mac.become_mac()\nhost.SYNCHRONIZE(0, 8)\nassert 'sys_icache_invalidate' in mac.calls\n")
