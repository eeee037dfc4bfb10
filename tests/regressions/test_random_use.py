"""A few seconds of random use of the public API with hostile arguments, by several threads: `python -m fuzz api`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mode", [[], ["-X", "dev"], ["-O"]], ids=["plain", "dev", "optimized"])
def test_nothing_but_documented_exceptions(mode: list[str]) -> None:
    program = """if True:
    import faulthandler, sys
    from fuzz import api
    faulthandler.enable()
    faulthandler.dump_traceback_later(120, exit=True)
    for number in range(6):
        seed = f"test/{number}"
        print(seed, flush=True)
        found = api.check(api.make(seed), seed).find
        if found:
            sys.exit(found)
    """
    made = subprocess.run([sys.executable, *mode, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr


def test_new_public_classes_join() -> None:
    """What is tried is found by looking, so that nobody has to think of it."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    from fuzz.surface import CLASSES, FUNCTIONS, MEMBERS

    import wasmetal

    for name in wasmetal.__all__:
        found = getattr(wasmetal, name)
        assert not isinstance(found, type) or found in CLASSES.values()
    assert wasmetal.validate in FUNCTIONS.values()
    assert {"grow", "read", "write", "view", "pages", "__getitem__", "__init__"} <= set(MEMBERS["wasmetal.Memory"])
