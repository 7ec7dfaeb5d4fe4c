/* One end of a conversation with a program that knows nothing of coloop:
 *
 *   peer serve tcp HOST        an echo server; prints its port
 *   peer serve unix PATH
 *   peer http HOST             answers GET /bytes/N by HTTP/1.0; prints its port
 *   peer connect tcp HOST PORT sends its input, prints what comes until the end
 *   peer connect unix PATH
 *   peer udp HOST              echoes datagrams; prints its port
 *   peer datagrams PATH        the same on a UNIX socket
 *   peer ask HOST PORT TEXT    sends a datagram, prints the answer
 *   peer tell PATH OWN TEXT    the same on UNIX sockets
 *
 * Servers end with their input. */
#include <coloop.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static loop_t *loop;
static loop_transport_t *connection;

static void check(int code, const char *what) {
    if (code < 0) {
        fprintf(stderr, "%s: %d %s\n", what, code, loop_last_error());
        exit(3);
    }
}

static void end(void *unused) {
    (void)unused;
    loop_stop(loop);
}

/* Is something there to be read that is not the end? */
static void watch_input(void *unused) {
    char bytes[65536];
    ssize_t length = read(0, bytes, sizeof bytes);
    (void)unused;
    if (length > 0 && connection != NULL) {
        check(loop_transport_write(connection, bytes, (size_t)length), "write");
        return;
    }
    if (length > 0)
        return;
    loop_remove_reader(loop, 0);
    if (connection != NULL)
        check(loop_transport_write_eof(connection), "write_eof");
    else
        end(NULL);
}

static void *await(loop_future_t *future) {
    void *result = NULL;
    check(loop_run_until_complete(loop, future, &result), "run");
    return result;
}

/* Echo. */

static void echo(loop_transport_t *transport, const void *data, size_t length, void *unused) {
    (void)unused;
    check(loop_transport_write(transport, data, length), "write");
}

static void echo_pause(loop_transport_t *transport, void *unused) {
    (void)unused;
    check(loop_transport_pause_reading(transport), "pause");
}

static void echo_resume(loop_transport_t *transport, void *unused) {
    (void)unused;
    check(loop_transport_resume_reading(transport), "resume");
}

static const loop_protocol_t echo_protocol = {
    .size = sizeof(loop_protocol_t),
    .data_received = echo,
    .pause_writing = echo_pause,
    .resume_writing = echo_resume,
};

static int make_echo(loop_t *of, void *unused, const loop_protocol_t **protocol, void **data,
                     loop_destroy_t *destroy) {
    (void)of, (void)unused, (void)data, (void)destroy;
    *protocol = &echo_protocol;
    return 0;
}

/* HTTP/1.0, as far as curl looks. */

struct request {
    size_t length;
    char text[8192];
};

