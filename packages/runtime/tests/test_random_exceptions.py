"""Random programs that throw and catch, in both encodings: the same with locals as values as with locals in memory."""

from __future__ import annotations

import random
import sys
from typing import Any

import pytest

import wasmetal
from wasm_core.testing.builder import Op, WasmBuilder
from wasmetal import Config, Engine, Trap, WasmException

pytestmark = pytest.mark.skipif(
    not getattr(wasmetal.default_engine().backend, "exceptions", False), reason="the backend has no exceptions"
)

_SET, _TEE = b"\x21", b"\x22"
_LOOP, _BR_IF = b"\x03\x40", b"\x0d"
#: Parameters; behind them are counters of loops.
_LOCALS = 6
_TAGS = 3
_DEEPEST = 6
# Kinds of constructs around a statement, as far as branches and rethrow are concerned.
_PLAIN, _NO_TARGET, _CATCH = "plain", "no target", "catch"


class Body:
    """The statements of a random function."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.left = self.chance.choice((10, 30, 80))

    def local(self) -> int:
        return self.chance.randrange(_LOCALS)

    def store(self) -> bytes:
        return _SET + bytes([self.local()])

    def condition(self) -> bytes:
        return Op.get(self.local()) + Op.i32(1 << self.chance.randrange(4)) + b"\x71"

    def code(self, around: list[str], depth: int = 0) -> bytes:
        statements = []
        for _ in range(self.chance.randint(1, 5)):
            self.left -= 1
            statements.append(self.statement(around, depth))
        return b"".join(statements)

    def statement(self, around: list[str], depth: int) -> bytes:
        kinds = ["move", "arithmetic", "call", "call", "throw"]
        if depth < _DEEPEST and self.left > 0:
            kinds += ["try", "try", "try_table", "try_table", "delegate", "block", "loop", "if"]
        if _CATCH in around:
            kinds.append("rethrow")
        if any(kind != _NO_TARGET for kind in around):
            kinds.append("branch")
        made: bytes = getattr(self, f"_{self.chance.choice(kinds)}")(around, depth)
        return made

    def _move(self, around: list[str], depth: int) -> bytes:
        return Op.get(self.local()) + self.store()

    def _arithmetic(self, around: list[str], depth: int) -> bytes:
        factor = Op.i32(self.chance.choice((3, 5, -7)))
        return Op.get(self.local()) + factor + Op.I32_MUL + Op.get(self.local()) + Op.I32_ADD + self.store()

    def _call(self, around: list[str], depth: int) -> bytes:
        return Op.get(self.local()) + Op.call(self.chance.randrange(2)) + self.store()

    def _throw(self, around: list[str], depth: int) -> bytes:
        thrown = Op.get(self.local()) + Op.throw(self.chance.randrange(_TAGS))
        return self.condition() + Op.if_("", thrown, b"")

    def _branch(self, around: list[str], depth: int) -> bytes:
        labels = [label for label, kind in enumerate(reversed(around)) if kind != _NO_TARGET]
        return self.condition() + _BR_IF + bytes([self.chance.choice(labels)])

    def _rethrow(self, around: list[str], depth: int) -> bytes:
        labels = [label for label, kind in enumerate(reversed(around)) if kind == _CATCH]
        return self.condition() + Op.if_("", Op.rethrow(self.chance.choice(labels) + 1), b"")

    def _block(self, around: list[str], depth: int) -> bytes:
        return Op.block("", self.code([*around, _PLAIN], depth + 1))

    def _if(self, around: list[str], depth: int) -> bytes:
        inner = [*around, _PLAIN]
        return self.condition() + Op.if_("", self.code(inner, depth + 1), self.code(inner, depth + 1))

    def _loop(self, around: list[str], depth: int) -> bytes:
        """Three rounds."""
        counter = _LOCALS + depth
        down = Op.get(counter) + Op.i32(-1) + Op.I32_ADD + _TEE + bytes([counter]) + _BR_IF + b"\0"
        body = self.code([*around, _NO_TARGET], depth + 1)
        return Op.i32(3) + _SET + bytes([counter]) + _LOOP + body + down + Op.END

    def _try(self, around: list[str], depth: int) -> bytes:
        body = self.code([*around, _PLAIN], depth + 1)
        inner = [*around, _CATCH]
        clauses = [
            Op.caught(self.chance.randrange(_TAGS), self.store() + self.code(inner, depth + 1))
            for _ in range(self.chance.randrange(4))
        ]
        if self.chance.random() < 0.5:
            clauses.append(Op.caught_all(self.code(inner, depth + 1)))
        return Op.try_("", body, *clauses)

    def _delegate(self, around: list[str], depth: int) -> bytes:
        body = self.code([*around, _PLAIN], depth + 1)
        return Op.delegate("", body, self.chance.randrange(len(around) + 1))

    def _try_table(self, around: list[str], depth: int) -> bytes:
        """block (end) block (all) block (one) try_table ... end br end end store ... br end end ... end"""
        clauses = [Op.catch(self.chance.randrange(_TAGS), 0) for _ in range(self.chance.randint(1, 2))]
        if self.chance.random() < 0.6:
            clauses.append(Op.catch_all(1))
        body = self.code([*around, _PLAIN, _PLAIN, _NO_TARGET, _PLAIN], depth + 1)
        one = Op.block("i", Op.try_table("", clauses, body) + Op.br(2)) + self.store()
        one += self.code([*around, _PLAIN, _PLAIN], depth + 1) + Op.br(1)
        return Op.block("", Op.block("", one) + self.code([*around, _PLAIN], depth + 1))


def module(seed: int) -> bytes:
    w = WasmBuilder()
    for _ in range(_TAGS):
        w.tag("i")
    throws = b"".join(
        Op.get(0) + Op.i32(7) + b"\x71" + Op.i32(tag) + b"\x46" + Op.if_("", Op.get(0) + Op.throw(tag), b"")
        for tag in range(_TAGS)
    )
    w.func("i", "i", throws + Op.get(0) + Op.i32(1) + Op.I32_ADD)
    w.func("i", "i", Op.get(0) + Op.i32(1) + Op.I32_ADD + Op.call(0) + Op.get(0) + b"\x73")
    mixed = Op.get(0)
    for local in range(1, _LOCALS):
        mixed += Op.i32(31) + Op.I32_MUL + Op.get(local) + Op.I32_ADD
    code = Body(seed).code([])
    w.func("i" * _LOCALS, "i", code + mixed, locals="i" * (_DEEPEST + 1), export="f")
    return w.build()


def outcome(function: Any, arguments: list[int]) -> object:
    try:
        return function(*arguments)
    except WasmException as error:
        return "thrown", error.values
    except Trap as trap:
        return str(trap)


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import wasm_ir.frontend  # noqa: F401 - it has a function of the name of the module

    translation = sys.modules["wasm_ir.frontend.translate"]
    thrown = 0
    for number in range(25 * seed, 25 * seed + 25):
        source = module(number)
        with_values = Engine(Config(compile="eager")).compile(source).instantiate().exports["f"]
        with monkeypatch.context() as patch:
            patch.setattr(translation, "_VALUES_BASE", 0)
            patch.setattr(translation, "_VALUES_PER_INSTRUCTION", 0)
            in_memory = Engine(Config(compile="eager")).compile(source).instantiate().exports["f"]
        chance = random.Random(number)
        for _ in range(12):
            arguments = [chance.randrange(-20, 60) for _ in range(_LOCALS)]
            expected = outcome(in_memory, arguments)
            assert outcome(with_values, arguments) == expected, (number, arguments)
            thrown += isinstance(expected, tuple)
    assert thrown
