/* Division: greatest common divisors (by variables), and remainders by constants. */
#include "kernel.h"

KERNEL i64 run(i32 n) {
    u32 random = 2463534242u;
    i64 sum = 0;
    for (i32 i = 0; i < n; i++) {
        u32 a = next_random(&random), b = next_random(&random) | 1;
        sum += (i32)a % 1000 + (i32)b / 7;
        while (b) {
            u32 rest = a % b;
            a = b;
            b = rest;
        }
        sum = sum * 3 + a;
    }
    return sum;
}
