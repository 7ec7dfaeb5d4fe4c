"""sock_recv, sock_recv_into and sock_sendall, used as nobody should."""

import asyncio
import gc
import os
import socket
import unittest
import warnings
import weakref

import both
from both import attempt, attempted

MUCH = b"x" * 10_000_000


def pair():
    sockets = socket.socketpair()
    for sock in sockets:
        sock.setblocking(False)
    return sockets


def ignore(*args):
    pass


class Arguments(both.Case):
    def test_values(self):
        async def program(loop, say):
            ours, theirs = pair()
            closed, other = pair()
            closed.close()
            theirs.send(b"data" * 10)
            say(await attempted(loop.sock_recv(closed, 10)))
            for size in (-1, 2**62, 2**70, "5", None, 1.5, 0, True):
                say(repr(size), await attempted(loop.sock_recv(ours, size)))
            for buffer in (b"read-only", bytearray(0), "text", None, bytearray(5)):
                say(repr(buffer), await attempted(loop.sock_recv_into(ours, buffer)))
            for data in ("text", None, 5, memoryview(b"abcd")[::2], b"", bytearray(), [1]):
                say(str(data)[:7], await attempted(loop.sock_sendall(ours, data)))
            for sock in (ours, theirs, other):
                sock.close()

        self.same(program)

    def test_descriptor_of_a_transport(self):
        async def program(loop, say):
            ours, theirs = pair()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            for waiting in (
                loop.sock_recv(ours, 5), loop.sock_recv_into(ours, bytearray(5)),
                loop.sock_sendall(ours, MUCH),
            ):
                say((await attempted(waiting)).partition(" is used by")[0])
            transport.abort()
            theirs.close()

        self.same(program)


class Coroutines(both.Case):
    def test_socket_closed_before_it_begins(self):
        """Its number may be another's by then."""

        async def program(loop, say):
            for method, argument in ((loop.sock_recv, 10), (loop.sock_sendall, b"for others")):
                ours, theirs = pair()
                other, peer = pair()
                task = loop.create_task(method(ours, argument))
                fd = ours.fileno()
                ours.close()
                os.dup2(other.fileno(), fd)
                peer.send(b"secret")
                say(await attempted(task))
                say(attempt(peer.recv, 20).__class__.__name__, other.recv(20))
                os.close(fd)
                for sock in (theirs, other, peer):
                    sock.close()

        self.same(program)

    def test_thrown_into(self):
        async def program(loop, say):
            ours, theirs = pair()
            for thrown in (
                (5,), (None,), ("text",), (ValueError,), (ValueError("v"),), (ValueError, "text"),
                (KeyboardInterrupt,), (asyncio.CancelledError,), (),
            ):
                for begun in (False, True):
                    coroutine = loop.sock_recv(ours, 10)
                    if begun:
                        coroutine.send(None)
                    try:
                        coroutine.throw(*thrown)
                    except BaseException as error:
                        say(begun, type(error).__name__)
                    coroutine.close()
                    say(await attempted(coroutine))
            ours.close()
            theirs.close()

        self.same(program)

    def test_dropped_while_an_exception_passes(self):
        async def program(loop, say):
            ours, theirs = pair()

            def fails(*args):
                raise ValueError

            for show in (lambda message, category, *rest: say(category.__name__), fails):
                warnings.simplefilter("always")
                # Restored by the test case's own catch_warnings.
                warnings.showwarning = show
                try:
                    ignore(loop.sock_recv(ours, 5), 1 / 0)
                except ZeroDivisionError:
                    say("divided")
            warnings.simplefilter("ignore")
            ours.close()
            theirs.close()

        with both.unraisable():
            self.same(program)

    def test_awaited_twice_at_once(self):
        """asyncio refuses the second; here it waits, too. Nobody waits for ever."""

        async def program(loop, say):
            ours, theirs = pair()
            coroutine = loop.sock_recv(ours, 10)

            async def wait():
                return await coroutine

            tasks = asyncio.ensure_future(coroutine), asyncio.ensure_future(wait())
            loop.call_later(0.01, theirs.send, b"data")
            done, pending = await asyncio.wait(tasks, timeout=5)
            say(len(pending), tasks[0].result(), type(tasks[1].exception()).__name__)
            ours.close()
            theirs.close()

        self.same(program, (0, b"data", "RuntimeError"))

    def test_two_at_once_on_one_socket(self):
        async def program(loop, say):
            ours, theirs = pair()
            first, second = (loop.create_task(loop.sock_recv(ours, 10)) for _ in range(2))
            await asyncio.sleep(0)
            theirs.send(b"data")
            say(await second, first.done())
            first.cancel()
            say(await attempted(first), loop.remove_reader(ours))
            tasks = [loop.create_task(loop.sock_sendall(ours, MUCH)) for _ in range(2)]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
                say(await attempted(task))
            say(loop.remove_writer(ours))
            ours.close()
            theirs.close()

        self.same(program)

    def test_cancelled_in_the_turn_in_which_it_is_ready(self):
        async def program(loop, say):
            ours, theirs = pair()
            task = loop.create_task(loop.sock_recv(ours, 5))
            await asyncio.sleep(0)
            theirs.send(b"data")
            loop.call_soon(task.cancel)
            say(await attempted(task), ours.recv(5))
            ours.close()
            theirs.close()

        self.same(program, ("CancelledError: ", b"data"))


class Garbage(both.Case):
    def test_cycle_of_one_that_waits(self):
        async def program(loop, say):
            class Thing:
                pass

            thing = Thing()
            thing.itself, (thing.ours, thing.theirs) = thing, pair()
            thing.waiting = loop.sock_recv(thing.ours, 5)
            thing.waiting.send(None)
            end = weakref.ref(thing)
            del thing
            gc.collect()
            say(end() is None)

        self.same(program, True)

    def test_loop_dropped_while_something_waits(self):
        def program(loop, say):
            async def server(loop, sock):
                await asyncio.start_server(ignore, sock=socket.create_server(("127.0.0.1", 0)))
                await loop.create_future()

            async def connection(loop, sock):
                reader, _ = await asyncio.open_connection(sock=sock)
                await reader.read(1)

            async def sender(loop, sock):
                await loop.sock_sendall(sock, MUCH)

            async def receiver(loop, sock):
                await loop.sock_recv(sock, 10)

            async def reader(loop, sock):
                loop.add_reader(sock, ignore, loop)
                loop.add_writer(sock, ignore, loop)
                loop.call_later(1000, ignore, loop)
                await loop.create_future()

            descriptors = len(os.listdir("/proc/self/fd"))
            for kind in (server, connection, sender, receiver, reader):
                other, (ours, theirs) = type(loop)(), pair()
                task = other.create_task(kind(other, ours))
                for _ in range(5):
                    other.call_soon(other.stop)
                    other.run_forever()
                end = weakref.ref(other)
                del other, ours, theirs, task
                gc.collect()
                gc.collect()
                say(kind.__name__, end() is None, len(os.listdir("/proc/self/fd")) - descriptors)

        with both.unraisable():
            self.same(program)


if __name__ == "__main__":
    unittest.main()
