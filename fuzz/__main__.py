"""Command line of the fuzzers: `python -m fuzz TARGET --seconds N --seed S`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from fuzz.campaign import Campaign
from fuzz.targets import GROUPS, TARGETS


def main() -> int:
    """Run targets; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Look for crashes and wrong results.")
    parser.add_argument("target", choices=[*TARGETS, *GROUPS])
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", default="0", help="any word; the same word gives the same programs")
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"), help="folder for what is found")
    parser.add_argument("--most-finds", type=int, default=20, help="stop a target after so many")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    names = GROUPS.get(options.target, (options.target,))
    found = False
    for name in names:
        missing = [program for program in TARGETS[name].needs if shutil.which(program) is None]
        if missing:
            print(f"{name}: skipped, {', '.join(missing)} is not installed", flush=True)
            continue
        campaign = Campaign(name, options.seed, options.output.resolve())
        campaign.run(options.seconds / len(names), options.most_finds)
        counts = ", ".join(f"{count} {what}" for what, count in campaign.counts.items() if count)
        print(
            f"{name}: {counts or 'nothing tried'}; {campaign.cpu_seconds:.0f} s of CPU, {len(campaign.finds)} finds",
            flush=True,
        )
        found = found or bool(campaign.finds)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
