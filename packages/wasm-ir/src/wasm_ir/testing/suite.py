"""The suite that every backend must pass, as one class to subclass."""

from __future__ import annotations

from wasm_ir.testing.control import ControlTests
from wasm_ir.testing.exceptions import ExceptionTests
from wasm_ir.testing.floats import FloatTests
from wasm_ir.testing.integers import IntegerTests
from wasm_ir.testing.large import LargeTests
from wasm_ir.testing.memory import MemoryTests
from wasm_ir.testing.stubs import StubsTests
from wasm_ir.testing.tail_calls import TailCallTests
from wasm_ir.testing.vector_trees import VectorTreeTests
from wasm_ir.testing.vectors import VectorTests


class BackendTests(
    ControlTests,
    ExceptionTests,
    FloatTests,
    IntegerTests,
    LargeTests,
    MemoryTests,
    StubsTests,
    TailCallTests,
    VectorTests,
    VectorTreeTests,
):
    """Runs every operation of the IR, calls, traps and stubs on a backend, against models in Python.

    A subclass, whose name begins with `Test`, says which by `backend_class`. Without a machine that runs the
    backend's code, all of it is skipped.
    """
