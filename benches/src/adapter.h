/* The contract between the scenarios and a library.
 *
 * An adapter is a header of static inline functions, not a table of function pointers:
 * the cheapest rows cost 3-5 ns per callback, and one more indirect call in between
 * would be a fifth of that. For the same reason the callbacks are defined through
 * macros: each expands to the library's own callback type, with the body inlined, so
 * no peer pays for a trampoline.
 *
 *   B_NAME                          the library's name in the results
 *   B_EDGE                          1: readiness is edge-triggered, drain the descriptor
 *   B_FRESH                         1: the library can also read the clock in each call
 *
 *   B_SLACK                         1: B_COALESCING and B_DEFAULT differ
 *
 *   B_SOON(name, arg) { ... }       define a callback for b_soon_call; B_SOON_FORWARD(name)
 *                                   declares one (the same for the others)
 *   B_TIMER(name, arg) { ... }      ... for b_timer_*
 *   B_READER(name, arg) { ... }     ... for b_reader_start; B_WRITER likewise
 *
 *   b_loop *b_loop_new(enum b_kind);  void b_loop_free(b_loop *);
 *   void b_run(b_loop *);             void b_stop(b_loop *);       stop: in a callback
 *
 *   b_soon                           what one pending call needs the caller to keep;
 *   b_soon_init(loop, soon, fn, arg)   may be empty. init is outside every measurement
 *   b_soon_call(loop, soon, fn, arg)
 *   b_post(loop, plain_fn, arg)      from any thread; plain_fn is void (*)(void *)
 *
 *   b_timer, b_timer_init(loop, t, fn, arg)
 *   b_timer_start(loop, t, delay_ns, fn, arg)       against the cached clock, if there is one
 *   b_timer_start_fresh(loop, t, delay_ns, fn, arg) against the real clock (B_FRESH)
 *   b_timer_stop(loop, t)
 *   b_alive_init(loop, t, delay_ns, fn, arg)        a timer for b_alive, armed
 *   b_alive(loop, t, delay_ns), b_alive_fresh       push it to now + delay_ns (always the same delay)
 *   b_refresh(loop)                                 bring the cached clock up to date
 *
 *   b_reader, b_reader_start(loop, r, fd, fn, arg), b_reader_stop(loop, r, fd)
 *   b_writer, b_writer_start(loop, w, r, fd, fn, arg), b_writer_stop(loop, w, r, fd)
 *       r is the fd's b_reader, started before: libuv has one handle per fd.
 *
 * b_soon, b_timer, b_reader and b_writer outlive the loop: b_loop_free may still look at them.
 */
#ifndef ADAPTER_H
#define ADAPTER_H

#include "bench.h"

enum b_kind {
    B_DEFAULT,
    B_COALESCING, /* deadlines may be up to 1 ms late if that saves wake-ups */
    B_PRECISE     /* as punctual as the library can be */
};

#include BENCH_ADAPTER

#endif
