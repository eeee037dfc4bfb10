"""Each subject runs in a process of its own, so that a crash or a hang costs one cell of a table; rounds alternate."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

import attrs

from benchmarks.model import Row

#: A measurement: the sample, and something that must be the same for all subjects (a result, an output).
Measured = tuple[float, object]
#: Makes a subject ready in its process and gives the function that takes one sample.
Prepare = Callable[..., Callable[[], Measured]]

#: Seconds after which a subject has failed.
DEFAULT_TIMEOUT = 120.0


class Unavailable(Exception):
    """This subject cannot do this here; the text says why."""


class Failed(Exception):
    """The worker reported an error, died, or took too long; the text says which."""


def _serve(connection: Connection, prepare: Prepare, arguments: tuple[object, ...]) -> None:
    try:
        measure = prepare(*arguments)
        connection.send((True, None))
        while connection.recv():
            connection.send((True, measure()))
    except EOFError:
        pass
    except Unavailable as error:
        connection.send((False, str(error)))
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        connection.send((False, f"{type(error).__name__}: {error} ({last.name})"[:300]))


class Worker:
    """A process that has made one subject ready."""

    def __init__(self, prepare: Prepare, *arguments: object, timeout: float = DEFAULT_TIMEOUT) -> None:
        context = multiprocessing.get_context("spawn")
        self._timeout = timeout
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, prepare, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._receive()

    def _receive(self) -> object:
        if not self._connection.poll(self._timeout):
            self.stop()
            raise Failed(f"no result within {self._timeout:.0f} s")
        try:
            good, value = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(5)
            code = self._process.exitcode
            how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            raise Failed(f"the process died: {how}") from None
        if not good:
            self.stop()
            raise Failed(str(value))
        return value

    def measure(self) -> Measured:
        """Take one sample.

        Raises:
            Failed: The worker could not.
        """
        try:
            self._connection.send(True)
        except (BrokenPipeError, OSError):
            raise Failed("the process died") from None
        value = self._receive()
        assert isinstance(value, tuple)
        return value

    def stop(self) -> None:
        """End the process."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._connection.close()


@attrs.frozen
class Subject:
    """How to make one subject of a row ready."""

    prepare: Prepare
    arguments: tuple[object, ...]


def measure_row(
    name: str,
    subjects: Mapping[str, Subject],
    rounds: int,
    *,
    processes: int = 1,
    warm_up: int = 1,
    timeout: float = DEFAULT_TIMEOUT,
    missing: Mapping[str, str] | None = None,
) -> Row:
    """Measure the subjects of a row in turn, `rounds` times.

    Args:
        name: Name of the row.
        subjects: What to measure, by name; the first is the one whose outcome the others must agree with.
        rounds: Number of samples for each.
        processes: In how many processes, one after the other, each subject is measured. The same code can be much
            slower in another place of memory, and where it is does not change within a process: with one, a median
            over the rounds does not show that.
        warm_up: Rounds in each process before those that count (compilation on first call, caches).
        timeout: Seconds for one sample, or for making ready.
        missing: Reasons for subjects that are left out from the start.
    """
    reasons = dict(missing or {})
    samples: dict[str, list[float]] = {}
    outcomes: dict[str, object] = {}
    for turn in range(processes):
        share = rounds // processes + (turn < rounds % processes)
        working = {subject: how for subject, how in subjects.items() if subject not in reasons}
        if share and working:
            _take_turns(working, share, warm_up, timeout, samples, outcomes, reasons)
    for subject in reasons:
        # Rounds pair up by position: a subject that failed on the way has none.
        samples.pop(subject, None)
    expected = next((outcomes[subject] for subject in subjects if subject in samples), None)
    for subject in list(samples):
        if outcomes[subject] != expected:
            reasons[subject] = f"wrong result: {outcomes[subject]!r:.60}, not {expected!r:.60}"
            del samples[subject]
    return Row(name, samples, reasons)


def _take_turns(
    subjects: Mapping[str, Subject],
    rounds: int,
    warm_up: int,
    timeout: float,
    samples: dict[str, list[float]],
    outcomes: dict[str, object],
    reasons: dict[str, str],
) -> None:
    """Start a worker for each subject and add `rounds` samples of each, alternating; or the reason why not."""
    workers: dict[str, Worker] = {}
    try:
        for subject, how in subjects.items():
            try:
                workers[subject] = Worker(how.prepare, *how.arguments, timeout=timeout)
            except Failed as error:
                reasons[subject] = str(error)
        for number in range(warm_up + rounds):
            for subject in list(workers):
                try:
                    sample, outcomes[subject] = workers[subject].measure()
                except Failed as error:
                    reasons[subject] = str(error)
                    workers.pop(subject).stop()
                    continue
                if number >= warm_up:
                    samples.setdefault(subject, []).append(sample)
    finally:
        for worker in workers.values():
            worker.stop()
