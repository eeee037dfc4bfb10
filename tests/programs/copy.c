/* Copies stdin, or a file, to stdout or another file: copy [SIZE OF BUFFER [FROM TO]]. */

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    size_t size = argc > 1 ? (size_t)atol(argv[1]) : 1 << 17;
    int in = argc > 2 ? open(argv[2], O_RDONLY) : 0;
    int out = argc > 3 ? open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0666) : 1;
    /* At the start of a page, as dd has it: the kernel copies faster to there. */
    char *buffer = aligned_alloc(4096, size);
    if (in < 0 || out < 0 || !buffer)
        return 2;
    for (;;) {
        ssize_t got = read(in, buffer, size);
        if (got <= 0)
            return got < 0;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(out, buffer + done, (size_t)(got - done));
            if (put < 0)
                return 1;
            done += put;
        }
    }
}
