"""Which tests of the suite of all backends run: of the pairs of vector operations every eighth, or all."""

from __future__ import annotations

import os

import pytest

#: Tests that take longest, and are alike.
_MANY = "test_operations_on_operations"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave most of them out without `WASMETAL_ALL=1`."""
    if os.environ.get("WASMETAL_ALL"):
        return
    many = [item for item in items if item.name.startswith(_MANY) and "backend-amd64" in item.nodeid]
    left_out = {id(item) for number, item in enumerate(many) if number % 8}
    if left_out:
        config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
        items[:] = [item for item in items if id(item) not in left_out]
