"""What every backend must do, done by this one, on this processor and on the oldest that is supported.

`WASMETAL_ALL=1` adds those in between; the specification's suites of vectors run with code for each of them anyway.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import ClassVar

import pytest

from wasm_backend_amd64 import Amd64Backend, cpu
from wasm_ir.testing.floats import FloatTests
from wasm_ir.testing.suite import BackendTests
from wasm_ir.testing.vector_trees import VectorTreeTests
from wasm_ir.testing.vectors import VectorTests


class TestAmd64(BackendTests):
    backend_class = Amd64Backend


class Avx(Amd64Backend):
    """Code for processors of the years before AVX2."""

    features: ClassVar[frozenset[str]] = frozenset({"avx"})

    def __init__(self, features: Iterable[str] | None = None) -> None:
        super().__init__(self.features if features is None else features)


class Avx2(Avx):
    """Code for processors with AVX2, and without FMA and what came later."""

    features = frozenset({"avx", "avx2", "bmi1", "bmi2", "lzcnt"})


class Fma(Avx):
    """Code for x86-64-v3."""

    features = frozenset({"avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt"})


def _needs(level: type[Avx]) -> pytest.MarkDecorator:
    if not os.environ.get("WASMETAL_ALL"):
        return pytest.mark.skip(reason="WASMETAL_ALL=1 runs the levels of processors in between")
    missing = level.features.difference(cpu.features())
    return pytest.mark.skipif(bool(missing), reason=f"the processor lacks {', '.join(sorted(missing))}")


@_needs(Avx)
class TestAvx(FloatTests, VectorTests, VectorTreeTests):
    backend_class = Avx


@_needs(Avx2)
class TestAvx2(VectorTests, VectorTreeTests):
    backend_class = Avx2


@_needs(Fma)
class TestFma(FloatTests, VectorTests, VectorTreeTests):
    backend_class = Fma
