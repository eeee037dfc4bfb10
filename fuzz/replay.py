"""Running one case again: `python -m fuzz.replay CASE.wasm`; the exit code is 1 if something is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

from fuzz.case import load
from fuzz.comparison import difference
from fuzz.run_wasmetal import MACHINES


def main(path: str) -> int:
    """Compare every kind of machine with the other engine."""
    case, _ = load(Path(path))
    found = [difference(case, [machine]) for machine in MACHINES]
    for what in filter(None, found):
        print(what)
    return int(any(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
