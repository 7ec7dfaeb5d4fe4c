/* Stream transports and the host's contexts, descriptors and memory. */
#include "transport.h"

static int current = 1, references, entered;

static void *capture(void *data) {
    (void)data;
    references++;
    return (void *)(intptr_t)current;
}

static void enter(void *context, void *data) {
    (void)data;
    entered++;
    current = (int)(intptr_t)context;
}

static void leave(void *context, void *data) {
    (void)context, (void)data;
    entered--;
    current = 1;
}

static void release(void *context, void *data) {
    (void)context, (void)data;
    references--;
}

static void in_context(struct peer *peer) {
    CHECK_INT(current, 7);
    CHECK_INT(entered, 1);
    (void)peer;
}

static void data_in_context(struct peer *peer, const void *bytes, size_t length) {
    (void)bytes, (void)length;
    in_context(peer);
}

TEST(transport_calls_its_protocol_in_the_context_it_was_made_in) {
    static char block[1 << 20];
    const loop_context_hooks_t hooks = {sizeof hooks, capture, enter, leave, release};
    loop_t *loop = loop_new();
    struct peer peer = {.on_made = in_context, .on_data = data_in_context, .on_eof = in_context,
                        .on_resume = NULL, .on_lost = in_context};
    CHECK_INT(loop_set_context_hooks(loop, &hooks, NULL, NULL), 0);
    current = 7;
    int other = peer_open(&peer, loop);
    current = 1;
    settle(loop);
    CHECK_INT(references, 1); /* of the reader */
    CHECK_INT(loop_transport_write(peer.transport, block, sizeof block), 0);
    CHECK_INT(references, 2);
    while (strcmp(peer.log.text, "mpr") != 0 || references > 1) {
        while (read(other, block, sizeof block) > 0) {
        }
        settle(loop);
    }
    while (read(other, block, sizeof block) > 0) {
    }
    CHECK_INT(write(other, "x", 1), 1);
    close(other);
    settle(loop);
    CHECK_STR(peer.log.text, "mprdelD");
    CHECK_INT(references, 0);
    loop_unref(loop);
}

static void count_turns(loop_t *loop, void *number) {
    (void)loop;
    ++*(int *)number;
}

TEST(transport_that_is_blocked_or_paused_keeps_nobody_awake) {
    static char block[1 << 20];
    loop_t *loop = loop_new();
    struct peer blocked = {0}, paused = {0}, ended = {.keeps_open = 1};
    int waits = 0, others[3] = {peer_open(&blocked, loop), peer_open(&paused, loop),
                                peer_open(&ended, loop)};
    settle(loop);
    CHECK_INT(loop_transport_write(blocked.transport, block, sizeof block), 0);
    CHECK_INT(loop_transport_pause_reading(paused.transport), 0);
    CHECK_INT(write(others[1], "x", 1), 1);
    CHECK_INT(shutdown(others[2], SHUT_WR), 0);
    settle(loop);
    CHECK_STR(ended.log.text, "me");
    CHECK_INT(loop_set_wait_hooks(loop, count_turns, NULL, &waits, NULL), 0);
    CHECK_INT(loop_call_later(loop, 20 * MS, stop_loop, loop, NULL, NULL), 0);
    CHECK_INT(loop_run_forever(loop), 0);
    CHECK(waits <= 3);
    for (int i = 0; i < 3; i++)
        close(others[i]);
    loop_unref(loop);
}

TEST(transport_that_is_idle_costs_little_memory) {
    enum { MOST = 8000 };
    static int others[MOST];
    static struct peer peers[MOST];
    int number = in_valgrind() ? 20 : MOST;
    struct rlimit limit;
    loop_t *loop = loop_new();
    raise_limit();
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if ((size_t)number > limit.rlim_cur / 2 - 50)
        number = (int)(limit.rlim_cur / 2 - 50);
    memset(peers, 1, sizeof peers); /* occupied from now on */
    memset(peers, 0, sizeof peers);
    memset(others, 1, sizeof others);
    others[0] = peer_open(&peers[0], loop);
    CHECK_INT(write(others[0], "x", 1), 1);
    settle(loop);
    long before = resident_kib();
    for (int i = 1; i < number; i++)
        others[i] = peer_open(&peers[i], loop);
    settle(loop);
    long each = (resident_kib() - before) * 1024 / number;
    if (!in_valgrind() && number > 1000 && each > 512) {
        fprintf(stderr, "%ld bytes for each transport\n", each);
        exit(1);
    }
    loop_unref(loop);
    for (int i = 0; i < number; i++)
        close(others[i]);
}
