/* Direct calls of small functions that are not inlined. */
#include "kernel.h"

static NOINLINE u32 mix(u32 a, u32 b) { return (a ^ (b << 3)) + 0x9e3779b9u; }

static NOINLINE u32 step(u32 a, u32 b, u32 c) { return mix(a, b) ^ mix(b, c); }

static NOINLINE double blend(double a, double b) { return a * 0.75 + b; }

KERNEL i32 run(i32 n) {
    u32 a = 1, b = 2, c = 3;
    double d = 0;
    for (i32 i = 0; i < n; i++) {
        u32 next = step(a, b, c);
        a = b;
        b = c;
        c = next;
        d = blend(d, (double)(i & 15));
    }
    return (i32)(a ^ b ^ c) + (i32)d;
}