static void answer(loop_transport_t *transport, const void *data, size_t length, void *user_data) {
    struct request *request = user_data;
    if (length >= sizeof request->text - request->length)
        length = sizeof request->text - request->length - 1;
    memcpy(request->text + request->length, data, length);
    request->length += length;
    request->text[request->length] = '\0';
    if (strstr(request->text, "\r\n\r\n") == NULL)
        return;
    unsigned long size = 0;
    const char *status = "200 OK";
    if (sscanf(request->text, "GET /bytes/%lu ", &size) != 1)
        status = "404 Not Found";
    char head[128];
    int head_length = snprintf(head, sizeof head, "HTTP/1.0 %s\r\nContent-Length: %lu\r\n\r\n",
                               status, size);
    check(loop_transport_write(transport, head, (size_t)head_length), "write");
    char *body = malloc(size + 1);
    for (unsigned long i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    check(loop_transport_write_owned(transport, body, size, body, free), "write");
    check(loop_transport_close(transport), "close");
}

static const loop_protocol_t http_protocol = {
    .size = sizeof(loop_protocol_t),
    .data_received = answer,
};

static int make_http(loop_t *of, void *unused, const loop_protocol_t **protocol, void **data,
                     loop_destroy_t *destroy) {
    (void)of, (void)unused;
    *protocol = &http_protocol;
    *data = calloc(1, sizeof(struct request));
    *destroy = free;
    return 0;
}

static void print_port(const struct sockaddr_storage *address) {
    printf("%d\n", ntohs(address->ss_family == AF_INET6
                             ? ((const struct sockaddr_in6 *)address)->sin6_port
                             : ((const struct sockaddr_in *)address)->sin_port));
    fflush(stdout);
}

static int serve(const char *host, const char *path, loop_protocol_factory_t factory) {
    loop_future_t *future = NULL;
    loop_server_options_t options = {.size = sizeof options, .host = host};
    if (path != NULL)
        check(loop_create_unix_server(loop, path, 0, 0, factory, NULL, NULL, &future), "create");
    else
        check(loop_create_server(loop, &options, factory, NULL, NULL, &future), "create");
    loop_server_t *server = await(future);
    struct sockaddr_storage address;
    memset(&address, 0, sizeof address);
    check(loop_server_get_address(server, 0, &address, sizeof address), "address");
    if (path != NULL) {
        puts("ready");
        fflush(stdout);
    } else {
        print_port(&address);
    }
    check(loop_add_reader(loop, 0, watch_input, NULL, NULL), "input");
    check(loop_run_forever(loop), "run");
    check(loop_server_close(server), "close");
    loop_future_unref(future);
    return 0;
}

/* Outgoing. */

static void print_data(loop_transport_t *transport, const void *data, size_t length, void *unused) {
    (void)transport, (void)unused;
    fwrite(data, 1, length, stdout);
    fflush(stdout);
}

static int at_eof(loop_transport_t *transport, void *unused) {
    (void)transport, (void)unused;
    return 0;
}

static void lost(loop_transport_t *transport, int code, const char *message, void *status) {
    (void)transport;
    if (code != 0) {
        fprintf(stderr, "lost: %d %s\n", code, message == NULL ? "" : message);
        *(int *)status = 4;
    }
    connection = NULL;
    loop_stop(loop);
}

static const loop_protocol_t print_protocol = {
    .size = sizeof(loop_protocol_t),
    .data_received = print_data,
    .eof_received = at_eof,
    .connection_lost = lost,
};

static int talk(const char *host, const char *port, const char *path) {
    loop_future_t *future = NULL;
    int status = 0;
    loop_connection_options_t options = {.size = sizeof options, .host = host};
    if (path != NULL) {
        check(loop_create_unix_connection(loop, path, &print_protocol, &status, NULL, &future),
              "create");
    } else {
        options.port = (uint16_t)atoi(port);
        options.happy_eyeballs_delay_ns = 250 * 1000000;
        check(loop_create_connection(loop, &options, &print_protocol, &status, NULL, &future),
              "create");
    }
    connection = await(future);
    check(loop_add_reader(loop, 0, watch_input, NULL, NULL), "input");
    check(loop_run_forever(loop), "run");
    loop_future_unref(future);
    return status;
}

/* Datagrams. */

static void echo_datagram(loop_transport_t *transport, const void *data, size_t length,
                          const void *address, size_t address_length, void *unused) {
    (void)unused;
    if (address != NULL)
        check(loop_transport_sendto(transport, data, length, address, address_length), "sendto");
}

static void print_datagram(loop_transport_t *transport, const void *data, size_t length,
                           const void *address, size_t address_length, void *unused) {
    (void)transport, (void)address, (void)address_length, (void)unused;
    fwrite(data, 1, length, stdout);
    end(NULL);
}

static int datagrams(loop_datagram_options_t *options, const char *text) {
    loop_future_t *future = NULL;
    const loop_datagram_protocol_t protocol = {
        .size = sizeof protocol,
        .datagram_received = text == NULL ? echo_datagram : print_datagram,
    };
    options->size = sizeof *options;
    check(loop_create_datagram_endpoint(loop, options, &protocol, NULL, NULL, &future), "create");
    loop_transport_t *transport = await(future);
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    check(getsockname(loop_transport_get_fd(transport), (struct sockaddr *)&address, &length),
          "getsockname");
    if (text != NULL) {
        check(loop_transport_sendto(transport, text, strlen(text), NULL, 0), "sendto");
        check(loop_call_later(loop, 10000000000, end, NULL, NULL, NULL), "later");
    } else {
        print_port(&address);
        check(loop_add_reader(loop, 0, watch_input, NULL, NULL), "input");
    }
    check(loop_run_forever(loop), "run");
    loop_future_unref(future);
    return 0;
}

static int act(char **words, int count) {
    loop_datagram_options_t options;
    memset(&options, 0, sizeof options);
    const char *verb = count > 1 ? words[1] : "";
    if (count == 4 && strcmp(verb, "serve") == 0) {
        int is_unix = strcmp(words[2], "unix") == 0;
        return serve(is_unix ? NULL : words[3], is_unix ? words[3] : NULL, make_echo);
    }
    if (count == 3 && strcmp(verb, "http") == 0)
        return serve(words[2], NULL, make_http);
    if (count == 5 && strcmp(verb, "connect") == 0)
        return talk(words[3], words[4], NULL);
    if (count == 4 && strcmp(verb, "connect") == 0)
        return talk(NULL, NULL, words[3]);
    if (count == 3 && strcmp(verb, "udp") == 0) {
        options.local_host = words[2];
        return datagrams(&options, NULL);
    }
    if (count == 3 && strcmp(verb, "datagrams") == 0) {
        options.local_path = words[2];
        return datagrams(&options, NULL);
    }
    if (count == 5 && strcmp(verb, "ask") == 0) {
        options.remote_host = words[2];
        options.remote_port = (uint16_t)atoi(words[3]);
        return datagrams(&options, words[4]);
    }
    if (count == 5 && strcmp(verb, "tell") == 0) {
        options.remote_path = words[2];
        options.local_path = words[3];
        return datagrams(&options, words[4]);
    }
    fprintf(stderr, "see peer.c\n");
    return 2;
}

int main(int count, char **words) {
    loop = loop_new();
    int status = act(words, count);
    check(loop_close(loop), "close");
    loop_unref(loop);
    return status;
}
