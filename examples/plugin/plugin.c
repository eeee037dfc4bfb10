/* A library without libc: what embed.py loads. It works on bytes that the host puts into its memory. */

typedef unsigned char byte;

#define EXPORT(name) __attribute__((export_name(#name)))

/* The host's: told about every word that is found. */
__attribute__((import_module("env"), import_name("on_word"))) void on_word(const byte *start, int length);

static byte heap[1 << 16] __attribute__((aligned(16)));
static unsigned used;

/* Room for size bytes; gone with `reset`. Traps when there is none. */
EXPORT(allocate) void *allocate(unsigned size)
{
    unsigned start = used;
    if (size > sizeof heap - start)
        __builtin_trap();
    used = (start + size + 15) & ~15u;
    return heap + start;
}

EXPORT(reset) void reset(void)
{
    used = 0;
}

/* CRC-32 (IEEE 802.3), bit by bit. */
EXPORT(crc32) unsigned crc32(const byte *data, unsigned size)
{
    unsigned crc = ~0u;
    for (unsigned i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
    }
    return ~crc;
}

/* Tells the host about each word of a text; how many there are. */
EXPORT(words) int words(const byte *text, unsigned size)
{
    int found = 0;
    unsigned i = 0;
    while (i < size) {
        while (i < size && text[i] <= ' ')
            i++;
        unsigned start = i;
        while (i < size && text[i] > ' ')
            i++;
        if (i > start) {
            on_word(text + start, (int)(i - start));
            found++;
        }
    }
    return found;
}

EXPORT(divide) int divide(int a, int b)
{
    return a / b;
}
