"""Cost of one call, from Python to WebAssembly and from WebAssembly to Python."""

from __future__ import annotations

import operator
from collections.abc import Callable
from timeit import Timer
from typing import cast

from benchmarks.engines import open_engine
from benchmarks.model import Options, Row, Section
from benchmarks.workers import Measured, Subject, measure_row
from wasm_core.testing.builder import Op, WasmBuilder

_ENGINES = ("wasmetal", "wasmetal, GIL held", "wasmtime")

_REPEATS = 5

#: Exported function: (call as an expression, the same as a lambda, a C builtin that does the same, if there is one).
_INTO = {
    "nop()": ("f()", "lambda: None", None),
    "add(i32, i32) -> i32": ("f(1, 2)", "lambda a, b: a + b", operator.add),
    "mix(i64, i64) -> i64": ("f(1 << 40, 2)", "lambda a, b: a ^ b", operator.xor),
    "add(f64, f64) -> f64": ("f(1.5, 2.5)", "lambda a, b: a + b", operator.add),
    "sum(6 x i32) -> i32": ("f(1, 2, 3, 4, 5, 6)", "lambda a, b, c, d, e, f: a + b + c + d + e + f", None),
}
#: Imported function: (what the host gives, as an expression).
_OUT_OF = {
    "host operator.add(i32, i32) -> i32": "operator.add",
    "host lambda (i32, i32) -> i32": "lambda a, b: a + b",
}


def _calls(subject: str, quick: bool) -> int:
    """How many calls to time at once."""
    return (5_000 if subject == "wasmtime" else 200_000) // (5 if quick else 1)


def _module_of_exports() -> bytes:
    builder = WasmBuilder()
    get = [Op.get(index) for index in range(6)]
    builder.func(export="nop()")
    for name, letter, instruction in (
        ("add(i32, i32) -> i32", "i", Op.I32_ADD),
        ("mix(i64, i64) -> i64", "I", b"\x85"),
        ("add(f64, f64) -> f64", "F", Op.F64_ADD),
    ):
        builder.func(letter * 2, letter, get[0] + get[1] + instruction, export=name)
    builder.func("iiiiii", "i", b"".join(get) + Op.I32_ADD * 5, export="sum(6 x i32) -> i32")
    return builder.build()


def _module_that_calls_out() -> bytes:
    """`loop(n)` calls the import n times: x = f(x & 1023, 1)."""
    builder = WasmBuilder()
    builder.import_func("env", "f", "ii", "i")
    # local 1 = f(local 1 & 1023, 1); local 0 -= 1; again while it is not 0
    code = bytes.fromhex("03 40 20 01 41 ff 07 71 41 01 10 00 21 01 20 00 41 01 6b 22 00 0d 00 0b 20 01")
    builder.func("i", "i", code, locals="i", export="loop")
    return builder.build()


def _time_expression(expression: str, function: object, number: int) -> Callable[[], Measured]:
    timer, empty = Timer(expression, globals={"f": function}), Timer("pass")

    def measure() -> Measured:
        # The least of some repetitions: what disturbs so short a thing only ever adds to it.
        return (min(timer.repeat(_REPEATS, number)) - min(empty.repeat(_REPEATS, number))) / number * 1e9, None

    return measure


def _prepare_into(subject: str, name: str, quick: bool) -> Callable[[], Measured]:
    expression, as_lambda, builtin = _INTO[name]
    number = _calls(subject, quick)
    if subject in _ENGINES:
        engine = open_engine(subject)
        function = engine.function(engine.instantiate(engine.compile(_module_of_exports()), {}), name)
    else:
        function = cast(Callable[..., object], builtin if subject == "C builtin" else eval(as_lambda))
    return _time_expression(expression, function, number)


def _prepare_out_of(subject: str, name: str, quick: bool) -> Callable[[], Measured]:
    function = eval(_OUT_OF[name])
    number = _calls(subject, quick)
    if subject not in _ENGINES:
        return _time_expression("f(1000, 1)", function, number)
    engine = open_engine(subject)
    instance = engine.instantiate(engine.compile(_module_that_calls_out()), {("env", "f"): function})
    loop = engine.function(instance, "loop")

    timer = Timer("f(n)", globals={"f": loop, "n": number})

    def measure() -> Measured:
        return min(timer.repeat(_REPEATS, 1)) / number * 1e9, None

    return measure


def measure(options: Options) -> Section:
    """Time calls both ways."""
    rows: list[Row] = []
    for name, (_, _, builtin) in _INTO.items():
        if options.wants(name):
            names = [*_ENGINES, "lambda", *(["C builtin"] if builtin else [])]
            subjects = {subject: Subject(_prepare_into, (subject, name, options.quick)) for subject in names}
            rows.append(measure_row(name, subjects, options.rounds))
    for name, expression in _OUT_OF.items():
        if options.wants(name):
            names = [*_ENGINES, "lambda" if expression.startswith("lambda") else "C builtin"]
            subjects = {subject: Subject(_prepare_out_of, (subject, name, options.quick)) for subject in names}
            rows.append(measure_row(name, subjects, options.rounds))
    return Section(
        key="calls",
        title="Cost of a call",
        unit="ns",
        subjects=[*_ENGINES, "C builtin", "lambda"],
        ratios=[("wasmetal", "wasmtime"), ("wasmetal, GIL held", "C builtin"), ("wasmetal, GIL held", "lambda")],
        rows=rows,
        notes=[
            "Rows without `host`: Python calls; C builtin and lambda are what Python pays for the same work "
            "(`operator.add`, `operator.xor`). The cost of the empty loop is subtracted.",
            "Rows with `host`: WebAssembly calls the named Python function in a loop; C builtin and lambda are Python "
            "calling the same function.",
            "`hold_gil=True` is what saves the release of the GIL around the call.",
        ],
    )
