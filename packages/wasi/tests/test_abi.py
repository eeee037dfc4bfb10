"""The table of functions and what the runtime has ready for it."""

from __future__ import annotations

from wasm_core.types import ValueType
from wasm_wasi import abi
from wasmetal.glue.prebuild import host_types


def test_thunks_for_all_functions_come_ready_made() -> None:
    types = {(type.params, type.results) for type in host_types()}
    letters = {"i": ValueType.I32, "I": ValueType.I64}
    for name, signature in abi.SIGNATURES.items():
        results = () if name in abi.WITHOUT_RESULT else (ValueType.I32,)
        assert (tuple(letters[letter] for letter in signature), results) in types, name
