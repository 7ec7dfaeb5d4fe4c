"""The same programs on asyncio's own loop and on coloop: what they do must be equal.

No program depends on how fast the machine is: timers are past due, or stand in an order that a
pause cannot change, and runs end after a number of turns, not after a time.
"""

import asyncio
import socket
import threading
import unittest

import raw


class Asyncio:
    """A program's view of asyncio's loop."""

    def __init__(self):
        self.loop = asyncio.SelectorEventLoop()
        self.loop.set_exception_handler(self.failed)
        self.error = None

    def failed(self, loop, context):
        self.error = context.get("exception") or RuntimeError(context["message"])
        loop.stop()

    def soon(self, function):
        return self.loop.call_soon(function)

    def threadsafe(self, function):
        return self.loop.call_soon_threadsafe(function)

    def later(self, seconds, function):
        return self.loop.call_later(seconds, function)

    def at(self, deadline, function):
        return self.loop.call_at(deadline, function)

    def deadline(self, seconds):
        return self.loop.time() + seconds

    def cancel(self, handle):
        handle.cancel()

    def reader(self, fd, function):
        self.loop.add_reader(fd, function)

    def writer(self, fd, function):
        self.loop.add_writer(fd, function)

    def remove_reader(self, fd):
        return self.loop.remove_reader(fd)

    def remove_writer(self, fd):
        return self.loop.remove_writer(fd)

    def stop(self):
        self.loop.stop()

    def run(self):
        raw.run_limited(self.loop.run_forever)
        if self.error is not None:
            raise self.error

    def close(self):
        self.loop.close()


class Coloop:
    """The same view of a coloop loop."""

    def __init__(self):
        self.lib = raw.load()
        self.loop = raw.Loop(self.lib)

    def soon(self, function):
        return self.loop.schedule("loop_call_soon", function=function)

    def threadsafe(self, function):
        return self.loop.schedule("loop_call_soon_threadsafe", function=function)

    def later(self, seconds, function):
        return self.loop.schedule("loop_call_later", int(seconds * 1e9), function=function)

    def at(self, deadline, function):
        return self.loop.schedule("loop_call_at", deadline, function=function)

    def deadline(self, seconds):
        return self.lib.loop_time(self.loop.pointer) + int(seconds * 1e9)

    def cancel(self, handle):
        # asyncio says nothing either when the callback has run; here that has a code.
        self.lib.loop_handle_cancel(self.loop.pointer, handle)

    def reader(self, fd, function):
        self.loop.watch("loop_add_reader", fd, function)

    def writer(self, fd, function):
        self.loop.watch("loop_add_writer", fd, function)

    def remove_reader(self, fd):
        return bool(self.loop.check(self.lib.loop_remove_reader(self.loop.pointer, fd)))

    def remove_writer(self, fd):
        return bool(self.loop.check(self.lib.loop_remove_writer(self.loop.pointer, fd)))

    def stop(self):
        self.loop.check(self.lib.loop_stop(self.loop.pointer))

    def run(self):
        self.loop.run()

    def close(self):
        self.loop.close()


def stop_after(loop, turns):
    if turns == 1:
        loop.stop()
    else:
        loop.soon(lambda: stop_after(loop, turns - 1))


