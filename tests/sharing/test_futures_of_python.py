"""C code awaits what Python makes, and each side what the other one awaits."""

import asyncio
import errno
import gc
import os
import socket
import sys
import threading
import unittest
import weakref

import coloop
from coloop import ctypes_abi

from support import TestCase, extension, run

futures = extension("futures")
awaiter = extension("awaiter", link=True)
runner = extension("runner", link=True)
ECANCELLED, EEXCEPTION = -1014, -1017


class FuturesOfPython(TestCase):
    def setUp(self):
        super().setUp()
        self.loop = coloop.new_event_loop()
        self.addCleanup(self.loop.close)

    def run_main(self, main):
        return self.loop.run_until_complete(main())

    def wait(self, future):
        """Until C's future is done, as C code waits."""
        if not futures.done(future):
            futures.when_done(future, self.loop.stop)
            self.loop.run_forever()
        return futures.end(future)


async def give(value, turns=1):
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(value, BaseException):
        raise value
    return value


class Outcomes(FuturesOfPython):
    def test_results_are_the_very_objects(self):
        class Awaitable:
            def __await__(self):
                yield from asyncio.sleep(0).__await__()
                return value

        value = object()
        pending, done = self.loop.create_future(), self.loop.create_future()
        self.loop.call_soon(pending.set_result, value)
        done.set_result(value)
        for awaitable in give(value), Awaitable(), pending, done, self.loop.create_task(give(value)):
            code, result = self.wait(futures.from_python(awaitable, self.loop))
            self.assertEqual(code, 0)
            self.assertIs(result, value)

    def test_objects_live_as_long_as_the_future_and_no_longer(self):
        class Value:
            pass

        value = Value()
        known = weakref.ref(value)
        future = futures.from_python(give(value), self.loop)
        del value
        self.wait(future)
        self.assertIsNotNone(known())
        del future
        self.assertIsNone(known())

    def test_exceptions_are_code_and_text_and_themselves(self):
        for exc, code, text in (
            (KeyError("k"), EEXCEPTION, "KeyError: 'k'"),
            (ZeroDivisionError(), EEXCEPTION, "ZeroDivisionError"),
            (OSError(errno.EPIPE, "gone"), -errno.EPIPE, "gone"),
            (OSError("without a number"), EEXCEPTION, "OSError: without a number"),
            (TimeoutError(), -errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)),
            (MemoryError(), -errno.ENOMEM, os.strerror(errno.ENOMEM)),
            (ValueError("a\0b"), -1010, "a\\0b"),
            (asyncio.InvalidStateError("x"), -1013, "x"),
            (socket.gaierror(socket.EAI_NONAME, "who?"), -2002, "who?"),
            (coloop.Error(-54321, "mine"), -54321, "mine"),
            (coloop.Error(ECANCELLED, "odd"), EEXCEPTION, "Error: odd"),
            (coloop.Error(7, "odd"), EEXCEPTION, "Error: odd"),
        ):
            future = futures.from_python(give(exc), self.loop)
            self.assertEqual(self.wait(future), (code, text))
            self.assertIs(futures.exception_data(future), exc)

    def test_exceptions_that_C_cannot_be_told_in_full_are_themselves(self):
        class Mute(Exception):
            def __str__(self):
                raise RuntimeError("no text")

        for exc, code, text in (
            (ValueError("\udcff"), -1010, "\\udcff"),
            (OSError(errno.EPIPE, "\udcff"), -errno.EPIPE, "\\udcff"),
            (OSError(errno.EPIPE, None), -errno.EPIPE, os.strerror(errno.EPIPE)),
            (Mute(), EEXCEPTION, "Mute: <Mute without text>"),
        ):
            future = futures.from_python(give(exc), self.loop)
            self.assertEqual(self.wait(future), (code, text))
            self.assertIs(futures.exception_data(future), exc)

    def test_an_exception_that_nobody_looks_at_is_reported(self):
        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
        futures.when_done(futures.from_python(give(KeyError()), self.loop), self.loop.stop)
        self.loop.run_forever()
        gc.collect()
        self.assertEqual(reports, ["Future exception was never retrieved"])

    def test_the_running_loop_is_the_default(self):
        async def main():
            future = futures.from_python(give(5), None)
            self.assertEqual(await coloop.future_from_pointer(future), 5)
            self.assertEqual(futures.end(future), (0, 5))

        self.run_main(main)

    def test_capsules_and_pointers(self):
        async def main():
            lib = ctypes_abi.load()
            capsule = coloop.future_capsule(give(1))
            self.assertEqual(await coloop.future_from_pointer(capsule), 1)
            pointer = coloop.future_pointer(give(2))
            self.assertEqual(lib.loop_future_use_count(pointer), 2)  # ours, and the exporter's
            self.assertEqual(await coloop.future_from_pointer(pointer), 2)
            await asyncio.sleep(0)  # what has woken this task has the future
            self.assertEqual(lib.loop_future_use_count(pointer), 1)
            lib.loop_future_unref(pointer)

        self.run_main(main)

    def test_a_future_of_cs_comes_back_as_itself(self):
        lib = ctypes_abi.load()
        pointer = ctypes_abi.loop_future_t()
        lib.loop_future_new(ctypes_abi.loop_t(self.loop.pointer), pointer)
        awaited = coloop.future_from_pointer(pointer)
        again = coloop.future_pointer(awaited)
        self.assertEqual(again, pointer.value)
        lib.loop_future_unref(again)
        converted = coloop.future_pointer(coloop.future_from_pointer(pointer, convert=hex))
        self.assertNotEqual(converted, pointer.value)
        for each in pointer, converted:
            lib.loop_future_unref(each)


