"""Fixtures that run the code of the backend that a class of tests is about."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import ClassVar

import pytest

from wasm_ir.backend import Backend
from wasm_ir.testing.native_code import Native


def _usable(found: type[Backend]) -> type[Backend]:
    """The same backend; skips where this machine cannot run its code."""
    support = found.host_support()
    if not support.supported:
        pytest.skip(f"{found.name}: {support.reason}")
    return found


class BackendFixtures:
    """What classes of tests for backends have in common."""

    #: The backend under test. It is constructed without arguments; one that takes a sequence of CPU features is
    #: constructed with an empty one, too.
    backend_class: ClassVar[type[Backend]]
    #: The attribute that is true of backends that have what a class of tests is about; "" if all have it.
    needs: ClassVar[str] = ""

    @pytest.fixture(autouse=True)
    def _has_what_is_tested(self, request: pytest.FixtureRequest) -> None:
        # The class that has been collected has the tests of several.
        for cls in type(self).__mro__:
            if request.function.__name__ in vars(cls):
                needs: str = vars(cls).get("needs", "")
                if needs and not getattr(self.backend_class, needs, False):
                    pytest.skip(f"{self.backend_class.name} has no {needs}")
                return

    @pytest.fixture(scope="class")
    @classmethod
    def native(cls) -> Iterator[Native]:
        """Code for this processor."""
        yield Native(_usable(cls.backend_class)())

    @pytest.fixture(scope="class", params=["host", "baseline"])
    @classmethod
    def any_native(cls, request: pytest.FixtureRequest) -> Iterator[Native]:
        """Code for this processor, and code for the oldest that is supported."""
        found = _usable(cls.backend_class)
        if request.param == "host":
            yield Native(found())
        elif inspect.signature(found).parameters:
            yield Native(found(()))  # type: ignore[call-arg]
        else:
            pytest.skip(f"{found.name} takes no list of CPU features")
