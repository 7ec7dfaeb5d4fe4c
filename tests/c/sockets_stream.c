/* loop_sock_recv, _recv_into, _sendall, _accept, _connect on streams. */
#include "sockets.h"
#include <sys/resource.h>

TEST(sock_recv_yields_what_is_there_at_once_and_else_waits) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2];
    tcp_pair(pair);
    CHECK_INT(write(pair[1], "hello", 5), 5);
    CHECK_INT(loop_sock_recv(loop, pair[0], 100, &future), 0);
    loop_received_t *received = result_of(loop, future);
    CHECK_INT(received->length, 5);
    CHECK_INT(memcmp(received->data, "hello", 5), 0);
    CHECK(received->address == NULL && received->address_length == 0);
    loop_future_unref(future);

    CHECK_INT(loop_sock_recv(loop, pair[0], 3, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(write(pair[1], "again", 5), 5);
    received = result_of(loop, future);
    CHECK_INT(received->length, 3);
    CHECK_INT(memcmp(received->data, "aga", 3), 0);
    loop_future_unref(future);
    /* The rest is still there; nothing is watched any more. */
    CHECK_INT(loop_remove_reader(loop, pair[0]), 0);
    char rest[8];
    CHECK_INT(loop_sock_recv_into(loop, pair[0], rest, sizeof rest, &future), 0);
    CHECK_INT(loop_future_done(future), 1);
    CHECK_INT(number_of(loop, future), 2);
    CHECK_INT(memcmp(rest, "in", 2), 0);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(sock_recv_yields_nothing_at_the_end_and_fails_after_a_reset) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2];
    char byte;
    tcp_pair(pair);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &future), 0);
    CHECK_INT(shutdown(pair[1], SHUT_WR), 0);
    CHECK_INT(((loop_received_t *)result_of(loop, future))->length, 0);
    loop_future_unref(future);
    CHECK_INT(loop_sock_recv_into(loop, pair[0], &byte, 1, &future), 0);
    CHECK_INT(number_of(loop, future), 0);
    close(pair[0]);
    close(pair[1]);

    tcp_pair(pair);
    struct linger hard = {1, 0};
    CHECK_INT(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    CHECK_INT(loop_sock_recv(loop, pair[0], 10, &future), 0);
    CHECK_INT(loop_future_done(future), 0);
    close(pair[1]);
    CHECK_INT(failure_of(loop, future), -ECONNRESET);
    CHECK_STR(loop_last_error(), "Connection reset by peer");
    close(pair[0]);
    loop_unref(loop);
}

struct big {
    char *bytes;
    int destroyed;
};

enum { BIG = 1 << 20 };

static void big_destroyed(void *data) {
    struct big *big = data;
    free(big->bytes);
    big->bytes = NULL;
    big->destroyed++;
}

static struct big make_big(void) {
    struct big big = {malloc(BIG), 0};
    CHECK(big.bytes != NULL);
    for (int i = 0; i < BIG; i++)
        big.bytes[i] = (char)(i * 31 + i / 4096);
    return big;
}

TEST(sock_sendall_sends_a_megabyte_to_a_slow_reader) {
    loop_t *loop = loop_new();
    loop_future_t *sending, *receiving;
    int pair[2];
    tcp_pair(pair);
    struct big big = make_big(), copy = make_big();
    CHECK_INT(loop_sock_sendall(loop, pair[0], big.bytes, BIG, &big, big_destroyed, &sending), 0);
    long got = 0;
    int turns = 0;
    while (got < BIG) {
        CHECK_INT(loop_sock_recv(loop, pair[1], 50000, &receiving), 0);
        loop_received_t *received = result_of(loop, receiving);
        CHECK(received->length > 0);
        CHECK_INT(memcmp(received->data, copy.bytes + got, received->length), 0);
        got += (long)received->length;
        loop_future_unref(receiving);
        turns++;
    }
    CHECK(turns >= BIG / 50000);
    CHECK_INT(number_of(loop, sending), 0);
    CHECK_INT(big.destroyed, 1);
    CHECK_INT(got, BIG);
    CHECK_INT(loop_remove_writer(loop, pair[0]), 0);
    free(copy.bytes);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(sock_sendall_that_fits_gives_its_data_back_before_it_returns) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2], destroyed = 0;
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "abc", 3, &destroyed, count, &future), 0);
    CHECK_INT(destroyed, 1);
    CHECK_INT(loop_future_done(future), 1);
    CHECK_INT(number_of(loop, future), 0);
    CHECK_INT(loop_sock_sendall(loop, pair[0], NULL, 0, &destroyed, count, &future), 0);
    CHECK_INT(number_of(loop, future), 0);
    CHECK_INT(destroyed, 2);
    close(pair[0]);
    close(pair[1]);
    loop_unref(loop);
}

TEST(sock_sendall_to_nobody_fails_without_a_signal) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    int pair[2], destroyed = 0;
    unix_pair(SOCK_STREAM, pair);
    close(pair[1]);
    CHECK_INT(loop_sock_sendall(loop, pair[0], "abc", 3, &destroyed, count, &future), 0);
    CHECK_INT(failure_of(loop, future), -EPIPE);
    CHECK_INT(destroyed, 1);
    close(pair[0]);
    /* And in the middle. */
    struct big big = make_big();
    unix_pair(SOCK_STREAM, pair);
    CHECK_INT(loop_sock_sendall(loop, pair[0], big.bytes, BIG, &big, big_destroyed, &future), 0);
    CHECK_INT(loop_run_once(loop, 0), 0);
    CHECK_INT(big.destroyed, 0);
    close(pair[1]);
    CHECK_INT(failure_of(loop, future), -EPIPE);
    CHECK_INT(big.destroyed, 1);
    close(pair[0]);
    loop_unref(loop);
}

