"""Datagrams over UDP and UNIX sockets, and pipes."""

import asyncio
import os
import socket
import tempfile
import unittest

import both
from both import attempt, attempted
from events import Said, until


class SaidDatagrams(asyncio.DatagramProtocol):
    def __init__(self, say, name=""):
        self.say, self.name, self.received = say, name, []
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport
        self.say(self.name, "made")

    def datagram_received(self, data, address):
        self.received.append((data, address))

    def error_received(self, error):
        self.say(self.name, "error", type(error).__name__, str(error))

    def connection_lost(self, error):
        self.say(self.name, "lost", type(error).__name__)
        self.lost.set_result(None)


class Udp(both.Case):
    def test_both_families(self):
        for host in ("127.0.0.1", "::1"):
            async def program(loop, say):
                server, received = await loop.create_datagram_endpoint(
                    lambda: SaidDatagrams(say, "server"), (host, 0)
                )
                address = server.get_extra_info("sockname")
                client, protocol = await loop.create_datagram_endpoint(
                    lambda: SaidDatagrams(say, "client"), remote_addr=address[:2]
                )
                for data in (b"one", b"x" * 60_000, bytearray(b"array"), memoryview(b"view")):
                    client.sendto(data)
                await until(lambda: len(received.received) == 4)
                own = client.get_extra_info("sockname")
                say([(type(data).__name__, len(data), sender == own)
                     for data, sender in received.received])
                server.sendto(b"answer", own)
                server.sendto(b"answer by host and port", own[:2])
                await until(lambda: len(protocol.received) == 2)
                say([data for data, _ in protocol.received])
                say([sender == address for _, sender in protocol.received])
                say(attempt(client.sendto, b"x", ("127.0.0.1", 1)).replace(str(address), "ADDRESS"))
                say(client.get_extra_info("peername") == address, client.is_closing())
                for transport, end in ((server, "close"), (client, "abort")):
                    getattr(transport, end)()
                    after = attempt(transport.sendto, b"after", own)
                    say(str(after).partition(" (")[0])
                await received.lost
                await protocol.lost
                say(client.is_closing(), attempt(client.sendto, b"much later"))

            with self.subTest(host=host):
                self.same(program)

    def test_what_may_be_sent(self):
        async def program(loop, say):
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: SaidDatagrams(say), ("127.0.0.1", 0)
            )
            own = transport.get_extra_info("sockname")
            for wrong in ("text", 5, None):
                say(attempt(transport.sendto, wrong, own))
            say(attempt(transport.sendto, b"x" * 70_000, own))
            say(attempt(transport.sendto))
            say(attempt(transport.sendto, b"no such address", ("127.0.0.1", 70_000)))
            await asyncio.sleep(0.01)
            transport.close()
            await protocol.lost

        said = {kind: both.events_of(kind, program) for kind in both.LOOPS}
        self.assertEqual(*[
            [str(what).partition(" missing")[0] for what in said[kind]] for kind in said
        ])

    def test_a_peer_that_refuses(self):
        async def program(loop, say):
            unused = socket.socket(type=socket.SOCK_DGRAM)
            unused.bind(("127.0.0.1", 0))
            address = unused.getsockname()
            unused.close()
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: SaidDatagrams(say), remote_addr=address
            )
            transport.sendto(b"refused")
            await asyncio.sleep(0.02)
            transport.close()
            await protocol.lost

        self.same(program)

    def test_protocols_that_fail_or_close(self):
        class Fails(SaidDatagrams):
            def datagram_received(self, data, address):
                super().datagram_received(data, address)
                self.say("received", data)
                raise LookupError("datagram")

        class Closes(SaidDatagrams):
            def datagram_received(self, data, address):
                self.say("received", data)
                self.transport.close()

        class Aborts(Closes):
            def datagram_received(self, data, address):
                self.say("received", data)
                self.transport.abort()

        for kind in (Fails, Closes, Aborts):
            async def program(loop, say):
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: kind(say), ("127.0.0.1", 0)
                )
                own = transport.get_extra_info("sockname")
                with socket.socket(type=socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"first", own)
                    sender.sendto(b"second", own)
                    await asyncio.sleep(0.02)
                transport.close()
                await protocol.lost

            with self.subTest(kind=kind.__name__):
                self.same(program)

    def test_broadcast_and_options(self):
        async def program(loop, say):
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: SaidDatagrams(say), ("127.0.0.1", 0), allow_broadcast=True
            )
            sock = transport.get_extra_info("socket")
            say(sock.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) != 0)
            say(transport.get_write_buffer_size(), isinstance(transport, asyncio.DatagramTransport))
            transport.close()
            await protocol.lost

        self.same(program)

    def test_many_at_once(self):
        async def program(loop, say):
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: SaidDatagrams(say), ("127.0.0.1", 0)
            )
            own = transport.get_extra_info("sockname")
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                for number in range(100):
                    sender.sendto(b"%d" % number, own)
                await until(lambda: len(protocol.received) == 100)
            say([data for data, _ in protocol.received])
            transport.close()
            await protocol.lost

        self.same(program)


