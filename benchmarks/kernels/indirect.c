/* Calls through a table of functions (call_indirect). */
#include "kernel.h"

typedef u32 (*Operation)(u32, u32);

static u32 op_add(u32 a, u32 b) { return a + b; }
static u32 op_xor(u32 a, u32 b) { return a ^ (b << 1); }
static u32 op_mul(u32 a, u32 b) { return a * (b | 1); }
static u32 op_sub(u32 a, u32 b) { return a - (b >> 1); }

static Operation volatile operations[4] = {op_add, op_xor, op_mul, op_sub};

KERNEL i32 run(i32 n) {
    u32 value = 1;
    for (i32 i = 0; i < n; i++) {
        value = operations[i & 3](value, (u32)i);
    }
    return (i32)value;
}
