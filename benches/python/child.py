#!/usr/bin/env python3
"""One scenario on one loop, in a process of its own: child.py LOOP SCENARIO

Prints one line of JSON. A scenario that ends by itself: the CPU time of an operation. A server:
its address, after which it serves until standard input ends.
"""

import gc
import importlib
import json
import resource
import sys
import threading
import time

import loops

WINDOW = 200_000_000  # CPU ns; a measurement repeats its scenario until they are used up

#: name: (module, function, operations in one call)
SCENARIOS = {
    "soon_chain": ("callbacks", "soon_chain", 100_000),
    "soon_bulk": ("callbacks", "soon_bulk", 100_000),
    "soon_context": ("callbacks", "soon_context", 100_000),
    "later_cancel": ("callbacks", "later_cancel", 50_000),
    "later_fire": ("callbacks", "later_fire", 50_000),
    "threadsafe_flood": ("threads", "threadsafe_flood", 100_000),
    "thread_pingpong": ("threads", "thread_pingpong", 2_000),
    "executor_job": ("threads", "executor_job", 2_000),
    "task_sleep0": ("tasks", "sleep0", 100_000),
    "task_gather": ("tasks", "gather", 10_000),
    "future_pingpong": ("tasks", "future_pingpong", 20_000),
    "spawn": ("lifecycle", "spawn", 50),
    "create_close": ("lifecycle", "create_close", 200),
}

#: name: the module with a function of that name
SERVERS = {
    **dict.fromkeys(("protocol", "buffered", "streams", "sock", "unix", "udp", "tls"), "servers"),
    **dict.fromkeys(("uvicorn", "aiohttp"), "web"),
}


def measure(loop, function, count):
    """CPU time of this process, and of its children, by operation."""
    function(loop, count)  # warms up caches, pools and the interpreter's specialised code
    gc.collect()
    operations = spent = 0
    children = _children()
    wall = time.perf_counter_ns()
    start = time.process_time_ns()
    while spent < WINDOW:
        function(loop, count)
        operations += count
        spent = time.process_time_ns() - start
    return {
        "cpu_us": spent / operations / 1000,
        "children_us": (_children() - children) * 1e6 / operations,
        "wall_us": (time.perf_counter_ns() - wall) / operations / 1000,
        "operations": operations,
    }


def _children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def serve(loop, server):
    """Until whoever started this process closes its standard input, or is gone."""
    print(json.dumps({"address": loop.run_until_complete(server(loop))}), flush=True)

    def wait():
        sys.stdin.read()
        loop.call_soon_threadsafe(loop.stop)

    threading.Thread(target=wait, daemon=True).start()
    loop.run_forever()


def main():
    name, scenario = sys.argv[1:]
    loop = loops.factory(name)()
    if scenario in SERVERS:
        serve(loop, getattr(importlib.import_module(SERVERS[scenario]), scenario))
    else:
        module, function, count = SCENARIOS[scenario]
        function = getattr(importlib.import_module(module), function)
        print(json.dumps(measure(loop, function, count)))
        loop.close()


if __name__ == "__main__":
    main()
