/* Stream transports: their life and what they tell their protocols. */
#include "transport.h"

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
