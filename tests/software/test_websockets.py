"""websockets' server and client, both on the loop under test."""

import asyncio
import contextlib
import logging
import unittest

from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import broadcast, serve, unix_serve
from websockets.exceptions import ConnectionClosed
from websockets.utils import accept_key

from both import BothLoops, outcome
from servers import Certificate, Directory, free_port

DATA = bytes(range(256)) * 32_768  # 8 MiB
SILENT = logging.getLogger("a server whose handlers fail on purpose")
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


async def echo(connection):
    """Echoes, with orders for what else a server does."""
    async for message in connection:
        if message == "close":
            await connection.close(4001, "as you wish")
        elif message == "fail":
            raise RuntimeError("a handler that fails")
        elif message == "vanish":
            connection.transport.abort()
        else:
            await connection.send(message)


@contextlib.asynccontextmanager
async def serving(handler=echo, **options):
    """A server on a free port: its URL and itself."""
    async with serve(handler, "127.0.0.1", 0, **{"max_size": None, **options}) as server:
        scheme = "wss" if options.get("ssl") else "ws"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", server


async def end_of(connection):
    """How a connection ends: what was received and sent, as codes and reasons."""
    try:
        while True:
            await connection.recv()
    except ConnectionClosed as exc:
        return [frame and (frame.code, frame.reason) for frame in (exc.rcvd, exc.sent)]


async def talk(connection):
    """Messages of all sizes, in one piece and in several, text and binary."""
    seen = []
    for size in (0, 1, 125, 126, 65_535, 65_536, len(DATA)):
        await connection.send(DATA[:size])
        seen.append(await connection.recv() == DATA[:size])
    await connection.send(["žlu", "ťouč", "ký"])
    return seen, await connection.recv()


class WebsocketsTest(BothLoops):
    loggers = ("websockets.client",)
    quiet = ([True] * 7, "žluťoučký")

    def test_messages(self):
        async def scenario():
            async with serving() as (url, _):
                async with connect(url, max_size=None) as connection:
                    return await talk(connection)
        self.assertEqual(self.both(scenario), self.quiet)

    def test_messages_over_tls(self):
        certificate = Certificate()
        self.addCleanup(certificate.close)

        async def scenario():
            async with serving(ssl=certificate.server()) as (url, _):
                async with connect(url, max_size=None, ssl=certificate.client()) as connection:
                    return await talk(connection)
        self.assertEqual(self.both(scenario), self.quiet)

    def test_many_connections(self):
        async def scenario():
            async with serving() as (url, _):
                async def one(number):
                    async with connect(url, compression=None) as connection:
                        for round in range(20):
                            await connection.send(f"{number} {round}")
                        return [await connection.recv() for _ in range(20)]
                return await asyncio.gather(*map(one, range(50)))
        self.assertEqual(self.both(scenario)[49][19], "49 19")

    def test_ping(self):
        """A pong comes for each ping, in order, also for one between messages."""
        async def scenario():
            async with serving() as (url, _), connect(url) as connection:
                waiters = [await connection.ping(str(number)) for number in range(10)]
                await connection.send("between")
                latencies = [await waiter for waiter in waiters]
                return all(0 <= seconds < 30 for seconds in latencies), await connection.recv()
        self.assertEqual(self.both(scenario), (True, "between"))

    def test_keepalive(self):
        """A peer that answers nothing is given up, by the loop's timers."""
        async def deaf(reader, writer):
            request = await reader.readuntil(b"\r\n\r\n")
            key = [line.split(b": ")[1] for line in request.split(b"\r\n")
                   if line.lower().startswith(b"sec-websocket-key")][0]
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         b"Connection: Upgrade\r\nSec-WebSocket-Accept: "
                         + accept_key(key.decode()).encode() + b"\r\n\r\n")
            while await reader.read(1000):
                pass
            writer.close()
            ended.append(True)

        async def scenario():
            ended.clear()
            server = await asyncio.start_server(deaf, "127.0.0.1")
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with connect(url, ping_interval=0.1, ping_timeout=0.1,
                               close_timeout=0.1) as connection:
                end = await end_of(connection)
            server.close()
            while not ended:
                await asyncio.sleep(0.01)
            await server.wait_closed()
            return end
        ended = []
        self.assertEqual(self.both(scenario), [None, (1011, "keepalive ping timeout")])

    def test_close_codes(self):
        async def scenario():
            ends = {}
            async with serving(max_size=1000, logger=SILENT) as (url, server):
                for order in ("close", "fail", "vanish", "x" * 1001):
                    async with connect(url) as connection:
                        await connection.send(order)
                        ends[order[:6]] = await end_of(connection)
                async with connect(url) as connection:
                    await connection.close(4002, "enough")
                    ends["own"] = connection.close_code, connection.close_reason
                connection = await connect(url)
                server.close()
                ends["shutdown"] = await end_of(connection)
                await server.wait_closed()
            return ends
        seen = self.both(scenario)
        self.assertEqual([end[0] for end in seen.pop("x" * 6)], [1009, 1009])
        self.assertEqual(seen, {
            "close": [(4001, "as you wish")] * 2,
            "fail": [(1011, "")] * 2,
            "vanish": [None, None],
            "own": (4002, "enough"),
            "shutdown": [(1001, "")] * 2,
        })

    def test_cancelled(self):
        """recv can be cancelled at any turn, and no message is lost."""
        async def scenario():
            async with serving() as (url, _), connect(url) as connection:
                for turns in range(30):
                    await connection.send(str(turns))
                    task = asyncio.create_task(connection.recv())
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    message = await outcome_of(task) or await connection.recv()
                    self.assertEqual(message, str(turns))
                return await outcome(asyncio.wait_for(connection.recv(), 0.05))

        async def outcome_of(task):
            await asyncio.wait([task])
            return None if task.cancelled() else task.result()
        self.assertEqual(self.both(scenario), "TimeoutError")

    def test_slow_reader(self):
        """A server that writes faster than its client reads is held back, not lost."""
        async def flood(connection):
            for number in range(64):
                await connection.send(bytes([number]) * 262_144)
                sent.append(number)

        async def scenario():
            sent.clear()
            async with serving(flood, compression=None) as (url, _):
                async with connect(url, compression=None, max_queue=1) as connection:
                    await asyncio.sleep(0.2)
                    held_back = len(sent) < 64
                    seen = [(await connection.recv())[0] for _ in range(64)]
            return held_back, seen
        sent = []
        self.assertEqual(self.both(scenario), (True, list(range(64))))

    def test_broadcast(self):
        async def wait(connection):
            connections.add(connection)
            await connection.wait_closed()

        async def scenario():
            connections.clear()
            async with serving(wait) as (url, _), contextlib.AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(connect(url)) for _ in range(20)]
                while len(connections) < 20:
                    await asyncio.sleep(0.01)
                broadcast(connections, "all")
                return [await client.recv() for client in clients]
        connections = set()
        self.assertEqual(self.both(scenario), ["all"] * 20)

    def test_unix_socket(self):
        directory = Directory()
        self.addCleanup(directory.close)

        async def scenario():
            number = next(numbers)
            path = directory.file(f"{number}.sock")
            async with unix_serve(echo, path, max_size=None):
                async with unix_connect(path, max_size=None) as connection:
                    return await talk(connection)
        numbers = iter(range(2))
        self.assertEqual(self.both(scenario), self.quiet)

    def test_refused(self):
        async def scenario():
            return await outcome(connect(f"ws://127.0.0.1:{port}").__aenter__())
        port = free_port()
        self.assertEqual(self.both(scenario), "ConnectionRefusedError")


if __name__ == "__main__":
    unittest.main()
