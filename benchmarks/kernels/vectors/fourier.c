/* Fast Fourier transform of 1024 complex numbers of two f64, one in each vector. */
#include "../kernel.h"

#define BITS 10
#define SIZE (1u << BITS)

typedef struct {
    double re, im;
} complex;

static complex values[SIZE], roots[SIZE / 2];

static void reorder(void) {
    for (u32 i = 0; i < SIZE; i++) {
        u32 j = 0;
        for (u32 bit = 0; bit < BITS; bit++) {
            j |= (i >> bit & 1) << (BITS - 1 - bit);
        }
        if (i < j) {
            complex other = values[i];
            values[i] = values[j];
            values[j] = other;
        }
    }
}

#ifdef __wasm_simd128__

static void transform(void) {
    v128_t sign = wasm_f64x2_const(-1, 1);
    for (u32 half = 1, step = SIZE / 2; half < SIZE; half *= 2, step /= 2) {
        for (u32 start = 0; start < SIZE; start += 2 * half) {
            for (u32 i = 0; i < half; i++) {
                v128_t root = wasm_v128_load(&roots[i * step]);
                complex *a = &values[start + i], *b = a + half;
                v128_t x = wasm_v128_load(a), y = wasm_v128_load(b);
                v128_t re = wasm_i64x2_shuffle(root, root, 0, 0), im = wasm_i64x2_shuffle(root, root, 1, 1);
                v128_t turned = wasm_f64x2_mul(wasm_i64x2_shuffle(y, y, 1, 0), sign);
                v128_t product = wasm_f64x2_add(wasm_f64x2_mul(y, re), wasm_f64x2_mul(turned, im));
                wasm_v128_store(a, wasm_f64x2_add(x, product));
                wasm_v128_store(b, wasm_f64x2_sub(x, product));
            }
        }
    }
}

static void scale(void) {
    for (u32 i = 0; i < SIZE; i++) {
        v128_t x = wasm_v128_load(&values[i]);
        wasm_v128_store(&values[i], wasm_f64x2_div(x, wasm_f64x2_add(wasm_f64x2_abs(x), wasm_f64x2_splat(1))));
    }
}

#else

static void transform(void) {
    for (u32 half = 1, step = SIZE / 2; half < SIZE; half *= 2, step /= 2) {
        for (u32 start = 0; start < SIZE; start += 2 * half) {
            for (u32 i = 0; i < half; i++) {
                complex root = roots[i * step], *a = &values[start + i], *b = a + half, x = *a;
                complex product = {b->re * root.re + -b->im * root.im, b->im * root.re + b->re * root.im};
                a->re = x.re + product.re, a->im = x.im + product.im;
                b->re = x.re - product.re, b->im = x.im - product.im;
            }
        }
    }
}

static void scale(void) {
    for (u32 i = 0; i < SIZE; i++) {
        values[i].re /= __builtin_fabs(values[i].re) + 1;
        values[i].im /= __builtin_fabs(values[i].im) + 1;
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 13;
    /* The powers of exp(-2 pi i / 1024). */
    complex root = {1, 0}, first = {0.9999811752826011, -0.006135884649154475};
    for (u32 i = 0; i < SIZE / 2; i++) {
        roots[i] = root;
        complex following = {root.re * first.re - root.im * first.im, root.re * first.im + root.im * first.re};
        root = following;
    }
    for (u32 i = 0; i < SIZE; i++) {
        values[i].re = (double)(next_random(&state) >> 8) * 1e-7;
        values[i].im = (double)(next_random(&state) >> 8) * 1e-7;
    }
    for (i32 round = 0; round < n; round++) {
        reorder();
        transform();
        scale();
    }
    return checksum(values, sizeof values);
}
