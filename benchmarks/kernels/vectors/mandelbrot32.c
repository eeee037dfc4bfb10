/* Four points of the Mandelbrot set at a time: comparisons as masks, and a branch on whether any is left. */
#include "../kernel.h"

#define MOST 200

static i32 counts[4];

#ifdef __wasm_simd128__

static void iterate(float x, float step, float y) {
    v128_t re = wasm_f32x4_add(wasm_f32x4_splat(x), wasm_f32x4_mul(wasm_f32x4_const(0, 1, 2, 3), wasm_f32x4_splat(step)));
    v128_t im = wasm_f32x4_splat(y), a = re, b = im, rounds = wasm_i32x4_splat(0);
    for (int i = 0; i < MOST; i++) {
        v128_t a2 = wasm_f32x4_mul(a, a), b2 = wasm_f32x4_mul(b, b), ab = wasm_f32x4_mul(a, b);
        v128_t inside = wasm_f32x4_le(wasm_f32x4_add(a2, b2), wasm_f32x4_splat(4));
        if (!wasm_v128_any_true(inside)) {
            break;
        }
        rounds = wasm_i32x4_sub(rounds, inside);
        a = wasm_f32x4_add(wasm_f32x4_sub(a2, b2), re);
        b = wasm_f32x4_add(wasm_f32x4_add(ab, ab), im);
    }
    wasm_v128_store(counts, rounds);
}

#else

static void iterate(float x, float step, float y) {
    for (int k = 0; k < 4; k++) {
        float re = x + (float)k * step, a = re, b = y;
        counts[k] = 0;
        for (int i = 0; i < MOST; i++) {
            float a2 = a * a, b2 = b * b, ab = a * b;
            if (!(a2 + b2 <= 4)) {
                break;
            }
            counts[k]++;
            a = a2 - b2 + re;
            b = ab + ab + y;
        }
    }
}

#endif

KERNEL i64 run(i32 n) {
    u64 sum = 0;
    float step = 3.0f / (float)(n + 1);
    for (i32 j = 0; j < n; j++) {
        for (i32 i = 0; i < n; i += 4) {
            iterate((float)i * step - 2.2f, step, (float)j * step - 1.5f);
            for (int k = 0; k < 4; k++) {
                sum = sum * 3 + (u32)counts[k];
            }
        }
    }
    return (i64)sum;
}
