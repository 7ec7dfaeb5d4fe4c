"""uvicorn with httptools, started from its command line, under wrk."""

import hashlib
import http.client
import json
import os
import signal
import socket
import unittest

from servers import Certificate, Directory, complaints, free_port, python, wrk

LOOPS = {"asyncio": "asyncio", "coloop": "coloop:new_event_loop"}


class Uvicorn:
    """A running uvicorn; options as on its command line. It listens before `wait`."""

    def __init__(self, loop, *options, dev=False, **environment):
        self.port = free_port()
        self.server = python(
            "-m", "uvicorn", "application:application", "--http", "httptools",
            "--loop", LOOPS[loop], "--port", str(self.port), "--no-access-log", *options, dev=dev,
            **environment)

    def __enter__(self):
        try:
            self.server.wait_until(
                lambda: "Application startup complete" in self.server.output(), "starting")
            if "--uds" not in self.server.process.args:
                self.server.wait_for_address(("127.0.0.1", self.port))
        except BaseException:
            self.server.close()
            raise
        return self

    def __exit__(self, *failure):
        self.server.close()

    def get(self, path, body=None, tls=None):
        """One request of its own connection: status and body."""
        if tls is None:
            client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        else:
            client = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=tls)
        try:
            client.request("POST" if body else "GET", path, body)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()


class UvicornTest(unittest.TestCase):
    def end(self, uvicorn, number=signal.SIGTERM):
        """Ends it; it must end well, and must not have complained."""
        # uvicorn raises the signal again once it has shut down.
        self.assertIn(uvicorn.server.end(number), (0, -number))
        output = uvicorn.server.output()
        self.assertIn("Finished server process", output)
        self.assertEqual(complaints(output), [], output)

    def load(self, url, connections=50, seconds=2):
        numbers = wrk(url, connections=connections, seconds=seconds)
        requests = numbers.pop("requests")
        self.assertEqual(numbers, dict.fromkeys(numbers, 0))
        self.assertGreater(requests, connections)
        return requests

    def test_wrk(self):
        for dev in (False, True):
            with self.subTest(dev=dev), Uvicorn("coloop", dev=dev) as uvicorn:
                self.load(f"http://127.0.0.1:{uvicorn.port}/")
                _, about = uvicorn.get("/about")
                self.assertEqual(json.loads(about)["loop"], "coloop")
                self.end(uvicorn)

    def test_wrk_downloads_and_threads(self):
        with Uvicorn("coloop") as uvicorn:
            for path in ("/download", "/work"):
                self.load(f"http://127.0.0.1:{uvicorn.port}{path}", 10, 1)
            self.end(uvicorn)

    def test_wrk_over_tls(self):
        certificate = Certificate()
        self.addCleanup(certificate.close)
        options = ("--ssl-keyfile", certificate.key, "--ssl-certfile", certificate.certificate)
        # In debug mode asyncio tells of connections without a handshake, as wrk's first is.
        with Uvicorn("coloop", *options, PYTHONASYNCIODEBUG="") as uvicorn:
            self.load(f"https://127.0.0.1:{uvicorn.port}/", 20)
            data = os.urandom(3_000_000)
            self.assertEqual(uvicorn.get("/upload", data, tls=certificate.client()),
                             (200, f"3000000 {hashlib.sha256(data).hexdigest()}".encode()))
            self.end(uvicorn)

    def test_workers(self):
        with Uvicorn("coloop", "--workers", "2") as uvicorn:
            uvicorn.server.wait_until(
                lambda: uvicorn.server.output().count("startup complete") == 2, "two workers")
            self.load(f"http://127.0.0.1:{uvicorn.port}/", 20, 1)
            _, about = uvicorn.get("/about")
            about = json.loads(about)
            self.assertEqual(about["loop"], "coloop")
            self.assertNotEqual(about["pid"], uvicorn.server.pid)
            self.end(uvicorn)

    def test_interrupt(self):
        with Uvicorn("coloop", dev=True) as uvicorn:
            self.end(uvicorn, signal.SIGINT)

    def test_the_same_answers(self):
        """Bodies, errors, pipelines and lost clients are those of asyncio's loop."""
        seen = {}
        for loop in LOOPS:
            with Uvicorn(loop, dev=True) as uvicorn:
                seen[loop] = self.talk(uvicorn)
                self.end(uvicorn)
        self.assertEqual(seen["coloop"], seen["asyncio"])
        self.assertEqual(seen["coloop"]["hello"], (200, b"Hello, world!"))
        self.assertEqual(seen["coloop"]["pipelined"], 20)

    def talk(self, uvicorn):
        """Talks to a server; everything that it answers."""
        data = bytes(range(256)) * 20_000
        seen = {
            "hello": uvicorn.get("/"),
            "missing": uvicorn.get("/nothing"),
            "uploaded": uvicorn.get("/upload", data),
            "chunked": uvicorn.get("/upload", iter([data[:10], data[10:]])),
            "downloaded": hashlib.sha256(uvicorn.get("/download")[1]).hexdigest(),
            "thread": uvicorn.get("/work"),
        }
        with socket.create_connection(("127.0.0.1", uvicorn.port), 30) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            answer = b""
            while answer.count(b"Hello, world!") < 20:
                piece = sock.recv(65536)
                if not piece:
                    break
                answer += piece
            seen["pipelined"] = answer.count(b"Hello, world!")
            sock.sendall(b"no http\r\n\r\n")
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
            seen["refused"] = answer.splitlines()[0], answer.splitlines()[-1]
        with socket.create_connection(("127.0.0.1", uvicorn.port), 30) as sock:
            sock.sendall(b"GET /forever HTTP/1.1\r\nHost: x\r\n\r\n")
            while b"wait" not in sock.recv(65536):
                pass
        uvicorn.server.wait_until(
            lambda: "client went away" in uvicorn.server.output(), "seeing the client go")
        return seen

    def test_unix_socket(self):
        directory = Directory()
        self.addCleanup(directory.close)
        path = directory.file("uvicorn.sock")
        with Uvicorn("coloop", "--uds", path) as uvicorn:
            uvicorn.server.wait_for_address(path)
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(30)
                sock.connect(path)
                sock.sendall(b"GET /about HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
            self.assertIn(b'"loop": "coloop"', answer)
            self.end(uvicorn)


if __name__ == "__main__":
    unittest.main()
