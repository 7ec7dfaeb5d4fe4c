"""gunicorn, which forks, with workers on coloop."""

import collections
import hashlib
import http.client
import json
import os
import signal
import socket
import time
import unittest

from servers import SECONDS, complaints, free_port, python, wrk


class Gunicorn:
    """A running gunicorn with two workers of this class, which have all started."""

    def __init__(self, worker, *options, application="application", workers=2):
        self.port, self.workers = free_port(), workers
        self.server = python(
            "-m", "gunicorn", f"{application}:application", "--worker-class", f"workers.{worker}",
            "--workers", str(workers), "--bind", f"127.0.0.1:{self.port}",
            "--graceful-timeout", str(SECONDS), "--no-control-socket", *options, dev=True)

    def __enter__(self):
        try:
            self.server.wait_for_address(("127.0.0.1", self.port))
            self.wait_for_pids(lambda pids: len(pids) == self.workers)
        except BaseException:
            self.server.close()
            raise
        return self

    def __exit__(self, *failure):
        self.server.close()

    def get(self, path):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else answer.status
        finally:
            client.close()

    def pids(self):
        """Those that answered the last of many requests, all of them on coloop."""
        pids = collections.Counter()
        for _ in range(40):
            try:
                about = self.get("/about")
            except ConnectionResetError:
                continue  # it was in the queue of a worker that has just ended
            if about["loop"] != "coloop":
                raise AssertionError(about)
            pids[about["pid"]] += 1
        return set(pids)

    def wait_for_pids(self, wanted):
        """Ask who answers until `wanted(pids)`; those."""
        deadline = time.monotonic() + SECONDS
        while not wanted(pids := self.pids()):
            if time.monotonic() > deadline:
                raise AssertionError(f"still {pids}: {self.server.output()}")
            time.sleep(0.02)
        return pids


class GunicornTest(unittest.TestCase):
    def end(self, gunicorn):
        """Ends it; every process must end, and none must have complained."""
        pids = gunicorn.pids()
        self.assertEqual(gunicorn.server.end(), 0, gunicorn.server.output())
        for pid in pids:
            self.assertRaises(ProcessLookupError, os.kill, pid, 0)
        output = gunicorn.server.output()
        self.assertEqual(complaints(output), [], output)

    def test_uvicorn_workers(self):
        self.load("Uvicorn")

    def test_own_workers(self):
        self.load("Gunicorn")

    def load(self, worker):
        with Gunicorn(worker) as gunicorn:
            numbers = wrk(f"http://127.0.0.1:{gunicorn.port}/", connections=20, seconds=1)
            self.assertGreater(numbers.pop("requests"), 20)
            self.assertEqual(numbers, dict.fromkeys(numbers, 0))
            self.end(gunicorn)

    def test_reload(self):
        """HUP: new processes answer; a request that an old one has begun is ended by it."""
        data = os.urandom(1_000_000)
        with Gunicorn("Uvicorn") as gunicorn:
            old = gunicorn.wait_for_pids(lambda pids: len(pids) == 2)
            with socket.create_connection(("127.0.0.1", gunicorn.port), SECONDS) as sock:
                sock.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                             b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
                # Now the application reads.
                self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 100"))
                sock.sendall(data[:1000])
                gunicorn.server.process.send_signal(signal.SIGHUP)
                new = gunicorn.wait_for_pids(
                    lambda pids: len(pids) == 2 and pids.isdisjoint(old))
                sock.sendall(data[1000:])
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
            self.assertIn(b"200 OK", answer)
            self.assertIn(hashlib.sha256(data).hexdigest().encode(), answer)
            gunicorn.server.wait_until(lambda: not any(map(is_running, old)), "old workers' end")
            self.assertTrue(new.isdisjoint(old))
            self.end(gunicorn)

    def test_killed_worker(self):
        """One that is killed is replaced; the other answers meanwhile."""
        with Gunicorn("Uvicorn") as gunicorn:
            old = gunicorn.wait_for_pids(lambda pids: len(pids) == 2)
            victim = min(old)
            os.kill(victim, signal.SIGKILL)
            gunicorn.server.wait_until(lambda: not is_running(victim), "its end")
            new = gunicorn.wait_for_pids(lambda pids: len(pids) == 2)
            self.assertEqual(len(new & old), 1, gunicorn.server.output())
            self.end(gunicorn)

    def test_loop_made_before_the_fork(self):
        """The parent's loop is refused in the worker, can be closed there, and lives on."""
        with Gunicorn("Uvicorn", "--preload", application="preloaded", workers=1) as gunicorn:
            running, closed, message, closed_after = gunicorn.get("/inherited")
            self.assertEqual([running, closed, closed_after], [False, False, True])
            self.assertIn("fork", message)
            self.end(gunicorn)
            self.assertEqual(gunicorn.server.output().count("parent's loop watches on"), 1)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    unittest.main()
