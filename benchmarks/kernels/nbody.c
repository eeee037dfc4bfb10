/* Floating point with loads, stores, division and square roots: five bodies under gravity. */
#include "kernel.h"

#define BODIES 5

typedef struct {
    double x, y, z, vx, vy, vz, mass;
} Body;

static Body bodies[BODIES];

static void reset(void) {
    for (i32 i = 0; i < BODIES; i++) {
        double t = i + 1;
        Body b = {t * 3.1, -t * 2.3, t * 0.7, 0.1 * t, 0.3 - 0.05 * t, 0.01 * t, i ? 0.01 * t : 39.5};
        bodies[i] = b;
    }
}

KERNEL double run(i32 n) {
    reset();
    for (i32 step = 0; step < n; step++) {
        for (i32 i = 0; i < BODIES; i++) {
            Body *a = &bodies[i];
            for (i32 j = i + 1; j < BODIES; j++) {
                Body *b = &bodies[j];
                double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
                double square = dx * dx + dy * dy + dz * dz;
                double force = 0.001 / (square * __builtin_sqrt(square));
                a->vx -= dx * b->mass * force;
                a->vy -= dy * b->mass * force;
                a->vz -= dz * b->mass * force;
                b->vx += dx * a->mass * force;
                b->vy += dy * a->mass * force;
                b->vz += dz * a->mass * force;
            }
        }
        for (i32 i = 0; i < BODIES; i++) {
            Body *a = &bodies[i];
            a->x += 0.001 * a->vx;
            a->y += 0.001 * a->vy;
            a->z += 0.001 * a->vz;
        }
    }
    double energy = 0;
    for (i32 i = 0; i < BODIES; i++) {
        Body *a = &bodies[i];
        energy += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    }
    return energy;
}
