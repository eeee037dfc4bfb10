/* Nested loops over arrays: multiplication of f64 matrices, 120 x 120. */
#include "kernel.h"

#define SIZE 120

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

KERNEL double run(i32 n) {
    for (i32 i = 0; i < SIZE; i++) {
        for (i32 j = 0; j < SIZE; j++) {
            a[i][j] = 1.0 / (i + j + 1);
            b[i][j] = (i * 7 + j * 3) % 11;
        }
    }
    for (i32 round = 0; round < n; round++) {
        for (i32 i = 0; i < SIZE; i++) {
            for (i32 j = 0; j < SIZE; j++) {
                double sum = 0;
                for (i32 k = 0; k < SIZE; k++) {
                    sum += a[i][k] * b[k][j];
                }
                c[i][j] = sum;
            }
        }
        a[round % SIZE][0] += c[0][round % SIZE] * 1e-3;
    }
    return c[SIZE / 2][SIZE / 3];
}
