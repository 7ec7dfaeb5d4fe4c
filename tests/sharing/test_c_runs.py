"""C code runs the loop, and Python's callbacks and coroutines are on it."""

import asyncio
import contextvars
import gc
import signal
import sys
import threading
import unittest.mock
import warnings
import weakref

import coloop

from support import TestCase, extension, run

poster = extension("poster")
runner = extension("runner", link=True)
RUNS = runner.run, runner.run_with_gil


class CRuns(TestCase):
    """On a loop that C code made, and on one that Python made."""

    def setUp(self):
        super().setUp()
        capsule, loop = runner.new(), coloop.new_event_loop()
        self.loops = [(coloop.from_pointer(capsule), capsule), (loop, loop.capsule)]

    def tearDown(self):
        for loop, capsule in self.loops:
            loop.close()

    def test_a_loop_has_one_object_at_a_time(self):
        for loop, capsule in self.loops:
            self.assertIs(coloop.from_pointer(loop.pointer), loop)
            self.assertIs(coloop.from_pointer(capsule), loop)

    def test_a_coroutine_runs_and_knows_its_loop(self):
        async def main(loop):
            self.assertIs(asyncio.get_running_loop(), loop)
            self.assertTrue(loop.is_running())
            await asyncio.sleep(0.001)
            async with asyncio.timeout(10):
                result = await loop.run_in_executor(None, lambda: 42)
            loop.stop()
            return result

        for loop, capsule in self.loops:
            for run in RUNS:
                task = loop.create_task(main(loop))
                self.assertFalse(loop.is_running())
                self.assertEqual(run(capsule), 0)
                self.assertEqual(task.result(), 42)
                self.assertFalse(loop.is_running())
                self.assertIsNone(asyncio._get_running_loop())

    def test_python_and_c_take_turns_in_running_it(self):
        for loop, capsule in self.loops:
            events = []
            for number in range(6):
                loop.call_soon(events.append, number)
                loop.call_soon(loop.stop)
                if number % 2:
                    loop.run_forever()
                else:
                    self.assertEqual(runner.run(capsule), 0)
            self.assertEqual(events, list(range(6)))

    def test_python_cannot_run_or_close_what_c_code_runs(self):
        for loop, capsule in self.loops:
            errors = []

            def attempt(function):
                try:
                    function()
                except RuntimeError as error:
                    errors.append(str(error))

            loop.call_soon(attempt, loop.run_forever)
            loop.call_soon(attempt, loop.close)
            loop.call_soon(loop.stop)
            self.assertEqual(runner.run(capsule), 0)
            self.assertEqual(errors, ["This event loop is already running", "Cannot close a running event loop"])

    def test_callbacks_of_both_run_in_the_order_of_scheduling(self):
        for loop, capsule in self.loops:
            for run in RUNS:
                order = []
                for number in range(0, 100, 2):
                    loop.call_soon(order.append, number)
                    poster.call_soon(loop, lambda number=number: order.append(number + 1))
                loop.call_soon(loop.stop)
                self.assertEqual(run(capsule), 0)
                self.assertEqual(order, list(range(100)))

    def test_a_callback_runs_in_its_context(self):
        variable = contextvars.ContextVar("variable", default="none")
        for loop, capsule in self.loops:
            seen = []
            context = contextvars.copy_context()
            context.run(variable.set, "its own")
            loop.call_soon(lambda: seen.append(variable.get()), context=context)
            loop.call_soon(lambda: seen.append(variable.get()))
            loop.call_soon(loop.stop)
            runner.run(capsule)
            self.assertEqual(seen, ["its own", "none"])

    def test_failures_go_to_the_exception_handler(self):
        for loop, capsule in self.loops:
            contexts = []
            loop.set_exception_handler(lambda loop, context: contexts.append(context))
            loop.call_soon(int, "no number")
            loop.call_soon(loop.stop)
            self.assertEqual(runner.run(capsule), 0)
            self.assertIsInstance(contexts[0]["exception"], ValueError)

    def test_keyboard_interrupt_is_raised_in_the_caller_that_has_the_gil(self):
        for loop, capsule in self.loops:
            for error in KeyboardInterrupt, SystemExit:
                events = []
                loop.call_soon(self.fail_with, error)
                loop.call_soon(events.append, "the next run")
                loop.call_soon(loop.stop)
                with self.assertRaises(error):
                    runner.run_with_gil(capsule)
                self.assertEqual(events, [])
                self.assertEqual(runner.run_with_gil(capsule), 0)
                self.assertEqual(events, ["the next run"])

    def test_keyboard_interrupt_ends_the_run_of_a_caller_without_the_gil(self):
        for loop, capsule in self.loops:
            loop.call_soon(self.fail_with, KeyboardInterrupt)
            with unittest.mock.patch("sys.unraisablehook") as hook:
                self.assertEqual(runner.run(capsule), 1)
            self.assertEqual(hook.call_args[0][0].exc_type, KeyboardInterrupt)

    def fail_with(self, error):
        raise error

    def test_a_signal_interrupts_a_wait_that_let_go_of_the_gil(self):
        main = threading.get_ident()
        for loop, capsule in self.loops:
            running, over = threading.Event(), threading.Event()

            def interrupt():
                running.wait()
                while not over.wait(0.01):  # one that comes before the wait does not end it
                    signal.pthread_kill(main, signal.SIGUSR1)

            def handler(number, frame):
                over.set()
                raise KeyboardInterrupt

            before = signal.signal(signal.SIGUSR1, handler)
            thread = threading.Thread(target=interrupt)
            thread.start()
            loop.call_soon(running.set)
            try:
                with self.assertRaises(KeyboardInterrupt):
                    runner.run_with_gil(capsule)
            finally:
                over.set()
                thread.join()
                signal.signal(signal.SIGUSR1, before)

    def test_other_threads_go_on_while_it_waits(self):
        for loop, capsule in self.loops:
            for run in RUNS:
                steps = []

                def work():
                    for number in range(1000):
                        steps.append(number)
                    loop.call_soon_threadsafe(loop.stop)

                loop.call_soon(threading.Thread(target=work).start)
                self.assertEqual(run(capsule), 0)  # holding the GIL, it would wait for ever
                self.assertEqual(len(steps), 1000)

    def test_async_generators_are_finalised(self):
        async def numbers(ended):
            try:
                yield 1
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        async def main(loop, ended):
            async for _ in numbers(ended):
                break
            gc.collect()
            while not ended:
                await asyncio.sleep(0)
            loop.stop()

        for loop, capsule in self.loops:
            ended = []
            task = loop.create_task(main(loop, ended))
            self.assertEqual(runner.run(capsule), 0)
            self.assertIsNone(task.result())
            self.assertIsNone(sys.get_asyncgen_hooks().firstiter)

    def test_a_reader_of_pythons_is_served(self):
        async def main(loop):
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            answer = await reader.readline()
            writer.close()
            await writer.wait_closed()
            server.close()
            loop.stop()
            return answer

        for loop, capsule in self.loops:
            for run in RUNS:
                task = loop.create_task(main(loop))
                self.assertEqual(run(capsule), 0)
                self.assertEqual(task.result(), b"HELLO\n")

    async def serve(self, reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()


# In debug mode each C callback that runs after the object's end is a slow one.
ENDED = """
import coloop, gc
from coloop import ctypes_abi as c

lib, holder = c.load(), [coloop.new_event_loop()]
pointer = lib.loop_ref(c.loop_t(holder[0].pointer))
holder[0].slow_callback_duration = 0
holder[0].set_debug(True)
holder[0].call_soon(holder.clear)
stop = c.loop_callback_t(lambda data: print("over", *holder) or lib.loop_stop(pointer))
other = c.loop_callback_t(lambda data: gc.collect() and None)
for callback in other, other, stop:
    assert lib.loop_call_soon(pointer, callback, None, None, None) == 0
assert lib.loop_run_forever(pointer) == 0
lib.loop_unref(pointer)
"""


class Lives(TestCase):
    def test_a_loop_of_cs_keeps_its_object_until_it_is_closed(self):
        capsule = runner.new()
        loop = coloop.from_pointer(capsule)
        loop.mark = "the same"
        gone = weakref.ref(loop)
        del loop
        gc.collect()
        self.assertEqual(coloop.from_pointer(capsule).mark, "the same")
        self.assertEqual(runner.close(capsule), 0)
        gc.collect()
        self.assertIsNone(gone())

    def test_c_code_closes_its_loop_with_python_callbacks_on_it(self):
        capsule = runner.new()
        loop = coloop.from_pointer(capsule)

        class Argument:
            pass

        argument = Argument()
        gone = weakref.ref(argument)
        loop.call_soon(print, argument)
        loop.call_later(60, print, argument)
        del argument
        self.assertEqual(runner.close(capsule), 0)
        gc.collect()
        self.assertTrue(loop.is_closed())
        self.assertIsNone(gone())
        loop.close()
        self.assertTrue(coloop.from_pointer(capsule).is_closed())

    def test_another_thread_may_close_it(self):
        capsule = runner.new()
        loop = coloop.from_pointer(capsule)
        loop.call_later(60, print)
        thread = threading.Thread(target=runner.close, args=[capsule])
        thread.start()
        thread.join()
        self.assertTrue(loop.is_closed())

    def test_the_object_may_be_made_while_another_thread_runs_the_loop(self):
        capsule = runner.new()
        running = threading.Event()
        poster.call_soon(capsule, running.set)
        codes = []
        thread = threading.Thread(target=lambda: codes.append(runner.run(capsule)))
        thread.start()
        running.wait()
        loop = coloop.from_pointer(capsule)

        async def main():
            return asyncio.get_running_loop()

        self.assertIs(asyncio.run_coroutine_threadsafe(main(), loop).result(), loop)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        self.assertEqual(codes, [0])
        gone = weakref.ref(loop)
        del loop
        gc.collect()
        self.assertIsNotNone(gone())  # it is the loop's by now
        self.assertEqual(runner.close(capsule), 0)
        gc.collect()
        self.assertIsNone(gone())

    def test_the_object_of_a_python_loop_may_end_while_c_code_runs_it(self):
        holder = [coloop.new_event_loop()]
        capsule = holder[0].capsule
        gone = weakref.ref(holder[0])
        seen = []

        def after():
            gc.collect()
            seen.append(gone())
            threading.Timer(0.02, runner.stop, [capsule]).start()  # meanwhile the loop waits

        holder[0].call_soon(holder.clear)
        poster.call_soon(capsule, after)
        with warnings.catch_warnings():  # assertWarns would keep the object
            warnings.simplefilter("ignore", ResourceWarning)
            self.assertEqual(runner.run(capsule), 0)
        self.assertEqual(seen, [None])
        poster.call_soon(capsule, lambda: runner.stop(capsule))
        self.assertEqual(runner.run_with_gil(capsule), 0)

    def test_nothing_is_reported_to_an_object_that_has_ended(self):
        self.assertEqual(run(sys.executable, "-c", ENDED), "over\n")

    def test_garbage_that_c_code_runs_is_none(self):
        loop = coloop.new_event_loop()
        capsule = loop.capsule
        seen = []

        def collect():
            gc.collect()
            seen.append("collected")

        poster.call_soon(capsule, collect)
        loop.call_later(0.001, lambda: seen.append(asyncio.get_running_loop().mark))
        loop.call_later(0.002, loop.stop)
        loop.mark, loop.itself = "whole", loop
        del loop
        self.assertEqual(runner.run(capsule), 0)
        self.assertEqual(seen, ["collected", "whole"])
        coloop.from_pointer(capsule).close()
