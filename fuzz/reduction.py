"""Making a find smaller: `python -m fuzz.reduction TARGET SEED/NUMBER OUTPUT`.

A program of our generator becomes one that still goes wrong with fewer functions called, and less code in them. Every
try runs in a process of its own, because what goes wrong may be a crash. Of random use (`fuzz.api`) fewer steps remain.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path

from fuzz import api, run_wasmtime
from fuzz.case import Case, Step
from fuzz.comparison import difference
from fuzz.program import Program
from fuzz.run_wasmetal import MACHINES, Machine
from fuzz.targets import TARGETS
from fuzz.tree import NEVER, VOID, Node, Part, UnknownLabelError, simplest, size, walk

#: Seconds that one try may take.
_LIMIT = 20
Test = Callable[[Case], bool]


def goes_wrong(case: Case, machines: Iterable[Machine] = MACHINES) -> bool:
    """Whether the engines differ, or the process ends by a signal."""
    return _is_wrong(lambda: bool(difference(case, machines)))


def api_goes_wrong(case: Case) -> bool:
    """Whether random use finds something, in one of some tries: threads do not always meet."""
    seed = api.seed_of(case)
    return any(_is_wrong(lambda: bool(api.check(case, seed).find)) for _ in range(3))


def _is_wrong(test: Callable[[], bool]) -> bool:
    """Whether a test says so, or ends its process by a signal."""
    child = os.fork()
    if child == 0:
        code = 0
        try:
            signal.alarm(_LIMIT)
            os.close(1)
            os.close(2)
            code = 1 if test() else 0
        except Exception:
            code = 2  # an invalid module, most of the time
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
    return os.WEXITSTATUS(status) == 1


def reduce_steps(binary: bytes, steps: list[Step], test: Test) -> list[Step]:
    """Leave out steps, many at a time and then fewer."""
    count = len(steps) // 2
    while count:
        start = 0
        while start < len(steps):
            fewer = steps[:start] + steps[start + count :]
            if fewer and test(Case(binary, fewer)):
                steps = fewer
            else:
                start += count
        count //= 2
    return steps


def reduce_program(program: Program, steps: list[Step], test: Test) -> None:
    """Empty functions, and then take pieces out of those that are left."""
    for body in program.bodies:
        before = body.code
        body.code = Node(VOID, [b"\x00"])
        if not test(Case(program.binary(), steps)):
            body.code = before
    for body in program.bodies:
        while _shrink(program, body.code, steps, test):
            pass


def _shrink(program: Program, root: Node, steps: list[Step], test: Test) -> bool:
    """One pass over a body, the largest pieces first; whether anything could go."""
    shrunk = False
    for parent, number in sorted(walk(root), key=lambda place: -_size(place)):
        part = parent.parts[number] if number < len(parent.parts) else None
        if not isinstance(part, Node) or (size(part) == 1 and part.parts == simplest(part.type).parts):
            continue
        for smaller in _smaller(part):
            parent.parts[number] = smaller
            if _works(program, steps, test):
                shrunk = True
                break
            parent.parts[number] = part
    return shrunk


def _size(place: tuple[Node, int]) -> int:
    part: Part = place[0].parts[place[1]]
    return size(part) if isinstance(part, Node) else 0


def _smaller(node: Node) -> list[Node]:
    """What could stand in the place of a node: nothing much, or a piece of it of the same type."""
    found = [simplest(node.type)] if node.type != NEVER else [Node(NEVER, [b"\x00"])]
    for parent, number in walk(node):
        part = parent.parts[number]
        if isinstance(part, Node) and part.type == node.type and len(found) < 8:
            found.append(part)
    return found


def _works(program: Program, steps: list[Step], test: Test) -> bool:
    try:
        return test(Case(program.binary(), steps))
    except UnknownLabelError:
        return False


def main(target: str, seed: str, output: str) -> int:
    """Reduce what a seed makes; writes OUTPUT.wasm and OUTPUT.json, with what should come out."""
    if target == "api":
        case = api.make(seed)
        Case(b"", reduce_steps(b"", case.steps, api_goes_wrong)).save(Path(output))
        return 0
    module = import_module(TARGETS[target].module)
    case = module.make(seed)
    if not goes_wrong(case):
        print("nothing is wrong with it")
        return 1
    # One kind of machine is enough.
    wrong = [machine for machine in MACHINES if goes_wrong(case, [machine])][:1]
    test = partial(goes_wrong, machines=wrong)
    steps = reduce_steps(case.binary, case.steps, test)
    program = module.program(seed)
    reduce_program(program, steps, test)
    case = Case(program.binary(), reduce_steps(program.binary(), steps, test))
    case.save(Path(output), run_wasmtime.run(case))
    print(f"{len(case.binary)} bytes, {len(case.steps)} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
