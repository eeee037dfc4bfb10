"""Target: the register allocator alone. A checker proves each allocation right, or finds the operand that is not.

Functions are random ones for a toy machine with any number of registers, and those of generated programs, selected for
each of the real machines, of whose registers some are taken away.
"""

from __future__ import annotations

import random
import traceback
from typing import Final

from fuzz.case import Case
from fuzz.functions import generate
from fuzz.helpers import test_module
from fuzz.pressure import fewer
from fuzz.report import Report
from wasm_backend_amd64.backend import REQUIRED_FEATURES, USED_FEATURES
from wasm_backend_amd64.target import Amd64Target
from wasm_backend_arm64.target import Arm64Target
from wasm_core import decode
from wasm_core.body_validator import validate_body
from wasm_ir.codegen.allocation_checker import check as prove
from wasm_ir.codegen.allocation_checker import snapshot
from wasm_ir.codegen.linear_scan import allocate
from wasm_ir.codegen.machine_printer import format_function
from wasm_ir.codegen.machinst import MFunction
from wasm_ir.codegen.registers import RegisterSet
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.vmcontext import ContextLayout

_toy: Final = test_module("wasm-ir", "machine_programs")
#: Functions of a toy machine per seed.
_TOYS: Final = 12
_FUNCTIONS: Final = 12
#: Machines, and the fewest registers of each class that instruction selection can do with.
_TARGETS: Final = (
    (Amd64Target(REQUIRED_FEATURES), 5, 3),
    (Amd64Target(USED_FEATURES), 5, 3),
    (Arm64Target(frozenset()), 8, 4),
)


def make(seed: str) -> Case:
    """The program that belongs to a seed, or nothing: the seed says all about a toy machine's functions."""
    if random.Random(seed).random() < 0.5:
        return Case(b"", [])
    return Case(generate(seed, _FUNCTIONS).binary(), [])


def check(case: Case, seed: str) -> Report:
    """Allocate registers for some functions."""
    chance = random.Random(f"{seed}/registers")
    return _program(case.binary, chance) if case.binary else _toys(chance)


def _toys(chance: random.Random) -> Report:
    report = Report(kind="toy")
    for _ in range(_TOYS):
        ints, floats = chance.randint(3, 10), chance.randint(3, 10)
        registers = _toy.toy_registers(ints, floats, chance.randint(0, ints - 3), chance.randint(0, floats - 3))
        size = chance.choice((4, 12, 40, 100, 250))
        number, split = chance.getrandbits(48), chance.random() < 0.5
        report.functions += 1
        report.find = _allocate(_toy.generate(number, size, registers, split), registers)
        if report.find:
            break
    return report


def _program(binary: bytes, chance: random.Random) -> Report:
    report = Report(kind="program")
    target, ints, floats = chance.choice(_TARGETS)
    allocatable = target.registers.allocatable
    module = decode(binary)
    layout = ContextLayout(module)
    options = FrontendOptions(explicit_bounds=chance.random() < 0.5, listener=chance.random() < 0.2)
    for index in range(module.imported_functions, module.imported_functions + len(module.body_starts)):
        registers = fewer(
            target.registers,
            chance.choice((ints, chance.randint(ints, len(allocatable[0])))),
            chance.choice((floats, chance.randint(floats, len(allocatable[1])))),
        )
        function = translate(module, index, layout, validate_body(module, index), options)
        report.functions += 1
        report.find = _allocate(target.lower(function), registers)
        if report.find:
            break
    return report


def _allocate(machine: MFunction, registers: RegisterSet) -> str:
    """What is wrong with the allocation of a function; "" if nothing."""
    before = snapshot(machine)
    text = format_function(machine, registers)
    try:
        prove(machine, before, allocate(machine, registers), registers)
    except Exception:
        return f"{traceback.format_exc()}\n{registers.allocatable}\n{text}\n{format_function(machine, registers)}"
    return ""
