/* Floating point in registers: the Mandelbrot set. */
#include "kernel.h"

KERNEL i32 run(i32 n) {
    i32 inside = 0;
    for (i32 y = 0; y < n; y++) {
        for (i32 x = 0; x < n; x++) {
            double cr = 3.0 * x / n - 2.0, ci = 2.0 * y / n - 1.0;
            double zr = 0, zi = 0, rr = 0, ii = 0;
            i32 left = 100;
            while (left && rr + ii <= 4.0) {
                zi = 2.0 * zr * zi + ci;
                zr = rr - ii + cr;
                rr = zr * zr;
                ii = zi * zi;
                left--;
            }
            inside += left == 0;
        }
    }
    return inside;
}
