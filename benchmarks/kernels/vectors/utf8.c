/* Validation of UTF-8: Keiser and Lemire, "Validating UTF-8 In Less Than One Instruction Per Byte"; or byte by byte. */
#include "../kernel.h"

#define SEGMENT 1024u
#define SEGMENTS 64u

static u8 text[SEGMENT * SEGMENTS];

#ifdef __wasm_simd128__

enum {
    TOO_SHORT = 1,
    TOO_LONG = 2,
    OVERLONG_3 = 4,
    TOO_LARGE = 8,
    SURROGATE = 16,
    OVERLONG_2 = 32,
    TOO_LARGE_1000 = 64,
    OVERLONG_4 = 64,
    TWO_CONTINUE = 128,
    CARRY = TOO_SHORT | TOO_LONG | TWO_CONTINUE,
    LARGE = CARRY | TOO_LARGE | TOO_LARGE_1000,
    SECOND = TOO_LONG | OVERLONG_2 | TWO_CONTINUE,
};

#define BEFORE(now, last, k)                                                                                           \
    wasm_i8x16_shuffle(last, now, 16 - k, 17 - k, 18 - k, 19 - k, 20 - k, 21 - k, 22 - k, 23 - k, 24 - k, 25 - k,      \
                       26 - k, 27 - k, 28 - k, 29 - k, 30 - k, 31 - k)

static u32 is_valid(const u8 *at) {
    const v128_t first_high = wasm_u8x16_const(
        TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TWO_CONTINUE, TWO_CONTINUE,
        TWO_CONTINUE, TWO_CONTINUE, TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
        TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
    const v128_t first_low = wasm_u8x16_const(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, CARRY | OVERLONG_2, CARRY,
                                              CARRY, CARRY | TOO_LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE,
                                              LARGE, LARGE | SURROGATE, LARGE, LARGE);
    const v128_t second_high = wasm_u8x16_const(
        TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
        SECOND | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4, SECOND | OVERLONG_3 | TOO_LARGE,
        SECOND | SURROGATE | TOO_LARGE, SECOND | SURROGATE | TOO_LARGE, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
    v128_t error = wasm_u8x16_splat(0), last = error, incomplete = error;
    for (u32 i = 0; i < SEGMENT; i += 16) {
        v128_t now = wasm_v128_load(at + i);
        if (wasm_i8x16_bitmask(now) == 0) {
            error = wasm_v128_or(error, incomplete);
            incomplete = wasm_u8x16_splat(0);
        } else {
            v128_t before = BEFORE(now, last, 1);
            v128_t kinds = wasm_v128_and(
                wasm_v128_and(wasm_i8x16_swizzle(first_high, wasm_u8x16_shr(before, 4)),
                              wasm_i8x16_swizzle(first_low, wasm_v128_and(before, wasm_u8x16_splat(0x0F)))),
                wasm_i8x16_swizzle(second_high, wasm_u8x16_shr(now, 4)));
            v128_t third = wasm_u8x16_sub_sat(BEFORE(now, last, 2), wasm_u8x16_splat(0xE0 - 0x80));
            v128_t fourth = wasm_u8x16_sub_sat(BEFORE(now, last, 3), wasm_u8x16_splat(0xF0 - 0x80));
            v128_t continues = wasm_v128_and(wasm_v128_or(third, fourth), wasm_u8x16_splat(0x80));
            error = wasm_v128_or(error, wasm_v128_xor(continues, kinds));
            incomplete = wasm_u8x16_sub_sat(now, wasm_u8x16_const(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                                                  255, 255, 0xEF, 0xDF, 0xBF));
        }
        last = now;
    }
    return !wasm_v128_any_true(wasm_v128_or(error, incomplete));
}

#else

static u32 is_valid(const u8 *at) {
    const u8 *end = at + SEGMENT;
    while (at < end) {
        u32 first = *at++, low = 0x80, high = 0xBF;
        int more;
        if (first < 0x80) {
            continue;
        }
        if (first < 0xC2 || first > 0xF4) {
            return 0;
        }
        more = first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if (first == 0xE0) {
            low = 0xA0;
        } else if (first == 0xED) {
            high = 0x9F;
        } else if (first == 0xF0) {
            low = 0x90;
        } else if (first == 0xF4) {
            high = 0x8F;
        }
        for (; more; more--) {
            if (at == end || *at < low || *at > high) {
                return 0;
            }
            at++;
            low = 0x80;
            high = 0xBF;
        }
    }
    return 1;
}

#endif

static void fill(u8 *at, u32 *state) {
    u32 i = 0;
    while (i < SEGMENT - 4) {
        u32 random = next_random(state), letter = random >> 8;
        switch (random & 64 ? random & 3 : 0) {
        case 0:
            at[i++] = letter & 0x7F;
            break;
        case 1:
            at[i++] = (u8)(0xC2 + letter % 30);
            at[i++] = 0x80 | (letter >> 8 & 0x3F);
            break;
        case 2:
            at[i++] = (u8)(0xE1 + letter % 12);
            at[i++] = 0x80 | (letter >> 8 & 0x3F);
            at[i++] = 0x80 | (letter >> 14 & 0x3F);
            break;
        default:
            at[i++] = (u8)(0xF1 + letter % 3);
            at[i++] = 0x80 | (letter >> 8 & 0x3F);
            at[i++] = 0x80 | (letter >> 14 & 0x3F);
            at[i++] = 0x80 | (letter >> 4 & 0x3F);
        }
    }
    while (i < SEGMENT) {
        at[i++] = ' ';
    }
}

KERNEL i64 run(i32 n) {
    u32 state = 3;
    u64 sum = 0;
    for (u32 i = 0; i < SEGMENTS; i++) {
        fill(text + SEGMENT * i, &state);
        if (i % 3 == 0) {
            for (u32 j = 32; j < SEGMENT; j++) {
                text[SEGMENT * i + j] &= 0x7F;
            }
        }
    }
    for (i32 round = 0; round < n; round++) {
        /* Something gets damaged, and is repaired for the next round, most of the time. */
        u32 random = next_random(&state), place = random % sizeof text;
        u8 before = text[place];
        text[place] = (u8)(random >> 24);
        for (u32 i = 0; i < SEGMENTS; i++) {
            sum = sum * 3 + is_valid(text + SEGMENT * i);
        }
        if (random & 0xF00000) {
            text[place] = before;
        }
    }
    return (i64)sum;
}
