/* Sockets that block, which nobody can ask, and no call can be told not to wait. */
#include <stdlib.h>
#include <sys/socket.h>
#include <windows.h>
#include "../test.h"

static void *result_of(loop_t *loop, loop_future_t *future) {
    void *result = NULL;
    CHECK_INT(loop_run_until_complete(loop, future, &result), 0);
    return result;
}

TEST(windows_sockets_that_block_do_not_hold_the_loop_up) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_INT(loop_sock_recv(loop, pair[0], 1, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(send(pair[1], "x", 1, 0), 1);
    CHECK_INT(((loop_received_t *)result_of(loop, future))->length, 1);
    loop_future_unref(future);

    /* More than any connection takes that nobody reads. */
    size_t much = 64 << 20;
    char *bytes = calloc(1, much);
    CHECK(bytes != NULL);
    CHECK_INT(loop_sock_sendall(loop, pair[1], bytes, much, bytes, free, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    loop_future_unref(future);
    loop_unref(loop);
    closesocket((SOCKET)pair[0]);
    closesocket((SOCKET)pair[1]);
}
