"""The kernels: what each is about, what it returns, and how much work makes a run of about 0.1 s natively."""

from __future__ import annotations

import attrs


@attrs.frozen
class Kernel:
    """A file `<name>.c` beside this one, or in the folder `vectors`."""

    name: str
    #: What dominates it.
    about: str
    #: Type of the result.
    result: str
    #: Argument in a full run, in a quick run, and for interpreters.
    work: int
    quick_work: int
    tiny_work: int


KERNELS = (
    Kernel("integer", "i32 arithmetic", "i32", 40_000_000, 4_000_000, 300),
    Kernel("integer64", "i64 arithmetic", "i64", 40_000_000, 4_000_000, 300),
    Kernel("division", "integer division", "i64", 1_000_000, 100_000, 20),
    Kernel("mandelbrot", "f64 arithmetic", "i32", 400, 120, 3),
    Kernel("nbody", "f64 and memory", "f64", 1_500_000, 150_000, 5),
    Kernel("conversions", "conversions, rounding", "i64", 20_000_000, 2_000_000, 300),
    Kernel("matrix", "nested loops over f64 arrays", "f64", 80, 8, 0),
    Kernel("stream", "sequential memory", "i64", 8_000, 800, 0),
    Kernel("memory", "random memory", "i32", 8_000_000, 1_000_000, 0),
    Kernel("bytes", "byte loads", "i32", 700, 70, 0),
    Kernel("branches", "unpredictable branches", "i32", 250, 25, 0),
    Kernel("br_table", "dense switch (br_table)", "i32", 3_000_000, 300_000, 20),
    Kernel("calls", "direct calls", "i32", 30_000_000, 3_000_000, 300),
    Kernel("indirect", "call_indirect", "i32", 50_000_000, 5_000_000, 500),
    Kernel("recursion", "recursive calls", "i32", 36, 28, 12),
)

#: In the folder `vectors`: WebAssembly's vector instructions, and beside them plain C that does the same.
VECTOR_KERNELS = (
    Kernel("audio", "q15mulr, saturation; f32x4 and conversions", "i64", 20_000, 2_000, 0),
    Kernel("base64", "bytes: shuffle, swizzle, shifts", "i64", 25_000, 2_500, 0),
    Kernel("blake", "i32x4: rotations, gathered words", "i64", 1_000_000, 100_000, 0),
    Kernel("blend", "what the compiler vectorizes", "i64", 10_000, 1_000, 0),
    Kernel("chacha", "i32x4: rotations, transposition", "i64", 8_000, 800, 0),
    Kernel("colours", "extmul, narrow, interleaving", "i64", 10_000, 1_000, 0),
    Kernel("convolution", "i16x8: extend, mul, narrow", "i64", 5_000, 500, 0),
    Kernel("dot16", "i32x4.dot_i16x8_s", "i64", 60_000, 6_000, 0),
    Kernel("fourier", "f64x2: complex numbers", "i64", 10_000, 1_000, 0),
    Kernel("hash64", "i64x2: extmul, mul", "i64", 120_000, 12_000, 0),
    Kernel("mandelbrot32", "f32x4: masks, any_true", "i64", 2_000, 600, 0),
    Kernel("matrix32", "f32x4: mul, add, splats of memory", "i64", 600, 60, 0),
    Kernel("planets", "f64x2: div, sqrt", "i64", 1_800_000, 180_000, 0),
    Kernel("popcount", "popcnt, extadd_pairwise", "i64", 120_000, 12_000, 0),
    Kernel("prefix", "i32x4: shuffles with another vector", "i64", 35_000, 3_500, 0),
    Kernel("search", "bytes: comparisons, bitmask", "i64", 25_000, 2_500, 0),
    Kernel("utf8", "bytes: swizzle, any_true", "i64", 15_000, 1_500, 0),
)
