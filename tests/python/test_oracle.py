"""The same programs on asyncio's own loop and on coloop: what they do must be equal."""

import asyncio
import socket
import unittest

import raw


class Asyncio:
    """A program's view of asyncio's loop."""

    def __init__(self):
        self.loop = asyncio.SelectorEventLoop()
        self.handles = []

    def soon(self, function):
        return self.loop.call_soon(function)

    def threadsafe(self, function):
        return self.loop.call_soon_threadsafe(function)

    def later(self, seconds, function):
        return self.loop.call_later(seconds, function)

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
        self.loop.run_forever()

    def close(self):
        self.loop.close()


class Coloop:
    """The same view of a coloop loop."""

    def __init__(self):
        self.lib = raw.load()
        self.loop = raw.Loop(self.lib)

    def soon(self, function):
        return self.loop.schedule("loop_call_soon", function=function, wants_handle=True)

    def threadsafe(self, function):
        return self.loop.schedule("loop_call_soon_threadsafe", function=function, wants_handle=True)

    def later(self, seconds, function):
        return self.loop.schedule("loop_call_later", int(seconds * 1e9), function=function,
                                  wants_handle=True)

    def cancel(self, handle):
        self.lib.loop_handle_cancel(self.loop.pointer, handle)

    def reader(self, fd, function):
        self.loop.watch("loop_add_reader", fd, function)

    def writer(self, fd, function):
        self.loop.watch("loop_add_writer", fd, function)

    def remove_reader(self, fd):
        return bool(self.lib.loop_remove_reader(self.loop.pointer, fd))

    def remove_writer(self, fd):
        return bool(self.lib.loop_remove_writer(self.loop.pointer, fd))

    def stop(self):
        self.lib.loop_stop(self.loop.pointer)

    def run(self):
        self.loop.run()

    def close(self):
        self.loop.close()


class Programs(unittest.TestCase):
    def compare(self, program):
        """program(loop, say) is run on both loops; what it said must be equal."""
        said = {}
        for kind in (Asyncio, Coloop):
            loop, words = kind(), []
            program(loop, words.append)
            loop.close()
            said[kind] = words
        self.assertTrue(said[Asyncio])
        self.assertEqual(said[Coloop], said[Asyncio])

    def test_chains_interleave_turn_by_turn(self):
        def program(loop, say):
            def step(name, left):
                say(f"{name}{left}")
                if left:
                    loop.soon(lambda: step(name, left - 1))
                elif name == "b":
                    loop.stop()

            loop.soon(lambda: step("a", 3))
            loop.soon(lambda: step("b", 5))
            loop.run()

        self.compare(program)

    def test_a_delay_of_zero_stands_behind_what_is_ready(self):
        def program(loop, say):
            def first():
                loop.later(0, lambda: say("later"))
                loop.soon(lambda: say("soon"))
                loop.soon(lambda: loop.soon(lambda: say("soon-soon")))

            loop.later(0, lambda: say("before"))
            loop.soon(first)
            loop.later(0.01, loop.stop)
            loop.run()

        self.compare(program)

    def test_timers_and_what_they_schedule(self):
        def program(loop, say):
            def fire(name):
                say(name)
                loop.soon(lambda: say(f"after-{name}"))

            loop.later(0.006, lambda: fire("second"))
            loop.later(0.002, lambda: fire("first"))
            loop.later(0.02, loop.stop)
            loop.run()

        self.compare(program)

    def test_cancelled_callbacks_stay_away_even_in_the_same_turn(self):
        def program(loop, say):
            handles = []
            loop.soon(lambda: [loop.cancel(handle) for handle in handles])
            handles.append(loop.soon(lambda: say("ready")))
            handles.append(loop.later(0, lambda: say("timer")))
            handles.append(loop.threadsafe(lambda: say("post")))
            loop.later(0.005, lambda: (say("end"), loop.stop()))
            loop.run()

        self.compare(program)

    def test_stop_finishes_the_turn_and_keeps_the_rest(self):
        def program(loop, say):
            loop.soon(lambda: (say("a"), loop.stop(), loop.soon(lambda: say("c"))))
            loop.soon(lambda: say("b"))
            loop.run()
            say("|")
            loop.stop()
            loop.run()
            say("|")

        self.compare(program)

    def test_posts_keep_their_place_among_the_ready(self):
        def program(loop, say):
            loop.threadsafe(lambda: say("post-before"))
            loop.soon(lambda: say("soon"))
            loop.soon(lambda: (loop.threadsafe(lambda: say("post-inside")),
                               loop.soon(lambda: (say("soon-inside"), loop.stop()))))
            loop.run()

        self.compare(program)

    def test_io_comes_behind_the_ready_and_before_the_timers(self):
        def program(loop, say):
            near, far = socket.socketpair()
            near.sendall(b"x")

            def readable():
                say(far.recv(1).decode())
                say(loop.remove_reader(far.fileno()))
                say(loop.remove_reader(far.fileno()))

            def writable():
                say("writable")
                say(loop.remove_writer(far.fileno()))

            loop.reader(far.fileno(), readable)
            loop.writer(far.fileno(), writable)
            loop.soon(lambda: say("soon"))
            loop.later(0, lambda: say("timer"))
            loop.later(0.01, loop.stop)
            loop.run()
            near.close()
            far.close()

        self.compare(program)

    def test_a_reader_removed_by_another_of_its_turn_is_not_called(self):
        def program(loop, say):
            pairs = [socket.socketpair() for _ in range(2)]
            for near, _ in pairs:
                near.sendall(b"x")

            def make(mine, other):
                def readable():
                    say("one of them")
                    loop.remove_reader(mine.fileno())
                    loop.remove_reader(other.fileno())

                return readable

            (_, one), (_, two) = pairs
            loop.reader(one.fileno(), make(one, two))
            loop.reader(two.fileno(), make(two, one))
            loop.later(0.01, loop.stop)
            loop.run()
            for near, far in pairs:
                near.close()
                far.close()

        self.compare(program)


if __name__ == "__main__":
    unittest.main()
