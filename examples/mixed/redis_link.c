/* A C library's descriptors on the loop: hiredis, by its asynchronous interface.
 * Knows nothing of Python, which reaches it by ctypes. Links to coloop. */
#include <coloop.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

/* What a reply brings: its number, and NULL or the text of what went wrong. */
typedef void (*redis_reply_t)(long long value, const char *error, void *data);

typedef struct {
    redisAsyncContext *context;
    loop_t *loop;
    int fd;
    int reading, writing;
} Link;

static void on_readable(void *data) { redisAsyncHandleRead(((Link *)data)->context); }

static void on_writable(void *data) { redisAsyncHandleWrite(((Link *)data)->context); }

static void add_read(void *data) {
    Link *link = data;
    if (!link->reading) link->reading = loop_add_reader(link->loop, link->fd, on_readable, link, NULL) == 0;
}

static void add_write(void *data) {
    Link *link = data;
    if (!link->writing) link->writing = loop_add_writer(link->loop, link->fd, on_writable, link, NULL) == 0;
}

static void del_read(void *data) {
    Link *link = data;
    if (link->reading) loop_remove_reader(link->loop, link->fd);
    link->reading = 0;
}

static void del_write(void *data) {
    Link *link = data;
    if (link->writing) loop_remove_writer(link->loop, link->fd);
    link->writing = 0;
}

/* hiredis calls it last. */
static void cleanup(void *data) {
    Link *link = data;
    del_read(link);
    del_write(link);
    loop_unref(link->loop);
    free(link);
}

/* Connects to the UNIX socket `path`, on `loop`; NULL if that cannot be begun. */
redisAsyncContext *redis_link_open(loop_t *loop, const char *path) {
    redisAsyncContext *context = redisAsyncConnectUnix(path);
    Link *link = calloc(1, sizeof *link);
    if (!context || context->err || !link) {
        if (context) redisAsyncFree(context);
        free(link);
        return NULL;
    }
    *link = (Link){.context = context, .loop = loop_ref(loop), .fd = context->c.fd};
    context->ev.data = link;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    return context;
}

typedef struct {
    redis_reply_t reply;
    void *data;
} Waiting;

static void on_reply(redisAsyncContext *context, void *given, void *data) {
    Waiting *waiting = data;
    redisReply *reply = given;
    if (reply && reply->type == REDIS_REPLY_INTEGER)
        waiting->reply(reply->integer, NULL, waiting->data);
    else
        waiting->reply(0, reply && reply->str ? reply->str : context->errstr ? context->errstr : "no number",
                       waiting->data);
    free(waiting);
}

/* INCR key: `reply` is called once, on the loop's thread, if this returns 0. */
int redis_link_increment(redisAsyncContext *context, const char *key, redis_reply_t reply, void *data) {
    Waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) return -1;
    *waiting = (Waiting){reply, data};
    if (redisAsyncCommand(context, on_reply, waiting, "INCR %s", key) == REDIS_OK) return 0;
    free(waiting);
    return -1;
}

/* Ends the connection after the replies that are due. */
void redis_link_close(redisAsyncContext *context) { redisAsyncDisconnect(context); }
