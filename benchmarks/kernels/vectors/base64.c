/* Encoding base64: Muła and Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions"; or by a table. */
#include "../kernel.h"

#define INPUT (24u << 10)

static u8 input[INPUT + 16], output[INPUT / 3 * 4];

#ifdef __wasm_simd128__

static void encode(void) {
    const v128_t offsets = wasm_i8x16_const('a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                            '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    u8 *to = output;
    for (u32 i = 0; i < INPUT; i += 12, to += 16) {
        v128_t bytes = wasm_v128_load(input + i);
        v128_t words = wasm_i8x16_shuffle(bytes, bytes, 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
        v128_t digits = wasm_v128_or(
            wasm_v128_or(wasm_v128_and(wasm_u32x4_shr(words, 10), wasm_u32x4_splat(0x3F)),
                         wasm_v128_and(wasm_i32x4_shl(words, 4), wasm_u32x4_splat(0x3F00))),
            wasm_v128_or(wasm_v128_and(wasm_u32x4_shr(words, 6), wasm_u32x4_splat(0x3F0000)),
                         wasm_v128_and(wasm_i32x4_shl(words, 8), wasm_u32x4_splat(0x3F000000))));
        v128_t kinds = wasm_u8x16_sub_sat(digits, wasm_u8x16_splat(51));
        v128_t capital = wasm_i8x16_lt(digits, wasm_i8x16_splat(26));
        kinds = wasm_v128_or(kinds, wasm_v128_and(capital, wasm_i8x16_splat(13)));
        wasm_v128_store(to, wasm_i8x16_add(digits, wasm_i8x16_swizzle(offsets, kinds)));
    }
}

#else

static void encode(void) {
    static const u8 LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    u8 *to = output;
    for (u32 i = 0; i < INPUT; i += 3) {
        u32 three = (u32)input[i] << 16 | (u32)input[i + 1] << 8 | input[i + 2];
        *to++ = LETTERS[three >> 18];
        *to++ = LETTERS[three >> 12 & 63];
        *to++ = LETTERS[three >> 6 & 63];
        *to++ = LETTERS[three & 63];
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 7;
    for (u32 i = 0; i < INPUT; i++) {
        input[i] = (u8)next_random(&state);
    }
    for (i32 round = 0; round < n; round++) {
        encode();
        input[(u32)round * 7 % INPUT] += output[(u32)round * 11 % INPUT];
    }
    return checksum(output, sizeof output);
}
