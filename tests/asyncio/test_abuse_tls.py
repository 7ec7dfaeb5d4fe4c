"""TLS connections whose peers, protocols and contexts do what they should not."""

import asyncio
import gc
import socket
import ssl
import unittest
import weakref

import both
from both import attempt, attempted
from events import contexts, until

MUCH = b"x" * 5_000_000


class Base(BaseException):
    pass


def protocol_class(say, buffered=False, **methods):
    class Protocol(asyncio.BufferedProtocol if buffered else asyncio.Protocol):
        transport = None

        def connection_made(self, transport):
            self.transport = transport
            self.received = bytearray()
            self.buffer = bytearray(100)
            self.ended = False

        def connection_lost(self, error):
            self.ended = True

        def data_received(self, data):
            self.received += data

        def get_buffer(self, hint):
            return self.buffer

        def buffer_updated(self, count):
            self.received += self.buffer[:count]

        def pause_writing(self):
            pass

        def resume_writing(self):
            pass

    if buffered:
        del Protocol.data_received
    for name, method in methods.items():
        setattr(Protocol, name, method)
    return Protocol


class Tls(both.Case):
    def setUp(self):
        super().setUp()
        self.server, self.client = contexts()

    async def connect(self, loop, client, server):
        """The protocols of both ends: (client's, server's)."""
        ours, theirs = socket.socketpair()
        made = await asyncio.gather(
            loop.create_connection(
                client, sock=ours, ssl=self.client, server_hostname="localhost"
            ),
            loop.connect_accepted_socket(server, theirs, ssl=self.server),
        )
        return made[0][1], made[1][1]

    async def end(self, *protocols):
        for protocol in protocols:
            protocol.transport.abort()
        await until(lambda: all(protocol.ended for protocol in protocols))

    def test_nothing_is_delivered_while_reading_is_paused(self):
        async def program(loop, say):
            early = []

            def data_received(self, data):
                if not self.transport.is_reading():
                    early.append(len(data))
                self.received += data
                self.transport.pause_reading()
                loop.call_later(0.002, self.transport.resume_reading)

            client, server = await self.connect(
                loop, protocol_class(say), protocol_class(say, data_received=data_received)
            )
            client.transport.write(MUCH)
            await until(lambda: len(server.received) == len(MUCH))
            say(early, server.received == MUCH)
            await self.end(client, server)

        self.same(program, ([], True))

    def test_nothing_is_delivered_after_an_abort(self):
        async def program(loop, say):
            calls = []

            def data_received(self, data):
                calls.append(self.transport.is_closing())
                if len(calls) == 1:
                    self.transport.pause_reading()
                else:
                    self.transport.abort()

            client, server = await self.connect(
                loop, protocol_class(say), protocol_class(say, data_received=data_received)
            )
            client.transport.write(MUCH)
            await until(lambda: calls)
            await asyncio.sleep(0.02)  # in which data gather, for several calls
            server.transport.resume_reading()
            await until(lambda: server.ended)
            say(calls)
            await self.end(client)

        self.same(program, [False, False])

    def test_protocol_changed_between_two_chunks(self):
        async def program(loop, say):
            received = bytearray()

            def data_received(self, data):
                received.extend(data)
                other = protocol_class(say, buffered=True)()
                other.connection_made(self.transport)
                other.received = received
                self.transport.set_protocol(other)
                others.append(other)

            others = []
            client, server = await self.connect(
                loop, protocol_class(say), protocol_class(say, data_received=data_received)
            )
            server.transport.pause_reading()
            client.transport.write(MUCH)
            await asyncio.sleep(0.02)
            server.transport.resume_reading()
            await until(lambda: len(received) == len(MUCH))
            say(len(others), received == MUCH)
            await self.end(client, others[0])

        self.same(program, (1, True))

    def test_object_of_a_class_of_ones_own(self):
        """It takes parts only, and keeps what it is given to read into."""

        async def program(loop, say):
            class Object(ssl.SSLObject):
                kept = []

                def read(self, length=1024, buffer=None):
                    self.kept.append(buffer)
                    return super().read(length) if buffer is None else super().read(length, buffer)

                def write(self, data):
                    return super().write(bytes(data)[:1000])

            for context in (self.server, self.client):
                context.sslobject_class = Object
            client, server = await self.connect(loop, protocol_class(say), protocol_class(say))
            client.transport.write(b"x" * 5000)
            client.transport.writelines([b"y" * 5000, b"z"])
            await until(lambda: len(server.received) == 10_001)
            say(bytes(server.received[4999:5001]), set(Object.kept))
            await self.end(client, server)

        self.same(program, (b"xy", {None}))

    def test_garbage_instead_of_records(self):
        async def program(loop, say):
            for garbage in (
                b"\0" * 100, b"\x17\x03\x03\x00\x05abcde", b"\x15\x03\x03\x00\x02\x01\x00",
                b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 300_000,
            ):
                client, server = await self.connect(
                    loop, protocol_class(say), protocol_class(say)
                )
                client.transport.write(b"data")
                await until(lambda: server.received)
                client.transport._ssl_protocol._transport.write(garbage)
                await until(lambda: server.ended)
                say(bytes(server.received))
                await self.end(client)
                ours, theirs = socket.socketpair()
                ours.setblocking(False)
                attempt(ours.send, garbage)
                refused = await attempted(
                    loop.connect_accepted_socket(protocol_class(say), theirs, ssl=self.server)
                )
                say(refused.partition(":")[0])
                ours.close()

        self.same(program)

    def test_methods_that_raise(self):
        async def program(loop, say):
            for error in (
                ValueError("v"), Base("b"), asyncio.CancelledError(), MemoryError(),
                ssl.SSLWantReadError(), ssl.SSLSyscallError(),
            ):
                for buffered, name in ((False, "data_received"), (True, "buffer_updated")):

                    def fails(self, *args):
                        say(name)
                        raise error

                    client, server = await self.connect(
                        loop, protocol_class(say), protocol_class(say, buffered, **{name: fails})
                    )
                    client.transport.write(b"data")
                    await asyncio.sleep(0.01)
                    say(type(error).__name__, server.transport.is_closing())
                    await self.end(client, server)

        self.same(program)

    def test_data_that_is_none(self):
        async def program(loop, say):
            for data in (None, "text", 5, [], b"", bytearray(b"x"), memoryview(b"abcd")[::2]):
                client, server = await self.connect(
                    loop, protocol_class(say), protocol_class(say)
                )
                say(type(data).__name__, attempt(client.transport.write, data))
                say(attempt(client.transport.writelines, [data]), client.transport.is_closing())
                await self.end(client, server)
                say(attempt(client.transport.write, b"afterwards"))

        self.same(program)

    def test_written_at_once(self):
        async def program(loop, say):
            def connection_made(self, transport):
                self.transport, self.received, self.ended = transport, bytearray(), False
                transport.write(b"a" * 100_000)
                transport.writelines([b"b", b"c"])
                transport.write(bytearray(b"d"))
                transport.write(b"")

            factory = protocol_class(say, connection_made=connection_made)
            client, server = await self.connect(loop, factory, factory)
            await until(lambda: len(client.received) == len(server.received) == 100_003)
            say(bytes(client.received[-4:]), bytes(server.received[-4:]))
            await self.end(client, server)

        self.same(program, (b"abcd", b"abcd"))

    def test_nothing_is_left(self):
        async def program(loop, say):
            def half_close(transport):
                transport.get_extra_info("socket").shutdown(socket.SHUT_WR)

            for end in (
                lambda transport: transport.close(), lambda transport: transport.abort(),
                lambda transport: transport._ssl_protocol._transport.abort(), half_close,
            ):
                client, server = await self.connect(
                    loop, protocol_class(say), protocol_class(say)
                )
                client.transport.write(MUCH)
                ends = [
                    weakref.ref(thing) for protocol in (client, server)
                    for thing in (protocol, protocol.transport, protocol.transport._ssl_protocol)
                ]
                end(client.transport)
                await asyncio.sleep(0.01)
                await self.end(client, server)
                del client, server
                gc.collect()
                say([end() is None for end in ends])

        self.same(program, *[[True] * 6] * 4)


if __name__ == "__main__":
    unittest.main()
