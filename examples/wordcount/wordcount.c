/* Counts lines, words and bytes of files (or of stdin) and lists the most frequent words.
 *
 *     wordcount [-n COUNT] [FILE]...
 */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *word;
    unsigned long count;
};

struct table {
    struct entry *entries;
    size_t capacity; /* a power of two */
    size_t used;
};

struct totals {
    unsigned long lines, words, bytes;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fputs("wordcount: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* FNV-1a. */
static unsigned long hash(const char *word)
{
    unsigned long h = 2166136261u;
    for (; *word; word++)
        h = (h ^ (unsigned char)*word) * 16777619u;
    return h;
}

static struct entry *find(struct table *table, const char *word)
{
    size_t at = hash(word) & (table->capacity - 1);
    while (table->entries[at].word != NULL && strcmp(table->entries[at].word, word) != 0)
        at = (at + 1) & (table->capacity - 1);
    return &table->entries[at];
}

static void grow(struct table *table)
{
    struct table bigger = {NULL, table->capacity ? 2 * table->capacity : 1024, table->used};
    bigger.entries = allocate(bigger.capacity, sizeof *bigger.entries);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].word != NULL)
            *find(&bigger, table->entries[i].word) = table->entries[i];
    free(table->entries);
    *table = bigger;
}

static void add(struct table *table, const char *word, size_t length)
{
    if (2 * table->used >= table->capacity)
        grow(table);
    struct entry *entry = find(table, word);
    if (entry->word == NULL) {
        entry->word = allocate(length + 1, 1);
        memcpy(entry->word, word, length);
        table->used++;
    }
    entry->count++;
}

static struct totals count(FILE *file, struct table *table)
{
    struct totals totals = {0, 0, 0};
    char word[256];
    size_t length = 0;
    int c;
    do {
        c = getc(file);
        if (c != EOF)
            totals.bytes++;
        if (c == '\n')
            totals.lines++;
        if (c != EOF && (isalnum(c) || c == '_' || c >= 0x80)) {
            if (length < sizeof word - 1)
                word[length++] = (char)tolower(c);
        } else if (length > 0) {
            word[length] = '\0';
            add(table, word, length);
            totals.words++;
            length = 0;
        }
    } while (c != EOF);
    return totals;
}

static int by_count(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    if (x->word == NULL || y->word == NULL)
        return (x->word == NULL) - (y->word == NULL);
    return strcmp(x->word, y->word);
}

static void report(struct totals totals, const char *name)
{
    printf("%8lu %8lu %8lu %s\n", totals.lines, totals.words, totals.bytes, name);
}

int main(int argc, char **argv)
{
    struct table table = {NULL, 0, 0};
    unsigned long shown = 10;
    int status = 0, first = 1;
    if (argc > 1 && strcmp(argv[1], "-n") == 0) {
        char *end = NULL;
        if (argc > 2)
            shown = strtoul(argv[2], &end, 10);
        if (end == NULL || end == argv[2] || *end != '\0') {
            fputs("usage: wordcount [-n COUNT] [FILE]...\n", stderr);
            return 2;
        }
        first = 3;
    }
    grow(&table);
    if (first == argc)
        report(count(stdin, &table), "(stdin)");
    for (int i = first; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            fprintf(stderr, "wordcount: %s: %s\n", argv[i], strerror(errno));
            status = 1;
            continue;
        }
        report(count(file, &table), argv[i]);
        fclose(file);
    }
    qsort(table.entries, table.capacity, sizeof *table.entries, by_count);
    for (size_t i = 0; i < table.used && i < shown; i++)
        printf("%8lu %s\n", table.entries[i].count, table.entries[i].word);
    return status;
}
