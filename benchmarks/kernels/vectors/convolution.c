/* Convolution of an image of bytes with 3 x 3 weights. */
#include "../kernel.h"

#define WIDTH 256
#define HEIGHT 192

static u8 from[HEIGHT][WIDTH + 32], to[HEIGHT][WIDTH + 32];
static short weights[3][3];

#ifdef __wasm_simd128__

static void convolve(void) {
    v128_t factors[3][3];
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            factors[i][j] = wasm_i16x8_splat(weights[i][j]);
        }
    }
    for (int y = 1; y < HEIGHT - 1; y++) {
        for (int x = 0; x < WIDTH; x += 16) {
            v128_t low = wasm_i16x8_splat(8), high = low;
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) {
                    v128_t pixels = wasm_v128_load(&from[y + i - 1][x + j]);
                    low = wasm_i16x8_add(low, wasm_i16x8_mul(wasm_u16x8_extend_low_u8x16(pixels), factors[i][j]));
                    high = wasm_i16x8_add(high, wasm_i16x8_mul(wasm_u16x8_extend_high_u8x16(pixels), factors[i][j]));
                }
            }
            wasm_v128_store(&to[y][x + 1], wasm_u8x16_narrow_i16x8(wasm_i16x8_shr(low, 4), wasm_i16x8_shr(high, 4)));
        }
    }
}

#else

static void convolve(void) {
    for (int y = 1; y < HEIGHT - 1; y++) {
        for (int x = 0; x < WIDTH; x++) {
            int sum = 8;
            for (int i = 0; i < 3; i++) {
                for (int j = 0; j < 3; j++) {
                    sum += from[y + i - 1][x + j] * weights[i][j];
                }
            }
            sum >>= 4;
            to[y][x + 1] = (u8)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
        }
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 4;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH + 32; x++) {
            from[y][x] = (u8)next_random(&state);
            to[y][x] = 0;
        }
    }
    u64 sum = 0;
    for (i32 round = 0; round < n; round++) {
        /* Their magnitudes add up to less than 128, so that 16 bits are enough. */
        for (int i = 0; i < 9; i++) {
            weights[i / 3][i % 3] = (short)((round * 7 + i * 5) % 23 - 9);
        }
        convolve();
        u32 y = (u32)round % HEIGHT, x = (u32)round * 13 % WIDTH;
        sum = sum * 31 + to[y][x];
        from[y][x] = to[HEIGHT - 1 - y][x];
    }
    return (i64)(sum ^ (u64)checksum(to, sizeof to));
}
