"""Handles, their contexts, and the order in which callbacks run."""

import asyncio
import contextvars
import gc
import random
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


class Handles(both.Case):
    def test_texts(self):
        def program(loop, say):
            for debug in (False, True):
                loop.set_debug(debug)
                for handle in (
                    loop.call_soon(called, 1, "two"), loop.call_soon(called, 1, 2, 3, 4, 5),
                    loop.call_soon_threadsafe(called), loop.call_at(1e6, called, None),
                ):
                    say(repr(handle))
                    handle.cancel()
                    handle.cancel()
                    say(repr(handle), handle.cancelled())
                ran = loop.call_soon(called, 5)
                turn(loop)
                say(ran.cancelled())
                ran.cancel()
                say(ran.cancelled())

        self.same(program)

    def test_types(self):
        def program(loop, say):
            soon, later = loop.call_soon(called), loop.call_later(5, called)
            for handle in (soon, later):
                say(isinstance(handle, asyncio.Handle), isinstance(handle, asyncio.TimerHandle))
                say(handle.__class__.__name__, weakref.ref(handle)() is handle)
                say(attempt(setattr, handle, "other", 1).partition(":")[0])
                say(type(hash(handle)).__name__, handle == handle, handle != 5)
                handle.cancel()

        self.same(program)

    def test_timers_compare_by_when(self):
        def program(loop, say):
            first, second = loop.call_at(1e6, called), loop.call_at(2e6, called)
            twin = loop.call_at(1e6, called)
            say(first < second, first <= second, first > second, first >= second)
            say(first == twin, first == second, first <= twin, hash(first) == hash(twin))
            twin.cancel()
            say(first == twin, attempt(lambda: first < 5).partition(":")[0])

        self.same(program)

    def test_cancelled_handles_let_go_at_once(self):
        def program(loop, say):
            class Callback:
                def __call__(self, *args):
                    say("called")

            for schedule in (
                loop.call_soon, loop.call_soon_threadsafe,
                lambda *args: loop.call_later(5, *args), lambda *args: loop.call_at(1, *args),
            ):
                callback, argument = Callback(), Callback()
                ends = weakref.ref(callback), weakref.ref(argument)
                handle = schedule(callback, argument)
                del callback, argument
                handle.cancel()
                say([end() is None for end in ends])
            turn(loop)

        self.same(program)

    def test_handles_that_ran_let_go(self):
        def program(loop, say):
            class Callback:
                def __call__(self, *args):
                    say("called")

            for schedule in (loop.call_soon, lambda *args: loop.call_later(0, *args)):
                callback = Callback()
                end = weakref.ref(callback)
                handle = schedule(callback, 1, 2, 3, 4)
                del callback
                loop.call_later(0.01, loop.stop)
                loop.run_forever()
                del handle
                gc.collect()
                say(end() is None)

        self.same(program)

    def test_callbacks_that_cancel(self):
        def program(loop, say):
            handles = {}

            def cancel(name):
                say("cancels", name)
                handles[name].cancel()

            handles["self"] = loop.call_soon(cancel, "self")
            loop.call_soon(cancel, "next")
            handles["next"] = loop.call_soon(say, "not said")
            handles["timer"] = loop.call_later(0, say, "not said either")
            loop.call_soon(cancel, "timer")
            handles["own timer"] = loop.call_later(0, cancel, "own timer")
            loop.call_later(0.01, loop.stop)
            loop.run_forever()

        self.same(program)

    def test_destructors_that_use_the_loop(self):
        def program(loop, say):
            class Argument:
                def __init__(self, name):
                    self.name = name

                def __del__(self):
                    say("end of", self.name, attempt(loop.call_soon, say, self.name) is None)

            handle = loop.call_soon(called, Argument("cancelled"))
            handle.cancel()
            loop.call_soon(called, Argument("ran"))
            loop.call_later(0, called, Argument("timer"))
            handle = None
            loop.call_later(0.02, loop.stop)
            loop.run_forever()
            # What closing drops finds the loop closed.
            loop.call_soon(called, Argument("dropped"))
            loop.call_later(5, called, Argument("dropped timer"))
            loop.close()

        for kind in both.LOOPS:
            said = both.events_of(kind, program)
            self.assertEqual(sorted(map(str, said)), sorted(map(str, [
                ("end of", "cancelled", False), "cancelled", ("end of", "ran", False), "ran",
                ("end of", "timer", False), "timer",
                ("end of", "dropped", False), ("end of", "dropped timer", False),
            ])), kind)

    def test_many_arguments(self):
        def program(loop, say):
            for count in range(9):
                loop.call_soon(say, "soon", *range(count))
                loop.call_later(0, say, "later", *range(count))
            loop.call_later(0.01, loop.stop)
            loop.run_forever()

        self.same(program)


