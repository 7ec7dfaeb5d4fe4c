/* A C library's descriptors on the loop: hiredis, by its asynchronous interface.
 * Knows nothing of Python, which reaches it by ctypes. Links to coloop. */
#include <coloop/adapters/hiredis.h>
#include <stdlib.h>

/* What a reply brings: its number, and NULL or the text of what went wrong. */
typedef void (*redis_reply_t)(long long value, const char *error, void *data);

/* Connects to the UNIX socket `path`, on `loop`; NULL if that cannot be begun. */
redisAsyncContext *redis_link_open(loop_t *loop, const char *path) {
    redisAsyncContext *context = redisAsyncConnectUnix(path);
    if (context != NULL && coloop_hiredis_attach(loop, context) == 0) return context;
    if (context != NULL) redisAsyncFree(context);
    return NULL;
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
