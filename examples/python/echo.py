#!/usr/bin/env python3
"""coloop from Python with nothing but ctypes: echo.py LIBRARY

One loop serves TCP echo to 100 connections at once while two threads post to it and timers run.
A thread plays the clients with blocking sockets and compares every byte. Prints what was done
and checks it; the exit status is 1 if anything was wrong.
"""

import ctypes
import faulthandler
import itertools
import random
import socket
import sys
import threading

CONNECTIONS, POSTERS, POSTS, TIMERS = 100, 2, 5_000, 50
SMALL, BIG, BIG_EVERY = 8_000, 1_000_000, 20  # one client in 20 sends more than the sockets can hold
SOCKET_BUFFER = 32 * 1024  # a fixed size: the system's own would grow until a big message fits
CHUNK = 65_536
TIME_LIMIT = 60  # seconds

CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
POINTER, NUMBER, HANDLE = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64
DATA = [CALLBACK, POINTER, CALLBACK]  # callback, user_data, destroy
# Without these ctypes takes every argument and result for a 32-bit int and cuts pointers in half.
SIGNATURES = {
    "coloop_version": (ctypes.c_char_p, []),
    "loop_last_error": (ctypes.c_char_p, []),
    "loop_new": (POINTER, []),
    "loop_unref": (None, [POINTER]),
    "loop_time": (ctypes.c_uint64, [POINTER]),
    "loop_close": (NUMBER, [POINTER]),
    "loop_run_forever": (NUMBER, [POINTER]),
    "loop_stop_threadsafe": (NUMBER, [POINTER]),
    "loop_call_soon_threadsafe": (NUMBER, [POINTER, *DATA, ctypes.POINTER(HANDLE)]),
    "loop_call_later": (NUMBER, [POINTER, ctypes.c_int64, *DATA, ctypes.POINTER(HANDLE)]),
    "loop_handle_when": (NUMBER, [POINTER, HANDLE, ctypes.POINTER(ctypes.c_uint64)]),
    "loop_add_reader": (NUMBER, [POINTER, NUMBER, *DATA]),
    "loop_add_writer": (NUMBER, [POINTER, NUMBER, *DATA]),
    "loop_remove_reader": (NUMBER, [POINTER, NUMBER]),
    "loop_remove_writer": (NUMBER, [POINTER, NUMBER]),
}


class Loop:
    """User data is a number that stands for a Python function. The loop destroys it exactly once,
    whatever happens, and then the function is forgotten: so `functions` ends empty."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(path)  # lets go of the GIL in each call, so other threads run meanwhile
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
            if result is NUMBER:
                function.errcheck = self.check
        self.functions, self.failures, self.numbers = {}, [], itertools.count(1)
        # ctypes frees a callback that nobody refers to, and the loop's pointer would dangle.
        self.data = CALLBACK(self.call), CALLBACK(self.forget)
        self.pointer = self.lib.loop_new()

    def check(self, result, function, arguments):
        if result < 0:
            raise RuntimeError(f"{function.__name__}: {self.lib.loop_last_error().decode()}")
        return result

    # ctypes only prints what a callback raises: it has to be recorded here.
    def call(self, number):
        try:
            self.functions[number]()
        except BaseException as error:
            self.fail(error)

    def forget(self, number):
        if self.functions.pop(number, None) is None:
            self.fail(f"user data {number} was destroyed twice")

    def fail(self, what):
        self.failures.append(what)
        self.lib.loop_stop_threadsafe(self.pointer)

    def keep(self, function):
        number = next(self.numbers)
        self.functions[number] = function
        return self.data[0], number, self.data[1]

    def post(self, function):
        self.lib.loop_call_soon_threadsafe(self.pointer, *self.keep(function), None)

    def later(self, delay, function):
        handle, when = HANDLE(), ctypes.c_uint64()
        self.lib.loop_call_later(self.pointer, delay, *self.keep(function), handle)
        self.lib.loop_handle_when(self.pointer, handle, when)
        return when.value

    def add_reader(self, sock, function):
        self.lib.loop_add_reader(self.pointer, sock.fileno(), *self.keep(function))

    def add_writer(self, sock, function):
        self.lib.loop_add_writer(self.pointer, sock.fileno(), *self.keep(function))

    def remove_reader(self, sock):
        self.lib.loop_remove_reader(self.pointer, sock.fileno())

    def remove_writer(self, sock):
        self.lib.loop_remove_writer(self.pointer, sock.fileno())

    def time(self):
        return self.lib.loop_time(self.pointer)

    def stop(self):
        self.lib.loop_stop_threadsafe(self.pointer)


class Server:
    def __init__(self, loop):
        self.loop = loop
        self.open = self.most = self.echoed = self.full_sockets = 0
        self.full = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS)
        self.listener.setblocking(False)
        loop.add_reader(self.listener, lambda: Connection(self, self.listener.accept()[0]))


class Connection:
    """Reads while nothing waits to be sent and only writes while something does: so a client that
    does not read cannot make the server's memory grow."""

    def __init__(self, server, sock):
        self.server, self.loop, self.sock = server, server.loop, sock
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        server.open += 1
        server.most = max(server.most, server.open)
        self.loop.add_reader(sock, self.readable)

    def readable(self):
        self.waiting = self.sock.recv(CHUNK)
        if not self.waiting:
            self.loop.remove_reader(self.sock)  # before the descriptor is closed
            self.sock.close()
            self.server.open -= 1
            return
        self.send()  # nearly always there is room at once
        if self.waiting:
            self.loop.remove_reader(self.sock)
            self.loop.add_writer(self.sock, self.writable)
            self.server.full_sockets += 1
            self.server.full.set()

    def writable(self):
        self.send()
        if not self.waiting:
            self.loop.remove_writer(self.sock)
            self.loop.add_reader(self.sock, self.readable)

    def send(self):
        try:
            sent = self.sock.send(self.waiting)
        except BlockingIOError:
            return
        self.server.echoed += sent
        self.waiting = self.waiting[sent:]


