/* A dense switch in a loop (br_table): an interpreter of a small stack machine. */
#include "kernel.h"

enum { PUSH, ADD, SUB, MUL, XOR, DUP, SWAP, DROP, SHL, SHR, INC, DEC, LOOP, HALT };

static const u8 program[] = {
    PUSH, 7, PUSH, 3, ADD, DUP, MUL, INC, PUSH, 5, SWAP, SUB, DUP, SHL, XOR, DEC,
    DUP, PUSH, 11, ADD, SHR, ADD, PUSH, 9, MUL, DUP, DROP, INC, XOR, LOOP, HALT,
};

KERNEL i32 run(i32 n) {
    i32 stack[16];
    i32 top = 0, at = 0;
    stack[0] = 1;
    for (;;) {
        switch (program[at++]) {
        case PUSH: stack[++top & 15] = program[at++]; break;
        case ADD: top--; stack[top & 15] += stack[(top + 1) & 15]; break;
        case SUB: top--; stack[top & 15] -= stack[(top + 1) & 15]; break;
        case MUL: top--; stack[top & 15] *= stack[(top + 1) & 15]; break;
        case XOR: top--; stack[top & 15] ^= stack[(top + 1) & 15]; break;
        case DUP: top++; stack[top & 15] = stack[(top - 1) & 15]; break;
        case SWAP: {
            i32 swapped = stack[top & 15];
            stack[top & 15] = stack[(top - 1) & 15];
            stack[(top - 1) & 15] = swapped;
            break;
        }
        case DROP: top--; break;
        case SHL: stack[top & 15] <<= 3; break;
        case SHR: stack[top & 15] = (i32)((u32)stack[top & 15] >> 5); break;
        case INC: stack[top & 15]++; break;
        case DEC: stack[top & 15]--; break;
        case LOOP:
            if (--n > 0) {
                at = 0;
            }
            break;
        default: return stack[top & 15];
        }
    }
}
