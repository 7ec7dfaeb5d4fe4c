/* A loop's life: made, run, stopped, closed. */
#include "test.h"

TEST(P10_P19_run_forever_blocks_until_stop_and_may_run_again) {
    loop_t *loop = loop_new();
    int ran = 0;
    CHECK(loop != NULL);
    for (int round = 1; round <= 2; round++) {
        CHECK_INT(loop_call_soon(loop, count, &ran, NULL, NULL), 0);
        CHECK_INT(loop_call_soon(loop, stop_loop, loop, NULL, NULL), 0);
        CHECK_INT(loop_run_forever(loop), 0);
        CHECK_INT(ran, round);
    }
    CHECK_INT(loop_close(loop), 0);
    CHECK_INT(loop_run_forever(loop), LOOP_ECLOSED);
    CHECK_STR(loop_last_error(), "Event loop is closed");
    loop_unref(loop);
}
