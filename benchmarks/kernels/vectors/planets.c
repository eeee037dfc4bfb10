/* Gravitation between five bodies: two coordinates in one vector, the third in another. */
#include "../kernel.h"

#define BODIES 5

typedef struct {
    double place[4], speed[4], mass, unused;
} body;

static body bodies[BODIES] __attribute__((aligned(16)));

#ifdef __wasm_simd128__

static void advance(double time) {
    for (int i = 0; i < BODIES; i++) {
        body *a = &bodies[i];
        v128_t x = wasm_v128_load(a->place), z = wasm_v128_load(a->place + 2);
        v128_t speed_x = wasm_v128_load(a->speed), speed_z = wasm_v128_load(a->speed + 2);
        for (int j = i + 1; j < BODIES; j++) {
            body *b = &bodies[j];
            v128_t dx = wasm_f64x2_sub(x, wasm_v128_load(b->place)), dz = wasm_f64x2_sub(z, wasm_v128_load(b->place + 2));
            v128_t square = wasm_f64x2_mul(dx, dx);
            square = wasm_f64x2_add(square, wasm_i64x2_shuffle(square, square, 1, 0));
            v128_t dz_square = wasm_f64x2_mul(dz, dz);
            square = wasm_f64x2_add(square, wasm_i64x2_shuffle(dz_square, dz_square, 0, 0));
            v128_t size = wasm_f64x2_div(wasm_f64x2_splat(time), wasm_f64x2_mul(square, wasm_f64x2_sqrt(square)));
            v128_t by_b = wasm_f64x2_mul(wasm_v128_load64_splat(&b->mass), size);
            v128_t by_a = wasm_f64x2_mul(wasm_v128_load64_splat(&a->mass), size);
            speed_x = wasm_f64x2_sub(speed_x, wasm_f64x2_mul(dx, by_b));
            speed_z = wasm_f64x2_sub(speed_z, wasm_f64x2_mul(dz, by_b));
            wasm_v128_store(b->speed, wasm_f64x2_add(wasm_v128_load(b->speed), wasm_f64x2_mul(dx, by_a)));
            wasm_v128_store(b->speed + 2, wasm_f64x2_add(wasm_v128_load(b->speed + 2), wasm_f64x2_mul(dz, by_a)));
        }
        wasm_v128_store(a->speed, speed_x);
        wasm_v128_store(a->speed + 2, speed_z);
    }
    v128_t step = wasm_f64x2_splat(time);
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 4; k += 2) {
            v128_t moved = wasm_f64x2_mul(wasm_v128_load(bodies[i].speed + k), step);
            wasm_v128_store(bodies[i].place + k, wasm_f64x2_add(wasm_v128_load(bodies[i].place + k), moved));
        }
    }
}

#else

static void advance(double time) {
    for (int i = 0; i < BODIES; i++) {
        body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            body *b = &bodies[j];
            double d[3], square;
            for (int k = 0; k < 3; k++) {
                d[k] = a->place[k] - b->place[k];
            }
            square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2];
            double size = time / (square * __builtin_sqrt(square));
            for (int k = 0; k < 3; k++) {
                a->speed[k] -= d[k] * (b->mass * size);
                b->speed[k] += d[k] * (a->mass * size);
            }
        }
    }
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 3; k++) {
            bodies[i].place[k] += bodies[i].speed[k] * time;
        }
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 14;
    for (int i = 0; i < BODIES; i++) {
        for (int k = 0; k < 4; k++) {
            bodies[i].place[k] = k < 3 ? (double)(next_random(&state) >> 8) * 1e-6 : 0;
            bodies[i].speed[k] = k < 3 ? (double)(next_random(&state) >> 8) * 1e-8 : 0;
        }
        bodies[i].mass = (double)(i + 1) * 0.1;
    }
    for (i32 round = 0; round < n; round++) {
        advance(0.01);
    }
    u64 sum = 0;
    for (int i = 0; i < BODIES; i++) {
        sum = sum * 31 + (u64)checksum(bodies[i].place, 3 * sizeof(double));
    }
    return (i64)sum;
}