class Cancelling(FuturesOfPython):
    def test_a_task_is_cancelled_and_waited_for(self):
        order = []

        async def work():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError as exc:
                order.append(exc.args)
                await asyncio.sleep(0)
                order.append("cleaned up")
                raise

        future = futures.from_python(work(), self.loop)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(futures.cancel(future, "now"), 1)
        self.assertEqual(futures.done(future), 0)
        self.assertEqual(self.wait(future), (ECANCELLED, "now"))
        self.assertEqual(order, [("now",), "cleaned up"])
        self.assertEqual(futures.cancel(future, "again"), 0)

    def test_a_task_may_go_on(self):
        async def stubborn():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                return "went on"

        future = futures.from_python(stubborn(), self.loop)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(futures.cancel(future), 1)
        self.assertEqual(self.wait(future), (0, "went on"))

    def test_a_future_is_cancelled_at_once(self):
        future = self.loop.create_future()
        shared = futures.from_python(future, None)
        self.assertEqual(futures.cancel(shared, "now"), 1)
        self.assertTrue(future.cancelled())
        self.assertEqual(futures.end(shared), (ECANCELLED, "now"))

    def test_python_cancels(self):
        future = self.loop.create_future()
        shared = futures.from_python(future, None)
        future.cancel("enough")
        self.assertEqual(self.wait(shared), (ECANCELLED, "enough"))
        task = self.loop.create_task(asyncio.sleep(3600))
        shared = futures.from_python(task, None)
        task.cancel()
        self.assertEqual(self.wait(shared), (ECANCELLED, "the future was cancelled"))

    def test_what_is_done_already_cannot_be_cancelled(self):
        future = self.loop.create_future()
        shared = futures.from_python(future, None)
        future.set_result("first")
        self.assertEqual(futures.done(shared), 0)
        self.assertEqual(futures.cancel(shared), 0)
        self.assertEqual(futures.end(shared), (0, "first"))

    def test_both_cancel_in_the_same_turn(self):
        future = self.loop.create_future()
        shared = futures.from_python(future, None)
        self.assertTrue(future.cancel("Python"))
        self.assertEqual(futures.cancel(shared, "C"), 1)
        self.assertEqual(futures.end(shared), (ECANCELLED, "C"))
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def test_a_cancel_method_that_raises_is_a_refusal(self):
        class Odd(asyncio.Future):
            def cancel(self, msg=None):
                raise LookupError("odd")

        future = Odd(loop=self.loop)
        shared = futures.from_python(future, None)
        unraisable = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda info: unraisable.append(info.exc_value)
        try:
            self.assertEqual(futures.cancel(shared), 0)
        finally:
            sys.unraisablehook = hook
        self.assertEqual([type(exc) for exc in unraisable], [LookupError])
        future.set_result(1)
        self.assertEqual(self.wait(shared), (0, 1))


