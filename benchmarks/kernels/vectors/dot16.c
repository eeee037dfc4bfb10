/* Dot products of i16, as quantized networks and filters have: a matrix of 64 x 512 by vectors of 512. */
#include "../kernel.h"

#define ROWS 64
#define COLUMNS 512

static short matrix[ROWS][COLUMNS], vector[COLUMNS];
static i32 result[ROWS];

#ifdef __wasm_simd128__

static void multiply(void) {
    for (int i = 0; i < ROWS; i += 2) {
        v128_t first = wasm_i32x4_splat(0), second = first;
        for (int j = 0; j < COLUMNS; j += 8) {
            v128_t x = wasm_v128_load(vector + j);
            first = wasm_i32x4_add(first, wasm_i32x4_dot_i16x8(wasm_v128_load(matrix[i] + j), x));
            second = wasm_i32x4_add(second, wasm_i32x4_dot_i16x8(wasm_v128_load(matrix[i + 1] + j), x));
        }
        v128_t sums = wasm_i32x4_add(wasm_i32x4_shuffle(first, second, 0, 4, 1, 5),
                                     wasm_i32x4_shuffle(first, second, 2, 6, 3, 7));
        sums = wasm_i32x4_add(sums, wasm_i32x4_shuffle(sums, sums, 2, 3, 0, 1));
        result[i] = wasm_i32x4_extract_lane(sums, 0);
        result[i + 1] = wasm_i32x4_extract_lane(sums, 1);
    }
}

#else

static void multiply(void) {
    for (int i = 0; i < ROWS; i++) {
        u32 sum = 0;
        for (int j = 0; j < COLUMNS; j++) {
            sum += (u32)(matrix[i][j] * vector[j]);
        }
        result[i] = (i32)sum;
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 6;
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < COLUMNS; j++) {
            matrix[i][j] = (short)next_random(&state);
        }
    }
    for (int j = 0; j < COLUMNS; j++) {
        vector[j] = (short)next_random(&state);
    }
    u64 sum = 0;
    for (i32 round = 0; round < n; round++) {
        multiply();
        for (int i = 0; i < ROWS; i++) {
            sum = sum * 5 + (u32)result[i];
        }
        vector[round % COLUMNS] ^= (short)(sum >> 20);
    }
    return (i64)sum;
}
