/* Stream transports: their life and what they tell their protocols. */
#include "transport.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>

TEST(transport_echoes_and_tells_made_data_end_lost_in_this_order) {
    loop_t *loop = loop_new();
    struct peer peer = {.echoes = 1};
    char bytes[8] = {0};
    int fds = open_fds(), other = peer_open(&peer, loop);
    CHECK_STR(peer.log.text, "");
    settle(loop);
    CHECK_STR(peer.log.text, "m");
    CHECK_INT(write(other, "hello", 5), 5);
    settle(loop);
    CHECK_INT(read(other, bytes, sizeof bytes), 5);
    CHECK_STR(bytes, "hello");
    CHECK_INT(shutdown(other, SHUT_WR), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "mdelD");
    CHECK_INT(peer.code, 0);
    CHECK_INT(read(other, bytes, sizeof bytes), 0);
    close(other);
    loop_unref(loop);
    CHECK_INT(open_fds(), fds);
}

static void check_connected(loop_t *loop, int one, int two) {
    struct peer peer = {.loop = loop};
    struct sockaddr_storage address, expected;
    size_t length = sizeof address;
    socklen_t expected_length = sizeof expected;
    loop_transport_t *transport = NULL;
    int on = 0;
    socklen_t size = sizeof on;
    void *value = NULL;
    CHECK_INT(loop_connect_accepted_socket(loop, one, &peer_protocol, &peer, peer_destroy,
                                           &transport), 0);
    CHECK(loop_transport_get_loop(transport) == loop);
    CHECK_INT(loop_transport_get_fd(transport), one);
    CHECK_INT(loop_transport_get_extra_info(transport, "socket", &value), 0);
    CHECK_INT((intptr_t)value, one);
    CHECK_INT(loop_transport_get_extra_info(transport, "pipe", &value), LOOP_EINVAL);
    CHECK(fcntl(one, F_GETFL) & O_NONBLOCK);
    CHECK_INT(getsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, &size), 0);
    CHECK(on != 0);
    CHECK_INT(loop_transport_get_peername(transport, &address, &length), 0);
    CHECK_INT(getpeername(one, (struct sockaddr *)&expected, &expected_length), 0);
    CHECK_INT(length, expected_length);
    CHECK(memcmp(&address, &expected, length) == 0);
    length = 2;
    CHECK_INT(loop_transport_get_sockname(transport, &address, &length), 0);
    CHECK_INT(length, expected_length);
    CHECK_INT(address.ss_family, AF_INET);
    CHECK_INT(loop_transport_get_sockname(transport, NULL, &length), LOOP_EINVAL);
    settle(loop);
    CHECK_INT(loop_transport_close(transport), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "mlD");
    CHECK_INT(loop_transport_get_fd(transport), -EBADF);
    CHECK_INT(loop_transport_get_peername(transport, &address, &length), -EBADF);
    CHECK(loop_transport_get_protocol(transport) == NULL);
    CHECK_INT(loop_transport_is_closing(transport), 1);
    CHECK_INT(loop_transport_is_reading(transport), 0);
    loop_transport_unref(transport);
    close(two);
}

TEST(transport_of_a_tcp_socket_knows_its_addresses_and_does_not_delay) {
    loop_t *loop = loop_new();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client, server;
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_INT(listen(listener, 1), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    server = accept(listener, NULL, NULL);
    CHECK(server >= 0);
    check_connected(loop, server, client);
    close(listener);
    loop_unref(loop);
}

TEST(transport_that_cannot_be_made_leaves_the_descriptor_as_it_was) {
    loop_t *loop = loop_new(), *closed = loop_new();
    int pair[2], ends[2], destroyed = 0, datagram;
    loop_transport_t *transport = (loop_transport_t *)&destroyed;
    loop_protocol_t wrong = {.size = 3};
    CHECK_INT(loop_close(closed), 0);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_INT(pipe(ends), 0);
    datagram = socket(AF_INET, SOCK_DGRAM, 0);
    int files = open_fds();
#define REFUSED(loop, fd, protocol) \
    loop_connect_accepted_socket(loop, fd, protocol, &destroyed, count, &transport)
    CHECK_INT(REFUSED(NULL, pair[0], &peer_protocol), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, -1, &peer_protocol), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, pair[0], NULL), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, pair[0], &wrong), LOOP_EINVAL);
    CHECK_INT(REFUSED(loop, 1000, &peer_protocol), -EBADF);
    CHECK_INT(REFUSED(loop, ON_WINDOWS ? 4000 : ends[0], &peer_protocol),
              ON_WINDOWS ? -EBADF : -ENOTSOCK);
    CHECK_INT(REFUSED(loop, datagram, &peer_protocol), LOOP_EINVAL);
    CHECK_INT(REFUSED(closed, pair[0], &peer_protocol), LOOP_ECLOSED);
    CHECK_INT(destroyed, 8);
    CHECK_INT(loop_connect_read_pipe(loop, 1000, &peer_protocol, &destroyed, count, NULL), -EBADF);
    CHECK_INT(loop_connect_write_pipe(loop, 1000, &peer_protocol, &destroyed, count, NULL), -EBADF);
    CHECK_INT(destroyed, 10);
    CHECK(transport == (loop_transport_t *)&destroyed);
    CHECK_INT(open_fds(), files);
    CHECK(!(fcntl(pair[0], F_GETFL) & O_NONBLOCK));
    loop_unref(closed);
    loop_unref(loop);
    close(pair[0]), close(pair[1]), close(ends[0]), close(ends[1]), close(datagram);
}

