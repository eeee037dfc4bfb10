/* Mixing sound: i16 with gains and saturation, then an effect on floats that are clamped. */
#include "../kernel.h"

#define SAMPLES (8u << 10)

static short first[SAMPLES], second[SAMPLES], mixed[SAMPLES], output[SAMPLES];

#ifdef __wasm_simd128__

static void mix(short gain1, short gain2) {
    v128_t by1 = wasm_i16x8_splat(gain1), by2 = wasm_i16x8_splat(gain2);
    for (u32 i = 0; i < SAMPLES; i += 8) {
        v128_t x = wasm_i16x8_q15mulr_sat(wasm_v128_load(first + i), by1);
        v128_t y = wasm_i16x8_q15mulr_sat(wasm_v128_load(second + i), by2);
        wasm_v128_store(mixed + i, wasm_i16x8_add_sat(x, y));
    }
}

static inline __attribute__((always_inline)) v128_t bend(v128_t sample, v128_t drive) {
    v128_t x = wasm_f32x4_mul(wasm_f32x4_convert_i32x4(sample), drive);
    x = wasm_f32x4_pmax(wasm_f32x4_pmin(x, wasm_f32x4_splat(1)), wasm_f32x4_splat(-1));
    v128_t cube = wasm_f32x4_mul(wasm_f32x4_mul(x, x), x);
    x = wasm_f32x4_sub(wasm_f32x4_mul(x, wasm_f32x4_splat(1.5f)), wasm_f32x4_mul(cube, wasm_f32x4_splat(0.5f)));
    return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_mul(x, wasm_f32x4_splat(40000)));
}

static void effect(float drive) {
    v128_t by = wasm_f32x4_splat(drive);
    for (u32 i = 0; i < SAMPLES; i += 8) {
        v128_t x = wasm_v128_load(mixed + i);
        v128_t low = bend(wasm_i32x4_extend_low_i16x8(x), by), high = bend(wasm_i32x4_extend_high_i16x8(x), by);
        wasm_v128_store(output + i, wasm_i16x8_narrow_i32x4(low, high));
    }
}

#else

static int saturate(int value) {
    return value < -32768 ? -32768 : value > 32767 ? 32767 : value;
}

static void mix(short gain1, short gain2) {
    for (u32 i = 0; i < SAMPLES; i++) {
        int x = saturate((first[i] * gain1 + 0x4000) >> 15), y = saturate((second[i] * gain2 + 0x4000) >> 15);
        mixed[i] = (short)saturate(x + y);
    }
}

static void effect(float drive) {
    for (u32 i = 0; i < SAMPLES; i++) {
        float x = (float)mixed[i] * drive;
        x = x > 1 ? 1 : x < -1 ? -1 : x;
        x = x * 1.5f - x * x * x * 0.5f;
        output[i] = (short)saturate((int)(x * 40000));
    }
}

#endif

KERNEL i64 run(i32 n) {
    u32 state = 11;
    for (u32 i = 0; i < SAMPLES; i++) {
        first[i] = (short)next_random(&state);
        second[i] = (short)next_random(&state);
    }
    for (i32 round = 0; round < n; round++) {
        mix((short)(round * 1237), (short)(round * 4321 + 32768));
        effect((float)(round % 10 + 1) * 1e-5f);
        first[(u32)round % SAMPLES] ^= output[(u32)round * 5 % SAMPLES];
    }
    return checksum(output, sizeof output);
}
