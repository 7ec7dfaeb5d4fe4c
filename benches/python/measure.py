"""One measurement: a process with a loop, and whatever puts load on it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
CHILD = os.path.join(HERE, "child.py")
TIMEOUT = 120  # seconds; a measurement takes about one
WRK_SECONDS = 1

#: What glibc's malloc is told. Fixed: a transport's buffer, whatever its size, is not mapped and
#: unmapped for each read.
MALLOC = {
    "default": {},
    "fixed": {"MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TRIM_THRESHOLD_": "268435456"},
}

#: What a program pays before its first callback, told by itself.
FRESH = """
import time
start = time.process_time()
import {0}
loop = {0}.new_event_loop()
loop.call_soon(loop.stop)
loop.run_forever()
spent = time.process_time() - start
for line in open("/proc/self/status"):
    if line.startswith("VmRSS"):
        print('{{"cpu_us": %f, "rss_kib": %s}}' % (spent * 1e6, line.split()[1]))
"""


class Failed(Exception):
    """No figure: a loop without the feature, a crash, no end."""


@dataclass(frozen=True)
class Tools:
    load: str
    #: Temporary files: UNIX sockets.
    directory: str
    certificate: str

    def environment(self, setting):
        own = {"BENCH_CERTIFICATE": self.certificate, "TMPDIR": self.directory}
        return {**os.environ, **own, **MALLOC[setting]}


def steps(rows):
    """The rows to measure: two that show figures of one scenario are measured once."""
    found = {}
    for row in rows:
        found.setdefault((row.scenario or row.name, row.load), row)
    return list(found.values())


def measure(tools, row, loop, setting):
    """{"cpu_us": ..., ...} for a row on a loop. Failed."""
    scenario = row.scenario or row.name
    environment = tools.environment(setting)
    if scenario == "fresh":
        return _finish([sys.executable, "-c", FRESH.format(loop)], environment)
    command = [sys.executable, CHILD, loop, scenario]
    if row.load is None:
        return _finish(command, environment)
    with _server(command, environment) as (pid, address):
        kind, connections, size = row.load
        if kind == "wrk":
            return _wrk(pid, address, connections)
        # The load's own malloc stays as it is.
        return _finish([tools.load, kind, str(address), str(connections), str(size), str(pid)])


def _finish(command, environment=None):
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True,
                              timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {TIMEOUT} s") from None
    if done.returncode != 0:
        raise Failed(_reason(done.returncode, done.stderr))
    return json.loads(done.stdout)


def _reason(code, errors):
    lines = errors.strip().splitlines() or ["nothing on stderr"]
    return f"exit {code}: {lines[-1]}"


@contextlib.contextmanager
def _server(command, environment):
    server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        if not line:
            raise Failed(_reason(server.wait(), server.stderr.read()))
        try:
            yield server.pid, json.loads(line)["address"]
        except Failed as failure:
            if server.poll() is None:
                raise
            end = _reason(server.returncode, server.stderr.read())
            raise Failed(f"{failure}; server: {end}") from None
    finally:
        server.kill()
        server.communicate()


def _cpu(pid):
    """CPU seconds of a process so far: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)


def _wrk(pid, port, connections):
    command = ["wrk", "-t1", f"-c{connections}", f"http://127.0.0.1:{port}/"]
    _run_wrk([*command, "-d1"])  # warms up
    start = _cpu(pid)
    requests = _run_wrk([*command, f"-d{WRK_SECONDS}"])
    return {
        "cpu_us": (_cpu(pid) - start) * 1e6 / requests,
        "wall_us": WRK_SECONDS * 1e6 / requests,
        "operations": requests,
    }


def _run_wrk(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    found = re.search(r"(\d+) requests in", done.stdout)
    if done.returncode != 0 or not found or not int(found[1]):
        raise Failed(_reason(done.returncode, done.stderr or done.stdout))
    if re.search(r"Non-2xx|Socket errors", done.stdout):
        raise Failed("; ".join(line.strip() for line in done.stdout.splitlines()[-4:]))
    return int(found[1])
