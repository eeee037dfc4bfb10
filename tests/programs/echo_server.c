/* A server: accepts connections from the socket that it is given, answers each line in capitals, ends on "quit". */

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int serve(int connection)
{
    char buffer[1024];
    ssize_t got;
    while ((got = recv(connection, buffer, sizeof buffer, 0)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            buffer[i] = (char)toupper((unsigned char)buffer[i]);
        for (ssize_t done = 0; done < got;) {
            ssize_t sent = send(connection, buffer + done, (size_t)(got - done), 0);
            if (sent < 0) {
                perror("send");
                return 1;
            }
            done += sent;
        }
        if (got >= 5 && memcmp(buffer, "QUIT\n", 5) == 0) {
            shutdown(connection, SHUT_RDWR);
            return 1;
        }
    }
    if (got < 0)
        perror("recv");
    return 0;
}

int main(int argc, char **argv)
{
    int listener = argc > 1 ? atoi(argv[1]) : 3;
    for (int number = 1;; number++) {
        struct pollfd waiting = {.fd = listener, .events = POLLRDNORM};
        if (poll(&waiting, 1, 10000) != 1) {
            printf("nobody comes\n");
            return 2;
        }
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            perror("accept");
            return 3;
        }
        int end = serve(connection);
        close(connection);
        printf("connection %d\n", number);
        fflush(stdout);
        if (end)
            return 0;
    }
}
