/* Distances in bits between vectors of 256 bits. */
#include "../kernel.h"

#define COUNT 512u
#define WORDS 4u

static u64 vectors[COUNT][WORDS], wanted[WORDS];

#ifdef __wasm_simd128__

static u64 nearest(void) {
    v128_t first = wasm_v128_load(wanted), second = wasm_v128_load(wanted + 2);
    u32 least = ~0u, place = 0;
    for (u32 i = 0; i < COUNT; i++) {
        v128_t x = wasm_i8x16_popcnt(wasm_v128_xor(wasm_v128_load(vectors[i]), first));
        v128_t y = wasm_i8x16_popcnt(wasm_v128_xor(wasm_v128_load(vectors[i] + 2), second));
        v128_t sums = wasm_u32x4_extadd_pairwise_u16x8(wasm_u16x8_extadd_pairwise_u8x16(wasm_i8x16_add(x, y)));
        sums = wasm_i32x4_add(sums, wasm_i32x4_shuffle(sums, sums, 2, 3, 0, 1));
        u32 distance = (u32)wasm_i32x4_extract_lane(sums, 0) + (u32)wasm_i32x4_extract_lane(sums, 1);
        if (distance < least) {
            least = distance;
            place = i;
        }
    }
    return (u64)least << 32 | place;
}

#else

static u64 nearest(void) {
    u32 least = ~0u, place = 0;
    for (u32 i = 0; i < COUNT; i++) {
        u32 distance = 0;
        for (u32 j = 0; j < WORDS; j++) {
            distance += (u32)__builtin_popcountll(vectors[i][j] ^ wanted[j]);
        }
        if (distance < least) {
            least = distance;
            place = i;
        }
    }
    return (u64)least << 32 | place;
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 15;
    for (u32 i = 0; i < COUNT * WORDS; i++) {
        vectors[i / WORDS][i % WORDS] = (u64)next_random(&state) << 32 | next_random(&state);
    }
    u64 sum = 0;
    for (i32 round = 0; round < n; round++) {
        u32 place = (u32)round % WORDS;
        wanted[place] = (u64)next_random(&state) << 32 | next_random(&state);
        sum = sum * 11 + nearest();
        vectors[(u32)round * 7 % COUNT][place] ^= sum;
    }
    return (i64)sum;
}
