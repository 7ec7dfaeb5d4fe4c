/* Stream transports and fork: the parent's connections are not the child's. */
#include "transport.h"
#include <sys/wait.h>

static pid_t child;

static void fork_here(struct peer *peer, const void *bytes, size_t length) {
    (void)bytes, (void)length;
    if (child != 0)
        return;
    child = start_child();
    if (child == 0) {
        loop_transport_t *transport = peer->transport;
        CHECK_INT(loop_transport_write(transport, "x", 1), LOOP_EFORKED);
        CHECK_INT(loop_transport_close(transport), LOOP_EFORKED);
        CHECK_INT(loop_transport_abort(transport), LOOP_EFORKED);
        CHECK_INT(loop_transport_write_eof(transport), LOOP_EFORKED);
        CHECK_INT(loop_transport_pause_reading(transport), LOOP_EFORKED);
        CHECK_INT(loop_transport_get_fd(transport), LOOP_EFORKED);
    }
}

/* The connection works in the parent: an echo, and then the end. */
static void check_parent(struct peer *peer, loop_t *loop, int other) {
    char bytes[64];
    CHECK_INT(write(other, "more", 4), 4);
    settle(loop);
    CHECK(read(other, bytes, sizeof bytes) > 0);
    close(other);
    settle(loop);
    CHECK_STR(peer->log.text, "mdelD");
    loop_unref(loop);
}

TEST(transport_of_the_parent_goes_on_after_a_fork_in_data_received) {
    loop_t *loop = loop_new();
    struct peer peer = {.on_data = fork_here, .echoes = 1};
    int other = peer_open(&peer, loop);
    CHECK_INT(write(other, "hello", 5), 5);
    int result;
    while ((result = loop_run_once(loop, 0)) > 0) {
    }
    if (child == 0) {
        CHECK_INT(result, LOOP_EFORKED);
        CHECK_STR(peer.log.text, "md");
        CHECK_INT(loop_close(loop), 0);
        /* No connection_lost, and no shutdown of what the parent uses. */
        CHECK_STR(peer.log.text, "mdD");
        loop_unref(loop);
        close(other);
        exit(0);
    }
    CHECK_INT(end_of(child), 0);
    check_parent(&peer, loop, other);
}

TEST(transport_of_a_loop_closed_inside_by_a_child_is_destroyed_there_once) {
    loop_t *loop = loop_new();
    struct peer peer = {.on_data = fork_here, .echoes = 1};
    int other = peer_open(&peer, loop);
    peer.on_made = NULL;
    settle(loop);
    child = start_child();
    if (child == 0) {
        int fds = open_fds();
        CHECK_INT(loop_close(loop), 0);
        CHECK_STR(peer.log.text, "mD");
        CHECK(open_fds() < fds);
        loop_unref(loop);
        exit(0);
    }
    CHECK_INT(end_of(child), 0);
    check_parent(&peer, loop, other);
}

static void close_in_child(struct peer *peer, const void *bytes, size_t length) {
    (void)bytes, (void)length;
    if (child != 0)
        return;
    child = start_child();
    if (child == 0) {
        CHECK_INT(loop_close(peer->loop), 0);
        /* In use by the call that goes on. */
        CHECK_INT(peer->destroyed, 0);
    }
}

TEST(transport_whose_loop_a_child_closes_in_data_received_ends_when_that_returns) {
    loop_t *loop = loop_new();
    struct peer peer = {.on_data = close_in_child, .echoes = 1};
    int other = peer_open(&peer, loop);
    CHECK_INT(write(other, "hello", 5), 5);
    while (loop_run_once(loop, 0) > 0) {
    }
    if (child == 0) {
        CHECK_STR(peer.log.text, "mdD");
        loop_unref(loop);
        exit(0);
    }
    CHECK_INT(end_of(child), 0);
    check_parent(&peer, loop, other);
}

TEST(transport_is_let_go_of_by_a_child_that_makes_the_loop_its_own) {
    uint32_t flags[] = {0, LOOP_REINIT_KEEP_IO, LOOP_REINIT_KEEP_READY,
                        LOOP_REINIT_KEEP_IO | LOOP_REINIT_KEEP_READY};
    for (int i = 0; i < 4; i++) {
        loop_t *loop = loop_new();
        struct peer peer = {.echoes = 1}, ending = {0}, fresh = {.echoes = 1};
        int other = peer_open(&peer, loop), end = peer_open(&ending, loop);
        settle(loop);
        CHECK_INT(loop_transport_close(ending.transport), 0);
        int unmade = peer_open(&fresh, loop);
        child = start_child();
        if (child == 0) {
            struct peer own = {.echoes = 1};
            char bytes[8];
            int fd = loop_transport_get_fd(peer.transport);
            CHECK_INT(fd, LOOP_EFORKED);
            loop_transport_t *kept = loop_transport_ref(peer.transport);
            CHECK_INT(loop_reinit_after_fork(loop, flags[i]), 0);
            CHECK_STR(peer.log.text, "mD");
            CHECK_STR(ending.log.text, "mD");
            CHECK_STR(fresh.log.text, "D");
            CHECK_INT(loop_transport_is_closing(kept), 1);
            loop_transport_unref(kept);
            /* The loop and its descriptors' numbers can be used. */
            int mine = peer_open(&own, loop);
            CHECK_INT(write(mine, "ping", 4), 4);
            settle(loop);
            CHECK_INT(read(mine, bytes, sizeof bytes), 4);
            close(mine);
            settle(loop);
            CHECK_STR(own.log.text, "mdelD");
            CHECK_STR(ending.log.text, "mD");
            CHECK_STR(fresh.log.text, "D");
            loop_unref(loop);
            close(other), close(end), close(unmade);
            exit(0);
        }
        CHECK_INT(end_of(child), 0);
        settle(loop);
        CHECK_STR(ending.log.text, "mlD");
        CHECK_STR(fresh.log.text, "m");
        close(end), close(unmade);
        settle(loop);
        CHECK_INT(write(other, "hello", 5), 5);
        settle(loop);
        check_parent(&peer, loop, other);
    }
}
