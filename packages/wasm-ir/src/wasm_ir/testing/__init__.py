"""Tests that every backend must pass, and what other tests share; needs pytest and hypothesis (the extra
`testing`).

Nothing imports this package at run time.
"""

from __future__ import annotations

import pytest

# Before the modules are imported: only then do failing assertions say what was compared.
pytest.register_assert_rewrite(
    *(f"wasm_ir.testing.{name}" for name in ("control", "floats", "integers", "large", "memory", "stubs", "vectors"))
)
