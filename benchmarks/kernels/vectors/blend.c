/* Blending of pixels by an alpha of 8 bits, and a running average: plain C that the compiler vectorizes. */
#include "../kernel.h"

#define BYTES (16u << 10)

static u8 front[BYTES], back[BYTES], alpha[BYTES], output[BYTES];
static float average[BYTES];

KERNEL i64 run(i32 n) {
    u32 state = 16;
    for (u32 i = 0; i < BYTES; i++) {
        u32 random = next_random(&state);
        front[i] = (u8)random;
        back[i] = (u8)(random >> 8);
        alpha[i] = (u8)(random >> 16);
        average[i] = 0;
    }
    for (i32 round = 0; round < n; round++) {
        for (u32 i = 0; i < BYTES; i++) {
            u32 mixed = front[i] * alpha[i] + back[i] * (255u - alpha[i]) + 128;
            output[i] = (u8)((mixed + (mixed >> 8)) >> 8);
        }
        for (u32 i = 0; i < BYTES; i++) {
            average[i] = average[i] * 0.75f + (float)output[i] * 0.25f;
        }
        for (u32 i = 0; i < BYTES; i++) {
            back[i] = output[i] > front[i] ? output[i] - front[i] : front[i] - output[i];
        }
        alpha[(u32)round * 7 % BYTES] ^= output[(u32)round * 5 % BYTES];
    }
    return checksum(output, sizeof output) ^ checksum(average, sizeof average);
}
