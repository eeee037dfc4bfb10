"""Fixtures that run generated code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasm_backend_amd64 import Amd64Backend

# Tests are imported by path; what they share must be found by name.
sys.path.insert(0, str(Path(__file__).parent))

from native_code import Native


@pytest.fixture(scope="session")
def native() -> Iterator[Native]:
    """Code for this processor."""
    support = Amd64Backend.host_support()
    if not support.supported:
        pytest.skip(support.reason)
    yield Native()


@pytest.fixture(scope="session", params=["host", "baseline"])
def any_native(request: pytest.FixtureRequest) -> Iterator[Native]:
    """Code for this processor, and code for the oldest that is supported."""
    support = Amd64Backend.host_support()
    if not support.supported:
        pytest.skip(support.reason)
    yield Native(None if request.param == "host" else ())