TEST(transport_functions_answer_null) {
    size_t size;
    void *value;
    loop_future_t *future;
    CHECK(loop_transport_ref(NULL) == NULL);
    loop_transport_unref(NULL);
    CHECK(loop_transport_get_loop(NULL) == NULL);
    CHECK_INT(loop_transport_write(NULL, "x", 1), LOOP_EINVAL);
    CHECK_INT(loop_transport_writev(NULL, NULL, 1), LOOP_EINVAL);
    CHECK_INT(loop_transport_write_eof(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_can_write_eof(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_close(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_abort(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_fail(NULL, -1, NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_is_closing(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_pause_reading(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_resume_reading(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_is_reading(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_set_write_buffer_limits(NULL, 1, 1), LOOP_EINVAL);
    CHECK_INT(loop_transport_get_write_buffer_size(NULL, &size), LOOP_EINVAL);
    CHECK_INT(loop_transport_get_write_buffer_limits(NULL, &size, &size), LOOP_EINVAL);
    CHECK(loop_transport_get_protocol(NULL) == NULL);
    CHECK_INT(loop_transport_get_fd(NULL), LOOP_EINVAL);
    CHECK_INT(loop_transport_get_extra_info(NULL, "socket", &value), LOOP_EINVAL);
    CHECK_INT(loop_transport_sendfile(NULL, 0, 0, -1, &future), LOOP_EINVAL);
    int destroyed = 0;
    CHECK_INT(loop_transport_write_owned(NULL, "x", 1, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(loop_transport_set_protocol(NULL, &peer_protocol, &destroyed, count), LOOP_EINVAL);
    CHECK_INT(destroyed, 2);
}

struct elsewhere {
    loop_transport_t *transport;
    loop_t *loop;
};

static void stay(void *semaphore) {
    (void)semaphore;
    sleep_ns(50 * MS);
}

static void *from_elsewhere(void *data) {
    struct elsewhere *elsewhere = data;
    loop_transport_t *transport = elsewhere->transport;
    while (!loop_is_running(elsewhere->loop))
        sleep_ns(MS);
    CHECK_INT(loop_transport_write(transport, "x", 1), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_transport_close(transport), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_transport_abort(transport), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_transport_is_closing(transport), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_transport_pause_reading(transport), LOOP_EWRONG_THREAD);
    CHECK_INT(loop_transport_get_fd(transport), LOOP_EWRONG_THREAD);
    CHECK(loop_transport_get_loop(transport) == elsewhere->loop);
    loop_transport_unref(loop_transport_ref(transport));
    CHECK_INT(loop_stop_threadsafe(elsewhere->loop), 0);
    return NULL;
}

TEST(transport_is_refused_to_other_threads_while_the_loop_runs) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    settle(loop);
    struct elsewhere elsewhere = {peer.transport, loop};
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, from_elsewhere, &elsewhere), 0);
    CHECK_INT(loop_call_soon(loop, stay, NULL, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    pthread_join(thread, NULL);
    close(other);
    loop_unref(loop);
    CHECK_STR(peer.log.text, "mD");
}

TEST(transport_keeps_its_descriptor_to_itself) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop), destroyed = 0;
    loop_future_t *future = NULL;
    settle(loop);
    int fd = loop_transport_get_fd(peer.transport);
    CHECK_INT(loop_add_reader(loop, fd, never, &destroyed, count), -EBUSY);
    CHECK(strstr(loop_last_error(), "is used by transport") != NULL);
    CHECK_INT(loop_add_writer(loop, fd, never, &destroyed, count), -EBUSY);
    CHECK_INT(loop_remove_reader(loop, fd), -EBUSY);
    CHECK_INT(loop_remove_writer(loop, fd), -EBUSY);
    CHECK_INT(loop_sock_recv(loop, fd, 1, &future), -EBUSY);
    CHECK_INT(loop_connect_accepted_socket(loop, fd, &peer_protocol, &destroyed, count, NULL),
              -EBUSY);
    CHECK_INT(destroyed, 3);
    CHECK_INT(write(other, "x", 1), 1);
    settle(loop);
    CHECK_INT(peer.received, 1);
    CHECK_INT(loop_transport_abort(peer.transport), 0);
    settle(loop);
    /* The number is free again. */
    int again = dup2(other, fd);
    CHECK_INT(again, fd);
    CHECK_INT(loop_add_writer(loop, again, count, &destroyed, NULL), 0);
    CHECK_INT(loop_remove_writer(loop, again), 1);
    close(again), close(other);
    loop_unref(loop);
}

TEST(transport_lives_until_its_connection_is_lost_without_any_reference) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    settle(loop);
    CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
    settle(loop);
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    CHECK_INT(write(other, "x", 1), 1);
    settle(loop);
    CHECK_STR(peer.log.text, "md");
    close(other);
    settle(loop);
    CHECK_STR(peer.log.text, "mdelD");
    loop_unref(loop);
}

TEST(transport_of_a_closed_loop_is_let_go_of_without_connection_lost) {
    int fds = open_fds();
    loop_t *loop = loop_new();
    struct peer made = {0}, unmade = {0}, writing = {0}, closing = {0};
    char *block = calloc(1, 1 << 20);
    int others[4] = {peer_open(&made, loop), 0, 0, 0};
    others[2] = peer_open(&writing, loop), others[3] = peer_open(&closing, loop);
    settle(loop);
    loop_transport_t *kept = loop_transport_ref(made.transport);
    CHECK_INT(loop_transport_write(writing.transport, block, 1 << 20), 0);
    CHECK_INT(loop_transport_close(closing.transport), 0);
    others[1] = peer_open(&unmade, loop);
    CHECK_INT(loop_close(loop), 0);
    CHECK_STR(made.log.text, "mD");
    CHECK_STR(unmade.log.text, "D");
    CHECK_STR(writing.log.text, "mpD");
    CHECK_STR(closing.log.text, "mD");
    for (int i = 0; i < 4; i++)
        close(others[i]);
    CHECK_INT(open_fds(), fds);
    CHECK_INT(loop_transport_write(kept, "x", 1), LOOP_ECLOSED);
    CHECK_INT(loop_transport_close(kept), LOOP_ECLOSED);
    CHECK_INT(loop_transport_abort(kept), LOOP_ECLOSED);
    CHECK_INT(loop_transport_is_closing(kept), 1);
    CHECK_INT(loop_transport_get_fd(kept), -EBADF);
    loop_unref(loop);
    CHECK(loop_transport_get_loop(kept) == loop);
    loop_transport_unref(kept);
    free(block);
}

TEST(transport_pauses_and_resumes_reading_as_often_as_you_like) {
    loop_t *loop = loop_new();
    struct peer peer = {0};
    int other = peer_open(&peer, loop);
    settle(loop);
    CHECK_INT(loop_transport_is_reading(peer.transport), 1);
    CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
    CHECK_INT(loop_transport_pause_reading(peer.transport), 0);
    CHECK_INT(loop_transport_is_reading(peer.transport), 0);
    CHECK_INT(write(other, "x", 1), 1);
    CHECK_INT(shutdown(other, SHUT_WR), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "m");
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    CHECK_INT(loop_transport_is_reading(peer.transport), 1);
    settle(loop);
    CHECK_STR(peer.log.text, "mdelD");
    close(other);
    loop_unref(loop);
}

static void pause_at_once(struct peer *peer) {
    CHECK_INT(loop_transport_pause_reading(peer->transport), 0);
}

TEST(transport_paused_in_connection_made_begins_no_reading) {
    loop_t *loop = loop_new();
    struct peer peer = {.on_made = pause_at_once};
    int other = peer_open(&peer, loop);
    CHECK_INT(write(other, "x", 1), 1);
    settle(loop);
    CHECK_STR(peer.log.text, "m");
    CHECK_INT(loop_transport_resume_reading(peer.transport), 0);
    settle(loop);
    CHECK_STR(peer.log.text, "md");
    close(other);
    loop_unref(loop);
}

TEST(transports_by_the_thousand_on_one_loop) {
    enum { MOST = 1000 };
    int number = in_valgrind() ? 50 : MOST, fds = open_fds();
    static struct peer peers[MOST];
    static int others[MOST];
    loop_t *loop = loop_new();
    raise_limit();
    for (int i = 0; i < number; i++) {
        peers[i].echoes = 1;
        others[i] = peer_open(&peers[i], loop);
    }
    settle(loop);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < number; i++)
            CHECK_INT(write(others[i], "ping", 4), 4);
        settle(loop);
        for (int i = 0; i < number; i++) {
            char bytes[8];
            CHECK_INT(read(others[i], bytes, sizeof bytes), 4);
        }
    }
    for (int i = 0; i < number; i += 2)
        close(others[i]);
    settle(loop);
    for (int i = 0; i < number; i++) {
        CHECK_INT(peers[i].destroyed, i % 2 == 0);
        CHECK_INT(peers[i].received, 12);
        if (i % 2 != 0)
            close(others[i]);
    }
    loop_unref(loop);
    for (int i = 0; i < number; i++)
        CHECK_INT(peers[i].destroyed, 1);
    CHECK_INT(open_fds(), fds);
}
