/* bench_X SCENARIO [--quick]: runs one scenario and prints one line of JSON.
 * bench_X --list: the names this library can run. */
#include "adapter.h"

#include <stdio.h>
#include <string.h>

enum { CACHED = 0, FRESH = 1 };

static const struct scenario table[] = {
#ifndef B_NO_LOOP
    {"soon_chain_w1", soon_chain, 1, 0},
    {"soon_chain_w64", soon_chain, 64, 0},
    {"soon_bulk", soon_bulk, 100000, 0},
    {"post_1", post, 1, 0},
    {"post_4", post, 4, 0},
    {"pingpong", pingpong, 0, 0},
    {"timer_cancel", timer_cancel, CACHED, 0},
    {"timer_cancel_near", timer_cancel, CACHED, 3},
    {"timer_batch", timer_batch, CACHED, 0},
    {"timer_reset", timer_reset, CACHED, 0},
#if B_FRESH
    {"timer_cancel_fresh", timer_cancel, FRESH, 0},
    {"timer_cancel_near_fresh", timer_cancel, FRESH, 3},
    {"timer_batch_fresh", timer_batch, FRESH, 0},
    {"timer_reset_fresh", timer_reset, FRESH, 0},
#endif
    {"timer_fire", timer_fire, B_COALESCING, 0},
#if B_SLACK
    {"timer_fire_precise", timer_fire, B_PRECISE, 0},
#endif
    {"timer_accuracy", timer_accuracy, 0, 0},
    {"pipes_n100_a1", pipes, 100, 1},
    {"pipes_n1000_a100", pipes, 1000, 100},
    {"pipes_n9900_a1000", pipes, 9900, 1000},
    {"echo_c1", echo, 1, 64},
    {"echo_c100", echo, 100, 64},
    {"echo_c1000", echo, 1000, 64},
    {"mem_timer", mem_timer, 100000, 0},
    {"mem_fd", mem_fd, 9000, 0},
    {"mem_loop", mem_loop, 1000, 0},
    {"loops", loops, 0, 0},
#endif
#ifdef BENCH_STREAM
    {"stream_c1_64", stream, 1, 64},
    {"stream_c1_1k", stream, 1, 1024},
    {"stream_c1_16k", stream, 1, 16384},
    {"stream_c1_100k", stream, 1, 102400},
    {"stream_c100_64", stream, 100, 64},
    {"stream_c100_1k", stream, 100, 1024},
    {"stream_c100_16k", stream, 100, 16384},
    {"stream_c100_100k", stream, 100, 102400},
    {"stream_c1000_64", stream, 1000, 64},
    {"stream_c1000_1k", stream, 1000, 1024},
    {"stream_c1000_16k", stream, 1000, 16384},
    {"stream_c1000_100k", stream, 1000, 102400},
    {"mem_stream", mem_stream, 10000, 64},
#endif
#ifdef BENCH_COROUTINES
    {"co_hop_w1", co_hop, 1, 0},
    {"co_hop_w64", co_hop, 64, 0},
    {"co_call", co_call, 0, 0},
    {"co_echo_c1", co_echo, 1, 64},
    {"co_echo_c100", co_echo, 100, 64},
    {"co_echo_c1000", co_echo, 1000, 64},
#endif
#ifdef BENCH_JOBS
    {"jobs", jobs, 100000, 0},
    {"jobs_future", jobs, 100000, 1}, /* libuv has no other way; rows.py does not ask */
#endif
#ifdef BENCH_SPAWN
    {"spawn", spawn, 200000000, 0},
#endif
};

#define COUNT (sizeof table / sizeof *table)

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < COUNT; i++)
            puts(table[i].name);
        return 0;
    }
    if (argc > 2 && strcmp(argv[2], "--quick") == 0)
        bench_divisor = 5;
    for (size_t i = 0; argc > 1 && i < COUNT; i++) {
        if (strcmp(argv[1], table[i].name) == 0) {
            table[i].run(&table[i]);
            return 0;
        }
    }
    fprintf(stderr, "usage: %s --list | SCENARIO [--quick]\n", argv[0]);
    return 2;
}
