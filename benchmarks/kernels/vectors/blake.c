/* BLAKE2s: the rows of the state are vectors, rotated by shuffles and shifts; message words are gathered. */
#include "../kernel.h"

static const u8 SIGMA[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};
static const u32 IV[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
static u32 h[8], m[16];

#ifdef __wasm_simd128__

#define ROTATE(x, n) wasm_v128_or(wasm_u32x4_shr(x, n), wasm_i32x4_shl(x, 32 - (n)))
#define ROTATE_BYTES(x, a, b, c, d)                                                                                    \
    wasm_i8x16_shuffle(x, x, a, b, c, d, 4 + a, 4 + b, 4 + c, 4 + d, 8 + a, 8 + b, 8 + c, 8 + d, 12 + a, 12 + b,       \
                       12 + c, 12 + d)
#define WORDS(s, i) wasm_u32x4_make(m[s[i]], m[s[i + 2]], m[s[i + 4]], m[s[i + 6]])
#define HALF(message, rotate_d, by_b)                                                                                  \
    a = wasm_i32x4_add(wasm_i32x4_add(a, b), message);                                                                 \
    d = rotate_d;                                                                                                      \
    c = wasm_i32x4_add(c, d);                                                                                          \
    b = wasm_v128_xor(b, c);                                                                                           \
    b = ROTATE(b, by_b);
#define MIX(s, i)                                                                                                      \
    HALF(WORDS(s, i), ROTATE_BYTES(wasm_v128_xor(d, a), 2, 3, 0, 1), 12)                                               \
    HALF(WORDS(s, i + 1), ROTATE_BYTES(wasm_v128_xor(d, a), 1, 2, 3, 0), 7)

static void compress(u32 counter) {
    v128_t a = wasm_v128_load(h), b = wasm_v128_load(h + 4), c = wasm_v128_load(IV), d = wasm_v128_load(IV + 4);
    v128_t before_a = a, before_b = b;
    d = wasm_v128_xor(d, wasm_u32x4_make(counter, 0, 0, 0));
#pragma clang loop unroll(full)
    for (int round = 0; round < 10; round++) {
        const u8 *s = SIGMA[round];
        MIX(s, 0)
        b = wasm_i32x4_shuffle(b, b, 1, 2, 3, 0);
        c = wasm_i32x4_shuffle(c, c, 2, 3, 0, 1);
        d = wasm_i32x4_shuffle(d, d, 3, 0, 1, 2);
        MIX(s, 8)
        b = wasm_i32x4_shuffle(b, b, 3, 0, 1, 2);
        c = wasm_i32x4_shuffle(c, c, 2, 3, 0, 1);
        d = wasm_i32x4_shuffle(d, d, 1, 2, 3, 0);
    }
    wasm_v128_store(h, wasm_v128_xor(before_a, wasm_v128_xor(a, c)));
    wasm_v128_store(h + 4, wasm_v128_xor(before_b, wasm_v128_xor(b, d)));
}

#else

static u32 rotate(u32 x, int n) {
    return x >> n | x << (32 - n);
}

static void mix(u32 *v, int a, int b, int c, int d, u32 x, u32 y) {
    v[a] += v[b] + x;
    v[d] = rotate(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotate(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotate(v[b] ^ v[c], 7);
}

static void compress(u32 counter) {
    u32 v[16];
    for (int i = 0; i < 8; i++) {
        v[i] = h[i];
        v[i + 8] = IV[i];
    }
    v[12] ^= counter;
    for (int round = 0; round < 10; round++) {
        const u8 *s = SIGMA[round];
        for (int i = 0; i < 4; i++) {
            mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
        }
        for (int i = 0; i < 4; i++) {
            mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
        }
    }
    for (int i = 0; i < 8; i++) {
        h[i] ^= v[i] ^ v[i + 8];
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 1;
    for (int i = 0; i < 8; i++) {
        h[i] = IV[i];
    }
    for (int i = 0; i < 16; i++) {
        m[i] = next_random(&state);
    }
    for (i32 block = 0; block < n; block++) {
        m[block & 15] += (u32)block;
        compress((u32)block * 64);
    }
    return (i64)((u64)(h[0] ^ h[2] ^ h[4] ^ h[6]) << 32 | (h[1] ^ h[3] ^ h[5] ^ h[7]));
}
