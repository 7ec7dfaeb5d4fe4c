"""What callbacks raise: records for the exception handler, and what leaves a run."""

import asyncio
import gc
import signal
import sys
import threading
import time
import unittest

import both


class Custom(BaseException):
    pass


def turn(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


class Handler(both.Case):
    def test_records(self):
        def program(loop, say):
            def handler(given, context):
                say(given is loop, sorted(context), context["message"], repr(context["exception"]),
                    repr(context.get("handle")), repr(sys.exc_info()[1]))

            loop.set_exception_handler(handler)

            def fail(error, *args):
                raise error

            for error in (LookupError("x"), Custom("y"), GeneratorExit(), asyncio.CancelledError()):
                loop.call_soon(fail, error)
                loop.call_soon_threadsafe(fail, error, 1, 2, 3, 4)
            loop.call_later(0, fail, ValueError("z"))
            loop.call_soon(lambda: int("x"))
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
            loop.set_debug(True)
            loop.call_soon(fail, LookupError("debug"))
            turn(loop)

        self.same(program)

    def test_tracebacks_end_in_the_callback(self):
        def program(loop, say):
            def handler(loop, context):
                traceback = context["exception"].__traceback__
                names = []
                while traceback:
                    names.append(traceback.tb_frame.f_code.co_name)
                    traceback = traceback.tb_next
                say([name for name in names if name != "_run"])

            loop.set_exception_handler(handler)

            def inner():
                raise LookupError

            def outer():
                inner()

            loop.call_soon(outer)
            turn(loop)

        self.same(program)

    def test_of_readers_and_protocols(self):
        async def program(loop, say):
            import socket

            ours, peer = socket.socketpair()

            def read():
                ours.recv(10)
                raise LookupError("reader")

            with ours, peer:
                loop.add_reader(ours, read)
                peer.send(b"x")
                await asyncio.sleep(0.01)
                peer.send(b"x")  # the reader is still there
                await asyncio.sleep(0.01)
                say(loop.remove_reader(ours))

        self.same(program)

    def test_handlers_that_fail(self):
        def program(loop, say):
            for error in (LookupError, Custom):
                def handler(loop, context):
                    raise error("handler")

                loop.set_exception_handler(handler)
                loop.call_soon(lambda: 1 / 0)
                loop.call_soon(say, "goes on")
                turn(loop)

        self.same(program)

    def test_handlers_that_exit(self):
        def program(loop, say):
            def handler(loop, context):
                raise SystemExit(7)

            loop.set_exception_handler(handler)
            loop.call_soon(lambda: 1 / 0)
            loop.call_soon(say, "later")
            try:
                loop.run_forever()
            except SystemExit as error:
                say("exit", error.code, loop.is_running())
            turn(loop)

        self.same(program)

    def test_never_retrieved(self):
        def program(loop, say):
            loop.set_exception_handler(
                lambda loop, context: say(context["message"], sorted(context))
            )

            async def bad():
                raise KeyError

            loop.create_task(bad())
            future = loop.create_future()
            future.set_exception(KeyError())
            turn(loop)
            turn(loop)
            del future
            gc.collect()
            pending = loop.create_task(asyncio.sleep(60))
            turn(loop)
            loop.call_later(60, int)
            del pending
            gc.collect()

        self.same(program)


class Leaving(both.Case):
    def test_from_everywhere(self):
        def program(loop, say):
            import socket

            ours, peer = socket.socketpair()

            def leave(error):
                raise error

            def read(error):
                ours.recv(1)
                loop.remove_reader(ours)
                raise error

            def caught(schedule):
                for error in (KeyboardInterrupt("k"), SystemExit("s")):
                    schedule(error)
                    loop.call_soon(say, "still queued")
                    try:
                        loop.run_forever()
                    except BaseException as got:
                        say(got is error, loop.is_running(), asyncio._get_running_loop())
                    turn(loop)

            caught(lambda error: loop.call_soon(leave, error))
            caught(lambda error: loop.call_soon_threadsafe(leave, error))
            caught(lambda error: loop.call_later(0, leave, error))
            caught(lambda error: (loop.add_reader(ours, read, error), peer.send(b"x")))

            async def task(error):
                await asyncio.sleep(0)
                raise error

            for error in (KeyboardInterrupt("k"), SystemExit("s")):
                try:
                    loop.run_until_complete(task(error))
                except BaseException as got:
                    say(got is error, loop.is_running())
            ours.close()
            peer.close()

        self.same(program)

    def test_debug_mode(self):
        def program(loop, say):
            loop.set_debug(True)
            loop.call_soon(sys.exit, 5)
            loop.call_soon(say, "queued")
            say(attempt_exit(loop.run_forever))
            turn(loop)

        self.same(program)

    def test_two_at_once(self):
        def program(loop, say):
            loop.call_soon(sys.exit, 1)
            loop.call_soon(sys.exit, 2)
            say(attempt_exit(loop.run_forever))
            say(attempt_exit(loop.run_forever))
            turn(loop)
            say("over")

        self.same(program)

    def test_interrupted_while_waiting(self):
        def program(loop, say):
            main = threading.get_ident()
            timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
            timer.start()
            loop.call_later(30, say, "never")
            try:
                loop.run_forever()
            except KeyboardInterrupt:
                say("interrupted", loop.is_running())
            timer.join()
            loop.call_soon(say, "works on")
            turn(loop)

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.same(program)

    def test_interrupted_while_busy(self):
        def program(loop, say):
            def busy():
                end = time.monotonic() + 20
                while time.monotonic() < end:
                    pass

            main = threading.get_ident()
            timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
            timer.start()
            loop.call_soon(busy)
            try:
                loop.run_forever()
            except KeyboardInterrupt:
                say("interrupted")
            timer.join()

        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.same(program)

    def test_pythons_own_signal_handlers(self):
        def program(loop, say):
            before = signal.signal(signal.SIGUSR1, lambda *args: seen.append("handled"))
            seen = []
            main = threading.get_ident()
            timer = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1))
            timer.start()
            loop.call_later(0.2, loop.stop)
            loop.run_forever()
            timer.join()
            signal.signal(signal.SIGUSR1, before)
            say(seen)

        self.same(program)


