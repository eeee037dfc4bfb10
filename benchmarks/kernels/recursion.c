/* Recursion: Fibonacci numbers, and Takeuchi's function. */
#include "kernel.h"

static NOINLINE i32 fibonacci(i32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static NOINLINE i32 takeuchi(i32 x, i32 y, i32 z) {
    if (y >= x) {
        return z;
    }
    return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

KERNEL i32 run(i32 n) { return fibonacci(n) + takeuchi(n / 2, n / 4, n / 8); }