class Chains(FuturesOfPython):
    """A Python task awaits a C task that awaits a Python task, and so on."""

    def chain(self, innermost, length):
        async def link(inner):
            return await coloop.future_from_pointer(inner)

        shared = futures.from_python(innermost, self.loop)
        for _ in range(length):
            shared = futures.from_python(link(awaiter.start(shared)), self.loop)
        return shared

    def test_an_exception_comes_through_as_itself(self):
        exc = LookupError("deep down")
        shared = self.chain(give(exc, turns=50), 10)
        self.assertEqual(self.wait(shared), (EEXCEPTION, "LookupError: deep down"))
        self.assertIs(futures.exception_data(shared), exc)

    def test_a_cancellation_goes_all_the_way_and_is_awaited(self):
        order = []

        async def innermost():
            try:
                await asyncio.sleep(3600)
            finally:
                await asyncio.sleep(0)
                order.append("cleaned up")

        async def main():
            shared = self.chain(innermost(), 10)
            task = self.loop.create_task(wait(shared))
            for _ in range(100):
                await asyncio.sleep(0)
            task.cancel("from the top")
            with self.assertRaises(asyncio.CancelledError):
                await task
            order.append("awaited")

        async def wait(shared):
            await coloop.future_from_pointer(shared)

        self.run_main(main)
        self.assertEqual(order, ["cleaned up", "awaited"])

    def test_the_result_of_a_c_task(self):
        async def main():
            inner = futures.from_python(give("value"), None)
            address = await coloop.future_from_pointer(awaiter.start(inner))
            self.assertEqual(coloop.future_from_pointer(address).result(), "value")

        self.run_main(main)


class Refusals(FuturesOfPython):
    def test_what_cannot_be_awaited_or_has_no_loop(self):
        with self.assertRaises(TypeError):
            futures.from_python(1, self.loop)
        coroutine = give(1)
        with self.assertRaisesRegex(RuntimeError, "no running event loop"):
            futures.from_python(coroutine, None)
        coroutine.close()
        other = asyncio.new_event_loop()
        self.addCleanup(other.close)
        with self.assertRaisesRegex(TypeError, "a coloop.EventLoop is needed"):
            futures.from_python(other.create_future(), None)
        with self.assertRaisesRegex(ValueError, "belongs to a different loop"):
            futures.from_python(other.create_future(), self.loop)

    def test_a_closed_loop(self):
        coroutine, future = give(1), self.loop.create_future()
        self.loop.close()
        for awaitable in coroutine, future:
            with self.assertRaisesRegex(RuntimeError, "Event loop is closed"):
                futures.from_python(awaitable, self.loop)
        coroutine.close()

    def test_another_thread_while_the_loop_runs(self):
        failures = []

        def other():
            coroutine = give(1)
            for awaitable in coroutine, self.loop.create_future():
                try:
                    futures.from_python(awaitable, self.loop)
                except RuntimeError as exc:
                    failures.append(str(exc))
            coroutine.close()

        async def main():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

        self.run_main(main)
        self.assertEqual([text[:25] for text in failures], ["Non-thread-safe operation"] * 2)

    @unittest.skipIf(sys.version_info >= (3, 13), "its test.support has no run_in_subinterp")
    def test_subinterpreters_hand_nothing_to_c_code(self):
        from test import support

        self.assertEqual(support.run_in_subinterp(f"""if True:
            import sys
            sys.path[:] = {sys.path!r}
            import asyncio, coloop
            loop = coloop.new_event_loop()
            try:
                coloop.future_pointer(loop.create_future())
            except RuntimeError as exc:
                assert "only the main interpreter" in str(exc), exc
            else:
                raise AssertionError
            loop.close()
        """), 0)


class RunByC(TestCase):
    """C code runs the loop, without the GIL."""

    def test_a_coroutine_awaits_c_which_awaits_python(self):
        loop = coloop.from_pointer(runner.new())
        future = futures.new(loop)
        ended = []

        def convert(number):
            self.assertIs(asyncio.get_running_loop(), loop)
            return number + 1

        async def outer():
            number = await coloop.future_from_pointer(future, convert=convert)
            inner = awaiter.start(futures.from_python(give("inner", turns=3), None))
            await coloop.future_from_pointer(inner)
            return number

        shared = futures.from_python(outer(), loop)
        futures.when_done(shared, lambda: (ended.append(futures.end(shared)), loop.stop()))
        futures.answer_from_thread(future, 41)
        self.assertEqual(runner.run(loop.capsule), 0)
        self.assertEqual(ended, [(0, 42)])
        loop.close()

    def test_c_cancels_a_coroutine(self):
        loop = coloop.from_pointer(runner.new())
        shared = futures.from_python(asyncio.sleep(3600), loop)
        loop.call_soon(lambda: loop.call_soon(futures.cancel, shared))
        futures.when_done(shared, loop.stop)
        self.assertEqual(runner.run(loop.capsule), 0)
        self.assertEqual(futures.end(shared)[0], ECANCELLED)
        loop.close()
