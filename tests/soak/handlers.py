"""One-shot timers whose handler loads, instantiates, calls and closes, while the main thread and others do the same.

    python tests/soak/handlers.py [--seconds N] [--seed N] [--raise]

With --raise the handler raises instead, as Ctrl-C does. Exit code 1 when something is left switched; faulthandler ends
the program when it hangs.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import random
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packages" / "runtime" / "tests"))

import interrupted_work
from interrupted_work import Interrupt

from wasmetal.store import interruption

_LONGEST = 0.004


def work(rng: random.Random) -> None:
    instance = interrupted_work.make()
    interrupted_work.use(instance)
    rng.choice(list(interrupted_work.WORK.values()))(instance)
    instance.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (0)")
    parser.add_argument("--raise", dest="raises", action="store_true", help="the handler raises")
    options = parser.parse_args()
    faulthandler.dump_traceback_later(options.seconds + 240, exit=True)
    sys.unraisablehook = lambda _: None
    rng = random.Random(options.seed)
    until = time.monotonic() + options.seconds
    signals = rounds = interrupts = 0
    # What is imported at first use must be there: a handler in the middle of an import sees half a module.
    for everything in interrupted_work.WORK.values():
        everything(interrupted_work.prepared())

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if options.raises:
            raise Interrupt
        work(random.Random(signals))

    def beside() -> None:
        own = random.Random(options.seed + 1)
        while time.monotonic() < until:
            work(own)

    signal.signal(signal.SIGALRM, handle)
    thread = threading.Thread(target=beside)
    thread.start()
    while time.monotonic() < until:
        rounds += 1
        try:
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.random() * _LONGEST + 1e-5)
                work(rng)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupt:
            interrupts += 1
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    thread.join()
    interrupted_work.check(interrupted_work.prepared())
    print(f"{rounds} rounds, {signals} signals, {interrupts} interrupts")
    return 0 if gc.isenabled() and not interruption._thread.dues else 1


if __name__ == "__main__":
    sys.exit(main())
