"""Trying seeds in processes of their own until the time is up, and keeping what is found."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import attrs

from fuzz.targets import TARGETS

_ROOT = Path(__file__).parents[1]


def children_seconds() -> float:
    """Processor time that ended child processes have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@attrs.define
class Find:
    """Something wrong."""

    target: str
    seed: str
    number: int
    what: str


@attrs.define
class Campaign:
    """The state of one target's run."""

    target: str
    seed: str
    folder: Path
    next: int = 0
    counts: Counter[str] = attrs.field(factory=Counter)
    finds: list[Find] = attrs.field(factory=list)
    cpu_seconds: float = 0
    _batches: int = 0
    _cpu_before: float = attrs.field(init=False, factory=children_seconds)

    def run(self, seconds: float, most_finds: int) -> None:
        """Go on for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.finds) < most_finds:
            self._batch(end - time.monotonic())

    def _batch(self, seconds: float) -> None:
        arguments = [
            self.target,
            self.seed,
            str(self.next),
            str(TARGETS[self.target].batch),
            str(seconds),
            str(self.folder),
        ]
        modes = TARGETS[self.target].environments
        mode = modes[self._batches % len(modes)]
        self._batches += 1
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "fuzz.worker", *arguments],
            cwd=_ROOT,
            env={**os.environ, **mode},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begin = time.monotonic()
        out, error = process.communicate()
        self.counts["seconds"] += round(time.monotonic() - begin)
        self.cpu_seconds = children_seconds() - self._cpu_before
        running = self._read(out)
        if process.returncode and running is None:
            # Not even the first try began: nothing can be fuzzed.
            raise RuntimeError(f"the worker ended with {process.returncode}\n{error}")
        if running is not None:
            self.next = running + 1
            self._ended(process.returncode, running, f"{error}{mode or ''}")

    def _read(self, out: str) -> int | None:
        """Take over the worker's lines; the number that it had begun and not ended."""
        running: int | None = None
        for line in out.splitlines():
            told = json.loads(line)
            if "begin" in told:
                running = told["begin"]
                continue
            running = None
            self.next = told["end"] + 1
            self.counts["modules"] += 1
            for key in ("functions", "calls", "instructions"):
                self.counts[key] += told[key]
            self.counts[told["kind"]] += bool(told["kind"])
            if told["find"]:
                self._found(told["end"], told["find"])
        return running

    def _ended(self, code: int, number: int, error: str) -> None:
        """The worker ended within a try."""
        for suffix in (".wasm", ".json"):
            current = self.folder / f"{self.target}-{self.seed}-current{suffix}"
            if current.exists():
                current.rename(self.folder / f"{self.target}-{self.seed}-{number}{suffix}")
        self._found(number, f"the process ended with {code}\n{error[-3000:]}")

    def _found(self, number: int, what: str) -> None:
        self.finds.append(Find(self.target, self.seed, number, what))
        self.folder.joinpath(f"{self.target}-{self.seed}-{number}.txt").write_text(what)
        print(f"{self.target} {self.seed}/{number}: {what[:600]}", flush=True)
