/* The process that sends messages to the server under test and waits for them to come back. */
#ifndef CLIENT_H
#define CLIENT_H

#include "bench.h"

#include <netinet/in.h>
#include <sys/types.h>

struct bench_client {
    size_t connections, message_size;
    int first_alone; /* the first one gets one message back before the others connect, and no more */
    int listener; /* made here, for the server: bound, listening, non-blocking */
    struct sockaddr_in address;
    pid_t process;
};

/* Listens, then forks the client, which connects at once. Set the first two or three fields. To be
 * called before the loop exists, so that the server's process time is the server's alone. */
void bench_client_start(struct bench_client *client);
void bench_client_stop(struct bench_client *client);

void bench_no_delay(int fd);

#endif
