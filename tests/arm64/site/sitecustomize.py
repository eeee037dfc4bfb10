"""Makes a Python under QEMU's user-mode emulation fit for the tests; it imports this when it starts."""

import os
import sys


# QEMU notices that code has been changed when somebody writes to its page, not when the page is written through another
# mapping (before 8.1, whose `ic ivau` throws old translations away). Without memfd, code is written in place.
def _refuse(name: str, flags: int = 0) -> int:
    raise OSError("not under emulation")


os.memfd_create = _refuse

# Tests start Python again. The machine itself cannot run this one, only the script that started it.
if "WASMETAL_EMULATED_PYTHON" in os.environ:
    sys.executable = os.environ["WASMETAL_EMULATED_PYTHON"]