TEST(sock_accept_and_connect_meet) {
    loop_t *loop = loop_new();
    loop_future_t *accepting, *connecting;
    struct sockaddr_in address, mine;
    socklen_t length = sizeof mine;
    int listener = listening(&address), client = tcp_socket(), before = open_fds();
    CHECK_INT(loop_sock_accept(loop, listener, &accepting), 0);
    CHECK_INT(loop_future_done(accepting), 0);
    CHECK_INT(loop_sock_connect(loop, client, &address, sizeof address, &connecting), 0);
    CHECK_INT(number_of(loop, connecting), 0);
    loop_accepted_t *accepted = result_of(loop, accepting);
    CHECK_INT(getsockname(client, (struct sockaddr *)&mine, &length), 0);
    CHECK_INT(accepted->address_length, sizeof mine);
    CHECK_INT(memcmp(accepted->address, &mine, sizeof mine), 0);
    CHECK_INT(fcntl(accepted->fd, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(accepted->fd, F_GETFL) & O_NONBLOCK);
    int fd = loop_accepted_take(accepted);
    CHECK(fd >= 0);
    CHECK_INT(accepted->fd, -1);
    CHECK_INT(loop_accepted_take(accepted), LOOP_EINVALID_STATE);
    CHECK_INT(loop_accepted_take(NULL), LOOP_EINVAL);
    loop_future_unref(accepting);
    CHECK_INT(write(fd, "x", 1), 1);
    close(fd);

    /* What nobody takes is closed with its future. */
    int second = tcp_socket();
    CHECK_INT(loop_sock_connect(loop, second, &address, sizeof address, &connecting), 0);
    CHECK_INT(number_of(loop, connecting), 0);
    CHECK_INT(loop_sock_accept(loop, listener, &accepting), 0);
    accepted = result_of(loop, accepting);
    fd = accepted->fd;
    CHECK(fcntl(fd, F_GETFD) >= 0);
    loop_future_unref(accepting);
    CHECK_INT(fcntl(fd, F_GETFD), -1);
    close(second);
    CHECK(open_fds() >= before);
    loop_unref(loop);
    CHECK_INT(open_fds(), before);
    close(client);
    close(listener);
}

TEST(sock_accept_without_descriptors_fails_and_the_connection_waits) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    struct sockaddr_in address;
    int listener = listening(&address), client = tcp_socket();
    CHECK_INT(loop_sock_accept(loop, listener, &future), 0);
    struct rlimit limit;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int lowest = dup(0);
    CHECK(lowest >= 0);
    close(lowest);
    struct rlimit none = {(rlim_t)lowest, limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0 ||
          errno == EINPROGRESS);
    CHECK_INT(failure_of(loop, future), -EMFILE);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    if (in_valgrind()) { /* which plays the limit, and has closed the connection */
        close(client);
        client = tcp_socket();
        CHECK(connect(client, (struct sockaddr *)&address, sizeof address) == 0 ||
              errno == EINPROGRESS);
    }
    CHECK_INT(loop_sock_accept(loop, listener, &future), 0);
    CHECK(((loop_accepted_t *)result_of(loop, future))->fd >= 0);
    loop_future_unref(future);
    close(client);
    close(listener);
    loop_unref(loop);
}

TEST(sock_connect_tells_of_refusal) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    struct sockaddr_in address;
    close(listening(&address));
    int client = tcp_socket();
    CHECK_INT(loop_sock_connect(loop, client, &address, sizeof address, &future), 0);
    CHECK_INT(failure_of(loop, future), -ECONNREFUSED);
    CHECK_INT(loop_remove_writer(loop, client), 0);
    close(client);
    if (!ON_WINDOWS) { /* Local sockets answer at once. */
        struct sockaddr_un nobody = {AF_UNIX, "/nobody/listens/here"};
        client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK_INT(loop_sock_connect(loop, client, &nobody, sizeof nobody, &future), 0);
        CHECK_INT(loop_future_done(future), 1);
        CHECK_INT(failure_of(loop, future), -ENOENT);
        close(client);
    }
    loop_unref(loop);
}

TEST(sock_connect_to_a_full_local_queue_does_not_pretend) {
    loop_t *loop = loop_new();
    loop_future_t *future;
    struct sockaddr_un address = {AF_UNIX, ""};
    socklen_t length = sizeof(sa_family_t);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, length), 0); /* a name of the kernel's */
    CHECK_INT(listen(listener, 0), 0);
    length = sizeof address;
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    int clients[8], code = 0, made = 0;
    while (code == 0 && made < 8) {
        clients[made] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        CHECK_INT(loop_sock_connect(loop, clients[made], &address, length, &future), 0);
        CHECK_INT(loop_future_done(future), 1);
        code = loop_future_result(future, NULL);
        loop_future_unref(future);
        made++;
    }
    CHECK_INT(code, -EAGAIN);
    CHECK(made > 1);
    while (made > 0)
        close(clients[--made]);
    close(listener);
    loop_unref(loop);
}
