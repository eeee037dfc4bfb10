"""Running a case in wasmetal, on several kinds of machines."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import attrs

import wasmetal
from fuzz.case import Case, Result, Step
from fuzz.edge_values import to_python
from fuzz.hosts import CODES, Host, HostError, normal
from fuzz.pressure import fewer
from fuzz.program import DIRECT
from wasm_backend_amd64 import Amd64Backend
from wasmetal import Caller, TrapCode

# The package has a function of the same name.
translate: Any = importlib.import_module("wasm_ir.frontend.translate")

_TRAPS = {
    TrapCode.UNREACHABLE: "unreachable",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "memory",
    TrapCode.TABLE_OUT_OF_BOUNDS: "table",
    TrapCode.UNDEFINED_ELEMENT: "table",
    TrapCode.UNINITIALIZED_ELEMENT: "null",
    TrapCode.NULL_FUNCTION: "null reference",
    TrapCode.NULL_REFERENCE: "null reference",
    TrapCode.INDIRECT_CALL_TYPE_MISMATCH: "signature",
    TrapCode.INTEGER_DIVIDE_BY_ZERO: "zero",
    TrapCode.INTEGER_OVERFLOW: "overflow",
    TrapCode.INVALID_CONVERSION_TO_INTEGER: "conversion",
    TrapCode.CALL_STACK_EXHAUSTED: "stack",
}


@attrs.frozen
class Machine:
    """A way to compile."""

    name: str
    bounds_checks: Literal["guard", "explicit"]
    #: Names of processor features; None: all that there are.
    features: tuple[str, ...] | None = None
    compile: Literal["lazy", "eager"] = "lazy"
    #: Call a listener before and after every function.
    listens: bool = False
    #: Keep locals in memory, as is done in functions that have far too many.
    slots: bool = False
    #: Call with `call_raw`.
    raw: bool = False
    #: Call functions with vectors as they are, not the exports that have pairs of i64 instead.
    direct: bool = False
    #: How many integer and floating-point registers may be allocated; None: all.
    registers: tuple[int, int] | None = None


MACHINES = (
    Machine("guard", "guard"),
    Machine("explicit", "explicit"),
    Machine("guard-old", "guard", ()),
    Machine("explicit-old", "explicit", (), raw=True, direct=True),
    Machine("eager", "guard", compile="eager", raw=True),
    Machine("listener", "explicit", listens=True, direct=True),
    Machine("slots", "guard", slots=True, direct=True),
    Machine("few-registers", "guard", ("bmi1", "bmi2", "lzcnt", "popcnt"), registers=(5, 3)),
    Machine("avx", "explicit", ("avx",), direct=True),
    Machine("few-vectors", "guard", ("avx", "avx2", "fma"), registers=(6, 4)),
    Machine("no-preserved", "explicit", (), registers=(6, 8)),
)


@functools.cache
def engine(machine: Machine) -> wasmetal.Engine:
    """The engine that compiles so."""
    config = wasmetal.Config(
        features=attrs.evolve(wasmetal.Features.default(), relaxed_simd=True),
        relaxed_simd="deterministic",
        bounds_checks=machine.bounds_checks,
        compile=machine.compile,
        hold_gil=machine.features is not None,
    )
    made = wasmetal.Engine(config)
    if machine.features is not None:
        # There is no setting for this: users' machines have what they have.
        made._backend = backend = Amd64Backend(machine.features)
        if machine.registers is not None:
            backend.target.registers = fewer(backend.target.registers, *machine.registers)
            # Nobody else must get the glue that it compiles, which keeps fewer registers.
            backend.cpu_features = (*backend.cpu_features, f"registers {machine.registers}")
    return made


class Balance:
    """A listener that adds up what it hears of."""

    def __init__(self) -> None:
        self.values = 0

    def before(self, definition: wasmetal.FunctionDefinition, params: tuple[object, ...]) -> None:
        assert len(params) == len(definition.type.params)
        self.values += len(params)

    def after(self, definition: wasmetal.FunctionDefinition, results: tuple[object, ...]) -> None:
        assert len(results) == len(definition.type.results)
        self.values += len(results)


class Wasmetal:
    """One instance."""

    def __init__(self, case: Case, machine: Machine) -> None:
        self.host = Host()
        self.entered = 0
        self.machine = machine
        module = engine(machine).compile(case.binary, listener=Balance() if machine.listens else None)
        imports: dict[str, dict[str, object]] = {}
        for number, wanted in enumerate(module.imports):
            imports.setdefault(wanted.module, {})[wanted.name] = self._import(wanted, number % 2 == 0)
        self.instance = module.instantiate(imports)
        self.exports: Any = self.instance.exports
        self.names = [export.name for export in module.exports]
        self.functions = [
            (export.name, [str(param.value) for param in export.type.params])
            for export in module.exports
            if isinstance(export.type, wasmetal.FuncType) and not export.name.startswith(DIRECT)
        ]

    def _import(self, wanted: wasmetal.ImportType, with_caller: bool) -> object:
        name, type = wanted.name, wanted.type
        assert isinstance(type, wasmetal.FuncType)
        results = [result.value for result in type.results]

        def reenter(caller: Caller, number: int) -> int:
            self.entered += 1
            gc.collect(2 if self.entered % 200 == 0 else 0)
            try:
                return self.host.reenter(number, self.functions, lambda name, *args: caller.exports[name](*args))
            except wasmetal.WasmException as error:
                # Other engines let nothing come out of a host function that WebAssembly could catch.
                raise HostError("thrown") from error

        def answer(*arguments: object) -> object:
            answers = self.host.answer(name, arguments, results)
            return answers[0] if len(answers) == 1 else tuple(answers) or None

        def answer_caller(caller: Caller, *arguments: object) -> object:
            return answer(*arguments)

        if name == "host0":
            return reenter
        return answer_caller if with_caller else answer

    def step(self, step: Step) -> Result:
        """Do one step of a case."""
        if step[0] == "set":
            self.exports[step[1]].value = step[2]
            return None
        if step[0] == "state":
            return self._state()
        function = direct = self.exports[step[1]]
        if self.machine.direct and DIRECT + step[1] in self.names:
            direct = self.exports[DIRECT + step[1]]
        params = [CODES[param.value] for param in function.type.params]
        patterns = [int(pattern, 16) for pattern in step[2]]
        try:
            if self.machine.raw:
                return ["ok", normal(_values(function.type.results, direct.call_raw(*patterns)))]
            if direct is not function:
                return ["ok", normal(_call_direct(direct, params, patterns))]
            return ["ok", normal(function(*map(to_python, params, patterns)))]
        except wasmetal.Trap as trap:
            return ["trap", _TRAPS[trap.code]]
        except wasmetal.WasmException:
            return ["thrown"]
        except HostError as error:
            return ["raised", str(error)]

    def _state(self) -> Result:
        found: list[object] = []
        for name in self.names:
            export = self.exports[name]
            if isinstance(export, wasmetal.Memory):
                digest = hashlib.blake2b(export.view(), digest_size=8).hexdigest()
                found.append([name, export.pages, digest])
            elif isinstance(export, wasmetal.Global):
                found.append([name, normal(export.value)])
            elif isinstance(export, wasmetal.Table):
                found.append([name, "".join(".f"[export[i] is not None] for i in range(len(export)))])
        found.append(self.host.log)
        self.host.log = []
        return found


def _call_direct(function: wasmetal.Func, params: list[int], patterns: list[int]) -> object:
    """Call a function with vectors, of which each parameter and result is a pair of i64."""
    flat = [*map(to_python, params, patterns)]
    arguments: list[object] = []
    for type in function.type.params:
        if type is wasmetal.ValueType.V128:
            arguments.append(struct.pack("<qq", flat.pop(0), flat.pop(0)))
        else:
            arguments.append(flat.pop(0))
    returned: Any = function(*arguments)
    values: list[object] = []
    for value in returned if isinstance(returned, tuple) else (returned,):
        values += struct.unpack("<qq", value) if isinstance(value, bytes) else (value,)
    return values[0] if len(values) == 1 else values


def _values(types: Sequence[wasmetal.ValueType], slots: Sequence[int]) -> object:
    """What an ordinary call would have given for the slots of `call_raw`."""
    values: list[object] = []
    for type, slot in zip(types, slots):
        code = CODES.get(type.value)
        # A reference is only looked at for whether it is null.
        values.append(to_python(code, slot) if code else slot or None)
    return values[0] if len(values) == 1 else values or None


def run(case: Case, machine: Machine) -> list[Result]:
    """What every step gives; the list ends early when the stack was exhausted, which depends on the engine."""
    with locals_in_memory() if machine.slots else contextlib.nullcontext():
        return _run(case, machine)


@contextlib.contextmanager
def locals_in_memory() -> Iterator[None]:
    """Let the front end give up SSA construction for locals at once."""
    before = translate._VALUES_BASE, translate._VALUES_PER_INSTRUCTION
    translate._VALUES_BASE = translate._VALUES_PER_INSTRUCTION = 0
    try:
        yield
    finally:
        translate._VALUES_BASE, translate._VALUES_PER_INSTRUCTION = before


def _run(case: Case, machine: Machine) -> list[Result]:
    instance = Wasmetal(case, machine)
    results: list[Result] = []
    for step in case.steps:
        results.append(instance.step(step))
        if results[-1] == ["trap", "stack"]:
            break
    return results
