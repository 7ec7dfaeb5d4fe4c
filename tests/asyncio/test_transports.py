"""Stream transports: what protocols are told, flow control, every kind of end."""

import asyncio
import gc
import os
import socket
import tempfile
import unittest

import both
from both import attempt, attempted
from events import Said, SaidBuffered, until


async def pair(loop, say, kind=Said, **options):
    """A transport's protocol on one end of a socket pair, a plain socket on the other."""
    ours, peer = socket.socketpair()
    _, protocol = await loop.create_connection(lambda: kind(say, **options), sock=ours)
    return protocol, peer


class Streams(both.Case):
    def test_receiving(self):
        for kind in (Said, SaidBuffered):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, kind)
                for data in (b"one", b"four" * 100):
                    peer.sendall(data)
                    before = len(protocol.received)
                    await until(lambda: len(protocol.received) == before + len(data))
                peer.close()
                await protocol.lost
                say(bytes(protocol.received), protocol.transport.is_closing())

            self.same(program)

    def test_a_large_read_comes_in_pieces(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say, quiet=("data",))
            with peer:
                peer.setblocking(True)
                data = os.urandom(1_000_000)
                await loop.run_in_executor(None, peer.sendall, data)
                await until(lambda: len(protocol.received) == len(data))
                say(protocol.received == data)
            await protocol.lost

        self.same(program)

    def test_half_closed_both_ways(self):
        for kind in (Said, SaidBuffered):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, kind)
                protocol.keep_open = True
                say(protocol.transport.can_write_eof())
                peer.send(b"in")
                peer.shutdown(socket.SHUT_WR)
                await protocol.eof
                protocol.transport.write(b"out")
                protocol.transport.write_eof()
                say(attempt(protocol.transport.write, b"more"))
                say(attempt(protocol.transport.writelines, [b"more"]).partition("Cannot")[0])
                say(attempt(protocol.transport.write_eof))
                say(peer.recv(10), peer.recv(10))
                protocol.transport.close()
                await protocol.lost
                peer.close()

            self.same(program)

    def test_write_eof_after_what_is_buffered(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say, quiet=("pause", "resume"))
            protocol.transport.write(b"x" * 2_000_000)
            protocol.transport.write_eof()
            protocol.transport.close()
            peer.settimeout(30)

            def read():
                count = 0
                while chunk := peer.recv(100_000):
                    count += len(chunk)
                return count

            say(await loop.run_in_executor(None, read))
            await protocol.lost
            peer.close()

        self.same(program)

    def test_flow_control(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say)
            transport = protocol.transport
            say(transport.get_write_buffer_limits(), transport.get_write_buffer_size())
            say(attempt(transport.set_write_buffer_limits, 1, 2))
            say(attempt(transport.set_write_buffer_limits, -1))
            transport.set_write_buffer_limits(high=1000, low=100)
            say(transport.get_write_buffer_limits())
            while transport.get_write_buffer_size() == 0:
                transport.write(b"y" * 5000)
            say(transport.get_write_buffer_size() > 1000)
            transport.write(b"y" * 100)  # says pause no second time
            peer.setblocking(False)
            while transport.get_write_buffer_size():
                await loop.sock_recv(peer, 100_000)
            transport.close()
            await protocol.lost
            peer.close()

        self.same(program)

    def test_what_may_be_written(self):
        import array

        async def program(loop, say):
            protocol, peer = await pair(loop, say)
            transport = protocol.transport
            kinds = [
                b"bytes", bytearray(b"array"), memoryview(b"view"), b"", bytearray(),
                memoryview(array.array("i", [1, 2])), memoryview(b"abcdef")[1:3],
            ]
            for data in kinds:
                say(transport.write(data))
            transport.writelines([b"bytes", bytearray(b"array"), memoryview(b"view")])
            transport.writelines(iter([b"it", b"er"]))
            transport.writelines([])
            for wrong in ("text", 5, None, [b"x"], array.array("b", b"x")):
                say(type(wrong).__name__, attempt(transport.write, wrong))
            say(attempt(transport.writelines, 5).partition(":")[0])
            await asyncio.sleep(0)
            say(peer.recv(1000), transport.get_write_buffer_size())
            transport.close()
            await protocol.lost
            peer.close()

        self.same(program)

    def test_what_was_written_may_be_changed(self):
        for write in ("write", "writelines"):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, quiet=("pause", "resume"))
                data = bytearray(b"a" * 3_000_000)
                if write == "write":
                    protocol.transport.write(data)
                else:
                    protocol.transport.writelines([memoryview(data)])
                data[:] = b"b" * len(data)
                peer.settimeout(30)

                def read():
                    received = bytearray()
                    while len(received) < 3_000_000:
                        received += peer.recv(1_000_000)
                    return received

                received = await loop.run_in_executor(None, read)
                say(received.count(b"a"))
                protocol.transport.close()
                await protocol.lost
                peer.close()

            # Some versions of asyncio send what it was changed to.
            self.assertIn(3_000_000, both.events_of("coloop", program), write)

    def test_writing_with_keywords(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say)
            with peer:
                transport = protocol.transport
                transport.write(data=b"a")
                transport.writelines(list_of_data=[b"b", b"c"])
                say(peer.recv(10))
                for method in (transport.write, transport.writelines):
                    for args, kwargs in [((), {}), ((b"x", b"y"), {}), ((b"x",), {"other": 1})]:
                        say(attempt(method, *args, **kwargs).partition(":")[0])
            await protocol.lost

        self.same(program)

    def test_writelines_of_many_pieces(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say, quiet=("pause", "resume"))
            for count in (1, 15, 16, 17, 1024, 1025, 5000):
                pieces = [bytes([number % 256]) * (number % 7) for number in range(count)]
                whole = b"".join(pieces)
                protocol.transport.writelines(pieces)
                peer.settimeout(30)
                got = b""
                while len(got) < len(whole):
                    got += await loop.run_in_executor(None, peer.recv, 100_000)
                say(count, got == whole)
            big = [os.urandom(100_000) for _ in range(40)]
            protocol.transport.writelines(big)

            def read():
                received = bytearray()
                while len(received) < 4_000_000:
                    received += peer.recv(1_000_000)
                return received

            say(await loop.run_in_executor(None, read) == b"".join(big))
            protocol.transport.close()
            await protocol.lost
            peer.close()

        self.same(program)

    def test_close_and_abort(self):
        for end in ("close", "abort"):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, quiet=("pause", "resume"))
                transport = protocol.transport
                for _ in range(20):
                    transport.write(b"z" * 100_000)
                getattr(transport, end)()
                say(transport.is_closing(), transport.get_write_buffer_size() > 0)
                getattr(transport, end)()
                say(attempt(transport.write, b"after"))
                peer.settimeout(30)

                def read():
                    count = 0
                    while chunk := peer.recv(100_000):
                        count += len(chunk)
                    return count

                count = await loop.run_in_executor(None, read)
                say(count == 2_000_000)
                await protocol.lost
                transport.close()
                peer.close()
                # asyncio has lost its loop by now, and says so by AttributeErrors.
                if isinstance(loop, both.coloop.EventLoop):
                    for _ in range(7):
                        self.assertIsNone(transport.write(b"after"))
                        self.assertIsNone(transport.writelines([b"after"]))

            self.same(program)

    def test_a_peer_that_resets(self):
        async def program(loop, say):
            accepted = loop.create_future()
            server = await loop.create_server(
                lambda: Said(say, "server"), "127.0.0.1", 0
            )
            client = socket.create_connection(server.sockets[0].getsockname())
            client.setblocking(False)
            await asyncio.sleep(0.02)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            await asyncio.sleep(0.05)
            server.close()
            await server.wait_closed()
            accepted.cancel()

        self.same(program)

    def test_writing_to_a_peer_that_is_gone(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say)
            protocol.keep_open = True
            peer.close()
            await protocol.eof
            protocol.transport.write(b"x")
            protocol.transport.write(b"x")
            await protocol.lost

        self.same(program)

    def test_pausing(self):
        for kind in (Said, SaidBuffered):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, kind)
                transport = protocol.transport
                say(transport.is_reading())
                transport.pause_reading()
                transport.pause_reading()
                peer.send(b"held back")
                await asyncio.sleep(0.02)
                say(transport.is_reading(), bytes(protocol.received))
                transport.resume_reading()
                transport.resume_reading()
                await until(lambda: protocol.received)
                transport.pause_reading()
                transport.close()
                transport.pause_reading()
                transport.resume_reading()
                await protocol.lost
                peer.close()

            self.same(program)

    def test_protocols_that_are_exchanged(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say, name="first")
            transport = protocol.transport
            peer.send(b"1")
            await until(lambda: protocol.received)
            second = SaidBuffered(say, "second")
            transport.set_protocol(second)
            say(transport.get_protocol() is second)
            peer.send(b"22")
            await until(lambda: second.received)
            third = Said(say, "third")
            transport.set_protocol(third)
            peer.send(b"333")
            await until(lambda: third.received)
            transport.close()
            await third.lost
            say(transport.get_protocol() is third)
            peer.close()

        self.same(program)

    def test_protocols_that_fail(self):
        class Fails(Said):
            def data_received(self, data):
                super().data_received(data)
                raise LookupError("data")

        class FailsAtEof(Said):
            def eof_received(self):
                super().eof_received()
                raise LookupError("eof")

        class FailsInBuffer(SaidBuffered):
            def get_buffer(self, hint):
                raise LookupError("buffer")

        class NoRoom(SaidBuffered):
            def get_buffer(self, hint):
                return bytearray()

        class NoBuffer(SaidBuffered):
            def get_buffer(self, hint):
                return b"cannot be written"

        class FailsWhenUpdated(SaidBuffered):
            def buffer_updated(self, count):
                raise LookupError("updated")

        for kind in (Fails, FailsAtEof, FailsInBuffer, NoRoom, NoBuffer, FailsWhenUpdated):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, kind)
                peer.send(b"data")
                peer.shutdown(socket.SHUT_WR)
                await protocol.lost
                say(protocol.transport.is_closing())
                peer.close()

            with self.subTest(kind=kind.__name__):
                self.same(program)

    def test_protocols_that_close_while_called(self):
        class Closes(Said):
            def data_received(self, data):
                super().data_received(data)
                self.transport.close()

        class ClosesUpdated(SaidBuffered):
            def buffer_updated(self, count):
                super().buffer_updated(count)
                self.transport.close()

        class ShrinksItself(SaidBuffered):
            def buffer_updated(self, count):
                super().buffer_updated(count)
                self.buffer = bytearray(len(self.buffer) // 2 or 1)

        for kind in (Closes, ClosesUpdated, ShrinksItself):
            async def program(loop, say):
                protocol, peer = await pair(loop, say, kind)
                peer.send(b"data" * 1000)
                peer.close()
                await protocol.lost

            with self.subTest(kind=kind.__name__):
                self.same(program)

    def test_nothing_is_received_after_an_abort(self):
        class Aborts(SaidBuffered):
            def get_buffer(self, hint):
                self.transport.abort()
                return super().get_buffer(hint)

        async def program(loop, say):
            protocol, peer = await pair(loop, say, Aborts)
            peer.send(b"data")
            await protocol.lost
            peer.close()

        # asyncio receives once more.
        self.assertEqual(
            both.events_of("coloop", program),
            ["made", ("get_buffer", -1), ("lost", "NoneType", "None")],
        )

    def test_what_is_told_about_a_transport(self):
        async def program(loop, say):
            protocol, peer = await pair(loop, say)
            transport = protocol.transport
            say(sorted(transport._extra), transport.get_extra_info("none", "default"))
            say(type(transport.get_extra_info("socket")).__name__, repr(transport))
            say(isinstance(transport, asyncio.Transport), transport._loop is loop)
            transport.pause_reading()
            say(repr(transport))
            transport.close()
            say(repr(transport))
            await protocol.lost
            say(repr(transport))
            peer.close()

        self.same(program)


class Servers(both.Case):
    def test_tcp_over_every_kind_of_client(self):
        async def program(loop, say):
            async def echo(reader, writer):
                while data := await reader.read(1000):
                    writer.write(data)
                    await writer.drain()
                writer.close()

            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            host, port = server.sockets[0].getsockname()
            for options in (
                {}, {"local_addr": ("127.0.0.1", 0)}, {"happy_eyeballs_delay": 0.1},
                {"family": socket.AF_INET}, {"happy_eyeballs_delay": 0.1, "interleave": 1},
            ):
                reader, writer = await asyncio.open_connection(host, port, **options)
                for data in (b"hello", b"x" * 200_000):
                    writer.write(data)
                    say((await reader.readexactly(len(data))) == data)
                writer.write_eof()
                say(await reader.read())
                writer.close()
                await writer.wait_closed()
            say(server.is_serving(), len(server.sockets))
            server.close()
            await server.wait_closed()
            say(server.is_serving(), server.sockets)
            say((await attempted(loop.create_connection(asyncio.Protocol, host, port)))[:30])

        self.same(program)

    def test_connections_that_fail(self):
        async def program(loop, say):
            unused = socket.create_server(("127.0.0.1", 0))
            address = unused.getsockname()
            unused.close()
            failed = await attempted(loop.create_connection(asyncio.Protocol, *address))
            say(failed.replace(str(address[1]), "PORT"))
            unknown = await attempted(loop.create_connection(asyncio.Protocol, "no.such.invalid", 1))
            say(unknown[:8])
            say((await attempted(loop.create_connection(
                asyncio.Protocol, *address, local_addr=("192.0.2.1", 0))))[:20])

            def no_protocol():
                raise LookupError("factory")

            ours, peer = socket.socketpair()
            say(await attempted(loop.create_connection(no_protocol, sock=ours)))
            ours.close()
            peer.close()

        self.same(program)

    def test_a_factory_that_fails_in_a_server(self):
        async def program(loop, say):
            def no_protocol():
                raise LookupError("factory")

            server = await loop.create_server(no_protocol, "127.0.0.1", 0)
            with socket.create_connection(server.sockets[0].getsockname()) as client:
                client.setblocking(False)
                await asyncio.sleep(0.02)
                gc.collect()  # what was accepted is closed when nobody has it
                try:
                    say(await asyncio.wait_for(loop.sock_recv(client, 10), 30))
                except ConnectionError:
                    say(b"")
            server.close()
            await server.wait_closed()

        self.same(program)

    def test_close_clients(self):
        async def program(loop, say):
            for end in ("close_clients", "abort_clients"):
                server = await loop.create_server(
                    lambda: Said(say, "server", quiet=("lost",)), "127.0.0.1", 0
                )
                if not hasattr(server, end):
                    say("since 3.13")
                    continue
                _, protocol = await loop.create_connection(
                    lambda: Said(say, "client", quiet=("made", "lost", "eof")),
                    *server.sockets[0].getsockname(),
                )
                await asyncio.sleep(0.02)
                server.close()
                getattr(server, end)()
                await protocol.lost
                await server.wait_closed()
                say(end)

        self.same(program)

    def test_accepted_sockets(self):
        async def program(loop, say):
            listener = socket.create_server(("127.0.0.1", 0))
            client = socket.create_connection(listener.getsockname())
            accepted, _ = listener.accept()
            transport, protocol = await loop.connect_accepted_socket(
                lambda: Said(say), accepted
            )
            client.send(b"hello")
            await until(lambda: protocol.received)
            client.close()
            await protocol.lost
            listener.close()

        self.same(program)

    def test_unix(self):
        async def program(loop, say):
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/socket"
                server = await loop.create_unix_server(
                    lambda: Said(say, "server", quiet=("lost",)), path
                )
                transport, protocol = await loop.create_unix_connection(
                    lambda: Said(say, "client"), path
                )
                transport.write(b"over a path")
                say(transport.get_extra_info("peername") == path)
                await asyncio.sleep(0.02)
                transport.close()
                await protocol.lost
                await asyncio.sleep(0.02)
                server.close()
                await server.wait_closed()

        self.same(program)

    def test_sendfile(self):
        async def program(loop, say):
            with tempfile.TemporaryFile() as file:
                data = os.urandom(700_000)
                file.write(data)
                file.flush()
                for offset, count in ((0, None), (100, 5000), (699_999, 10)):
                    protocol, peer = await pair(loop, say, quiet=("made", "lost"))
                    peer.settimeout(30)

                    def read():
                        received = bytearray()
                        while chunk := peer.recv(1_000_000):
                            received += chunk
                        return received

                    reading = loop.run_in_executor(None, read)
                    protocol.transport.write(b"head")
                    say(await attempted(
                        loop.sendfile(protocol.transport, file, offset, count)
                    ))
                    protocol.transport.write(b"tail")
                    protocol.transport.close()
                    end = None if count is None else offset + count
                    say(await reading == b"head" + data[offset:end] + b"tail", file.tell())
                    peer.close()
                    await protocol.lost
                    say((await attempted(loop.sendfile(protocol.transport, file)))[:30])

        self.same(program)


if __name__ == "__main__":
    unittest.main()
