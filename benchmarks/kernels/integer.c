/* 32-bit integer arithmetic in registers: the finalizer of MurmurHash3 and bit counts over a counter. */
#include "kernel.h"

KERNEL i32 run(i32 n) {
    u32 sum = 0;
    for (u32 i = 0; i < (u32)n; i++) {
        u32 h = i + sum;
        h ^= h >> 16;
        h *= 0x85ebca6bu;
        h ^= h >> 13;
        h *= 0xc2b2ae35u;
        h ^= h >> 16;
        sum = ((sum << 7) | (sum >> 25)) + h + (u32)__builtin_popcount(h) + (u32)__builtin_clz(h | 1);
    }
    return (i32)sum;
}