variable = contextvars.ContextVar("variable", default="unset")
other = contextvars.ContextVar("other")


class Contexts(both.Case):
    def test_callbacks_have_a_copy_each(self):
        def program(loop, say):
            def change(value):
                say("found", variable.get())
                variable.set(value)
                loop.call_soon(say_value)

            def say_value():
                say("inner", variable.get())
                other.set(1)

            variable.set("outer")
            loop.call_soon(change, "one")
            loop.call_soon(change, "two")
            loop.call_soon_threadsafe(change, "three")
            loop.call_later(0, change, "four")
            variable.set("after")
            loop.call_soon(change, "five")
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
            say(variable.get(), other.get("unset"))

        self.same(program)

    def test_given_contexts_keep_what_is_set(self):
        def program(loop, say):
            context = contextvars.copy_context()
            say(loop.call_soon(variable.set, 1, context=context).get_context() is context)
            loop.call_soon(lambda: say(variable.get()), context=context)
            loop.call_later(0, variable.set, 2, context=context)
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
            say(context[variable], variable.get())

        # get_context came with 3.12; before, handles have the attribute only.
        if hasattr(asyncio.Handle, "get_context"):
            self.same(program)

    @unittest.skipUnless(hasattr(asyncio.Handle, "get_context"), "since 3.12")
    def test_the_context_of_a_handle(self):
        def program(loop, say):
            variable.set("scheduled")
            handle = loop.call_soon(variable.set, "set in it")
            say(handle.get_context() is handle.get_context(), handle.get_context()[variable])
            turn(loop)
            say(handle.get_context()[variable])
            late = loop.call_soon(variable.set, "set in it")
            turn(loop)
            say(late.get_context()[variable])

            def look():
                variable.set("while it runs")
                say(held[0].get_context()[variable])

            held = [loop.call_later(0, look)]
            loop.call_later(0.01, loop.stop)
            loop.run_forever()

        self.same(program)

    def test_a_context_in_use_is_refused(self):
        def program(loop, say):
            context = contextvars.copy_context()
            loop.call_soon(say, "not said", context=context)

            def inside():
                turn(loop)

            context.run(inside)
            say("ran")

        self.same(program)

    def test_readers_have_one_context(self):
        def program(loop, say):
            ours, peer = socket.socketpair()

            def read():
                ours.recv(1)
                say(variable.get())
                variable.set(f"{variable.get()} again")

            with ours, peer:
                variable.set("added")
                loop.add_reader(ours, read)
                variable.set("later")
                for _ in range(3):
                    peer.send(b"x")
                    loop.call_later(0.01, loop.stop)
                    loop.run_forever()
                loop.remove_reader(ours)
            say(variable.get())

        self.same(program)

    def test_protocols_have_the_context_of_their_making(self):
        async def program(loop, say):
            class Protocol(asyncio.Protocol):
                def connection_made(self, transport):
                    say("made", variable.get())
                    variable.set("made")

                def data_received(self, data):
                    say("data", variable.get())
                    variable.set(f"data {len(data)}")

                def eof_received(self):
                    say("eof", variable.get())

                def connection_lost(self, error):
                    say("lost", variable.get())
                    lost.set_result(None)

            lost = loop.create_future()
            ours, peer = socket.socketpair()
            variable.set("created")
            await loop.create_connection(Protocol, sock=ours)
            variable.set("connected")
            peer.send(b"123")
            await asyncio.sleep(0.01)
            peer.close()
            await lost
            say(variable.get())

        self.same(program)

    def test_futures_and_tasks(self):
        async def program(loop, say):
            future = loop.create_future()
            variable.set("callback")
            future.add_done_callback(lambda future: say(variable.get()))
            variable.set("task")

            async def body():
                say(variable.get())
                variable.set("inside")
                await asyncio.sleep(0)
                say(variable.get())
                await asyncio.sleep(0.001)
                say(variable.get())

            task = asyncio.create_task(body())
            variable.set("main")
            future.set_result(None)
            await task
            say(variable.get())

        self.same(program)

    def test_the_exception_handler_runs_in_the_handles_context(self):
        def program(loop, say):
            loop.set_exception_handler(lambda loop, context: say(variable.get(), sorted(context)))

            def fail():
                variable.set("inside")
                raise LookupError

            variable.set("outside")
            loop.call_soon(fail)
            handle = loop.call_later(0, fail)
            loop.call_later(0.01, loop.stop)
            loop.run_forever()
            del handle

        self.same(program)

    def test_values_do_not_outlive_their_contexts(self):
        def program(loop, say):
            class Value:
                pass

            ends = []

            def set_one():
                value = Value()
                ends.append(weakref.ref(value))
                variable.set(value)

            loop.call_soon(set_one)
            loop.call_soon(set_one)
            turn(loop)
            turn(loop)
            gc.collect()
            say([end() is None for end in ends])

        self.same(program)


