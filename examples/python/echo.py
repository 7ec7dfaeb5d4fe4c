#!/usr/bin/env python3
"""coloop from Python with nothing but ctypes: echo.py LIBRARY

One loop serves TCP echo to 100 connections at once while two threads post to it and timers
run. Prints what it did and checks it; the exit status is 1 if anything was wrong.
"""

import ctypes
import random
import socket
import sys
import threading

CONNECTIONS, POSTS, TIMERS = 100, 5_000, 50
MESSAGES = [b"hello", b"x" * 3_000, bytes(range(256)) * 400]  # the last exceeds a socket's buffer

CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Loop:
    """The few functions that this program needs."""

    def __init__(self, path):
        self.lib = lib = ctypes.CDLL(path)
        lib.loop_new.restype = ctypes.c_void_p
        lib.loop_time.restype = ctypes.c_uint64
        lib.loop_last_error.restype = ctypes.c_char_p
        lib.coloop_version.restype = ctypes.c_char_p
        self.pointer = ctypes.c_void_p(lib.loop_new())
        self.kept = []  # ctypes frees a callback that nobody refers to, even while it runs
        self.failures = []

    def callback(self, function):
        def call(_):
            try:
                function()
            except BaseException as error:  # ctypes would only print it
                self.failures.append(repr(error))
                self.lib.loop_stop(self.pointer)

        callback = CALLBACK(call)
        self.kept.append(callback)
        return callback

    def check(self, result):
        if result < 0:
            raise OSError(result, self.lib.loop_last_error().decode())

    def once(self, name, *arguments, function):
        callback = self.callback(function)
        self.check(getattr(self.lib, name)(self.pointer, *arguments, callback, None, None, None))

    def post(self, function):
        self.once("loop_call_soon_threadsafe", function=function)

    def later(self, nanoseconds, function):
        self.once("loop_call_later", ctypes.c_int64(nanoseconds), function=function)

    def add_reader(self, sock, function):
        callback = self.callback(function)
        self.check(self.lib.loop_add_reader(self.pointer, sock.fileno(), callback, None, None))

    def add_writer(self, sock, function):
        callback = self.callback(function)
        self.check(self.lib.loop_add_writer(self.pointer, sock.fileno(), callback, None, None))

    def remove_reader(self, sock):
        self.check(self.lib.loop_remove_reader(self.pointer, sock.fileno()))

    def remove_writer(self, sock):
        self.check(self.lib.loop_remove_writer(self.pointer, sock.fileno()))

    def time(self):
        return self.lib.loop_time(self.pointer)


class EchoServer:
    def __init__(self, loop):
        self.loop = loop
        self.open = self.most = self.echoed = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        loop.add_reader(self.listener, self.accept)

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setblocking(False)
        self.open += 1
        self.most = max(self.most, self.open)
        self.loop.add_reader(connection, lambda: self.read(connection))

    def read(self, connection):
        data = connection.recv(65536)
        if data:
            self.write(connection, data)
        else:
            self.loop.remove_reader(connection)
            connection.close()
            self.open -= 1

    def write(self, connection, data):
        try:
            sent = connection.send(data)
        except BlockingIOError:
            sent = 0
        self.echoed += sent
        rest = data[sent:]
        if not rest:
            return
        # Read no more until the peer has taken this.
        self.loop.remove_reader(connection)

        def writable():
            self.loop.remove_writer(connection)
            self.loop.add_reader(connection, lambda: self.read(connection))
            self.write(connection, rest)

        self.loop.add_writer(connection, writable)


def clients(port, loop, report):
    """Blocking sockets in a thread of their own: all open at once, every byte compared."""
    good = 0
    try:
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        for message in MESSAGES:
            for connection in connections:
                sender = threading.Thread(target=connection.sendall, args=(message,))
                sender.start()
                received = b""
                while len(received) < len(message):
                    received += connection.recv(65536) or sys.exit("connection closed early")
                sender.join()
                good += received == message
        for connection in connections:
            connection.close()
    finally:
        loop.post(lambda: report(good))


def main(path):
    loop = Loop(path)
    server = EchoServer(loop)
    waiting = {"clients", "posts", "timers"}
    results = {}

    def finished(what, value):
        results[what] = value
        waiting.discard(what)
        if not waiting:
            loop.lib.loop_stop(loop.pointer)

    received = {0: [], 1: []}

    def receive(thread, number):
        received[thread].append(number)
        if len(received[0]) + len(received[1]) == 2 * POSTS:
            finished("posts", all(numbers == list(range(POSTS)) for numbers in received.values()))

    def poster(thread):
        for number in range(POSTS):
            loop.post(lambda number=number: receive(thread, number))

    lateness, fired = [], []

    def fire(due):
        lateness.append(loop.time() - due)
        fired.append(due)
        if len(fired) == TIMERS:
            finished("timers", min(lateness) >= 0 and fired == sorted(fired))

    def arm():
        for _ in range(TIMERS):
            delay = random.randrange(200_000_000)
            due = loop.time() + delay
            loop.once("loop_call_at", ctypes.c_uint64(due), function=lambda due=due: fire(due))

    loop.later(60_000_000_000, lambda: loop.failures.append("not done after 60 s")
               or loop.lib.loop_stop(loop.pointer))
    arm()
    threads = [threading.Thread(target=poster, args=(number,)) for number in received]
    threads.append(threading.Thread(
        target=clients, args=(server.port, loop, lambda good: finished("clients", good))))
    for thread in threads:
        thread.start()
    loop.check(loop.lib.loop_run_forever(loop.pointer))
    for thread in threads:
        thread.join()
    loop.remove_reader(server.listener)
    server.listener.close()
    loop.check(loop.lib.loop_close(loop.pointer))
    loop.lib.loop_unref(loop.pointer)

    print(f"Python {sys.version.split()[0]}, ctypes, coloop {loop.lib.coloop_version().decode()}")
    print(f"echo:   {server.most} connections at once, {server.echoed / 1e6:.1f} MB echoed, "
          f"{results.get('clients')} of {CONNECTIONS * len(MESSAGES)} messages verified")
    print(f"posts:  2 threads, {len(received[0])} and {len(received[1])} received, "
          f"in order: {results.get('posts')}")
    print(f"timers: {len(fired)} fired, at most {max(lateness) / 1e6:.2f} ms late, "
          f"in order and none early: {results.get('timers')}")
    right = (not loop.failures and server.most == CONNECTIONS
             and results == {"clients": CONNECTIONS * len(MESSAGES), "posts": True, "timers": True})
    print("all right" if right else f"WRONG: {loop.failures} {results}")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
