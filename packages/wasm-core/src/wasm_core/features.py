"""Which parts of WebAssembly are switched on."""

from __future__ import annotations

from typing import Self

from wasm_core.lazy_attrs import frozen


@frozen(kw_only=True)
class Features:
    """One switch per proposal that became part of the standard after 1.0; all off is WebAssembly 1.0."""

    mutable_globals: bool = True
    sign_extension: bool = False
    saturating_float_to_int: bool = False
    multi_value: bool = False
    bulk_memory: bool = False
    reference_types: bool = False
    simd: bool = False
    #: Vector instructions whose results depend on the machine. They need `simd`, too.
    relaxed_simd: bool = False
    tail_calls: bool = False
    #: Arithmetic and globals of the module's own in constant expressions.
    extended_const: bool = False
    #: Typed function references: (ref $t), call_ref, types that are not nullable, initial values of tables.
    function_references: bool = False
    #: Structures, arrays, i31, recursion groups, subtypes and casts. They need `function_references`, too.
    gc: bool = False
    #: Tags, throw, try_table, exnref.
    exceptions: bool = False
    #: The older encoding: tags, throw, try, catch, catch_all, rethrow, delegate.
    legacy_exceptions: bool = False
    multi_memory: bool = False
    #: Memories and tables with 64-bit addresses.
    memory64: bool = False
    #: Shared memories and atomic accesses.
    threads: bool = False
    #: i64.add128, i64.sub128, i64.mul_wide_s, i64.mul_wide_u.
    wide_arithmetic: bool = False
    #: Memories with pages of one byte.
    custom_page_sizes: bool = False

    @classmethod
    def wasm_1_0(cls) -> Self:
        """The first version of the standard."""
        return cls()

    @classmethod
    def wasm_2_0(cls) -> Self:
        """Version 2.0 of the standard, SIMD included."""
        return cls(
            sign_extension=True,
            saturating_float_to_int=True,
            multi_value=True,
            bulk_memory=True,
            reference_types=True,
            simd=True,
        )

    @classmethod
    def wasm_3_0(cls) -> Self:
        """Version 3.0 of the standard, relaxed SIMD included."""
        return cls(
            sign_extension=True,
            saturating_float_to_int=True,
            multi_value=True,
            bulk_memory=True,
            reference_types=True,
            simd=True,
            relaxed_simd=True,
            tail_calls=True,
            extended_const=True,
            function_references=True,
            gc=True,
            exceptions=True,
            multi_memory=True,
            memory64=True,
        )

    @classmethod
    def default(cls) -> Self:
        """What is switched on by itself: version 3.0, legacy exceptions, wide arithmetic.

        What of it cannot be run yet is read and validated; `Unsupported` says so when it is compiled or instantiated.
        """
        return cls(
            sign_extension=True,
            saturating_float_to_int=True,
            multi_value=True,
            bulk_memory=True,
            reference_types=True,
            simd=True,
            relaxed_simd=True,
            tail_calls=True,
            extended_const=True,
            function_references=True,
            gc=True,
            exceptions=True,
            legacy_exceptions=True,
            multi_memory=True,
            memory64=True,
            wide_arithmetic=True,
        )
