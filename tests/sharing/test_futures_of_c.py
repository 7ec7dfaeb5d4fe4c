"""Python awaits futures that C code makes and ends."""

import asyncio
import ctypes
import errno
import pickle
import socket
import threading

import cffi
import coloop

from support import TestCase, extension

futures = extension("futures")
EINVAL, EINTERNAL, EINVALID_STATE, ESHUTDOWN = -1010, -1012, -1013, -1016


class FuturesOfC(TestCase):
    def setUp(self):
        super().setUp()
        self.loop = coloop.new_event_loop()
        self.addCleanup(self.loop.close)
        self.destroyed = futures.destroyed()

    def run_main(self, main):
        return self.loop.run_until_complete(main())

    def new(self):
        future = futures.new(self.loop)
        return future, coloop.future_from_pointer(future)

    def outcome(self, awaited):
        """What awaiting raises."""
        async def main():
            return await awaited

        with self.assertRaises(BaseException) as raised:
            self.run_main(main)
        return raised.exception


class Results(FuturesOfC):
    def test_a_pointer_is_an_int_and_NULL_is_None(self):
        future, awaited = self.new()
        self.assertIsInstance(awaited, asyncio.Future)
        self.assertIs(awaited.get_loop(), self.loop)
        futures.set_result(future, 2**40)
        self.assertEqual(self.loop.run_until_complete(awaited), 2**40)
        future, awaited = self.new()
        futures.set_result(future, 0)
        self.assertIsNone(self.loop.run_until_complete(awaited))

    def test_no_object_is_None(self):
        future, awaited = self.new()
        futures.set_null(future)
        self.assertIsNone(self.loop.run_until_complete(awaited))

    def test_the_table_refuses_NULL_and_a_loop_that_is_none(self):
        for which, raised in enumerate((TypeError, TypeError, ValueError, ValueError, ValueError)):
            self.assertRaises(raised, futures.of_null, which, None)
        # The result of a call that failed keeps its exception.
        for which in 0, 1:
            self.assertRaises(KeyError, futures.of_null, which, KeyError)
        self.assertRaises(RuntimeError, futures.new, coloop.EventLoop.__new__(coloop.EventLoop))

    def test_an_object_is_itself(self):
        for value in object(), None, 7, ValueError("a result"):
            future, awaited = self.new()
            futures.set_object(future, value)
            self.assertIs(self.loop.run_until_complete(awaited), value)

    def test_the_result_lives_as_long_as_the_future_and_ends_once(self):
        future, awaited = self.new()
        futures.set_result(future, 5)
        self.loop.run_until_complete(awaited)
        del future
        self.assertEqual(futures.destroyed(), self.destroyed)
        del awaited
        self.assertEqual(futures.destroyed(), self.destroyed + 1)

    def test_a_thread_without_the_interpreter_ends_what_a_coroutine_awaits(self):
        async def main():
            made = [futures.new(self.loop) for _ in range(200)]
            for number, future in enumerate(made, 1):
                futures.answer_from_thread(future, number)
            return await asyncio.gather(*map(coloop.future_from_pointer, made))

        self.assertEqual(self.run_main(main), list(range(1, 201)))

    def test_a_converter_makes_the_result(self):
        future = futures.new(self.loop)
        plain = coloop.future_from_pointer(future)
        text = coloop.future_from_pointer(future, convert=ctypes.string_at)
        by_table = futures.to_python(future, hex)
        buffer = ctypes.create_string_buffer(b"a text of C's")
        futures.set_result(future, ctypes.addressof(buffer))
        self.assertEqual(self.loop.run_until_complete(text), b"a text of C's")
        self.assertEqual(self.loop.run_until_complete(plain), ctypes.addressof(buffer))
        self.assertEqual(self.loop.run_until_complete(by_table), hex(ctypes.addressof(buffer)))
        # Also when the result is there before anybody asks.
        again = coloop.future_from_pointer(future, convert=ctypes.string_at)
        self.assertEqual(self.loop.run_until_complete(again), b"a text of C's")

    def test_what_a_converter_raises_is_the_failure(self):
        for raised, expected in (KeyError("no"), KeyError), (StopIteration(), (TypeError, RuntimeError)):
            def convert(pointer, raised=raised):
                raise raised

            future = futures.new(self.loop)
            awaited = coloop.future_from_pointer(future, convert=convert)
            futures.set_result(future, 1)
            self.assertIsInstance(self.outcome(awaited), expected)

    def test_a_converter_sees_the_running_loop_and_may_cancel_or_close(self):
        def convert(pointer):
            self.assertIs(asyncio.get_running_loop(), self.loop)
            self.assertEqual(futures.cancel(future), 0)
            self.assertFalse(awaited.cancel())
            with self.assertRaises(RuntimeError):
                self.loop.close()
            return "converted"

        future = futures.new(self.loop)
        awaited = coloop.future_from_pointer(future, convert=convert)
        futures.set_result(future, 1)
        self.assertEqual(self.loop.run_until_complete(awaited), "converted")

    def test_a_converter_may_ask_for_the_same_future(self):
        def convert(pointer):
            return coloop.future_from_pointer(future).result()

        value = object()
        future = futures.new(self.loop)
        first = coloop.future_from_pointer(future, convert=convert)
        second = coloop.future_from_pointer(future)
        futures.set_object(future, value)
        self.assertIs(self.loop.run_until_complete(first), value)
        self.assertIs(self.loop.run_until_complete(second), value)

    def test_the_same_future_gives_the_same_object_while_it_is_pending(self):
        future, awaited = self.new()
        self.assertIs(coloop.future_from_pointer(future), awaited)
        self.assertIs(futures.to_python(future, None), awaited)
        self.assertIsNot(coloop.future_from_pointer(future, convert=hex), awaited)
        futures.set_result(future, 3)
        self.assertEqual(self.loop.run_until_complete(awaited), 3)

    def test_what_is_done_already_needs_no_turn(self):
        future = futures.new(self.loop)
        futures.set_result(future, 3)
        self.assertEqual(coloop.future_from_pointer(future).result(), 3)
        self.loop.close()
        self.assertEqual(coloop.future_from_pointer(future).result(), 3)
        self.assertEqual(futures.python_result(future), 3)


