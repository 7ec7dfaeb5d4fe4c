#!/usr/bin/env python3
"""One loop for C++ threads, Python coroutines and a C library: mixed.py DIRECTORY

A pool of C++ threads posts 1,000,000 events to a loop on which Python coroutines consume
them, in the order of each producer, and with a bound on how many are on their way. On the
same loop hiredis, a C library, talks to a redis-server that this program starts. DIRECTORY
has the built producers extension and libredis_link.so; see the Makefile.

Prints what was done and checks it; the exit status is 1 if anything was wrong.
"""

import asyncio
import collections
import contextlib
import ctypes
import faulthandler
import itertools
import pathlib
import sys
import tempfile
import threading
import time

import coloop

THREADS, PRODUCERS, EVENTS, CAPACITY = 4, 8, 1_000_000, 1024
REDIS_COMMANDS, REDIS_AT_ONCE = 20_000, 32
FROM_PYTHON = 100_000  # events of Python threads, to compare
TIME_LIMIT = 120  # seconds


class Channel:
    """The events of one producer: put by C++, taken by one coroutine."""

    def __init__(self):
        self.events, self.waiter = collections.deque(), None

    def put(self, number):
        self.events.append(number)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def take(self):
        if not self.events:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        return self.events.popleft()


async def consume(channel, count, took):
    """Takes all events of a producer, which must come in order: 0, 1, 2, ..."""
    for expected in range(count):
        number = await channel.take()
        took()
        if number != expected:
            raise AssertionError(f"event {number} came instead of {expected}")
    return count


class Redis:
    """hiredis on this loop, as coroutines."""

    REPLY = ctypes.CFUNCTYPE(None, ctypes.c_longlong, ctypes.c_char_p, ctypes.c_void_p)

    def __init__(self, library, path):
        self.lib = ctypes.PyDLL(library)  # keeps the GIL: its calls are short
        self.lib.redis_link_open.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self.lib.redis_link_open.restype = ctypes.c_void_p
        self.lib.redis_link_increment.argtypes = [ctypes.c_void_p, ctypes.c_char_p, self.REPLY, ctypes.c_void_p]
        self.lib.redis_link_close.argtypes = [ctypes.c_void_p]
        self.waiting, self.numbers = {}, itertools.count(1)
        self.reply = self.REPLY(self.on_reply)
        self.loop = asyncio.get_running_loop()
        self.context = self.lib.redis_link_open(self.loop.pointer, path.encode())
        if not self.context:
            raise ConnectionError("no connection to redis")

    def on_reply(self, value, error, number):
        future = self.waiting.pop(number)
        if future.done():
            return
        if error:
            future.set_exception(ConnectionError(error.decode()))
        else:
            future.set_result(value)

    def increment(self, key):
        """A future of the key's next value."""
        number = next(self.numbers)
        future = self.waiting[number] = self.loop.create_future()
        if self.lib.redis_link_increment(self.context, key, self.reply, number):
            del self.waiting[number]
            raise ConnectionError("the connection to redis is gone")
        return future

    def close(self):
        self.lib.redis_link_close(self.context)


@contextlib.asynccontextmanager
async def redis_server():
    """The path of the socket of a redis-server that stores nothing."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/redis.sock"
        server = await asyncio.create_subprocess_exec(
            "redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )
        try:
            while b"ready to accept connections" not in (line := await server.stdout.readline()).lower():
                if not line:
                    raise RuntimeError("redis-server did not start")
            yield path
        finally:
            server.terminate()
            await server.communicate()


async def use_redis(library, path):
    """Some commands at once, always; replies come in the order of the commands."""
    redis = Redis(library, path)
    values = []

    async def work():
        for _ in range(REDIS_COMMANDS // REDIS_AT_ONCE):
            values.append(await redis.increment(b"counter"))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(REDIS_AT_ONCE):
                group.create_task(work())
    finally:
        redis.close()
    assert values == list(range(1, REDIS_COMMANDS + 1)), "replies out of order"
    return len(values)


async def from_cpp(producers):
    """Events of the C++ pool: how many per second, and what it counted."""
    channels = [Channel() for _ in range(PRODUCERS)]
    began = time.perf_counter()
    producers.start(
        asyncio.get_running_loop(), tuple(channel.put for channel in channels), THREADS, EVENTS // PRODUCERS, CAPACITY,
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(consume(channel, EVENTS // PRODUCERS, producers.took)) for channel in channels]
        took = time.perf_counter() - began
    finally:
        counted = producers.finish()
    assert sum(task.result() for task in tasks) == EVENTS
    return EVENTS / took, counted


async def from_python():
    """The same from as many Python threads, each of which needs the GIL to post."""
    loop, channels = asyncio.get_running_loop(), [Channel() for _ in range(THREADS)]
    bound = threading.Semaphore(CAPACITY)

    def produce(channel):
        for number in range(FROM_PYTHON // THREADS):
            bound.acquire()
            loop.call_soon_threadsafe(channel.put, number)

    began = time.perf_counter()
    threads = [threading.Thread(target=produce, args=[channel], daemon=True) for channel in channels]
    for thread in threads:
        thread.start()
    async with asyncio.TaskGroup() as group:
        for channel in channels:
            group.create_task(consume(channel, FROM_PYTHON // THREADS, bound.release))
    for thread in threads:
        thread.join()
    return FROM_PYTHON / (time.perf_counter() - began)


async def main(directory):
    import producers

    loop = asyncio.get_running_loop()
    async with redis_server() as path:
        (rate, counted), commands = await asyncio.gather(
            from_cpp(producers), use_redis(f"{directory}/libredis_link.so", path),
        )
        other = await from_python()
    for what in "posted", "delivered", "destroyed":
        assert counted[what] == EVENTS, counted
    assert counted["failed"] == 0 and counted["highest"] == CAPACITY, counted
    stats = loop.stats()
    print(f"{EVENTS:,} events of {PRODUCERS} producers on {THREADS} C++ threads, each in order: {rate:,.0f} per second")
    print(f"  the first {CAPACITY:,} while Python's thread kept the GIL; {counted['cpu_ns'] / EVENTS:,.0f} ns of CPU each")
    print(f"  never more than {counted['highest']:,} on their way; producers waited {counted['waits']:,} times for room")
    print(f"{FROM_PYTHON:,} events of {THREADS} Python threads, in order: {other:,.0f} per second")
    print(f"{commands:,} replies of redis to hiredis meanwhile, in order")
    print(f"one loop: {stats['callbacks']:,} callbacks, {stats['posts']:,} posts, {stats['io_events']:,} I/O events")


if __name__ == "__main__":
    faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)
    build = pathlib.Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(build))
    coloop.run(main(build))
