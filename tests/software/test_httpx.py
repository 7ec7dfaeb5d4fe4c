"""httpx's AsyncClient, whose sockets are anyio's, against uvicorn in the same loop."""

import asyncio
import contextlib
import hashlib
import unittest

import anyio
import httpx
import uvicorn

from application import application
from both import LOOPS, BothLoops, outcome
from servers import Certificate, Directory

DATA = bytes(range(256)) * 12_000
DIGEST = hashlib.sha256(DATA).hexdigest()


@contextlib.asynccontextmanager
async def serving(**options):
    """uvicorn in this loop: its URL."""
    options = {"host": "127.0.0.1", "port": 0, **options}
    config = uvicorn.Config(application, http="httptools", log_level="warning", **options)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0)
    try:
        if "uds" in options:
            yield "http://localhost"
        else:
            scheme = "https" if "ssl_keyfile" in options else "http"
            yield f"{scheme}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def transfer(client):
    """A small answer, a streamed body up, and one down piece by piece."""
    async def pieces():
        for start in range(0, len(DATA), 50_000):
            yield DATA[start:start + 50_000]

    hello = await client.get("/")
    up = await client.post("/upload", content=pieces())
    digest = hashlib.sha256()
    async with client.stream("GET", "/download") as response:
        async for piece in response.aiter_bytes():
            digest.update(piece)
    return hello.text, up.text, digest.hexdigest()


class HttpxTest(BothLoops):
    loggers = ("uvicorn", "uvicorn.error", "httpx")

    def test_transfer(self):
        async def scenario():
            async with serving() as url, httpx.AsyncClient(base_url=url) as client:
                return await transfer(client)
        seen = self.both(scenario)
        self.assertEqual(seen[:2], ("Hello, world!", f"{len(DATA)} {DIGEST}"))

    def test_transfer_over_tls(self):
        certificate = Certificate()
        self.addCleanup(certificate.close)
        options = {"ssl_keyfile": certificate.key, "ssl_certfile": certificate.certificate}

        async def scenario():
            async with serving(**options) as url:
                async with httpx.AsyncClient(base_url=url, verify=certificate.client()) as client:
                    seen = await transfer(client)
                async with httpx.AsyncClient(base_url=url) as client:
                    return seen, await outcome(client.get("/"))
        seen, refused = self.both(scenario)
        self.assertEqual(seen[:2], ("Hello, world!", f"{len(DATA)} {DIGEST}"))
        self.assertEqual(refused, "ConnectError")

    def test_transfer_over_a_unix_socket(self):
        directory = Directory()
        self.addCleanup(directory.close)
        path = directory.file("httpx.sock")

        async def scenario():
            async with serving(uds=path) as url:
                transport = httpx.AsyncHTTPTransport(uds=path)
                async with httpx.AsyncClient(base_url=url, transport=transport) as client:
                    return await transfer(client)
        self.assertEqual(self.both(scenario)[0], "Hello, world!")

    def test_connections_are_kept(self):
        """50 tasks of anyio share at most 5 connections; one after the other, one."""
        async def scenario():
            ports = []

            async def ask(client):
                ports.append((await client.get("/about")).json()["client"])

            limits = httpx.Limits(max_connections=5)
            async with serving() as url:
                async with httpx.AsyncClient(base_url=url, limits=limits) as client:
                    async with anyio.create_task_group() as group:
                        for _ in range(50):
                            group.start_soon(ask, client)
                    together = set(ports)
                    ports.clear()
                    for _ in range(10):
                        await ask(client)
            return len(together) <= 5, len(set(ports))
        self.assertEqual(self.both(scenario), (True, 1))

    def test_timeouts(self):
        async def scenario():
            async with serving() as url:
                limits = httpx.Limits(max_connections=1)
                timeout = httpx.Timeout(5, read=0.2, pool=0.2)
                async with httpx.AsyncClient(
                        base_url=url, timeout=timeout, limits=limits) as client:
                    read = await outcome(client.get("/forever"))
                    async with client.stream("GET", "/forever") as response:
                        pool = await outcome(client.get("/"))
                        first = await anext(response.aiter_bytes())
                    return read, pool, first, (await client.get("/")).text
        self.assertEqual(self.both(scenario),
                         ("ReadTimeout", "PoolTimeout", b"wait", "Hello, world!"))

    def test_refused(self):
        async def scenario():
            async with serving() as url:
                pass
            async with httpx.AsyncClient() as client:
                return await outcome(client.get(url))
        self.assertEqual(self.both(scenario), "ConnectError")

    def test_cancelled_by_anyio(self):
        """A cancel scope ends a request; the client works on."""
        async def scenario():
            async with serving() as url, httpx.AsyncClient(base_url=url) as client:
                with anyio.move_on_after(0.1) as scope:
                    await client.get("/forever")
                for turns in range(30):
                    async with anyio.create_task_group() as group:
                        group.start_soon(client.get, "/about")
                        for _ in range(turns):
                            await asyncio.sleep(0)
                        group.cancel_scope.cancel()
                return scope.cancelled_caught, (await client.get("/")).text
        self.assertEqual(self.both(scenario), (True, "Hello, world!"))

    def test_anyio_runs_on_it(self):
        """anyio.run with the loop's factory: sockets, threads, processes, events."""
        async def scenario():
            async def echo(stream):
                async with stream:
                    async for data in stream:
                        await stream.send(data)

            listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    await stream.send(b"by tcp")
                    seen = [await stream.receive()]
                group.cancel_scope.cancel()
            await listener.aclose()
            async with await anyio.create_connected_udp_socket("127.0.0.1", 9) as udp:
                seen.append(udp.extra(anyio.abc.SocketAttribute.remote_port))
            seen.append(await anyio.to_thread.run_sync(anyio.from_thread.run, in_loop))
            process = await anyio.run_process("tr a-z A-Z", input=b"by a process")
            return seen + [process.stdout]

        async def in_loop():
            return "by a thread"

        seen = [anyio.run(scenario, backend_options={"loop_factory": factory})
                for factory in LOOPS.values()]
        self.assertEqual(seen[1], seen[0])
        self.assertEqual(seen[1], [b"by tcp", 9, "by a thread", b"BY A PROCESS"])


if __name__ == "__main__":
    unittest.main()
