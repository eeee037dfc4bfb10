/* What a kernel looks like from outside: one exported function `run`. No C library is needed. */
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int i32;
typedef long long i64;

#ifdef __wasm__
#define KERNEL __attribute__((export_name("run")))
#else
#define KERNEL __attribute__((visibility("default")))
#endif
#define NOINLINE __attribute__((noinline))

/* Marsaglia's xorshift: the same pseudo-random sequence everywhere. */
static inline u32 next_random(u32 *state) {
    u32 x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

#endif