class Order(both.Case):
    def test_random_queues(self):
        """Callbacks that schedule, cancel, stop and fail: the same order on both loops."""

        def make(seed):
            def program(loop, say):
                choose = random.Random(seed)
                handles, count = [], 0

                def step(number, depth):
                    nonlocal count
                    say(number)
                    for _ in range(choose.randrange(4) if depth < 7 else 0):
                        count += 1
                        what = choose.randrange(8)
                        if what < 3:
                            handles.append(loop.call_soon(step, count, depth + 1))
                        elif what < 5:
                            handles.append(loop.call_soon_threadsafe(step, count, depth + 1))
                        elif what < 7 and handles:
                            victim = choose.randrange(len(handles))
                            say("cancels", victim)
                            handles[victim].cancel()
                        else:
                            loop.stop()
                    if choose.randrange(12) == 0:
                        raise LookupError(number)

                for number in range(5):
                    loop.call_soon(step, -number, 0)
                for _ in range(12):
                    say("run")
                    loop.call_soon(loop.call_soon, loop.stop)
                    loop.run_forever()

            return program

        for seed in range(150):
            with self.subTest(seed=seed):
                self.same(make(seed))

    def test_random_mixtures(self):
        """With timers and readers as well: the same callbacks run, whatever their order.

        coloop looks for timers that are due less often than asyncio, so their place
        among callbacks without a deadline is not the same.
        """

        def make(seed):
            def program(loop, say):
                ours, peer = socket.socketpair()
                ours.setblocking(False)
                past = loop.time() - 1000
                ran, waiting = [], [0]

                def schedule(function, *args):
                    waiting[0] += 1
                    function(step, *args)

                def step(path):
                    waiting[0] -= 1
                    ran.append(path)
                    choose = random.Random(f"{seed} {path}")
                    for child in range(choose.randrange(4) if len(path) < 6 else 0):
                        what, deeper = choose.randrange(6), path + (child,)
                        if what < 2:
                            schedule(loop.call_soon, deeper)
                        elif what < 3:
                            schedule(loop.call_soon_threadsafe, deeper)
                        elif what < 4:
                            schedule(lambda *args: loop.call_at(past + choose.random(), *args),
                                     deeper)
                        elif what < 5:
                            schedule(lambda *args: loop.call_later(choose.random() * 1e-3, *args),
                                     deeper)
                        else:
                            loop.call_at(past, loop.call_soon, step, deeper).cancel()
                            peer.send(b"x")
                    if not waiting[0]:
                        loop.stop()

                with ours, peer:
                    received = []
                    loop.add_reader(ours, lambda: received.append(len(ours.recv(100))))
                    for number in range(5):
                        schedule(loop.call_soon, (number,))
                    loop.run_forever()
                    loop.call_later(0.002, loop.stop)
                    loop.run_forever()
                    loop.remove_reader(ours)
                say(sorted(ran), sum(received))

            return program

        for seed in range(60):
            with self.subTest(seed=seed):
                self.same(make(seed))

    def test_ten_thousand_timers(self):
        def program(loop, say):
            choose, ran = random.Random(7), []
            past = loop.time() - 100
            due = [choose.random() * 90 for _ in range(10_000)]
            handles = [loop.call_at(past + when, ran.append, when) for when in due]
            for handle in handles[::3]:
                handle.cancel()
            loop.call_soon(loop.call_soon, loop.stop)
            loop.run_forever()
            say(ran == sorted(when for index, when in enumerate(due) if index % 3))

        self.same(program, True)

    def test_never_early(self):
        def program(loop, say):
            def check(due):
                early.append(loop.time() < due)

            early = []
            for number in range(50):
                due = loop.time() + number * 0.0003
                loop.call_at(due, check, due)
            loop.call_later(0.05, loop.stop)
            loop.run_forever()
            say(len(early), any(early))

        self.assertEqual(both.events_of("coloop", program), [(50, False)])


if __name__ == "__main__":
    unittest.main()
