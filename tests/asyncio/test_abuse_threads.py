"""Threads, destructors and addresses that come at the wrong moment."""

import asyncio
import gc
import os
import signal
import socket
import threading
import unittest

import both
from both import attempt


def ignore(*args):
    pass


def turn(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


class Acts:
    """A callback whose destructor does something."""

    def __init__(self, act):
        self.act = act

    def __call__(self, *args):
        pass

    def __del__(self):
        self.act()


class Threads(both.Case):
    def test_every_method_from_another_thread(self):
        """Whatever each answers: the loop works on."""

        def program(loop, say):
            ours, theirs = socket.socketpair()

            def others():
                for name, *args in (
                    ("call_soon", ignore), ("call_later", 0.01, ignore), ("call_at", 0, ignore),
                    ("call_soon_threadsafe", ignore), ("time",), ("is_running",), ("close",),
                    ("run_forever",), ("add_reader", ours, ignore), ("remove_reader", ours),
                    ("add_writer", ours, ignore), ("remove_writer", ours), ("create_future",),
                    ("add_signal_handler", signal.SIGUSR1, ignore), ("_run_once",), ("stats",),
                    ("_write_to_self",), ("set_debug", False), ("_close_native",),
                ):
                    attempt(getattr(loop, name), *args)
                loop.call_soon_threadsafe(ignore).cancel()
                handle = attempt(loop.call_later, 100, ignore)
                attempt(lambda: handle.cancel())
                say(repr(loop).startswith("<"), len(loop._ready) < 100)
                loop.call_soon_threadsafe(loop.stop)

            for debug in (False, True):
                loop.set_debug(debug)
                thread = threading.Thread(target=others)
                loop.call_soon(thread.start)
                loop.run_forever()
                thread.join()
                turn(loop)
            ours.close()
            theirs.close()

        self.assertEqual(both.events_of("coloop", program), [(True, True)] * 2)

    def test_posts_while_the_loop_closes(self):
        def program(loop, say):
            for _ in range(3):
                other = type(loop)()
                ends = []

                def flood():
                    try:
                        while True:
                            other.call_soon_threadsafe(ignore)
                    except RuntimeError as error:
                        ends.append(str(error))

                threads = [threading.Thread(target=flood) for _ in range(4)]
                for thread in threads:
                    thread.start()
                other.call_later(0.002, other.stop)
                other.run_forever()
                other.close()
                for thread in threads:
                    thread.join()
                say(ends)

        self.same(program, *[["Event loop is closed"] * 4] * 3)

    def test_loop_that_ends_in_another_thread(self):
        def program(loop, say):
            for _ in range(20):
                box = [type(loop)()]
                box[0].call_later(100, ignore)
                thread = threading.Thread(target=box.clear)
                thread.start()
                thread.join()
                gc.collect()
            say("all")

        self.same(program, "all")


class Destructors(both.Case):
    def test_of_callbacks(self):
        def program(loop, say):
            def cancel_all():
                for handle in [*loop._ready, *loop._scheduled]:
                    handle.cancel()

            for act in (
                loop.stop, gc.collect, cancel_all, lambda: attempt(loop.call_soon, ignore),
                lambda: attempt(loop.call_later, 0, ignore),
            ):
                loop.call_soon(Acts(act))
                loop.call_soon(ignore, Acts(act))
                loop.call_soon(ignore, 1, 2, 3, Acts(act))
                loop.call_later(0, ignore, Acts(act))
                loop.call_soon(Acts(act)).cancel()
                loop.call_later(50, Acts(act)).cancel()
                turn(loop)
                loop.call_later(100, Acts(act))
            loop.call_soon(Acts(loop.close))
            loop.close()
            say("closed")

        self.same(program, "closed")

    def test_of_readers(self):
        def program(loop, say):
            ours, theirs = socket.socketpair()
            theirs.send(b"x")
            for act in (
                lambda: loop.remove_reader(ours), lambda: loop.add_reader(ours, ignore),
                lambda: loop.add_reader(ours, Acts(lambda: loop.add_reader(ours, ignore))),
                gc.collect,
            ):
                for _ in range(3):
                    loop.add_reader(ours, Acts(act))
                loop.add_writer(ours, Acts(act))
                turn(loop)
                loop.remove_reader(ours)
                loop.remove_writer(ours)
                say(loop.remove_reader(ours))
            loop.add_reader(ours, Acts(lambda: attempt(loop.add_reader, ours, ignore)))
            loop.add_writer(ours, Acts(loop.close))
            loop.close()
            say(loop.is_closed())
            ours.close()
            theirs.close()

        self.assertEqual(both.events_of("coloop", program)[-1], True)


class Signals(both.Case):
    def test_burst(self):
        def program(loop, say):
            calls = []

            def burst():
                for _ in range(200):
                    os.kill(os.getpid(), signal.SIGUSR1)
                loop.call_later(0.02, loop.stop)

            loop.add_signal_handler(signal.SIGUSR1, calls.append, 1)
            loop.call_soon(burst)
            loop.run_forever()
            say(0 < len(calls) <= 200, loop.remove_signal_handler(signal.SIGUSR1))

        self.same(program, (True, True))

    def test_handler_that_raises(self):
        def program(loop, say):
            before = signal.signal(signal.SIGUSR1, lambda *args: 1 / 0)
            try:
                loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
                loop.call_later(5, loop.stop)
                told = []
                loop.set_exception_handler(
                    lambda loop, context: (told.append(type(context["exception"])), loop.stop())
                )
                result = attempt(loop.run_forever)
                say("ZeroDivisionError" in str(result) or told == [ZeroDivisionError])
            finally:
                signal.signal(signal.SIGUSR1, before)

        self.same(program, True)


class Addresses(both.Case):
    def test_that_are_none(self):
        async def program(loop, say):
            def made():
                return loop.create_datagram_endpoint(Protocol, local_addr=("127.0.0.1", 0))

            class Protocol(asyncio.DatagramProtocol):
                def datagram_received(self, data, address):
                    say("received", data)

                def error_received(self, error):
                    say("error", type(error).__name__)

            for host, port in (
                ("127.0.0.1\0.example", 9), ("\ud800", 9), (5, 9), ("127.0.0.1", 70_000),
                ("127.0.0.1", -1), ("127.0.0.1", 2**70), ("127.0.0.1", "80"),
            ):
                transport, _ = await made()
                say(repr(host), port, attempt(transport.sendto, b"x", (host, port)))
                say(transport.is_closing())
                transport.abort()
            transport, _ = await made()
            say(attempt(transport.sendto, b"x" * 70_000, transport.get_extra_info("sockname")))
            transport.abort()

        self.same(program)


if __name__ == "__main__":
    unittest.main()
