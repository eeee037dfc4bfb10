"""Where things are."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DOCS = ROOT / "docs"
#: Compiled kernels and generated modules; not under version control.
BUILD = HERE / "build"
#: The corpus of real programs and so on; sections that need it say so when it is absent.
SHARED = Path(os.environ.get("WASMETAL_SHARED", ROOT.parent / "shared"))
CORPUS = SHARED / "corpus"
