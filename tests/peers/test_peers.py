"""Programs that know nothing of coloop as peers: Python's standard library, curl, socat and
nc against small C programs (peer.c). Set COLOOP_PEER to the compiled program."""

import asyncio
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import unittest

PEER = os.environ.get("COLOOP_PEER", "target/tests/peer")
SECONDS = 30
PATTERN = bytes(ord("a") + i % 26 for i in range(26 * 1000))


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


def run(*words, data=b"", check=True):
    """Runs a program to its end; what it printed."""
    done = subprocess.run(words, input=data, capture_output=True, timeout=SECONDS)
    if check and done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr.decode()}")
    return done.stdout


class Peer:
    """A running peer program that serves; `said` is its first line."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            [PEER, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = self.process.stdout.readline().decode().strip()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        try:
            _, errors = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        if failure[0] is None and (self.process.returncode != 0 or errors):
            raise AssertionError(f"peer ended with {self.process.returncode}: {errors.decode()}")


class TemporaryPath(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "s")


def received_all(connection):
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def conversation(connection, data):
    """Sends everything while it receives everything, to the end."""
    connection.settimeout(SECONDS)
    sender = threading.Thread(
        target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
    sender.start()
    got = received_all(connection)
    sender.join()
    connection.close()
    return got


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoDatagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, own = self.request
        own.sendto(data, self.client_address)


class Serving:
    """A server of socketserver's in a thread."""

    def __init__(self, kind, address, handler=Echo):
        self.server = kind(address, handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def __enter__(self):
        self.thread.start()
        return self.server.server_address

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class ThreadingUnixStream(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass


class PythonAsClient(TemporaryPath):
    def test_tcp(self):
        with Peer("serve", "tcp", "127.0.0.1") as peer:
            connections = [socket.create_connection(("127.0.0.1", int(peer.said)))
                           for _ in range(20)]
            for i, connection in enumerate(connections):
                data = PATTERN * 100 if i == 0 else b"%d" % i
                self.assertEqual(conversation(connection, data), data)

    def test_tcp_by_name(self):
        with Peer("serve", "tcp", "localhost") as peer:
            with socket.create_connection(("localhost", int(peer.said))) as connection:
                self.assertEqual(conversation(connection, b"name"), b"name")

    def test_unix(self):
        with Peer("serve", "unix", self.path):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.path)
            self.assertEqual(conversation(connection, PATTERN), PATTERN)
        self.assertFalse(os.path.exists(self.path))

    def test_unix_abstract(self):
        name = f"coloop-peer-{os.getpid()}"
        with Peer("serve", "unix", "@" + name):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect("\0" + name)
            self.assertEqual(conversation(connection, b"abstract"), b"abstract")

    def test_udp(self):
        with Peer("udp", "127.0.0.1") as peer:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(SECONDS)
                for data in (b"", b"x", PATTERN[:1400]):
                    client.sendto(data, ("127.0.0.1", int(peer.said)))
                    self.assertEqual(client.recv(65536), data)

    def test_unix_datagrams(self):
        with Peer("datagrams", self.path):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.settimeout(SECONDS)
                client.bind(self.path + "2")
                client.sendto(b"hello", self.path)
                self.assertEqual(client.recvfrom(100), (b"hello", self.path))

    def test_asyncio_streams(self):
        async def talk(port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PATTERN)
            writer.write_eof()
            data = await reader.read()
            writer.close()
            await writer.wait_closed()
            return data

        async def all_of_them(port):
            return await asyncio.gather(*(talk(port) for _ in range(50)))

        with Peer("serve", "tcp", "127.0.0.1") as peer:
            self.assertEqual(asyncio.run(all_of_them(int(peer.said))), [PATTERN] * 50)


class PythonAsServer(TemporaryPath):
    def test_tcp(self):
        with Serving(socketserver.ThreadingTCPServer, ("127.0.0.1", 0)) as (_, port):
            got = run(PEER, "connect", "tcp", "127.0.0.1", str(port), data=PATTERN * 10)
            self.assertEqual(got, PATTERN * 10)

    def test_tcp_by_name(self):
        with Serving(socketserver.ThreadingTCPServer, ("localhost", 0)) as (_, port):
            self.assertEqual(run(PEER, "connect", "tcp", "localhost", str(port), data=b"x"), b"x")

    def test_tcp_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        done = subprocess.run([PEER, "connect", "tcp", "127.0.0.1", str(port)],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"Connect call failed ('127.0.0.1', {port})".encode(), done.stderr)

    def test_unix(self):
        with Serving(ThreadingUnixStream, self.path):
            self.assertEqual(run(PEER, "connect", "unix", self.path, data=PATTERN), PATTERN)

    def test_udp(self):
        address = ("127.0.0.1", 0)
        with Serving(socketserver.UDPServer, address, EchoDatagram) as (_, port):
            self.assertEqual(run(PEER, "ask", "127.0.0.1", str(port), "hello"), b"hello")

    def test_unix_datagrams(self):
        with Serving(socketserver.UnixDatagramServer, self.path, EchoDatagram):
            self.assertEqual(run(PEER, "tell", self.path, self.path + "2", "hi"), b"hi")

    def test_asyncio_server(self):
        async def talk():
            async def echo(reader, writer):
                writer.write(await reader.read())
                writer.close()
                await writer.wait_closed()

            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            peers = [await asyncio.create_subprocess_exec(
                PEER, "connect", "tcp", "127.0.0.1", str(port),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(5)]
            answers = await asyncio.gather(*(peer.communicate(PATTERN) for peer in peers))
            server.close()
            return [answer for answer, _ in answers]

        self.assertEqual(asyncio.run(asyncio.wait_for(talk(), SECONDS)), [PATTERN] * 5)


@needs("curl")
class Curl(TemporaryPath):
    def test_http(self):
        with Peer("http", "127.0.0.1") as peer:
            base = f"http://127.0.0.1:{peer.said}"
            # Not by way of a proxy that the environment names.
            curl = ("curl", "--noproxy", "*", "-sS", "--fail")
            for size in (0, 1, 26_000, 10_000_000):
                body = run(*curl, f"{base}/bytes/{size}")
                self.assertEqual(len(body), size)
                self.assertEqual(body[:26_000], PATTERN[:size])
            many = run(*curl, "--parallel", f"{base}/bytes/[1-50]")
            self.assertEqual(len(many), sum(range(1, 51)))
            done = subprocess.run([*curl, f"{base}/else"], capture_output=True, timeout=SECONDS)
            self.assertEqual(done.returncode, 22)


@needs("socat")
class Socat(TemporaryPath):
    def test_tcp_client(self):
        with Peer("serve", "tcp", "127.0.0.1") as peer:
            self.assertEqual(
                run("socat", "-t10", "-", f"TCP4:127.0.0.1:{peer.said}", data=PATTERN), PATTERN)

    def test_tcp_client_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6")
        with Peer("serve", "tcp", "::1") as peer:
            self.assertEqual(
                run("socat", "-t10", "-", f"TCP6:[::1]:{peer.said}", data=PATTERN), PATTERN)

    def test_unix_client(self):
        with Peer("serve", "unix", self.path):
            self.assertEqual(
                run("socat", "-t10", "-", f"UNIX-CONNECT:{self.path}", data=PATTERN), PATTERN)

    def test_udp_client(self):
        with Peer("udp", "127.0.0.1") as peer:
            # A datagram has no end: it waits half a second for more.
            self.assertEqual(
                run("socat", "-t0.5", "-", f"UDP4:127.0.0.1:{peer.said}", data=b"hello"), b"hello")

    def serving(self, *words):
        process = subprocess.Popen(["socat", "-d", "-d", *words], stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        for line in process.stderr:
            if b"listening on" in line:
                return line.decode().strip().rpartition(":")[2]
        raise AssertionError("socat does not listen")

    def test_tcp_server(self):
        port = self.serving("TCP4-LISTEN:0,bind=127.0.0.1,fork", "PIPE")
        self.assertEqual(run(PEER, "connect", "tcp", "127.0.0.1", port, data=PATTERN), PATTERN)

    def test_unix_server(self):
        self.serving(f"UNIX-LISTEN:{self.path},fork", "PIPE")
        self.assertEqual(run(PEER, "connect", "unix", self.path, data=PATTERN), PATTERN)


@needs("nc")
class Netcat(TemporaryPath):
    def test_tcp_client(self):
        with Peer("serve", "tcp", "127.0.0.1") as peer:
            self.assertEqual(run("nc", "-N", "127.0.0.1", peer.said, data=PATTERN), PATTERN)

    def test_unix_client(self):
        with Peer("serve", "unix", self.path):
            self.assertEqual(run("nc", "-N", "-U", self.path, data=PATTERN), PATTERN)


if __name__ == "__main__":
    sys.argv[0] = "test_peers"
    unittest.main()
