/* Bound by memory: random reads and writes all over 32 MiB, beyond the caches. */
#include "kernel.h"

#define WORDS (8u << 20)

static u32 words[WORDS];

KERNEL i32 run(i32 n) {
    u32 random = 2463534242u, sum = 0;
    for (u32 i = 0; i < WORDS; i++) {
        words[i] = i * 2654435761u;
    }
    for (i32 i = 0; i < n; i++) {
        u32 at = next_random(&random) & (WORDS - 1);
        u32 value = words[at];
        words[(value + sum) & (WORDS - 1)] += value;
        sum += value;
    }
    return (i32)sum;
}
