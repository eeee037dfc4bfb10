"""Fixtures that run generated code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm_ir.backend import Backend

# Tests are imported by path; what they share must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

from native_code import Native, host_backend


@pytest.fixture(scope="session")
def backend_class() -> type[Backend]:
    """The backend for this machine."""
    found = host_backend()
    if found is None:
        pytest.skip("no backend is installed that makes code for this machine")
    return found


@pytest.fixture(scope="session")
def native(backend_class: type[Backend]) -> Iterator[Native]:
    """Code for this processor."""
    yield Native(backend_class())


@pytest.fixture(scope="session", params=["host", "baseline"])
def any_native(request: pytest.FixtureRequest, backend_class: type[Backend]) -> Iterator[Native]:
    """Code for this processor, and code for the oldest that is supported (backends take a list of features)."""
    yield Native(backend_class() if request.param == "host" else backend_class(()))  # type: ignore[call-arg]
