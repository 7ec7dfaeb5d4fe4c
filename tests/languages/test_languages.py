"""The C ABI from other languages: each echo server with real clients, a thread that
posts, and an end."""

import os
import pathlib
import select
import socket
import subprocess
import threading
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINDINGS = ROOT / "bindings"
LIBRARY = ROOT / "target/lib/libcoloop.so.0"
SECONDS = 60


class Echo:
    """A running echo server of a language; ended with the block."""

    def __init__(self, *command):
        self.command = [*command, str(LIBRARY), str(BINDINGS / "coloop.cdef")]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        # A program that hangs ends the test instead.
        self.watchdog = threading.Timer(SECONDS, self.process.kill)
        self.watchdog.start()
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.communicate()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise AssertionError(f"status {self.process.returncode}: {self.process.stderr.read()}")
        return line.rstrip("\n")

    def connect(self, port):
        return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)

    def end(self):
        """Its standard input ends, and so does the program: its status and what it still said."""
        self.process.stdin.close()
        self.process.stdin = None
        output, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, output + errors


def received(client, length):
    data = bytearray()
    while len(data) < length:
        part = client.recv(length - len(data))
        if not part:
            break
        data += part
    return data


class Languages(unittest.TestCase):
    def check(self, *command):
        with Echo(*command) as server:
            port = int(server.line().removeprefix("serving on 127.0.0.1:"))
            self.assertEqual(server.line(), "1000 posts from another thread")
            clients = [server.connect(port) for _ in range(20)]
            for round in range(10):
                for number, client in enumerate(clients):
                    client.sendall(b"%d-%d" % (number, round))
                for number, client in enumerate(clients):
                    expected = b"%d-%d" % (number, round)
                    self.assertEqual(received(client, len(expected)), expected)
            for client in clients[1:]:
                client.close()
            # More than all buffers hold, from a client that does not read: the
            # server must pause, and then lose nothing.
            data = os.urandom(1 << 20) * 64
            sent = self.send_unread(clients[0], data)
            self.assertLess(sent, len(data))
            writer = threading.Thread(target=clients[0].sendall, args=[data[sent:]])
            writer.start()
            self.assertTrue(received(clients[0], len(data)) == data)
            writer.join()
            clients[0].shutdown(socket.SHUT_WR)
            self.assertEqual(clients[0].recv(1), b"")
            clients[0].close()
            self.assertEqual(server.end(), (0, ""))

        # An end that comes while the other thread posts.
        with Echo(*command) as server:
            server.line()
            self.assertIn(server.end(), [(0, ""), (0, "1000 posts from another thread\n")])

    def send_unread(self, client, data):
        """How much of it the other side takes while nobody reads the answers."""
        sent = 0
        while sent < len(data) and select.select([], [client], [], 1)[1]:
            sent += client.send(data[sent:sent + (1 << 16)], socket.MSG_DONTWAIT)
        return sent

    def test_luajit(self):
        self.check("luajit", str(BINDINGS / "lua/echo.lua"))

    def test_ruby(self):
        self.check("ruby", "-W", str(BINDINGS / "ruby/echo.rb"))

    def test_node(self):
        self.check("node", str(ROOT / "target/node/echo.js"))


if __name__ == "__main__":
    unittest.main()
