"""The process that tries seeds, and may crash: `python -m fuzz.worker TARGET SEED FIRST COUNT SECONDS FOLDER`.

It writes a line of JSON before and after each try.
"""

from __future__ import annotations

import faulthandler
import json
import sys
import time
import traceback
from pathlib import Path

from fuzz.report import Report
from fuzz.targets import TARGETS


def main(name: str, seed: str, first: str, count: str, seconds: str, folder: str) -> None:
    """Try seeds one after the other, but begin none after so many seconds."""
    end = time.monotonic() + float(seconds)
    faulthandler.enable()
    target = TARGETS[name]
    make, check = target.load()
    current = Path(folder, f"{name}-{seed}-current")
    for number in range(int(first), int(first) + int(count)):
        if time.monotonic() > end:
            break
        print(json.dumps({"begin": number}), flush=True)
        # Machine code cannot be interrupted: a hang ends the process.
        faulthandler.dump_traceback_later(target.limit, exit=True)
        case = make(f"{seed}/{number}")
        # Now, because there may be no later.
        case.save(current)
        try:
            report = check(case, f"{seed}/{number}")
        except Exception:
            report = Report(traceback.format_exc())
        if report.find:
            case.save(current.with_name(f"{name}-{seed}-{number}"))
        counts = {"functions": report.functions, "calls": report.calls, "instructions": report.instructions}
        print(json.dumps({"end": number, "find": report.find, "kind": report.kind, **counts}), flush=True)
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(*sys.argv[1:])
