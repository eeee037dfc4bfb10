"""A few seconds of `tests/soak/racing.py`: threads that do everything at once with what they share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parent / "soak" / "racing.py"


def test_a_short_race() -> None:
    # (in a process of its own: a crash is to be seen as one)
    command = [sys.executable, "-X", "faulthandler", str(PROGRAM), "--operations", "4000", "--threads", "3"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-4000:]
