/* uv_tcp_t. Writes are tried at once with uv_try_write; uv_write takes what is left, with a
 * copy, because the read buffer is one for all connections. */
#include <uv.h>

#include <stdlib.h>
#include <string.h>

struct uv_rest {
    uv_write_t request; /* first: the callback gets its address */
    char bytes[];
};

static uv_loop_t uv_server_loop;
static uv_tcp_t *uv_connections;
static size_t uv_accepted;
static char uv_inbox[STREAM_CHUNK];

static void uv_give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(uv_inbox, sizeof uv_inbox);
}

static void uv_rest_sent(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void uv_on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    if (got <= 0)
        return;
    uv_buf_t out = uv_buf_init(buffer->base, (unsigned)got);
    int sent = uv_try_write(stream, &out, 1);
    if (sent != (int)got) {
        size_t skip = sent < 0 ? 0 : (size_t)sent, length = (size_t)got - skip;
        struct uv_rest *rest = malloc(sizeof *rest + length);
        memcpy(rest->bytes, buffer->base + skip, length);
        out = uv_buf_init(rest->bytes, (unsigned)length);
        b_uv(uv_write(&rest->request, stream, &out, 1, uv_rest_sent));
    }
    if (stream_received((size_t)got))
        uv_stop(&uv_server_loop);
}

static void uv_on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *tcp = &uv_connections[uv_accepted++];
    b_uv(status);
    b_uv(uv_tcp_init(&uv_server_loop, tcp));
    b_uv(uv_accept(server, (uv_stream_t *)tcp));
    b_uv(uv_tcp_nodelay(tcp, 1));
    b_uv(uv_read_start((uv_stream_t *)tcp, uv_give_buffer, uv_on_read));
}

static void b_stream_serve(int listener, size_t connections)
{
    static uv_tcp_t server;
    uv_connections = bench_alloc(connections, sizeof *uv_connections);
    b_uv(uv_loop_init(&uv_server_loop));
    b_uv(uv_tcp_init(&uv_server_loop, &server));
    b_uv(uv_tcp_open(&server, listener));
    b_uv(uv_listen((uv_stream_t *)&server, 1024, uv_on_connection));
    uv_run(&uv_server_loop, UV_RUN_DEFAULT);
}
