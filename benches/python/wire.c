/* Sockets of four kinds, and TLS by OpenSSL over one of them. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_socket(enum kind kind, const char *address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET};
    struct sockaddr *peer = (struct sockaddr *)&inet;
    socklen_t length = sizeof inet;
    int on = 1;
    if (kind == UNIX) {
        strncpy(local.sun_path, address, sizeof local.sun_path - 1);
        peer = (struct sockaddr *)&local;
        length = sizeof local;
    }
    inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet.sin_port = htons((uint16_t)atoi(address));
    int type = kind == UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(peer->sa_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, peer, length) != 0)
        die("connect");
    if (kind == TCP || kind == TLS)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static SSL *open_tls(int fd)
{
    static SSL_CTX *context;
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        if (!context)
            die("SSL_CTX_new");
        /* The certificate is one that the benchmark made for itself. */
        SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    SSL *tls = SSL_new(context);
    if (!tls || !SSL_set_fd(tls, fd) || SSL_connect(tls) != 1) {
        ERR_print_errors_fp(stderr);
        die("SSL_connect");
    }
    return tls;
}

void wire_open(struct wire *wire, enum kind kind, const char *address)
{
    wire->fd = open_socket(kind, address);
    wire->tls = kind == TLS ? open_tls(wire->fd) : NULL;
    fcntl(wire->fd, F_SETFL, fcntl(wire->fd, F_GETFL) | O_NONBLOCK);
}

static ssize_t tls_moved(SSL *tls, int result, int *waits_to_write)
{
    if (result > 0)
        return result;
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *waits_to_write = 1;
        break;
    case SSL_ERROR_WANT_READ:
        break;
    default:
        ERR_print_errors_fp(stderr);
        die("TLS");
    }
    errno = EAGAIN;
    return -1;
}

static ssize_t moved(ssize_t result, int writing, int *waits_to_write)
{
    if (result >= 0)
        return result;
    if (errno != EAGAIN)
        die(writing ? "send" : "recv");
    *waits_to_write = writing;
    return -1;
}

ssize_t wire_send(struct wire *wire, const void *data, size_t size, int *waits_to_write)
{
    if (wire->tls)
        return tls_moved(wire->tls, SSL_write(wire->tls, data, (int)size), waits_to_write);
    return moved(send(wire->fd, data, size, MSG_NOSIGNAL), 1, waits_to_write);
}

ssize_t wire_receive(struct wire *wire, void *data, size_t size, int *waits_to_write)
{
    if (wire->tls)
        return tls_moved(wire->tls, SSL_read(wire->tls, data, (int)size), waits_to_write);
    return moved(recv(wire->fd, data, size, 0), 0, waits_to_write);
}
