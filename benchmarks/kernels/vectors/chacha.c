/* ChaCha20: four blocks at a time, one in each lane; transposed at the end, and combined with the text. */
#include "../kernel.h"

#define TEXT (16u << 10)

static u32 text[TEXT / 4], key[8];

#ifdef __wasm_simd128__

#define ROTATE(x, n) wasm_v128_or(wasm_i32x4_shl(x, n), wasm_u32x4_shr(x, 32 - (n)))
#define STEP(a, b, d, n)                                                                                               \
    x[a] = wasm_i32x4_add(x[a], x[b]);                                                                                 \
    x[d] = wasm_v128_xor(x[d], x[a]);                                                                                  \
    x[d] = ROTATE(x[d], n);
#define QUARTER(a, b, c, d) STEP(a, b, d, 16) STEP(c, d, b, 12) STEP(a, b, d, 8) STEP(c, d, b, 7)

static void blocks(u32 counter, u32 *at) {
    v128_t start[16], x[16];
    start[0] = wasm_u32x4_splat(0x61707865);
    start[1] = wasm_u32x4_splat(0x3320646E);
    start[2] = wasm_u32x4_splat(0x79622D32);
    start[3] = wasm_u32x4_splat(0x6B206574);
    for (int i = 0; i < 8; i++) {
        start[4 + i] = wasm_v128_load32_splat(key + i);
    }
    start[12] = wasm_i32x4_add(wasm_u32x4_splat(counter), wasm_u32x4_const(0, 1, 2, 3));
    start[13] = start[14] = start[15] = wasm_u32x4_splat(7);
    for (int i = 0; i < 16; i++) {
        x[i] = start[i];
    }
    for (int i = 0; i < 10; i++) {
        QUARTER(0, 4, 8, 12) QUARTER(1, 5, 9, 13) QUARTER(2, 6, 10, 14) QUARTER(3, 7, 11, 15)
        QUARTER(0, 5, 10, 15) QUARTER(1, 6, 11, 12) QUARTER(2, 7, 8, 13) QUARTER(3, 4, 9, 14)
    }
    for (int i = 0; i < 16; i++) {
        x[i] = wasm_i32x4_add(x[i], start[i]);
    }
    for (int i = 0; i < 16; i += 4) {
        v128_t p = wasm_i32x4_shuffle(x[i], x[i + 1], 0, 4, 1, 5), q = wasm_i32x4_shuffle(x[i + 2], x[i + 3], 0, 4, 1, 5);
        v128_t r = wasm_i32x4_shuffle(x[i], x[i + 1], 2, 6, 3, 7), s = wasm_i32x4_shuffle(x[i + 2], x[i + 3], 2, 6, 3, 7);
        v128_t rows[4] = {wasm_i64x2_shuffle(p, q, 0, 2), wasm_i64x2_shuffle(p, q, 1, 3), wasm_i64x2_shuffle(r, s, 0, 2),
                          wasm_i64x2_shuffle(r, s, 1, 3)};
        for (int row = 0; row < 4; row++) {
            u32 *to = at + 16 * row + i;
            wasm_v128_store(to, wasm_v128_xor(wasm_v128_load(to), rows[row]));
        }
    }
}

#else

static u32 rotate(u32 x, int n) {
    return x << n | x >> (32 - n);
}

static void quarter(u32 *x, int a, int b, int c, int d) {
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = rotate(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = rotate(x[b] ^ x[c], 7);
}

static void blocks(u32 counter, u32 *at) {
    for (u32 block = 0; block < 4; block++) {
        u32 start[16] = {0x61707865, 0x3320646E, 0x79622D32, 0x6B206574}, x[16];
        for (int i = 0; i < 8; i++) {
            start[4 + i] = key[i];
        }
        start[12] = counter + block;
        start[13] = start[14] = start[15] = 7;
        for (int i = 0; i < 16; i++) {
            x[i] = start[i];
        }
        for (int i = 0; i < 10; i++) {
            for (int j = 0; j < 4; j++) {
                quarter(x, j, 4 + j, 8 + j, 12 + j);
            }
            for (int j = 0; j < 4; j++) {
                quarter(x, j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4);
            }
        }
        for (int i = 0; i < 16; i++) {
            at[16 * block + i] ^= x[i] + start[i];
        }
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 2;
    for (u32 i = 0; i < TEXT / 4; i++) {
        text[i] = next_random(&state);
    }
    for (int i = 0; i < 8; i++) {
        key[i] = next_random(&state);
    }
    for (i32 round = 0; round < n; round++) {
        key[round & 7] += text[round & 63];
        for (u32 at = 0; at < TEXT / 4; at += 64) {
            blocks((u32)round + at, text + at);
        }
    }
    return checksum(text, sizeof text);
}