class Failures(FuturesOfC):
    def test_codes_are_pythons_exceptions(self):
        for code, text, expected, shown in (
            (-errno.EPIPE, "gone", BrokenPipeError, "[Errno 32] gone"),
            (-errno.ETIMEDOUT, None, TimeoutError, "[Errno 110] Connection timed out"),
            (-errno.ENOMEM, "none left", MemoryError, "none left"),
            (-2002, "who?", socket.gaierror, "[Errno -2] who?"),
            (EINVAL, "what?", ValueError, "what?"),
            (EINVALID_STATE, "done", asyncio.InvalidStateError, "done"),
            (ESHUTDOWN, "no more", coloop.Error, "no more"),
            (-54321, "l\u00e4uft nicht", coloop.Error, "l\u00e4uft nicht"),
        ):
            future, awaited = self.new()
            self.assertEqual(futures.set_exception(future, code, text, None), 0)
            raised = self.outcome(awaited)
            self.assertIs(type(raised), expected)
            self.assertEqual(str(raised), shown)
            if expected is coloop.Error:
                self.assertEqual(raised.code, code)
                self.assertEqual(repr(pickle.loads(pickle.dumps(raised))), repr(raised))
            del future, awaited, raised
        self.assertEqual(futures.destroyed(), self.destroyed + 8)

    def test_an_exception_of_pythons_is_itself(self):
        raised = LookupError("mine")
        future, awaited = self.new()
        futures.set_exception(future, EINTERNAL, "whatever", raised)
        self.assertIs(self.outcome(awaited), raised)
        # What is no exception is no reason to trust it.
        future, awaited = self.new()
        futures.set_exception(future, -errno.EPIPE, "odd", "a str")
        self.assertIsInstance(self.outcome(awaited), BrokenPipeError)

    def test_nobody_asks_how_it_ended(self):
        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
        future, awaited = self.new()
        futures.set_exception(future, -errno.EPIPE, "gone", None)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        del future, awaited
        self.assertEqual(reports, ["Future exception was never retrieved"])

    def test_the_table_raises_how_it_ended(self):
        future = futures.new(self.loop)
        with self.assertRaises(asyncio.InvalidStateError):
            futures.python_result(future)
        raised = LookupError("mine")
        futures.set_exception(future, EINTERNAL, None, raised)
        for _ in range(2):
            with self.assertRaises(LookupError) as context:
                futures.python_result(future)
            self.assertIs(context.exception, raised)


