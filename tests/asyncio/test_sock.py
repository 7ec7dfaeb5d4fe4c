"""sock_... methods: results, cancelling, and descriptors that are used again."""

import asyncio
import os
import socket
import tempfile
import unittest

import both
from both import attempted


def pair(kind=socket.SOCK_STREAM):
    ours, peer = socket.socketpair(socket.AF_UNIX, kind)
    ours.setblocking(False)
    peer.setblocking(False)
    return ours, peer


class Sock(both.Case):
    def test_streams(self):
        async def program(loop, say):
            ours, peer = pair()
            data = os.urandom(2_000_000)
            sending = loop.create_task(loop.sock_sendall(ours, data))
            received = bytearray()
            while len(received) < len(data):
                received += await loop.sock_recv(peer, 100_000)
            say(received == data, await sending)
            say(await loop.sock_sendall(ours, b""), await loop.sock_sendall(ours, memoryview(b"x")))
            buffer = bytearray(10)
            say(await loop.sock_recv_into(peer, buffer), buffer)
            peer.send(b"later")
            say(await loop.sock_recv_into(ours, memoryview(buffer)[:3]), buffer)
            say(await loop.sock_recv(ours, 100))
            waiting = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0.005)
            peer.close()
            say(await waiting, await loop.sock_recv(ours, 10))
            say(await loop.sock_recv_into(ours, buffer))
            say((await attempted(loop.sock_sendall(ours, b"x")))[:15])
            ours.close()

        self.same(program)

    def test_wrong_arguments(self):
        async def program(loop, say):
            ours, peer = pair()
            peer.send(b"x" * 10)
            for coroutine in (
                lambda: loop.sock_recv(ours, "x"), lambda: loop.sock_recv(ours, -1),
                lambda: loop.sock_recv_into(ours, b"const"), lambda: loop.sock_recv_into(ours, 5),
                lambda: loop.sock_sendall(ours, "text"), lambda: loop.sock_sendall(ours, 5),
                lambda: loop.sock_recv(5, 10), lambda: loop.sock_recv(None, 10),
                lambda: loop.sock_recv(ours), lambda: loop.sock_recv(ours, 0),
            ):
                try:
                    say(str(await coroutine()))
                except Exception as error:
                    say(type(error).__name__)
            ours.close()
            for coroutine in (
                loop.sock_recv(ours, 1), loop.sock_sendall(ours, b"x"), loop.sock_accept(ours),
                loop.sock_recv_into(ours, bytearray(1)),
            ):
                say((await attempted(coroutine)).partition(":")[0])
            peer.close()

        self.same(program)

    def test_they_are_coroutines(self):
        async def program(loop, say):
            ours, peer = pair()
            for make in (
                lambda: loop.sock_recv(ours, 1), lambda: loop.sock_recv_into(ours, bytearray(1)),
                lambda: loop.sock_sendall(ours, b"x"), lambda: loop.sock_recvfrom(ours, 1),
            ):
                say(asyncio.iscoroutine(make()))
                unused = make()
                unused.close()
                started = asyncio.ensure_future(make())
                say(isinstance(started, asyncio.Task))
                started.cancel()
                say(await attempted(started))
            # Nothing was sent: cancelled tasks never began.
            say(await attempted(asyncio.wait_for(loop.sock_recv(peer, 1), 0.01)))
            say(await asyncio.gather(
                loop.sock_recv(peer, 10), loop.sock_sendall(ours, b"gathered")))
            ours.close()
            peer.close()

        self.same(program)

    def test_connecting_and_accepting(self):
        async def program(loop, say):
            listener = socket.create_server(("127.0.0.1", 0))
            listener.setblocking(False)
            client = socket.socket()
            client.setblocking(False)
            accepting = loop.create_task(loop.sock_accept(listener))
            await asyncio.sleep(0)
            say(await loop.sock_connect(client, listener.getsockname()))
            accepted, address = await accepting
            say(address == client.getsockname(), accepted.gettimeout())
            with tempfile.TemporaryFile() as file:
                file.write(b"0123456789" * 1000)
                file.flush()
                say(await loop.sock_sendfile(client, file, 5, 1000))
                received = b""
                while len(received) < 1000:
                    received += await loop.sock_recv(accepted, 10_000)
                say(received[:10], len(received))
            accepted.close()
            client.close()
            address = listener.getsockname()
            listener.close()
            other = socket.socket()
            other.setblocking(False)
            say(str(await attempted(loop.sock_connect(other, address))).replace(str(address), ""))
            other.close()

        self.same(program)

    def test_datagrams(self):
        async def program(loop, say):
            ours = socket.socket(type=socket.SOCK_DGRAM)
            peer = socket.socket(type=socket.SOCK_DGRAM)
            for sock in (ours, peer):
                sock.bind(("127.0.0.1", 0))
                sock.setblocking(False)
            waiting = loop.create_task(loop.sock_recvfrom(peer, 100))
            await asyncio.sleep(0)
            say(await loop.sock_sendto(ours, b"datagram", peer.getsockname()))
            data, address = await waiting
            say(data, address == ours.getsockname())
            buffer = bytearray(20)
            await loop.sock_sendto(ours, b"into", peer.getsockname())
            count, address = await loop.sock_recvfrom_into(peer, buffer)
            say(count, buffer, address == ours.getsockname())
            ours.close()
            peer.close()

        self.same(program)

    def test_cancelling_removes_what_waits(self):
        async def program(loop, say):
            ours, peer = pair()
            for make in (
                lambda: loop.sock_recv(ours, 10), lambda: loop.sock_recv_into(ours, bytearray(10)),
                lambda: loop.sock_recvfrom(ours, 10), lambda: loop.sock_accept(ours),
            ):
                task = loop.create_task(make())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                task.cancel()
                say(await attempted(task))
                say(loop.remove_reader(ours), loop.remove_writer(ours))
            # What comes afterwards goes to who asks for it.
            peer.send(b"after")
            say(await loop.sock_recv(ours, 10))
            filling = loop.create_task(loop.sock_sendall(ours, b"x" * 10_000_000))
            await asyncio.sleep(0.005)
            filling.cancel()
            say(await attempted(filling), loop.remove_writer(ours))
            while len(await loop.sock_recv(peer, 1_000_000)) == 1_000_000:
                pass
            say(await attempted(asyncio.wait_for(loop.sock_recv(ours, 1), 0.01)))
            ours.close()
            peer.close()

        self.same(program)

    def test_two_operations_on_one_socket(self):
        async def program(loop, say):
            ours, peer = pair()
            first = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            second = loop.create_task(loop.sock_recv(ours, 10))
            sending = loop.create_task(loop.sock_sendall(ours, b"y" * 1_000_000))
            await asyncio.sleep(0.005)
            peer.send(b"for one")
            done, pending = await asyncio.wait([first, second], return_when="FIRST_COMPLETED")
            say([task.result() for task in done], len(pending), second in done)
            for task in pending:
                task.cancel()
            received = 0
            while received < 1_000_000:
                received += len(await loop.sock_recv(peer, 1_000_000))
            await sending
            say(received)
            ours.close()
            peer.close()

        self.same(program)

    def test_readers_between_operations(self):
        async def program(loop, say):
            ours, peer = pair()
            peer.send(b"1")
            say(await loop.sock_recv(ours, 1))
            waiting = loop.create_task(loop.sock_recv(ours, 1))
            await asyncio.sleep(0)
            peer.send(b"2")
            say(await waiting)
            seen = loop.create_future()
            loop.add_reader(ours, lambda: seen.done() or seen.set_result(ours.recv(10)))
            peer.send(b"3")
            say(await seen, loop.remove_reader(ours), loop.remove_reader(ours))
            peer.send(b"4")
            say(await loop.sock_recv(ours, 1))
            _, protocol = await loop.create_connection(asyncio.Protocol, sock=ours)
            peer.close()
            await asyncio.sleep(0.01)
            say(ours.fileno())

        self.same(program)


