/* A hash like XXH3: products of 32 by 32 bits added to lanes of 64, mixed with a secret, scrambled by a product of 64. */
#include "../kernel.h"

#define LENGTH (16u << 10)
#define STRIPE 64u

static u64 input[LENGTH / 8], secret[24], lanes[8];

#ifdef __wasm_simd128__

static void hash(void) {
    v128_t sums[4];
    for (u32 i = 0; i < 4; i++) {
        sums[i] = wasm_v128_load(lanes + 2 * i);
    }
    for (u32 block = 0; block < LENGTH / STRIPE; block += 16) {
        for (u32 stripe = 0; stripe < 16; stripe++) {
            const u64 *at = input + (block + stripe) * 8, *key = secret + stripe;
            for (u32 i = 0; i < 4; i++) {
                v128_t data = wasm_v128_load(at + 2 * i), mixed = wasm_v128_xor(data, wasm_v128_load(key + 2 * i));
                v128_t low = wasm_i32x4_shuffle(mixed, mixed, 0, 2, 0, 2), high = wasm_i32x4_shuffle(mixed, mixed, 1, 3, 1, 3);
                sums[i] = wasm_i64x2_add(sums[i], wasm_i64x2_shuffle(data, data, 1, 0));
                sums[i] = wasm_i64x2_add(sums[i], wasm_u64x2_extmul_low_u32x4(low, high));
            }
        }
        for (u32 i = 0; i < 4; i++) {
            v128_t x = wasm_v128_xor(sums[i], wasm_u64x2_shr(sums[i], 47));
            x = wasm_v128_xor(x, wasm_v128_load(secret + 16 + 2 * i));
            sums[i] = wasm_i64x2_mul(x, wasm_u64x2_splat(0x9E3779B185EBCA87));
        }
    }
    for (u32 i = 0; i < 4; i++) {
        wasm_v128_store(lanes + 2 * i, sums[i]);
    }
}

#else

static void hash(void) {
    for (u32 block = 0; block < LENGTH / STRIPE; block += 16) {
        for (u32 stripe = 0; stripe < 16; stripe++) {
            for (u32 i = 0; i < 8; i++) {
                u64 data = input[(block + stripe) * 8 + i], mixed = data ^ secret[stripe + i];
                lanes[i ^ 1] += data;
                lanes[i] += (mixed & 0xFFFFFFFF) * (mixed >> 32);
            }
        }
        for (u32 i = 0; i < 8; i++) {
            lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ secret[16 + i]) * 0x9E3779B185EBCA87;
        }
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 12;
    for (u32 i = 0; i < LENGTH / 8; i++) {
        input[i] = (u64)next_random(&state) << 32 | next_random(&state);
    }
    for (u32 i = 0; i < 24; i++) {
        secret[i] = (u64)next_random(&state) << 32 | next_random(&state);
    }
    for (i32 i = 0; i < 8; i++) {
        lanes[i] = (u64)i * 0x9E3779B97F4A7C15;
    }
    for (i32 round = 0; round < n; round++) {
        hash();
        input[round % 100] ^= lanes[round & 7];
    }
    return checksum(lanes, sizeof lanes);
}
