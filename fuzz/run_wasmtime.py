"""Running a case in wasmtime."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import wasmtime

from fuzz.case import Case, Result, Step
from fuzz.edge_values import to_python
from fuzz.hosts import CODES, Host, HostError, normal
from fuzz.program import DIRECT

_CODES = wasmtime.TrapCode
#: Kinds of traps; those which the engines tell apart differently are one.
_TRAPS = {
    _CODES.STACK_OVERFLOW: "stack",
    _CODES.MEMORY_OUT_OF_BOUNDS: "memory",
    _CODES.TABLE_OUT_OF_BOUNDS: "table",
    _CODES.INDIRECT_CALL_TO_NULL: "null",
    _CODES.NULL_REFERENCE: "null reference",
    _CODES.BAD_SIGNATURE: "signature",
    _CODES.INTEGER_OVERFLOW: "overflow",
    _CODES.INTEGER_DIVISION_BY_ZERO: "zero",
    _CODES.BAD_CONVERSION_TO_INTEGER: "conversion",
    _CODES.UNREACHABLE: "unreachable",
}


@functools.cache
def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.max_wasm_stack = 2 << 20
    config.parallel_compilation = False
    config.cranelift_opt_level = "none"
    config.wasm_relaxed_simd_deterministic = True
    config.wasm_function_references = True
    config.wasm_exceptions = True
    config.wasm_wide_arithmetic = True
    return wasmtime.Engine(config)


def _is_thrown(trap: wasmtime.Trap) -> bool:
    """Whether it is an exception of WebAssembly that nothing has caught, for which this engine has no class."""
    return trap.trap_code is None and "thrown Wasm exception" in str(trap)


class Wasmtime:
    """One instance."""

    def __init__(self, case: Case) -> None:
        self.host = Host()
        self.store = wasmtime.Store(_engine())
        module = wasmtime.Module(_engine(), case.binary)
        imports = [self._import(wanted) for wanted in module.imports]
        self.instance = wasmtime.Instance(self.store, module, imports)
        self.exports: Any = self.instance.exports(self.store)
        self.names = [export.name for export in module.exports]
        self.functions = [
            (export.name, [str(param) for param in export.type.params])
            for export in module.exports
            if isinstance(export.type, wasmtime.FuncType) and not export.name.startswith(DIRECT)
        ]

    def _import(self, wanted: Any) -> wasmtime.Func:
        name, type = wanted.name, wanted.type
        results = [str(result) for result in type.results]

        def reenter(caller: Any, number: int) -> int:
            try:
                return self.host.reenter(number, self.functions, lambda name, *args: self.exports[name](caller, *args))
            except wasmtime.Trap as trap:
                if _is_thrown(trap):
                    raise HostError("thrown") from trap
                raise

        def answer(*arguments: object) -> object:
            answers = self.host.answer(name, arguments, results)
            return answers[0] if len(answers) == 1 else answers or None

        if name == "host0":
            return wasmtime.Func(self.store, type, reenter, access_caller=True)
        return wasmtime.Func(self.store, type, answer)

    def step(self, step: Step) -> Result:
        """Do one step of a case."""
        if step[0] == "set":
            self.exports[step[1]].set_value(self.store, step[2])
            return None
        if step[0] == "state":
            return self._state()
        function = self.exports[step[1]]
        params = [CODES[str(param)] for param in function.type(self.store).params]
        arguments = [to_python(type, int(pattern, 16)) for type, pattern in zip(params, step[2])]
        try:
            return ["ok", normal(function(self.store, *arguments))]
        except wasmtime.Trap as trap:
            if _is_thrown(trap):
                return ["thrown"]
            assert trap.trap_code is not None
            return ["trap", _TRAPS[trap.trap_code]]
        except HostError as error:
            return ["raised", str(error)]

    def _state(self) -> Result:
        found: list[object] = []
        for name in self.names:
            export = self.exports[name]
            if isinstance(export, wasmtime.Memory):
                content = export.read(self.store, 0, export.data_len(self.store))
                found.append([name, export.size(self.store), hashlib.blake2b(content, digest_size=8).hexdigest()])
            elif isinstance(export, wasmtime.Global):
                found.append([name, normal(export.value(self.store))])
            elif isinstance(export, wasmtime.Table):
                size = export.size(self.store)
                elements = [export.get(self.store, i) for i in range(size)]
                found.append([name, "".join(".f"[isinstance(element, wasmtime.Func)] for element in elements)])
        found.append(self.host.log)
        self.host.log = []
        return found


def run(case: Case) -> list[Result]:
    """What every step gives; the list ends early when the stack was exhausted, which depends on the engine."""
    instance = Wasmtime(case)
    results: list[Result] = []
    for step in case.steps:
        results.append(instance.step(step))
        if results[-1] == ["trap", "stack"]:
            break
    return results
