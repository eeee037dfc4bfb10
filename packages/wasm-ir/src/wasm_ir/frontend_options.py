"""What the front end can be told; part of the key of cached code.

Apart from the front end, which a program that finds all code in the cache does not import.
"""

from __future__ import annotations

from wasm_core.lazy_attrs import frozen


@frozen
class FrontendOptions:
    """How to translate."""

    #: Compare every address with the memory's size instead of leaving it to guard pages.
    explicit_bounds: bool = False
    #: Call the listener builtins before and after the function.
    listener: bool = False
    #: Let every loop be interrupted (functions can be wherever they check the stack limit).
    polls: bool = True
    #: Give relaxed vector instructions the same result on every machine.
    deterministic: bool = False
    #: The backend has vectors; functions that use them are refused otherwise.
    vectors: bool = True
    #: The backend has exceptions; functions that throw or catch are refused otherwise.
    exceptions: bool = True
    #: The backend has tail calls; functions that make them are refused otherwise.
    tail_calls: bool = True
    #: Count work, and trap when what the VMContext has of it (ContextLayout.fuel) is done.
    fuel: bool = False
