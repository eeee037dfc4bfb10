/* Product of f32 matrices, 128 x 128: four rows by eight columns at a time. */
#include "../kernel.h"

#define SIZE 128

static float a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

#ifdef __wasm_simd128__

static void multiply(void) {
    for (int i = 0; i < SIZE; i += 4) {
        for (int j = 0; j < SIZE; j += 8) {
            v128_t sums[4][2];
            for (int row = 0; row < 4; row++) {
                sums[row][0] = sums[row][1] = wasm_f32x4_splat(0);
            }
            for (int k = 0; k < SIZE; k++) {
                v128_t left = wasm_v128_load(&b[k][j]), right = wasm_v128_load(&b[k][j + 4]);
                for (int row = 0; row < 4; row++) {
                    v128_t factor = wasm_v128_load32_splat(&a[i + row][k]);
                    sums[row][0] = wasm_f32x4_add(sums[row][0], wasm_f32x4_mul(factor, left));
                    sums[row][1] = wasm_f32x4_add(sums[row][1], wasm_f32x4_mul(factor, right));
                }
            }
            for (int row = 0; row < 4; row++) {
                wasm_v128_store(&c[i + row][j], sums[row][0]);
                wasm_v128_store(&c[i + row][j + 4], sums[row][1]);
            }
        }
    }
}

#else

static void multiply(void) {
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            c[i][j] = 0;
        }
        for (int k = 0; k < SIZE; k++) {
            for (int j = 0; j < SIZE; j++) {
                c[i][j] += a[i][k] * b[k][j];
            }
        }
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 5;
    for (int i = 0; i < SIZE; i++) {
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = (float)(next_random(&state) >> 8) * 1e-7f - 0.8f;
            b[i][j] = (float)(next_random(&state) >> 8) * 1e-7f - 0.8f;
        }
    }
    for (i32 round = 0; round < n; round++) {
        multiply();
        a[round % SIZE][round % 7] += c[round % SIZE][round % 11] * 1e-3f;
    }
    return checksum(c, sizeof c);
}