class Unix(both.Case):
    def test_by_path(self):
        async def program(loop, say):
            with tempfile.TemporaryDirectory() as folder:
                one, two = f"{folder}/one", f"{folder}/two"
                server, received = await loop.create_datagram_endpoint(
                    lambda: SaidDatagrams(say, "server"), one, family=socket.AF_UNIX
                )
                client, protocol = await loop.create_datagram_endpoint(
                    lambda: SaidDatagrams(say, "client"), two, one, family=socket.AF_UNIX
                )
                client.sendto(b"there")
                await until(lambda: received.received)
                say([(data, sender == two) for data, sender in received.received])
                server.sendto(b"and back", two)
                await until(lambda: protocol.received)
                say([(data, sender == one) for data, sender in protocol.received])
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
                    nameless.sendto(b"from nobody", one)
                    await until(lambda: len(received.received) == 2)
                say(received.received[1])
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as abstract:
                    abstract.bind(b"\0coloop-test-%d" % os.getpid())
                    abstract.sendto(b"from an abstract name", one)
                    await until(lambda: len(received.received) == 3)
                    say(received.received[2][1] == abstract.getsockname())
                server.close()
                client.close()
                await received.lost
                await protocol.lost

        self.same(program)

    def test_a_full_peer(self):
        async def program(loop, say):
            with tempfile.TemporaryDirectory() as folder, \
                    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
                peer.bind(f"{folder}/peer")
                peer.setblocking(False)
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: SaidDatagrams(say), None, f"{folder}/peer", family=socket.AF_UNIX
                )
                count = 0
                while not transport.get_write_buffer_size():
                    transport.sendto(b"%05d" % count)
                    count += 1
                for number in range(count, count + 10):
                    transport.sendto(b"%05d" % number)
                got = [await loop.sock_recv(peer, 10) for _ in range(count + 10)]
                say(got == [b"%05d" % number for number in range(count + 10)])
                await asyncio.sleep(0)
                say(transport.get_write_buffer_size())
                transport.close()
                await protocol.lost

        self.same(program)


class Pipes(both.Case):
    def test_reading(self):
        async def program(loop, say):
            ours, theirs = os.pipe()
            transport, protocol = await loop.connect_read_pipe(
                lambda: Said(say), open(ours, "rb", 0)
            )
            os.write(theirs, b"through")
            await until(lambda: protocol.received)
            transport.pause_reading()
            os.write(theirs, b" the pipe")
            await asyncio.sleep(0.02)
            say(bytes(protocol.received), transport.is_reading())
            transport.resume_reading()
            os.close(theirs)
            await protocol.lost
            say(bytes(protocol.received), repr(transport))

        self.same(program)

    def test_writing(self):
        async def program(loop, say):
            ours, theirs = os.pipe()
            transport, protocol = await loop.connect_write_pipe(
                lambda: Said(say), open(theirs, "wb", 0)
            )
            data = os.urandom(300_000)
            transport.write(data)
            transport.write_eof()

            def read():
                received = bytearray()
                while chunk := os.read(ours, 100_000):
                    received += chunk
                return received

            say(await loop.run_in_executor(None, read) == data)
            await protocol.lost
            os.close(ours)

        self.same(program)

    def test_a_reader_that_is_gone(self):
        async def program(loop, say):
            ours, theirs = os.pipe()
            transport, protocol = await loop.connect_write_pipe(
                lambda: Said(say), open(theirs, "wb", 0)
            )
            os.close(ours)
            await protocol.lost
            say(attempt(transport.write, b"after"), await attempted(asyncio.sleep(0)))

        self.same(program)


if __name__ == "__main__":
    unittest.main()