class Reuse(both.Case):
    """A descriptor's number that is closed and used again never gets old events."""

    def test_numbers_used_again(self):
        async def program(loop, say):
            for ending in ("received", "cancelled", "closed"):
                ours, peer = pair()
                number = ours.fileno()
                task = loop.create_task(loop.sock_recv(ours, 10))
                await asyncio.sleep(0)
                if ending == "received":
                    peer.send(b"data")
                    say(await task)
                elif ending == "cancelled":
                    task.cancel()
                    say(await attempted(task))
                else:
                    peer.close()
                    say(await task)
                ours.close()
                again, other = pair()
                if again.fileno() != number:
                    os.dup2(again.fileno(), number)
                    again.close()
                    again = socket.socket(fileno=number)
                    again.setblocking(False)
                say(again.fileno() == number)
                # Nobody waits for the new one: its data must stay where it is.
                other.send(b"new")
                await asyncio.sleep(0.01)
                say(await loop.sock_recv(again, 10), loop.remove_reader(again))
                seen = loop.create_future()
                loop.add_reader(again, lambda: seen.done() or seen.set_result(again.recv(10)))
                other.send(b"read")
                say(await seen, loop.remove_reader(again))
                for sock in (again, other, peer):
                    sock.close()

        self.same(program)

    def test_a_number_that_lives_on_in_a_copy(self):
        async def program(loop, say):
            ours, peer = pair()
            copy = os.dup(ours.fileno())  # keeps the registration alive
            waiting = loop.create_task(loop.sock_recv(ours, 10))
            await asyncio.sleep(0)
            peer.send(b"one")
            say(await waiting)
            number = ours.fileno()
            ours.close()
            again, other = pair()
            if again.fileno() != number:
                os.dup2(again.fileno(), number)
                again.close()
                again = socket.socket(fileno=number)
                again.setblocking(False)
            peer.send(b"for the copy")
            waiting = loop.create_task(loop.sock_recv(again, 10))
            await asyncio.sleep(0.01)
            say(waiting.done())
            other.send(b"two")
            say(await waiting)
            os.close(copy)
            for sock in (again, other, peer):
                sock.close()

        self.assertEqual(both.events_of("coloop", program), [b"one", False, b"two"])

    def test_connections_cancelled_at_every_step(self):
        """What is connected afterwards, mostly on the same number, gets its own data."""

        async def program(loop, say):
            async def serve(reader, writer):
                while data := await reader.read(100):
                    writer.write(data)
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()
            for steps in range(8):
                for kind in ("by address", "by socket", "sock_connect"):
                    if kind == "by address":
                        task = loop.create_task(loop.create_connection(asyncio.Protocol, *address))
                    else:
                        sock = socket.socket()
                        sock.setblocking(False)
                        if kind == "by socket":
                            try:
                                sock.connect(address)
                            except BlockingIOError:
                                pass
                            task = loop.create_task(
                                loop.create_connection(asyncio.Protocol, sock=sock)
                            )
                        else:
                            task = loop.create_task(loop.sock_connect(sock, address))
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    task.cancel()
                    try:
                        result = await task
                    except asyncio.CancelledError:
                        result = None
                    if kind != "sock_connect" and result:
                        result[0].abort()
                        await asyncio.sleep(0)
                    if kind != "by address":
                        sock.close()
                    reader, writer = await asyncio.open_connection(*address)
                    word = f"{kind} {steps}".encode()
                    writer.write(word)
                    say(await asyncio.wait_for(reader.readexactly(len(word)), 10))
                    writer.close()
                    await writer.wait_closed()
            server.close()

        self.same(program)

    def test_servers_and_clients_that_come_and_go(self):
        async def program(loop, say):
            async def serve(reader, writer):
                try:
                    while line := await reader.readline():
                        writer.write(line)
                        await writer.drain()
                except ConnectionError:
                    pass
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            address = server.sockets[0].getsockname()

            async def client(number):
                reader, writer = await asyncio.open_connection(*address)
                for turn in range(number % 5):
                    writer.write(b"%d %d\n" % (number, turn))
                    line = await reader.readline()
                    if line != b"%d %d\n" % (number, turn):
                        say("mixed up", number, turn, line)
                if number % 3:
                    writer.close()
                else:
                    writer.transport.abort()
                return number

            for start in range(0, 200, 25):
                tasks = [loop.create_task(client(start + number)) for number in range(25)]
                for task in tasks[::4]:
                    loop.call_later(0.0005 * (start % 7), task.cancel)
                results = await asyncio.gather(*tasks, return_exceptions=True)
                say([result for index, result in enumerate(results) if index % 4])
            server.close()

        self.same(program)


if __name__ == "__main__":
    unittest.main()