class Cancelling(FuturesOfC):
    def test_a_plain_future_is_cancelled_at_once_on_both_sides(self):
        future, awaited = self.new()
        self.assertTrue(awaited.cancel("enough"))
        self.assertTrue(awaited.cancelled())
        self.assertFalse(awaited.cancel())
        self.assertEqual(futures.end(future), (-1014, "enough"))
        self.assertEqual(self.outcome(awaited).args, ("enough",))

    def test_a_message_may_be_anything(self):
        class Mute:
            def __str__(self):
                raise RuntimeError("no text")

        for message in "\udcff", "a\0b", "", 5, Mute():
            future, awaited = self.new()
            self.assertTrue(awaited.cancel(message))
            self.assertEqual(self.outcome(awaited).args, (message,))

    def test_c_code_cancels(self):
        for text in "because", None:
            future, awaited = self.new()
            self.assertEqual(futures.cancel(future, text), 1)
            raised = self.outcome(awaited)
            self.assertIsInstance(raised, asyncio.CancelledError)
            self.assertEqual(raised.args, () if text is None else (text,))

    def test_who_awaits_waits_until_c_code_has_ended(self):
        order = []

        async def main():
            def ask(message):
                order.append(message)
                self.loop.call_soon(lambda: self.loop.call_soon(finish))
                return 1

            def finish():
                order.append("cleaned up")
                self.assertFalse(awaited.done())
                self.assertEqual(futures.set_result(future, 9), 0)

            future = futures.new_cancellable(self.loop, ask)
            awaited = coloop.future_from_pointer(future)

            async def wait():
                try:
                    return await awaited
                finally:
                    order.append("awaited")

            task = self.loop.create_task(wait())
            await asyncio.sleep(0)
            task.cancel("please")
            self.assertEqual(await task, 9)  # C code has swallowed it, as a task may
            self.assertEqual(order, ["please", "cleaned up", "awaited"])

        self.run_main(main)

    def test_c_code_may_refuse(self):
        async def main():
            future = futures.new_cancellable(self.loop, lambda message: 0)
            awaited = coloop.future_from_pointer(future)
            self.assertFalse(awaited.cancel())
            self.assertFalse(awaited.done())
            futures.set_result(future, 4)
            self.assertEqual(await awaited, 4)

        self.run_main(main)

    def test_wait_for_gather_and_shield(self):
        async def main():
            future = futures.new(self.loop)
            with self.assertRaises(TimeoutError):
                await asyncio.wait_for(coloop.future_from_pointer(future), 0.001)
            self.assertEqual(futures.end(future)[0], -1014)

            future = futures.new(self.loop)
            with self.assertRaises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(coloop.future_from_pointer(future)), 0.001)
            self.assertEqual(futures.done(future), 0)

            other = futures.new(self.loop)
            both = asyncio.gather(*map(coloop.future_from_pointer, (future, other)), return_exceptions=True)
            futures.set_result(future, 1)
            futures.cancel(other)
            one, two = await both
            self.assertEqual(one, 1)
            self.assertIsInstance(two, asyncio.CancelledError)

        self.run_main(main)

    def test_a_result_that_is_on_its_way_is_not_lost_to_a_cancellation(self):
        async def main():
            future, awaited = self.new()
            futures.set_result(future, 6)
            self.assertFalse(awaited.cancel())
            self.assertEqual(await awaited, 6)

        self.run_main(main)


class Refusals(FuturesOfC):
    def test_pointers_of_every_kind(self):
        future, awaited = self.new()
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        address = get(future, b"coloop.loop_future_t")
        ffi = cffi.FFI()
        ffi.cdef("typedef struct loop_future_t loop_future_t;")
        for pointer in (
            address, ctypes.c_void_p(address), ctypes.cast(address, ctypes.POINTER(ctypes.c_char)),
            ffi.cast("loop_future_t *", address), ffi.cast("void *", address),
        ):
            self.assertIs(coloop.future_from_pointer(pointer), awaited)

    def test_what_is_no_pointer(self):
        for wrong in 0, ctypes.c_void_p(), cffi.FFI().NULL:
            with self.assertRaisesRegex(ValueError, "the pointer is NULL"):
                coloop.future_from_pointer(wrong)
        for wrong in None, "1", 1.0, self.loop:
            with self.assertRaisesRegex(TypeError, 'an int or a capsule "coloop.loop_future_t"'):
                coloop.future_from_pointer(wrong)
        with self.assertRaisesRegex(ValueError, "incorrect name"):
            coloop.future_from_pointer(self.loop.capsule)
        with self.assertRaisesRegex(TypeError, "a callable is needed"):
            coloop.future_from_pointer(futures.new(self.loop), convert=1)

    def test_another_thread_while_the_loop_runs(self):
        future = futures.new(self.loop)
        failures = []

        def other():
            try:
                coloop.future_from_pointer(future)
            except RuntimeError as exc:
                failures.append(str(exc))

        async def main():
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
            waiting = self.loop.create_task(asyncio.to_thread(threading.Thread(target=other).run))
            await waiting

        self.run_main(main)
        self.assertEqual(len(failures), 2)
        self.assertIn("Non-thread-safe operation", failures[0])

    def test_a_closed_loop(self):
        future, awaited = self.new()
        self.loop.close()
        with self.assertRaisesRegex(RuntimeError, "Event loop is closed"):
            coloop.future_from_pointer(futures_of_closed(self))
        self.assertFalse(awaited.done())
        self.assertEqual(futures.done(future), 0)
        self.assertTrue(awaited.cancel())  # as an asyncio future without callbacks


def futures_of_closed(case):
    loop = coloop.new_event_loop()
    future = futures.new(loop)
    loop.close()
    case.addCleanup(loop.close)
    return future
