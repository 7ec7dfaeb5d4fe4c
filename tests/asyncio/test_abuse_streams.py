"""Stream transports whose protocols and callers do what they should not."""

import array
import asyncio
import gc
import os
import socket
import sys
import unittest

import both
from both import attempt

MUCH = b"x" * 3_000_000


class Base(BaseException):
    pass


ERRORS = (
    ValueError("v"), Base("b"), StopIteration(), asyncio.CancelledError(), MemoryError(),
    AttributeError("a"),
)


def protocol_class(say, buffered=False, **methods):
    """A protocol that tells of its end, with these methods."""

    class Protocol(asyncio.BufferedProtocol if buffered else asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            self.lost = asyncio.get_running_loop().create_future()

        def connection_lost(self, error):
            say("lost", type(error).__name__, str(error))
            self.lost.set_result(None)

        def get_buffer(self, hint):
            return bytearray(10)

        def buffer_updated(self, count):
            say("updated", count)

    for name, method in methods.items():
        setattr(Protocol, name, method)
    return Protocol


async def connect(loop, factory):
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, protocol = await loop.create_connection(factory, sock=ours)
    return transport, protocol, theirs


async def turns():
    """Enough of them that events were looked for, and what they led to has run."""
    for _ in range(200):
        await asyncio.sleep(0)


class Protocols(both.Case):
    def test_methods_that_raise(self):
        async def program(loop, say):
            for buffered, names in (
                (False, ("data_received", "eof_received", "connection_lost")),
                (True, ("get_buffer", "buffer_updated", "eof_received")),
            ):
                for error in ERRORS:
                    for name in names:

                        def fails(self, *args):
                            say(name)
                            raise error

                        factory = protocol_class(say, buffered, **{name: fails})
                        transport, _, peer = await connect(loop, factory)
                        peer.send(b"data")
                        await turns()
                        peer.close()
                        await turns()
                        say(transport.is_closing())
                        transport.abort()
                        await turns()

        self.same(program)

    def test_pausing_that_raises(self):
        async def program(loop, say):
            for error in ERRORS:
                for name in ("pause_writing", "resume_writing"):

                    def fails(self):
                        say(name)
                        raise error

                    transport, _, peer = await connect(loop, protocol_class(say, **{name: fails}))
                    say(attempt(transport.write, MUCH))
                    while transport.get_write_buffer_size():
                        attempt(peer.recv, 1 << 20)
                        await asyncio.sleep(0)
                    say(transport.is_closing())
                    transport.abort()
                    peer.close()
                    await turns()

        self.same(program)

    def test_buffers_that_are_none(self):
        class Sized:
            def __len__(self):
                return 5

        async def program(loop, say):
            for buffer in (
                None, 5, "text", b"read-only", bytearray(0), Sized(), [], [1],
                array.array("i", [0] * 4), memoryview(bytearray(20))[::2],
                memoryview(bytearray(0)),
            ):
                factory = protocol_class(say, True, get_buffer=lambda self, hint: buffer)
                transport, _, peer = await connect(loop, factory)
                peer.send(b"abc")
                await turns()
                say(type(buffer).__name__, transport.is_closing())
                transport.abort()
                peer.close()
                await turns()

        self.same(program)

    def test_the_end_within_a_callback(self):
        async def program(loop, say):
            actions = {
                "close": lambda transport: transport.close(),
                "abort": lambda transport: transport.abort(),
                "pause": lambda transport: transport.pause_reading(),
                "end": lambda transport: transport.write_eof(),
                "other": lambda transport: transport.set_protocol(other(transport)),
            }

            def other(transport):
                protocol = protocol_class(say)()
                protocol.connection_made(transport)
                return protocol

            for action in actions:
                for name in ("data_received", "eof_received", "get_buffer", "buffer_updated"):
                    if action in ("close", "abort") and name == "get_buffer":
                        continue  # see Streams.test_nothing_is_received_after_an_abort

                    def act(self, *args):
                        say(action, name, args)
                        result = attempt(actions[action], self.transport)
                        if isinstance(result, str):
                            say(result)
                        return bytearray(10) if name == "get_buffer" else None

                    buffered = name in ("get_buffer", "buffer_updated")
                    factory = protocol_class(say, buffered, **{name: act})
                    transport, _, peer = await connect(loop, factory)
                    peer.send(b"abc")
                    await turns()
                    attempt(peer.shutdown, socket.SHUT_WR)
                    await turns()
                    say(transport.is_closing())
                    transport.abort()
                    peer.close()
                    await turns()

        self.same(program)

    def test_garbage_is_collected_all_the_time(self):
        async def program(loop, say):
            async def serve(reader, writer):
                writer.write(await reader.read(100))
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            threshold = gc.get_threshold()
            gc.set_threshold(1)
            try:
                for _ in range(20):
                    address = server.sockets[0].getsockname()
                    reader, writer = await asyncio.open_connection(*address)
                    writer.write(b"data")
                    say(await reader.read())
                    writer.close()
            finally:
                gc.set_threshold(*threshold)
            server.close()
            await server.wait_closed()

        self.same(program, *[b"data"] * 20)


class Writing(both.Case):
    def test_data_that_is_none(self):
        async def program(loop, say):
            for data in (
                None, "text", 5, [], b"", bytearray(b"x"), array.array("i", [1]),
                memoryview(b"abcd")[::2],
            ):
                transport, _, peer = await connect(loop, protocol_class(say))
                say(type(data).__name__, attempt(transport.write, data), transport.is_closing())
                transport.abort()
                await turns()
                peer.close()
            released = memoryview(b"abc")
            released.release()
            transport, _, peer = await connect(loop, protocol_class(say))
            say(attempt(transport.write, released), transport.is_closing())
            transport.abort()
            await turns()
            peer.close()

        self.same(program)

    def test_lists_that_are_none(self):
        async def program(loop, say):
            def fails():
                yield b"never sent"
                raise ValueError("v")

            def aborts():
                yield b"never sent"
                transport.abort()
                yield b"nor this"

            for pieces in ([memoryview(b"abcd")[::2]], [], fails(), [b"x"] * 3000, aborts()):
                transport, _, peer = await connect(loop, protocol_class(say))
                say(attempt(transport.writelines, pieces), transport.is_closing())
                say(attempt(peer.recv, 10))
                transport.abort()
                await turns()
                peer.close()

        if sys.version_info < (3, 12):  # which joins them first
            self.assertTrue(both.events_of("coloop", program))
        else:
            self.same(program)

    @unittest.skipIf(sys.version_info < (3, 12), "no buffers of Python classes")
    def test_list_that_changes_while_it_is_read(self):
        async def program(loop, say):
            class Buffer:
                def __buffer__(self, flags):
                    pieces.clear()
                    gc.collect()
                    return memoryview(b"mine")

            pieces = [bytes([65 + i]) * 1000 for i in range(20)]
            pieces.insert(3, Buffer())
            transport, _, peer = await connect(loop, protocol_class(say))
            say(attempt(transport.writelines, pieces))
            data = peer.recv(100_000)
            say(len(data), data[3000:3004])
            transport.abort()
            await turns()
            peer.close()

        said = both.events_of("coloop", program)
        self.assertEqual(said[:2], [None, (20_004, b"mine")])

    def test_after_the_end(self):
        async def program(loop, say):
            transport, _, peer = await connect(loop, protocol_class(say))
            transport.abort()
            for _ in range(2):
                for name in (
                    "pause_reading", "resume_reading", "close", "abort", "write_eof",
                    "get_write_buffer_size", "is_reading", "is_closing",
                ):
                    say(name, attempt(getattr(transport, name)))
                for _ in range(7):
                    say(attempt(transport.write, b"x"))
                say(attempt(transport.write, 5))
                await turns()
            peer.close()

        self.same(program)


class Descriptors(both.Case):
    def test_replaced_below_a_transport(self):
        async def program(loop, say):
            factory = protocol_class(say, data_received=lambda self, data: say(data))
            transport, _, peer = await connect(loop, factory)
            ours, theirs = socket.socketpair()
            theirs.setblocking(False)
            peer.send(b"before")
            await turns()
            os.dup2(ours.fileno(), transport.get_extra_info("socket").fileno())
            transport.write(b"through the new one")
            say(attempt(theirs.recv, 100))
            transport.abort()
            await turns()
            for sock in (ours, theirs, peer):
                sock.close()

        self.same(program)


if __name__ == "__main__":
    unittest.main()
