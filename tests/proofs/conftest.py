"""Proofs need a solver, which only the session `proofs` installs."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

collect_ignore_glob = [] if importlib.util.find_spec("z3") and importlib.util.find_spec("capstone") else ["test_*.py"]
