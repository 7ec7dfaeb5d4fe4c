"""What is compared: the rows of the table and the bounds coloop has set itself.

A row names the scenario coloop runs, the scenario its peers run (the same, except where
coloop has a cached-clock and a fresh-clock variant), the value compared, and two bounds:
"must" and "aim". A bound is a ratio to the best peer, or an absolute value.
"""

from dataclasses import dataclass

#: Libraries, in the order they are run and printed. raw is a bound, not a peer.
LIBRARIES = ["coloop", "raw", "libuv", "libev", "libevent", "mio", "tokio", "asio"]
#: Not candidates for "best peer".
BOUND_ONLY = {"coloop", "raw"}


@dataclass(frozen=True)
class Row:
    name: str
    what: str
    must: float | None = None
    aim: float | None = None
    value: str = "cpu_ns_per_op"
    absolute: bool = False
    peer_scenario: str | None = None  # None: the same as name
    own_scenario: str | None = None
    never_early: bool = False
    deterministic: bool = False  # two rounds are enough
    #: Libraries without this feature: the benchmark's own code beside their poller is
    #: measured, shown, and no peer.
    lacking: tuple[str, ...] = ()
    #: If not empty: only these are compared with; others are shown.
    peers: tuple[str, ...] = ()

    def is_peer(self, library):
        if library in BOUND_ONLY or library in self.lacking:
            return False
        return not self.peers or library in self.peers

    def scenario(self, library):
        if library in BOUND_ONLY:  # both have the cached and the fresh variants
            return self.own_scenario or self.name
        return self.peer_scenario or self.name

    @property
    def unit(self):
        return {"cpu_ns_per_op": "CPU ns", "wall_ns_per_op": "wall ns",
                "late_p50_us": "us late", "bytes_per_item": "bytes"}[self.value]


LOOP_ROWS = [
    Row("soon_chain_w1", "one callback, re-scheduling itself", 1.5, 1.0),
    Row("soon_chain_w64", "64 callbacks, each re-scheduling itself"),
    Row("soon_bulk", "schedule 100k callbacks in a callback, run them", 1.2, 1.0),
    Row("post_1", "1 thread posts to the loop", 1.0, 0.7, value="wall_ns_per_op"),
    Row("post_4", "4 threads post to the loop", 1.0, 0.7, value="wall_ns_per_op"),
    Row("pingpong", "two loops, two threads, one cpu: round trip", 1.0, 0.9),
    # libev's 50 ns, from which the bound was derived, is the cost of the near shape.
    Row("timer_cancel_cached", "create and cancel at once, 1000 pending",
        own_scenario="timer_cancel", peer_scenario="timer_cancel", lacking=("mio",)),
    Row("timer_cancel_fresh", "the same, coloop reads the clock in each call",
        peer_scenario="timer_cancel", lacking=("mio",)),
    Row("timer_cancel_near_cached", "the same, due before nearly all of the others", 0.5, 0.3,
        own_scenario="timer_cancel_near", peer_scenario="timer_cancel_near", lacking=("mio",)),
    Row("timer_cancel_near_fresh", "the same, coloop reads the clock in each call",
        peer_scenario="timer_cancel_near", lacking=("mio",)),
    Row("timer_batch_cached", "create 100k, cancel in random order", 1.0, 0.8,
        own_scenario="timer_batch", peer_scenario="timer_batch", lacking=("mio",)),
    Row("timer_batch_fresh", "the same, coloop reads the clock in each call",
        peer_scenario="timer_batch", lacking=("mio",)),
    Row("timer_reset_cached", "push one of 10k live timers to now + 60 s", 1.5, 0.7,
        own_scenario="timer_reset", peer_scenario="timer_reset", lacking=("mio",)),
    Row("timer_reset_fresh", "the same, coloop reads the clock in each call",
        peer_scenario="timer_reset", lacking=("mio",)),
    Row("timer_fire", "100k timers fire within 1 s, coloop with 1 ms slack", 1.0, 0.8,
        never_early=True, lacking=("mio",)),
    Row("timer_fire_precise", "the same without slack", peer_scenario="timer_fire",
        never_early=True, lacking=("mio",)),
    Row("timer_accuracy", "lateness of one 0.1-5 ms timer, median", 100, 30,
        value="late_p50_us", absolute=True, never_early=True, lacking=("mio",)),
    Row("pipes_n100_a1", "100 socket pairs, 1 active: read + write", 1.0, 0.95),
    Row("pipes_n1000_a100", "1000 socket pairs, 100 active", 1.0, 0.95),
    Row("pipes_n9900_a1000", "9900 socket pairs, 1000 active", 1.0, 0.95),
    Row("echo_c1", "TCP echo, 1 connection, 64 bytes: message", 1.03, 1.0),
    Row("echo_c100", "TCP echo, 100 connections", 1.03, 1.0),
    Row("echo_c1000", "TCP echo, 1000 connections", 1.03, 1.0),
    Row("mem_timer", "memory per pending timer, with its handle", 96, 64,
        value="bytes_per_item", absolute=True, deterministic=True, lacking=("mio",)),
    Row("mem_fd", "memory per watched descriptor", value="bytes_per_item",
        deterministic=True),
    Row("mem_loop", "memory per loop, of 1000, each ran a callback", 4628, 2048,
        value="bytes_per_item", absolute=True, deterministic=True),
    Row("loops", "new, one callback, free", 1.0, 0.9),
]

SIZES = {"64": "64 bytes", "1k": "1 KiB", "16k": "16 KiB", "100k": "100 KiB"}


def stream_row(connections, size):
    plural = "s" if connections > 1 else ""
    return Row(f"stream_c{connections}_{size}",
               f"TCP echo on streams, {connections} connection{plural}, {SIZES[size]}: message",
               1.0)


SERVICE_ROWS = [
    *(stream_row(connections, size) for connections in (1, 100, 1000) for size in SIZES),
    Row("mem_stream", "memory per idle TCP connection of a stream server, of 10000", 1.0,
        value="bytes_per_item", deterministic=True, peers=("libuv",)),
    # 1.5 and 1.0 times libuv's jobs and children per second.
    Row("jobs", "empty job for 4 threads and a call in the loop after it", 0.67,
        value="wall_ns_per_op", peers=("libuv",)),
    Row("jobs_future", "the same, coloop with a future for each job", 0.67,
        value="wall_ns_per_op", peers=("libuv",), peer_scenario="jobs"),
    Row("spawn", "start /bin/true from a process of 200 MB, wait for its exit", 1.0,
        peers=("libuv",)),
]

#: C++ coroutines: coloop/task.hpp beside Boost.Asio's.
COROUTINE_ROWS = [
    Row("co_hop_w1", "one coroutine lets a turn pass, again and again", 1.0),
    Row("co_hop_w64", "64 coroutines do", 1.0),
    Row("co_call", "a coroutine awaits another one that returns at once", 1.0),
    Row("co_echo_c1", "TCP echo, a coroutine for 1 connection, 64 bytes: message", 1.0),
    Row("co_echo_c100", "TCP echo, 100 connections", 1.0),
    Row("co_echo_c1000", "TCP echo, 1000 connections", 1.0),
]

#: The parts of docs/performance.md: their tables, each with the libraries that have one of its rows.
PARTS = {"c": {"The loop": LOOP_ROWS, "Services": SERVICE_ROWS},
         "coroutines": {"C++ coroutines": COROUTINE_ROWS}}
ROWS = LOOP_ROWS + SERVICE_ROWS + COROUTINE_ROWS
