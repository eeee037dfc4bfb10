/* YUV 4:4:4 to RGBA: products of 32 bits, narrowed twice, and interleaved. */
#include "../kernel.h"

#define PIXELS (16u << 10)

static u8 luma[PIXELS], blue[PIXELS], red[PIXELS], output[4 * PIXELS];

/* ITU-R BT.601, in 8 bits of fraction. */
enum { Y = 298, R_V = 409, G_U = -100, G_V = -208, B_U = 516 };

#ifdef __wasm_simd128__

#define SUM(half)                                                                                                      \
    wasm_i32x4_shr(wasm_i32x4_add(wasm_i32x4_add(wasm_i32x4_extmul_##half##_i16x8(y, wasm_i16x8_splat(Y)), rounding), \
                                  wasm_i32x4_add(wasm_i32x4_extmul_##half##_i16x8(u, wasm_i16x8_splat(by_u)),         \
                                                 wasm_i32x4_extmul_##half##_i16x8(v, wasm_i16x8_splat(by_v)))),       \
                   8)

static inline __attribute__((always_inline)) v128_t channel(v128_t y, v128_t u, v128_t v, short by_u, short by_v) {
    v128_t rounding = wasm_i32x4_splat(128);
    v128_t words = wasm_i16x8_narrow_i32x4(SUM(low), SUM(high));
    return wasm_u8x16_narrow_i16x8(words, words);
}

static void convert(void) {
    for (u32 i = 0; i < PIXELS; i += 8) {
        v128_t y = wasm_i16x8_sub(wasm_u16x8_load8x8(luma + i), wasm_i16x8_splat(16));
        v128_t u = wasm_i16x8_sub(wasm_u16x8_load8x8(blue + i), wasm_i16x8_splat(128));
        v128_t v = wasm_i16x8_sub(wasm_u16x8_load8x8(red + i), wasm_i16x8_splat(128));
        v128_t r = channel(y, u, v, 0, R_V), g = channel(y, u, v, G_U, G_V), b = channel(y, u, v, B_U, 0);
        v128_t rg = wasm_i8x16_shuffle(r, g, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        v128_t ba = wasm_i8x16_shuffle(b, wasm_u8x16_splat(255), 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        wasm_v128_store(output + 4 * i, wasm_i16x8_shuffle(rg, ba, 0, 8, 1, 9, 2, 10, 3, 11));
        wasm_v128_store(output + 4 * i + 16, wasm_i16x8_shuffle(rg, ba, 4, 12, 5, 13, 6, 14, 7, 15));
    }
}

#else

static u8 clamp(int value) {
    return (u8)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void convert(void) {
    for (u32 i = 0; i < PIXELS; i++) {
        int y = Y * (luma[i] - 16) + 128, u = blue[i] - 128, v = red[i] - 128;
        output[4 * i] = clamp((y + R_V * v) >> 8);
        output[4 * i + 1] = clamp((y + G_U * u + G_V * v) >> 8);
        output[4 * i + 2] = clamp((y + B_U * u) >> 8);
        output[4 * i + 3] = 255;
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 9;
    for (u32 i = 0; i < PIXELS; i++) {
        u32 random = next_random(&state);
        luma[i] = (u8)random;
        blue[i] = (u8)(random >> 8);
        red[i] = (u8)(random >> 16);
    }
    for (i32 round = 0; round < n; round++) {
        convert();
        blue[(u32)round * 17 % PIXELS] ^= output[(u32)round * 31 % sizeof output];
    }
    return checksum(output, sizeof output);
}
