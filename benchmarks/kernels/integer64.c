/* 64-bit integer arithmetic in registers: SplitMix64, rotations and a chained product. */
#include "kernel.h"

KERNEL i64 run(i32 n) {
    u64 state = 42, sum = 0;
    for (i32 i = 0; i < n; i++) {
        u64 z = (state += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        z ^= z >> 31;
        sum = sum * (z | 1) + ((z << 17) | (z >> 47)) + (u64)__builtin_ctzll(z | (1ull << 40));
    }
    return (i64)sum;
}
