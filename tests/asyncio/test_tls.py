"""TLS through Python's ssl, on transports of both loops."""

import asyncio
import gc
import os
import socket
import tempfile
import unittest
import weakref

import both
from both import attempted
from events import Said, SaidBuffered, contexts, until

QUIET = ("pause", "resume", "data", "updated", "get_buffer")


class Tls(both.Case):
    def setUp(self):
        super().setUp()
        self.server, self.client = contexts()

    def test_streams(self):
        async def program(loop, say):
            async def echo(reader, writer):
                while data := await reader.read(10_000):
                    writer.write(data)
                    await writer.drain()
                writer.close()

            server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=self.server)
            address = server.sockets[0].getsockname()
            reader, writer = await asyncio.open_connection(
                *address, ssl=self.client, server_hostname="localhost"
            )
            say(writer.get_extra_info("ssl_object").version())
            for data in (b"hello", os.urandom(300_000)):
                writer.write(data)
                say(await reader.readexactly(len(data)) == data)
            say(writer.can_write_eof(), writer.is_closing())
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

        self.same(program)

    def test_protocols(self):
        for kind in (Said, SaidBuffered):
            async def program(loop, say):
                servers = []

                def factory():
                    servers.append(Said(say, "server", QUIET))
                    return servers[-1]

                server = await loop.create_server(factory, "127.0.0.1", 0, ssl=self.server)
                transport, protocol = await loop.create_connection(
                    lambda: kind(say, "client", QUIET), *server.sockets[0].getsockname(),
                    ssl=self.client, server_hostname="localhost",
                )
                transport.write(b"from the client")
                transport.writelines([b", in", b" pieces"])
                await until(lambda: servers and len(servers[0].received) == 26)
                say(bytes(servers[0].received))
                servers[0].transport.write(b"from the server")
                await until(lambda: len(protocol.received) == 15)
                say(bytes(protocol.received))
                transport.close()
                await protocol.lost
                await servers[0].lost
                server.close()
                await server.wait_closed()

            with self.subTest(kind=kind.__name__):
                self.same(program, apart=("client", "server"))

    def test_start_tls(self):
        async def program(loop, say):
            upgraded = loop.create_future()

            async def serve(reader, writer):
                say(await reader.readline())
                writer.write(b"go on\n")
                await writer.drain()
                await writer.start_tls(self.server)
                upgraded.set_result(None)
                writer.write((await reader.readline()).upper())
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"upgrade\n")
            say(await reader.readline())
            await writer.start_tls(self.client, server_hostname="localhost")
            await upgraded
            writer.write(b"secret\n")
            say(await reader.readline(), await reader.read())
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

        self.same(program)

    def test_handshakes_that_fail(self):
        async def program(loop, say):
            server = await loop.create_server(
                lambda: Said(say, "server", QUIET), "127.0.0.1", 0, ssl=self.server
            )
            address = server.sockets[0].getsockname()
            wrong = await attempted(loop.create_connection(
                lambda: Said(say, "client"), *address, ssl=self.client,
                server_hostname="other.invalid",
            ))
            say(wrong.partition("(")[0])
            # A peer that says nothing.
            silent = socket.create_server(("127.0.0.1", 0))
            slow = await attempted(loop.create_connection(
                lambda: Said(say, "client"), *silent.getsockname(), ssl=self.client,
                server_hostname="localhost", ssl_handshake_timeout=0.05,
            ))
            say(slow)
            silent.close()
            # Clients that are no TLS, or go away.
            for greeting in (b"GET / HTTP/1.0\r\n\r\n", b""):
                plain = socket.create_connection(address)
                plain.send(greeting)
                plain.close()
            await asyncio.sleep(0.05)
            server.close()
            await server.wait_closed()

        said = {kind: both.events_of(kind, program) for kind in both.LOOPS}
        self.assertEqual(*[
            [(what if isinstance(what, str) else what[:3]) for what in said[kind]] for kind in said
        ])

    def test_over_unix_and_abort(self):
        async def program(loop, say):
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/socket"
                server = await loop.create_unix_server(
                    lambda: Said(say, "server", (*QUIET, "lost", "eof")), path, ssl=self.server
                )
                transport, protocol = await loop.create_unix_connection(
                    lambda: Said(say, "client", QUIET), path, ssl=self.client,
                    server_hostname="localhost",
                )
                transport.write(b"x" * 100_000)
                transport.abort()
                await protocol.lost
                server.close()
                await server.wait_closed()

        self.same(program, apart=("client", "server"))

    def test_sendfile_falls_back(self):
        async def program(loop, say):
            data = os.urandom(200_000)
            received = bytearray()
            ended = loop.create_future()

            class Collects(asyncio.Protocol):
                def data_received(self, data):
                    received.extend(data)

                def connection_lost(self, error):
                    ended.set_result(None)

            server = await loop.create_server(Collects, "127.0.0.1", 0, ssl=self.server)
            transport, _ = await loop.create_connection(
                asyncio.Protocol, *server.sockets[0].getsockname(), ssl=self.client,
                server_hostname="localhost",
            )
            with tempfile.TemporaryFile() as file:
                file.write(data)
                say(await loop.sendfile(transport, file))
            transport.close()
            await ended
            say(received == data)
            server.close()
            await server.wait_closed()

        self.same(program)

    def test_nothing_is_left_of_a_connection(self):
        async def program(loop, say):
            server = await loop.create_server(
                lambda: Said(say, "server", (*QUIET, "made", "eof", "lost")), "127.0.0.1", 0,
                ssl=self.server,
            )
            transport, protocol = await loop.create_connection(
                lambda: Said(say, "client", QUIET), *server.sockets[0].getsockname(),
                ssl=self.client, server_hostname="localhost",
            )
            ends = [weakref.ref(protocol), weakref.ref(transport)]
            transport.close()
            await protocol.lost
            del transport, protocol
            server.close()
            await server.wait_closed()
            await asyncio.sleep(0.01)
            gc.collect()
            say([end() is None for end in ends])

        self.same(program)


if __name__ == "__main__":
    unittest.main()
