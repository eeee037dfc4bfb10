"""Which parts of WebAssembly are switched on."""

from __future__ import annotations

from typing import Self

from wasm_core.lazy_attrs import frozen


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
    """

    mutable_globals: bool = True
    sign_extension: bool = False
    saturating_float_to_int: bool = False
    multi_value: bool = False
    bulk_memory: bool = False
    reference_types: bool = False
    simd: bool = False
    relaxed_simd: bool = False

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
    def default(cls) -> Self:
        """What this version of the project supports and switches on by itself."""
        return cls.wasm_2_0()
