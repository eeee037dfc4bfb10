/* Sequential memory: a triad over arrays of u64, 256 KiB each. */
#include "kernel.h"

#define WORDS (32u << 10)

static u64 a[WORDS], b[WORDS], c[WORDS];

KERNEL i64 run(i32 n) {
    for (u32 i = 0; i < WORDS; i++) {
        a[i] = i;
        b[i] = i * 3;
        c[i] = 0;
    }
    for (i32 round = 0; round < n; round++) {
        for (u32 i = 0; i < WORDS; i++) {
            c[i] = a[i] + b[i] * (u64)round;
        }
        a[round & (WORDS - 1)] += c[(round * 7) & (WORDS - 1)];
    }
    u64 sum = 0;
    for (u32 i = 0; i < WORDS; i++) {
        sum += c[i];
    }
    return (i64)sum;
}
