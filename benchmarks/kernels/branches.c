/* Branches that depend on data: a sort of random numbers and a binary search in them. */
#include "kernel.h"

#define COUNT 4096

static i32 values[COUNT];

static void sort(i32 *items, i32 low, i32 high) {
    while (low < high) {
        i32 pivot = items[low + (high - low) / 2], i = low, j = high;
        while (i <= j) {
            while (items[i] < pivot) {
                i++;
            }
            while (items[j] > pivot) {
                j--;
            }
            if (i <= j) {
                i32 swapped = items[i];
                items[i++] = items[j];
                items[j--] = swapped;
            }
        }
        if (j - low < high - i) {
            sort(items, low, j);
            low = i;
        } else {
            sort(items, i, high);
            high = j;
        }
    }
}

static i32 find(i32 wanted) {
    i32 low = 0, high = COUNT;
    while (low < high) {
        i32 middle = (low + high) >> 1;
        if (values[middle] < wanted) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

KERNEL i32 run(i32 n) {
    u32 random = 2463534242u;
    i32 sum = 0;
    for (i32 round = 0; round < n; round++) {
        for (i32 i = 0; i < COUNT; i++) {
            values[i] = (i32)(next_random(&random) >> 8);
        }
        sort(values, 0, COUNT - 1);
        for (i32 i = 0; i < COUNT; i++) {
            sum += find((i32)(next_random(&random) >> 8));
        }
    }
    return sum;
}
