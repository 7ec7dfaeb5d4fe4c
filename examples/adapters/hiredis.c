/* Redis commands on a loop: hiredis SOCKET-PATH
 *
 * Output:
 * connected
 * the counter is 1
 * the counter is 2
 * the counter is 3
 * disconnected
 */
#include <coloop/adapters/hiredis.h>
#include <signal.h>
#include <stdio.h>

static void on_connect(const redisAsyncContext *context, int status) {
    puts(status == REDIS_OK ? "connected" : context->errstr);
}

/* hiredis frees the context after this, also when the connection was lost. */
static void on_disconnect(const redisAsyncContext *context, int status) {
    puts(status == REDIS_OK ? "disconnected" : context->errstr);
    loop_stop(context->data);
}

static void on_counter(redisAsyncContext *context, void *given, void *data) {
    const redisReply *reply = given;
    (void)context;
    (void)data;
    if (reply == NULL)
        return; /* the connection was lost: on_disconnect tells why */
    if (reply->type == REDIS_REPLY_INTEGER)
        printf("the counter is %lld\n", reply->integer);
    else
        printf("refused: %s\n", reply->str);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* hiredis writes without MSG_NOSIGNAL */
    loop_t *loop = loop_new();
    redisAsyncContext *context = redisAsyncConnectUnix(argc > 1 ? argv[1] : "/run/redis/redis.sock");
    if (loop == NULL || context == NULL || context->err != 0 || coloop_hiredis_attach(loop, context) < 0) {
        fprintf(stderr, "cannot connect: %s\n", context != NULL && context->err ? context->errstr : loop_last_error());
        return 1;
    }
    context->data = loop;
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    redisAsyncCommand(context, NULL, NULL, "DEL example:counter");
    for (int i = 0; i < 3; i++)
        redisAsyncCommand(context, on_counter, NULL, "INCR example:counter");
    redisAsyncDisconnect(context); /* after the replies */
    loop_run_forever(loop);
    loop_close(loop);
    loop_unref(loop);
    return 0;
}
