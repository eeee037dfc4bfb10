"""Which parts of WebAssembly are switched on."""

from __future__ import annotations

from wasm_core.lazy_attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing
    from typing import Final
else:
    from wasm_core import lazy_typing as typing


@frozen(kw_only=True)
class Features:
    """One switch per proposal that became part of the standard after 1.0; all off is WebAssembly 1.0.

    Attributes:
        mutable_globals: Globals that can change may be imported and exported.
        sign_extension: i32.extend8_s and the like.
        saturating_float_to_int: i32.trunc_sat_f32_s and the like, which do not trap.
        multi_value: Functions with several results, blocks with parameters.
        bulk_memory: memory.copy, memory.fill, table.copy, passive segments.
        reference_types: externref, several tables, table.get, table.set, table.grow, table.fill.
        simd: v128 and its instructions.
        relaxed_simd: Vector instructions whose results depend on the machine. They need `simd`, too.
        tail_calls: return_call and the like.
        extended_const: Arithmetic and globals of the module's own in constant expressions.
        function_references: (ref $t), call_ref, types that are not nullable, initial values of tables.
        gc: Structures, arrays, i31, recursion groups, subtypes and casts. They need `function_references`, too.
        exceptions: Tags, throw, try_table, exnref.
        legacy_exceptions: The older encoding: tags, throw, try, catch, catch_all, rethrow, delegate.
        multi_memory: More than one memory.
        memory64: Memories and tables with 64-bit addresses.
        threads: Shared memories and atomic accesses.
        wide_arithmetic: i64.add128, i64.sub128, i64.mul_wide_s, i64.mul_wide_u.
        custom_page_sizes: Memories with pages of one byte.
    """

    mutable_globals: bool = True
    sign_extension: bool = False
    saturating_float_to_int: bool = False
    multi_value: bool = False
    bulk_memory: bool = False
    reference_types: bool = False
    simd: bool = False
    relaxed_simd: bool = False
    tail_calls: bool = False
    extended_const: bool = False
    function_references: bool = False
    gc: bool = False
    exceptions: bool = False
    legacy_exceptions: bool = False
    multi_memory: bool = False
    memory64: bool = False
    threads: bool = False
    wide_arithmetic: bool = False
    custom_page_sizes: bool = False

    @classmethod
    def wasm_1_0(cls) -> typing.Self:
        """The first version of the standard."""
        return cls()

    @classmethod
    def wasm_2_0(cls) -> typing.Self:
        """Version 2.0 of the standard, SIMD included."""
        return cls(**_WASM_2_0)

    @classmethod
    def wasm_3_0(cls) -> typing.Self:
        """Version 3.0 of the standard, relaxed SIMD included."""
        return cls(**_WASM_3_0)

    @classmethod
    def default(cls) -> typing.Self:
        """What is switched on by itself: version 3.0, legacy exceptions, wide arithmetic.

        What of it cannot be run yet is read and validated; `Unsupported` says so when it is compiled or instantiated.
        """
        return cls(**_WASM_3_0, legacy_exceptions=True, wide_arithmetic=True)


_WASM_2_0: Final = dict.fromkeys(
    ("sign_extension", "saturating_float_to_int", "multi_value", "bulk_memory", "reference_types", "simd"), True
)
_WASM_3_0: Final = _WASM_2_0 | dict.fromkeys(
    (
        "relaxed_simd",
        "tail_calls",
        "extended_const",
        "function_references",
        "gc",
        "exceptions",
        "multi_memory",
        "memory64",
    ),
    True,
)
