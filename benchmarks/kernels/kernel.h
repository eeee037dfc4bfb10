/* What a kernel looks like from outside: one exported function `run`. No C library is needed. */
#ifndef KERNEL_H
#define KERNEL_H

#ifdef __wasm_simd128__
#include <wasm_simd128.h>
#endif

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#ifdef __wasm__
#define KERNEL __attribute__((export_name("run")))
#else
#define KERNEL __attribute__((visibility("default")))
#endif
#define NOINLINE __attribute__((noinline))

/* Marsaglia's xorshift: the same pseudo-random sequence everywhere. */
static inline u32 next_random(u32 *state) {
    u32 x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Of everything in some memory whose size is a multiple of 8. */
static inline i64 checksum(const void *start, u32 size) {
    const u8 *at = (const u8 *)start;
    u64 sum = 0;
    for (u32 i = 0; i < size; i += 8) {
        u64 word = 0;
        for (u32 k = 0; k < 8; k++) {
            word |= (u64)at[i + k] << 8 * k;
        }
        sum = (sum ^ word) * 0x9E3779B97F4A7C15;
        sum ^= sum >> 29;
    }
    return (i64)sum;
}

#endif
