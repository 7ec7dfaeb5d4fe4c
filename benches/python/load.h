/* The connections of load.c: plain or TLS, with the same calls. */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <sys/types.h>

enum kind { TCP, UNIX, UDP, TLS };

struct wire {
    int fd;
    void *tls; /* SSL *, or NULL */
};

/* Connects, and ends the process with a message if it cannot. The descriptor does
 * not block afterwards. */
void wire_open(struct wire *wire, enum kind kind, const char *address);

/* Bytes moved; 0: the other side closed; -1: nothing now, errno is EAGAIN, and *waits_to_write says
 * whether room to write is what is waited for. Other errors end the process. */
ssize_t wire_send(struct wire *wire, const void *data, size_t size, int *waits_to_write);
ssize_t wire_receive(struct wire *wire, void *data, size_t size, int *waits_to_write);

_Noreturn void die(const char *what);

#endif
