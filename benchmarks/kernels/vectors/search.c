/* Search for a byte and for a word: comparisons, masks of bits, and a look at what the masks show. */
#include "../kernel.h"

#define LENGTH (32u << 10)
#define WORD 6u

static u8 text[LENGTH + 32], word[WORD];

static int matches(const u8 *at) {
    for (u32 i = 0; i < WORD; i++) {
        if (at[i] != word[i]) {
            return 0;
        }
    }
    return 1;
}

#ifdef __wasm_simd128__

static u32 find_byte(u32 from, u8 wanted) {
    v128_t many = wasm_u8x16_splat(wanted);
    for (; from < LENGTH; from += 16) {
        v128_t equal = wasm_i8x16_eq(wasm_v128_load(text + from), many);
        if (wasm_v128_any_true(equal)) {
            return from + (u32)__builtin_ctz(wasm_i8x16_bitmask(equal));
        }
    }
    return LENGTH;
}

static u32 find_words(void) {
    v128_t first = wasm_u8x16_splat(word[0]), last = wasm_u8x16_splat(word[WORD - 1]);
    u32 sum = 0;
    for (u32 i = 0; i < LENGTH; i += 16) {
        u32 mask = wasm_i8x16_bitmask(wasm_v128_and(wasm_i8x16_eq(wasm_v128_load(text + i), first),
                                                    wasm_i8x16_eq(wasm_v128_load(text + i + WORD - 1), last)));
        for (; mask; mask &= mask - 1) {
            u32 place = i + (u32)__builtin_ctz(mask);
            if (matches(text + place)) {
                sum = sum * 3 + place;
            }
        }
    }
    return sum;
}

#else

static u32 find_byte(u32 from, u8 wanted) {
    while (from < LENGTH && text[from] != wanted) {
        from++;
    }
    return from < LENGTH ? from : LENGTH;
}

static u32 find_words(void) {
    u32 sum = 0;
    for (u32 i = 0; i < LENGTH; i++) {
        if (text[i] == word[0] && matches(text + i)) {
            sum = sum * 3 + i;
        }
    }
    return sum;
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 8;
    for (u32 i = 0; i < LENGTH; i++) {
        u32 random = next_random(&state);
        text[i] = random % 97 == 0 ? '\n' : (u8)('a' + (random >> 8) % 26);
    }
    u64 sum = 0;
    for (i32 round = 0; round < n; round++) {
        u32 start = (u32)round * 211 % (LENGTH - WORD);
        for (u32 i = 0; i < WORD; i++) {
            word[i] = text[start + i];
        }
        sum = sum * 7 + find_words();
        for (u32 at = find_byte(0, '\n'); at < LENGTH; at = find_byte(at + 1, '\n')) {
            sum += at;
        }
        text[start] = (u8)('a' + sum % 26);
    }
    return (i64)sum;
}
