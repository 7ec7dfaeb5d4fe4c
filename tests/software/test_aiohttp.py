"""aiohttp's server and client, both on the loop under test."""

import asyncio
import contextlib
import hashlib
import os
import unittest

import aiohttp
from aiohttp import web

from both import BothLoops, outcome
from servers import Certificate, Directory

DATA = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(DATA).hexdigest()


async def hello(request):
    return web.Response(text=f"hello {request.match_info.get('name', '')}")


async def client_port(request):
    return web.json_response(request.transport.get_extra_info("peername")[1])


async def upload(request):
    digest, size = hashlib.sha256(), 0
    async for piece in request.content.iter_any():
        digest.update(piece)
        size += len(piece)
    return web.json_response([size, digest.hexdigest()])


async def download(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for start in range(0, len(DATA), 100_000):
        await response.write(DATA[start:start + 100_000])
    await response.write_eof()
    return response


async def slow(request):
    request.app["slow"].append("began")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        request.app["slow"].append("cancelled")
        raise


async def gate(request):
    request.app["began"].set()
    await request.app["gate"].wait()
    return web.Response(text="through")


async def websocket(request):
    """Echoes; says what the end was."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == aiohttp.WSMsgType.TEXT and message.data == "close":
            await socket.close(code=4001, message=b"as you wish")
        elif message.type == aiohttp.WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    request.app["closed"].append(socket.close_code)
    return socket


@contextlib.asynccontextmanager
async def serving(site, *words, handler_cancellation=False, files=None, **options):
    """The application, served by a site of this class; its address and itself."""
    application = web.Application(client_max_size=2 ** 30)
    application["slow"], application["closed"] = [], []
    application["began"], application["gate"] = asyncio.Event(), asyncio.Event()
    application.add_routes([
        web.get("/", hello), web.get("/hello/{name}", hello), web.get("/port", client_port),
        web.post("/upload", upload), web.get("/download", download),
        web.get("/slow", slow), web.get("/gate", gate), web.get("/websocket", websocket)])
    if files is not None:
        application.router.add_static("/files", files)
    runner = web.AppRunner(application, handler_cancellation=handler_cancellation)
    await runner.setup()
    try:
        await site(runner, *words, **options).start()
        yield runner.addresses[0], application
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def tcp(**options):
    """A server over TCP: its URL and the application."""
    async with serving(web.TCPSite, "127.0.0.1", 0, **options) as (address, application):
        scheme = "https" if options.get("ssl_context") else "http"
        yield f"{scheme}://127.0.0.1:{address[1]}", application


async def pieces():
    for start in range(0, len(DATA), 70_000):
        yield DATA[start:start + 70_000]
        await asyncio.sleep(0)


async def digest_of(response):
    """The size and digest of a body, read piece by piece."""
    digest, size = hashlib.sha256(), 0
    async for piece in response.content.iter_chunked(65536):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


class AiohttpTest(BothLoops):
    loggers = ("aiohttp",)

    @classmethod
    def setUpClass(cls):
        cls.certificate = Certificate()
        cls.addClassCleanup(cls.certificate.close)

    def test_requests(self):
        async def scenario():
            async with tcp() as (url, _), aiohttp.ClientSession(url) as session:
                async def ask(path):
                    async with session.get(path) as response:
                        return response.status, await response.text()
                seen = [await ask("/"), await ask("/nothing")]
                return seen + await asyncio.gather(*[ask(f"/hello/{n}") for n in range(200)])
        seen = self.both(scenario)
        self.assertEqual(seen[0], (200, "hello "))
        self.assertEqual(seen[-1], (200, "hello 199"))

    def transfer(self, **options):
        """Streams a body up and one down."""
        async def scenario():
            tls = options and self.certificate.client() or True
            async with tcp(**options) as (url, _), aiohttp.ClientSession(url) as session:
                async with session.post("/upload", data=pieces(), ssl=tls) as response:
                    up = await response.json()
                async with session.get("/download", ssl=tls) as response:
                    down = await digest_of(response)
                return up, down
        self.assertEqual(self.both(scenario), ([len(DATA), DIGEST], (len(DATA), DIGEST)))

    def test_streaming(self):
        self.transfer()

    def test_streaming_over_tls(self):
        self.transfer(ssl_context=self.certificate.server())

    def test_tls_refused(self):
        """A certificate that the client does not trust, and no TLS at all."""
        async def scenario():
            async with tcp(ssl_context=self.certificate.server()) as (url, _):
                async with aiohttp.ClientSession() as session:
                    return [await outcome(session.get(url)),
                            await outcome(session.get(url.replace("https", "http")))]
        seen = self.both(scenario)
        self.assertEqual(seen[0], "ClientConnectorCertificateError")

    def test_keep_alive(self):
        """One connection serves all requests; with force_close each has its own."""
        async def scenario():
            async with tcp() as (url, _):
                counts = []
                for close in (False, True):
                    connector = aiohttp.TCPConnector(force_close=close)
                    async with aiohttp.ClientSession(url, connector=connector) as session:
                        ports = set()
                        for _ in range(10):
                            async with session.get("/port") as response:
                                ports.add(await response.json())
                        counts.append(len(ports))
                return counts
        self.assertEqual(self.both(scenario), [1, 10])

    def test_client_timeout(self):
        """The client's time is up; a server that wants it is told."""
        async def scenario():
            async with tcp(handler_cancellation=True) as (url, application):
                limit = aiohttp.ClientTimeout(total=0.2)
                async with aiohttp.ClientSession(url, timeout=limit) as session:
                    seen = await outcome(session.get("/slow"))
                    while len(application["slow"]) < 2:
                        await asyncio.sleep(0.01)
                    async with session.get("/") as response:
                        return seen, application["slow"], await response.text()
        self.assertEqual(self.both(scenario), ("TimeoutError", ["began", "cancelled"], "hello "))

    def test_client_cancelled(self):
        """A request cancelled at every turn of the loop leaves the session usable."""
        async def scenario():
            async with tcp() as (url, _), aiohttp.ClientSession(url) as session:
                async def ask():
                    async with session.get("/port") as response:
                        return await response.json()
                for turns in range(40):
                    task = asyncio.create_task(ask())
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.wait([task])
                return isinstance(await ask(), int)
        self.assertTrue(self.both(scenario))

    def talk(self, tls=None):
        """Messages of all sizes over a websocket, and both ends closing it."""
        async def scenario():
            async with tcp(ssl_context=tls and tls.server()) as (url, application):
                seen = []
                async with aiohttp.ClientSession(url) as session:
                    for way in ("client", "server", "vanish"):
                        ssl = tls.client() if tls else True
                        async with session.ws_connect("/websocket", max_msg_size=0, compress=15,
                                                      ssl=ssl) as socket:
                            for size in (0, 1, 125, 126, 65535, 65536, 3_000_000):
                                await socket.send_bytes(DATA[:size])
                                seen.append(await socket.receive_bytes() == DATA[:size])
                            await socket.send_str("žluťoučký")
                            seen.append(await socket.receive_str())
                            if way == "server":
                                await socket.send_str("close")
                                last = await socket.receive()
                                seen.append((last.type.name, last.data, last.extra))
                            elif way == "vanish":
                                socket.get_extra_info("socket").shutdown(2)
                        seen.append(socket.close_code)
                while len(application["closed"]) < 3:
                    await asyncio.sleep(0.01)
                return seen, application["closed"]
        seen, closed = self.both(scenario)
        self.assertEqual(seen.count(True), 21)
        self.assertIn(("CLOSE", 4001, "as you wish"), seen)
        self.assertEqual(closed[0], 1000)

    def test_websocket(self):
        self.talk()

    def test_websocket_over_tls(self):
        self.talk(self.certificate)

    def test_files(self):
        """A file larger than the socket's buffer, by the loop's sendfile."""
        directory = Directory()
        self.addCleanup(directory.close)
        with open(directory.file("data"), "wb") as file:
            file.write(DATA)

        async def scenario():
            async with tcp(files=directory.path) as (url, _), aiohttp.ClientSession(url) as session:
                async with session.get("/files/data") as response:
                    whole = await digest_of(response)
                async with session.get("/files/data", headers={"Range": "bytes=5-9"}) as response:
                    return whole, response.status, await response.read()
        self.assertEqual(self.both(scenario), ((len(DATA), DIGEST), 206, DATA[5:10]))

    def test_unix_socket(self):
        directory = Directory()
        self.addCleanup(directory.close)
        path = directory.file("aiohttp.sock")

        async def scenario():
            async with serving(web.UnixSite, path):
                connector = aiohttp.UnixConnector(path)
                async with aiohttp.ClientSession("http://unix", connector=connector) as session:
                    async with session.post("/upload", data=pieces()) as response:
                        seen = await response.json()
            return seen, os.path.exists(path) and os.remove(path)
        self.assertEqual(self.both(scenario)[0], [len(DATA), DIGEST])

    def test_through_a_proxy(self):
        """https through a proxy: aiohttp upgrades the connection with loop.start_tls."""
        async def scenario():
            async def relay(reader, writer):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
                writer.close()

            async def proxy(reader, writer):
                request = await reader.readuntil(b"\r\n\r\n")
                host, port = request.split()[1].decode().split(":")
                away = await asyncio.open_connection(host, int(port))
                writer.write(b"HTTP/1.1 200 established\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    await asyncio.gather(relay(reader, away[1]), relay(away[0], writer))
                ended.append(request.split()[0])

            ended = []
            server = await asyncio.start_server(proxy, "127.0.0.1")
            port = server.sockets[0].getsockname()[1]
            async with tcp(ssl_context=self.certificate.server()) as (url, _):
                async with aiohttp.ClientSession(url) as session:
                    async with session.post(
                            "/upload", data=pieces(), ssl=self.certificate.client(),
                            proxy=f"http://127.0.0.1:{port}") as response:
                        seen = await response.json()
            while not ended:
                await asyncio.sleep(0.01)
            server.close()
            await server.wait_closed()
            return seen, ended
        self.assertEqual(self.both(scenario), ([len(DATA), DIGEST], [b"CONNECT"]))

    def test_shutdown_waits_for_requests(self):
        """The runner's cleanup lets a running request end, and takes no new one."""
        async def scenario():
            async with aiohttp.ClientSession() as session:
                async with tcp() as (url, application):
                    task = asyncio.create_task(session.get(url + "/gate"))
                    await application["began"].wait()
                    asyncio.get_running_loop().call_later(0.1, application["gate"].set)
                async with await task as response:
                    text = await response.text()
                return text, await outcome(session.get(url))
        self.assertEqual(self.both(scenario), ("through", "ClientConnectorError"))


if __name__ == "__main__":
    unittest.main()
