"""What is compared: the rows, how each is measured, and the bounds coloop has set itself.

A bound is a ratio of coloop's figure to the better of uvloop's and rloop's, or to asyncio's
where the row says so.
"""

from dataclasses import dataclass

KIB = 1024
WALL = ("wall_us", "µs of wall time")


@dataclass(frozen=True)
class Row:
    name: str
    what: str
    must: float
    aim: float
    #: The scenario or the server of child.py; "" for the name.
    scenario: str = ""
    #: load's KIND, connections and message size in bytes; or ("wrk", connections, 0).
    #: None: the scenario ends by itself.
    load: tuple | None = None
    peers: tuple = ("uvloop", "rloop")
    value: str = "cpu_us"
    #: Another figure of the same run, shown below the table: (value, its text).
    beside: tuple | None = None

    @property
    def unit(self):
        return {"cpu_us": "µs", "rss_kib": "KiB"}[self.value]


def _echo(name, kind, server, connections, size, must, aim):
    text = f"{name.split('_')[0]} echo, {connections} x {size // KIB} KiB"
    return Row(f"{name}_c{connections}_{size // KIB}k", text, must, aim, server,
               (kind, connections, size))


ROWS = [
    Row("soon_chain", "one callback that schedules itself again", 1.0, 0.6),
    Row("soon_bulk", "100k callbacks scheduled in one, then run", 1.0, 0.6),
    Row("soon_context", "the same, with a given context", 1.0, 0.6),
    Row("later_cancel", "a timer made and cancelled at once", 0.5, 0.2),
    Row("later_fire", "50k timers, due over 100 ms: made and fired", 1.0, 0.7),
    Row("threadsafe_flood", "a thread posts 100k callbacks", 1.0, 0.7,
        beside=WALL),
    Row("thread_pingpong", "a thread posts and waits for the answer", 1.0, 0.9, beside=WALL),
    Row("task_sleep0", "100 tasks: one sleep(0)", 1.0, 0.8),
    Row("task_gather", "gather of 10k coroutines: one of them", 1.0, 0.8),
    Row("future_pingpong", "two tasks and futures: there and back", 1.0, 0.8),
    *(_echo("tcp", "tcp", "protocol", connections, size, 1.0, 0.9)
      for size in (KIB, 64 * KIB) for connections in (1, 50)),
    *(_echo("buffered", "tcp", "buffered", connections, size, 1.0, 0.9)
      for size in (KIB, 64 * KIB) for connections in (1, 50)),
    _echo("streams", "tcp", "streams", 50, KIB, 1.0, 0.85),
    _echo("sock", "tcp", "sock", 50, KIB, 1.0, 0.85),
    _echo("unix", "unix", "unix", 50, KIB, 1.0, 0.85),
    _echo("udp", "udp", "udp", 50, KIB, 1.0, 0.85),
    _echo("tls", "tls", "tls", 50, KIB, 1.0, 0.8),
    _echo("tls", "tls", "tls", 50, 64 * KIB, 1.0, 0.8),
    Row("uvicorn", "uvicorn with httptools: one request", 1.0, 0.9, load=("wrk", 50, 0),
        beside=WALL),
    Row("aiohttp", "aiohttp's server: one request", 1.0, 0.9, load=("wrk", 50, 0), beside=WALL),
    Row("spawn", "/bin/true started and waited for", 1.0, 0.8,
        beside=("children_us", "µs in the children")),
    Row("executor_job", "an empty job in the default executor", 1.0, 0.8, beside=WALL),
    Row("create_close", "a loop made and closed", 1.0, 0.6, peers=("asyncio",)),
    Row("import", "import and the first loop, CPU time", 1.0, 0.6, peers=("asyncio",),
        scenario="fresh"),
    Row("import_memory", "the same: resident memory of the process", 1.0, 0.6,
        peers=("asyncio",), scenario="fresh", value="rss_kib"),
]