class Programs(unittest.TestCase):
    def compare(self, program, expected):
        """program(loop, say) is run on both loops; both must say what is expected."""
        said = {}
        for kind in (Asyncio, Coloop):
            loop, words = kind(), []
            self.addCleanup(loop.close)
            program(loop, words.append)
            said[kind] = words
        self.assertEqual(said[Coloop], said[Asyncio])
        # A program that does nothing on both loops would be equal too.
        self.assertEqual(said[Asyncio], expected)

    def socketpair(self):
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
            self.addCleanup(end.close)
        return pair

    def test_chains_interleave_turn_by_turn(self):
        def program(loop, say):
            def step(name, left):
                say(f"{name}{left}")
                if left:
                    loop.soon(lambda: step(name, left - 1))
                elif name == "b":
                    loop.stop()

            loop.soon(lambda: step("a", 2))
            loop.soon(lambda: step("b", 4))
            loop.run()

        self.compare(program, "a2 b4 a1 b3 a0 b2 b1 b0".split())

    def test_a_delay_of_zero_stands_behind_what_is_ready(self):
        def program(loop, say):
            def first():
                say("first")
                loop.later(0, lambda: say("later"))
                loop.soon(lambda: (say("soon"), loop.soon(lambda: say("soon-soon"))))

            loop.later(0, lambda: say("later-before"))
            loop.soon(first)
            loop.soon(lambda: stop_after(loop, 5))
            loop.run()

        self.compare(program, ["first", "later-before", "soon", "later", "soon-soon"])

    def test_negative_delays_run_in_the_order_of_their_deadlines(self):
        def program(loop, say):
            loop.later(0, lambda: say("0"))
            loop.later(-1, lambda: say("-1"))
            loop.later(-2, lambda: say("-2"))
            loop.soon(lambda: stop_after(loop, 3))
            loop.run()

        self.compare(program, ["-2", "-1", "0"])

    def test_what_due_timers_schedule_runs_behind_all_of_them(self):
        def program(loop, say):
            def fire(name):
                say(name)
                loop.soon(lambda: say(f"after-{name}"))

            loop.later(-1, lambda: fire("second"))
            loop.later(-2, lambda: fire("first"))
            loop.soon(lambda: stop_after(loop, 4))
            loop.run()

        self.compare(program, ["first", "second", "after-first", "after-second"])

    def test_timers_that_set_timers_wake_the_loop_each_time(self):
        def program(loop, say):
            def fire(left):
                say(left)
                if left:
                    loop.soon(lambda: (say("soon"), loop.later(0.002, lambda: fire(left - 1))))
                else:
                    loop.stop()

            loop.later(0.002, lambda: fire(2))
            loop.run()

        self.compare(program, [2, "soon", 1, "soon", 0])

    def test_equal_deadlines_run_in_the_order_of_scheduling_whenever_that_was(self):
        # A machine so slow that the deadline passes in between changes nothing: who was set first
        # still runs first. Three at most: asyncio's heap does not keep the order of more.
        def program(loop, say):
            deadline = loop.deadline(0.01)
            loop.at(deadline, lambda: say("before the run"))

            def inside():
                loop.at(deadline, lambda: say("inside"))
                loop.soon(lambda: loop.at(deadline, lambda: (say("a turn later"), loop.stop())))

            loop.soon(inside)
            loop.run()

        self.compare(program, ["before the run", "inside", "a turn later"])

    def test_cancelled_callbacks_stay_away_even_in_the_same_turn(self):
        def program(loop, say):
            handles = []
            loop.soon(lambda: [loop.cancel(handle) for handle in handles])
            handles.append(loop.soon(lambda: say("ready")))
            handles.append(loop.later(0, lambda: say("due")))
            handles.append(loop.later(1000, lambda: say("timer")))
            handles.append(loop.threadsafe(lambda: say("post")))
            done = loop.soon(lambda: say("done"))
            loop.soon(lambda: loop.cancel(done))
            loop.soon(lambda: stop_after(loop, 3))
            loop.run()

        self.compare(program, ["done"])

    def test_stop_finishes_the_turn_and_keeps_the_rest(self):
        def program(loop, say):
            loop.soon(lambda: (say("a"), loop.stop(), loop.soon(lambda: say("c"))))
            loop.soon(lambda: say("b"))
            loop.run()
            say("|")
            loop.stop()
            loop.run()
            say("|")

        self.compare(program, ["a", "b", "|", "c", "|"])

    def test_stop_before_a_run_makes_it_one_turn_with_posts_and_due_timers(self):
        def program(loop, say):
            def both(name):
                say(name)
                loop.soon(lambda: say(f"{name}-next"))

            loop.later(-1, lambda: both("timer"))
            loop.threadsafe(lambda: both("post"))
            loop.stop()
            loop.run()
            say("|")
            loop.stop()
            loop.run()

        self.compare(program, ["post", "timer", "|", "post-next", "timer-next"])

    def test_posts_keep_their_place_among_the_ready(self):
        def program(loop, say):
            loop.threadsafe(lambda: say("post-before"))
            loop.soon(lambda: say("soon-before"))
            loop.soon(lambda: (loop.threadsafe(lambda: say("post-inside")),
                               loop.soon(lambda: (say("soon-inside"), loop.stop()))))
            loop.run()

        self.compare(program, ["post-before", "soon-before", "post-inside", "soon-inside"])

    def test_posts_of_another_thread_come_in_its_order(self):
        def program(loop, say):
            def post():
                loop.threadsafe(lambda: say("one"))
                loop.threadsafe(lambda: (say("two"), loop.soon(lambda: say("after-two"))))
                loop.threadsafe(lambda: (say("three"), loop.soon(loop.stop)))

            thread = threading.Thread(target=post)
            # Started and ended inside a callback: the loop has all of them in its next turn.
            loop.soon(lambda: (thread.start(), thread.join()))
            loop.run()

        self.compare(program, ["one", "two", "three", "after-two"])

    def test_io_comes_behind_the_ready_and_before_the_timers(self):
        def program(loop, say):
            near, far = self.socketpair()
            near.sendall(b"x")

            def readable():
                say(far.recv(1))
                say(loop.remove_reader(far.fileno()))
                say(loop.remove_reader(far.fileno()))

            def writable():
                say("writable")
                say(loop.remove_writer(far.fileno()))

            loop.writer(far.fileno(), writable)
            loop.reader(far.fileno(), readable)
            loop.soon(lambda: (say("soon"), loop.soon(lambda: say("next"))))
            loop.later(0, lambda: say("timer"))
            loop.soon(lambda: stop_after(loop, 3))
            loop.run()

        self.compare(program, ["soon", b"x", True, False, "writable", True, "timer", "next"])

    def test_a_reader_comes_once_a_turn_while_there_is_something(self):
        def program(loop, say):
            near, far = self.socketpair()

            def readable():
                byte = far.recv(1)
                say(byte)
                loop.soon(lambda: say(f"after-{byte.decode()}"))
                if byte == b"c":
                    loop.soon(loop.stop)

            loop.reader(far.fileno(), readable)
            near.sendall(b"abc")
            loop.run()

        self.compare(program, [b"a", "after-a", b"b", "after-b", b"c", "after-c"])

    def test_a_reader_that_is_replaced_is_not_called(self):
        def program(loop, say):
            near, far = self.socketpair()
            near.sendall(b"x")
            loop.reader(far.fileno(), lambda: say("old"))
            loop.reader(far.fileno(), lambda: (say("new"), loop.stop()))
            loop.run()

        self.compare(program, ["new"])

    def test_a_reader_removed_by_another_of_its_turn_is_not_called(self):
        def program(loop, say):
            (near1, one), (near2, two) = self.socketpair(), self.socketpair()
            near1.sendall(b"x")
            near2.sendall(b"x")

            def readable():  # which of them comes first is the system's choice
                say("one of them")
                say(loop.remove_reader(one.fileno()))
                say(loop.remove_reader(two.fileno()))

            loop.reader(one.fileno(), readable)
            loop.reader(two.fileno(), readable)
            loop.soon(lambda: stop_after(loop, 4))
            loop.run()

        self.compare(program, ["one of them", True, True])


if __name__ == "__main__":
    unittest.main()