def attempt_exit(function):
    try:
        return function()
    except SystemExit as error:
        return f"exit {error.code}"


class Debug(both.Case):
    def logged(self, kind, program):
        with self.assertLogs("asyncio", "WARNING") as logs:
            loop = both.LOOPS[kind]()
            loop.set_debug(True)
            program(loop)
            loop.close()
        return [both.equalled(record.getMessage()) for record in logs.records]

    def test_slow_callbacks(self):
        import re

        def program(loop):
            loop.slow_callback_duration = 0.01
            loop.call_soon(time.sleep, 0.02)

            async def slow():
                time.sleep(0.02)

            loop.run_until_complete(slow())

        theirs, ours = [
            [re.sub(r"took [0-9.]+", "took N", line) for line in self.logged(kind, program)]
            for kind in both.LOOPS
        ]
        self.assertEqual(theirs, ours)
        self.assertEqual(len(ours), 2)

    def test_source_tracebacks(self):
        def program(loop, say):
            loop.set_debug(True)
            for schedule in (
                loop.call_soon, loop.call_soon_threadsafe, lambda *args: loop.call_later(1, *args),
                lambda *args: loop.call_at(1e6, *args),
            ):
                handle = schedule(int)
                say([(frame.name, frame.lineno) for frame in handle._source_traceback][-2:])
                handle.cancel()
                say(repr(handle))
            loop.set_debug(False)
            say(loop.call_soon(int)._source_traceback)

        self.same(program)

    def test_coroutines_know_where_they_were_made(self):
        def program(loop, say):
            loop.set_debug(True)

            def look():
                coroutine = asyncio.sleep(0)
                say(bool(coroutine.cr_origin))
                coroutine.close()

            loop.call_soon(look)
            turn(loop)
            say(sys.get_coroutine_origin_tracking_depth())

        self.same(program)


if __name__ == "__main__":
    unittest.main()
