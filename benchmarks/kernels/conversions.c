/* Conversions between integers and floats of both sizes, minimum, rounding and sign operations. */
#include "kernel.h"

KERNEL i64 run(i32 n) {
    i64 sum = 0;
    float low = 1.5f;
    for (i32 i = 0; i < n; i++) {
        double x = (double)i * 0.37;
        float y = (float)(sum & 0xffff) * 0.25f;
        i32 whole = (i32)__builtin_floor(x);
        u32 unsigned_value = (u32)(y + low);
        low = (float)whole * 0.125f;
        low = low < 1e6f ? low : 1e6f;
        sum += whole + (i64)unsigned_value + (i64)(x * 16.0) + (i64)__builtin_fabs(__builtin_copysign(x, -1.0));
    }
    return sum;
}
