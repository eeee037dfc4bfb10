/* Prefix sums of u32, and differences of neighbours. */
#include "../kernel.h"

#define COUNT (8u << 10)

static u32 values[COUNT + 4], sums[COUNT + 4];

#ifdef __wasm_simd128__

static void add_up(void) {
    v128_t carry = wasm_u32x4_splat(0), zero = carry;
    for (u32 i = 0; i < COUNT; i += 4) {
        v128_t x = wasm_v128_load(values + i);
        x = wasm_i32x4_add(x, wasm_i32x4_shuffle(zero, x, 3, 4, 5, 6));
        x = wasm_i32x4_add(x, wasm_i32x4_shuffle(zero, x, 2, 3, 4, 5));
        x = wasm_i32x4_add(x, carry);
        wasm_v128_store(sums + i, x);
        carry = wasm_i32x4_shuffle(x, x, 3, 3, 3, 3);
    }
}

static void differ(void) {
    v128_t last = wasm_u32x4_splat(0);
    for (u32 i = 0; i < COUNT; i += 4) {
        v128_t x = wasm_v128_load(sums + i);
        v128_t before = wasm_i32x4_shuffle(last, x, 3, 4, 5, 6);
        wasm_v128_store(values + i, wasm_v128_xor(wasm_i32x4_sub(x, before), wasm_u32x4_shr(before, 7)));
        last = x;
    }
}

#else

static void add_up(void) {
    u32 sum = 0;
    for (u32 i = 0; i < COUNT; i++) {
        sums[i] = sum += values[i];
    }
}

static void differ(void) {
    u32 before = 0;
    for (u32 i = 0; i < COUNT; i++) {
        values[i] = (sums[i] - before) ^ before >> 7;
        before = sums[i];
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 10;
    for (u32 i = 0; i < COUNT; i++) {
        values[i] = next_random(&state);
    }
    for (i32 round = 0; round < n; round++) {
        add_up();
        differ();
    }
    return checksum(sums, sizeof sums);
}
