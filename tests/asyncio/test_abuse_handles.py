"""Handles, contexts and descriptors that are used as nobody should."""

import asyncio
import contextvars
import gc
import resource
import socket
import unittest
import weakref

import both
from both import attempt


def called(*args):
    """A callback with a name."""


def turn(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


class Raises:
    """A file object whose fileno() gives what it likes, or raises it."""

    def __init__(self, answer):
        self.answer = answer

    def fileno(self):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Interrupts:
    def __int__(self):
        raise KeyboardInterrupt

    __index__ = __int__


class Handles(both.Case):
    def test_run_by_hand_while_it_waits(self):
        """The callback may change the loop's list on both sides of its handle."""

        def program(loop, say):
            class Callback:
                def method(self, argument):
                    say("called", argument)
                    before.cancel()
                    after.cancel()

            before = loop.call_later(100, called)
            handle = loop.call_soon(Callback().method, 1)
            after = loop.call_later(100, called)
            handle._run()
            turn(loop)

        self.same(program, ("called", 1), ("called", 1))

    def test_run_by_hand_after_the_end(self):
        def program(loop, say):
            cancelled, ran = loop.call_later(5, called), loop.call_soon(called)
            cancelled.cancel()
            turn(loop)
            say(attempt(ran._run), cancelled.cancelled(), ran.cancelled())

        self.same(program, (None, True, False))

    def test_cancelled_by_its_own_callback(self):
        """Run by hand: nothing else holds what is in use."""

        def program(loop, say):
            def callback(argument):
                handles.pop().cancel()
                gc.collect()
                say("called", argument)

            for schedule in (
                loop.call_soon, loop.call_soon_threadsafe,
                lambda *args: loop.call_later(100, *args),
            ):
                handles = [schedule(callback, "alone")]
                handles[0]._run()
                handles = [schedule(callback, "in a turn")]
                turn(loop)
                while handles:
                    handles.pop().cancel()

        self.same(program)

    def test_loop_closed_by_a_callback_run_by_hand(self):
        def program(loop, say):
            def callback():
                loop.close()
                say("closed", loop.is_closed())
                raise ValueError("after that")

            told = []
            loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
            handle = loop.call_later(100, callback)
            handle._run()
            say(repr(told))

        self.same(program, ("closed", True), "[ValueError('after that')]")

    def test_chains_of_handles_end_without_recursion(self):
        def program(loop, say):
            for schedule in (loop.call_soon, lambda *args: loop.call_later(1000, *args)):
                handle = None
                for _ in range(100_000):
                    handle = schedule(called, handle)
                del handle
            loop.close()
            say("closed")

        self.same(program, "closed")

    def test_what_leaves_a_run_leaves_the_rest_scheduled(self):
        def program(loop, say):
            class Base(BaseException):
                pass

            def fail(error):
                raise error

            for error in (
                KeyboardInterrupt("k"), SystemExit(3), GeneratorExit("g"), Base("b"),
                StopIteration(1), asyncio.CancelledError("c"), MemoryError("m"),
            ):
                loop.call_soon(fail, error)
                loop.call_soon(say, "after", type(error).__name__)
                loop.call_soon(loop.stop)
                try:
                    loop.run_forever()
                except BaseException as left:
                    say("left", type(left).__name__, left is error)
                    loop.run_forever()

        self.same(program)

    def test_callback_that_cannot_be_shown(self):
        def program(loop, say):
            class Callback:
                def __call__(self):
                    raise ValueError("v")

                def __repr__(self):
                    raise RuntimeError("no text")

            loop.call_soon(Callback())
            loop.call_soon(say, "next")
            loop.call_soon(loop.stop)
            say(attempt(loop.run_forever))
            say(attempt(loop.run_forever))

        self.same(program)


class Contexts(both.Case):
    def test_variables_end_with_the_callback(self):
        """Nothing is kept until the next callback, or the loop's end."""

        def program(loop, say):
            class Thing:
                pass

            variable = contextvars.ContextVar("variable")

            def callback():
                thing = Thing()
                things.append(weakref.ref(thing))
                variable.set(thing)
                loop.call_soon(follows)

            def follows():
                say("kept for who was scheduled", things[-1]() is not None)
                loop.stop()

            things = []
            loop.call_soon(callback)
            loop.run_forever()
            say("afterwards", things[-1]() is not None)

        self.same(program, ("kept for who was scheduled", True), ("afterwards", False))

    def test_entered_twice(self):
        def program(loop, say):
            context = contextvars.copy_context()

            def enter():
                context.run(called)

            def run():
                loop.call_soon(say, "in a context that is entered", context=context)
                turn(loop)

            loop.call_soon(enter, context=context)
            turn(loop)
            context.run(run)
            loop.call_soon(say, "afterwards", context=context)
            turn(loop)

        self.same(program)

    def test_no_context(self):
        """What it says differs; that it is said, and the loop goes on, does not."""

        def program(loop, say):
            told = []
            loop.set_exception_handler(lambda loop, context: told.append(context["message"]))
            for wrong in (5, "text", object()):
                loop.call_soon(called, context=wrong)
                loop.call_later(0, called, context=wrong)
                loop.call_later(0.001, loop.stop)
                loop.run_forever()
            say(len(told), "Exception in callback called()" in told[0])

        self.same(program, (6, True))


class Descriptors(both.Case):
    def test_numbers_that_are_none(self):
        def program(loop, say):
            # A table that grows to such numbers would not fit.
            limits = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, limits[1]))
            try:
                for fd in (2**31 - 1, 2**30, 10**8, 2**31, 2**40, 2**70, -1, -(2**70)):
                    say(fd, attempt(loop.add_reader, fd, called))
                    say(fd, attempt(loop.remove_reader, fd))
                    say(fd, attempt(loop.add_writer, fd, called))
                    say(fd, attempt(loop.remove_writer, fd))
            finally:
                resource.setrlimit(resource.RLIMIT_AS, limits)

        self.same(program)

    def test_objects_that_are_none(self):
        def program(loop, say):
            for given in (
                None, "x", 1.5, [], Raises(None), Raises(-1), Raises([]), Raises("text"),
                Raises(ValueError("v")), Raises(AttributeError("a")), Raises(TypeError("t")),
                Raises(OSError("o")), Raises(10**30), Raises(-(10**30)),
            ):
                say(attempt(loop.add_reader, given, called))
                say(attempt(loop.remove_writer, given))

        self.same(program)

    def test_numbers_in_disguise(self):
        """asyncio takes what int() takes."""

        def program(loop, say):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                for answer in (str(ours.fileno()), ours.fileno() + 0.5):
                    loop.add_reader(Raises(answer), called)
                    say(loop.remove_reader(ours))

        self.same(program, True, True)

    def test_interrupts_are_not_swallowed(self):
        def program(loop, say):
            for given in (Raises(KeyboardInterrupt()), Raises(Interrupts())):
                for method in (loop.add_reader, loop.add_writer):
                    try:
                        method(given, called)
                    except KeyboardInterrupt:
                        say("interrupted")

        self.same(program, *["interrupted"] * 4)


if __name__ == "__main__":
    unittest.main()