def play_clients(server):
    """All connections are open before the first message. Returns how many bytes came back."""
    connections, verified = [], 0
    for _ in range(CONNECTIONS):
        connections.append(socket.socket())
        connections[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        connections[-1].connect(server.listener.getsockname())
    for number, connection in enumerate(connections):
        message = random.randbytes(SMALL if number % BIG_EVERY else BIG)
        server.full.clear()
        sender = threading.Thread(target=connection.sendall, args=(message,), daemon=True)
        sender.start()
        if len(message) == BIG:
            server.full.wait()  # not reading until then is what fills the server's socket
        received = bytearray()
        while len(received) < len(message) and (chunk := connection.recv(CHUNK)):
            received += chunk
        sender.join()
        if received != message:
            raise RuntimeError("a client got other bytes than it sent")
        verified += len(received)
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
        if connection.recv(1):
            raise RuntimeError("a client got more bytes than it sent")
        connection.close()
    return verified


def main(path):
    faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)  # the watchdog: status 1, and where it hung
    loop = Loop(path)
    server = Server(loop)
    threading.excepthook = lambda args: loop.fail(args.exc_value)
    unfinished = {"clients", "posts", "timers"}
    received = [0] * POSTERS
    due, fired, lateness, verified = [], [], [], []

    def finish(part):
        unfinished.remove(part)
        if not unfinished:
            loop.stop()

    def clients():
        verified.append(play_clients(server))
        loop.post(lambda: finish("clients"))

    def receive(poster, number):  # on the loop's thread: posts of one thread keep their order
        if number != received[poster]:
            raise RuntimeError("a post came out of order")
        received[poster] += 1
        if received == [POSTS] * POSTERS:
            finish("posts")

    def post_all(poster):
        for number in range(POSTS):
            loop.post(lambda number=number: receive(poster, number))

    def fire(timer):
        lateness.append(loop.time() - due[timer])
        fired.append(due[timer])
        if len(fired) == TIMERS:
            finish("timers")

    for timer in range(TIMERS):
        delay, now = random.randrange(200_000_000), loop.time()
        due.append(loop.later(delay, lambda timer=timer: fire(timer)))
        if due[-1] < now + delay:
            loop.fail("a timer was set too early")
    # Daemons, because after a failure nobody serves them and they would never end.
    threads = [threading.Thread(target=post_all, args=(poster,), daemon=True) for poster in range(POSTERS)]
    threads.append(threading.Thread(target=clients, daemon=True))
    for thread in threads:
        thread.start()
    loop.lib.loop_run_forever(loop.pointer)

    if not loop.failures:
        for thread in threads:
            thread.join()
        loop.lib.loop_close(loop.pointer)  # the listener's registration goes with it
        loop.lib.loop_unref(loop.pointer)
        server.listener.close()
        for right, what in [
            (server.most == CONNECTIONS and server.open == 0, "not all connections were open at once"),
            (verified == [server.echoed], "the server echoed other bytes than the clients verified"),
            (server.full_sockets >= CONNECTIONS / BIG_EVERY, "a big message did not fill its socket"),
            (min(lateness) >= 0, "a timer fired early"),
            (fired == sorted(due), "timers fired out of order"),
            (not loop.functions, "user data was not destroyed"),
        ]:
            if not right:
                loop.failures.append(what)
    for failure in loop.failures:
        print(f"echo.py: WRONG: {failure!r}", file=sys.stderr)
    if loop.failures:
        return 1
    print(f"echo:   {server.most} connections at once, {server.echoed / 1e6:.1f} MB echoed and verified, "
          f"{server.full_sockets} times a full socket")
    print(f"posts:  {POSTERS} threads, {' and '.join(map(str, received))} posts received in order")
    print(f"timers: {TIMERS} in order of their deadlines, none early, at most {max(lateness) / 1e6:.2f} ms late")
    print(f"loop:   coloop {loop.lib.coloop_version().decode()} by ctypes, "
          f"Python {sys.version.split()[0]}: all right")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: echo.py LIBRARY")
    sys.exit(main(sys.argv[1]))
