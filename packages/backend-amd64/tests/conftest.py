"""What tests of instruction selection share."""

from __future__ import annotations

import sys
from pathlib import Path

# Helpers that build functions are those of the tests of all backends; what is shared must be found by name.
sys.path.insert(0, str(Path(__file__).parents[3] / "tests/backends"))
