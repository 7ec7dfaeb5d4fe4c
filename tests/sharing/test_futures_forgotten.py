"""Futures that one side, or both, let go of: nothing leaks, nothing is destroyed twice."""

import asyncio
import gc
import os
import random
import sys
import threading
import warnings
import weakref

import coloop
from coloop import ctypes_abi

from support import TestCase, extension, run

futures = extension("futures")
awaiter = extension("awaiter", link=True)
lib = ctypes_abi.load()

AT_THE_END = """
import asyncio, sys
sys.path += {directories!r}
import coloop
import awaiter, futures

async def forever():
    await asyncio.sleep(3600)

async def main():
    loop = asyncio.get_running_loop()
    mine = futures.new(loop)
    kept.append(mine)
    kept.append(coloop.future_from_pointer(mine))
    kept.append(coloop.future_pointer(loop.create_future()))
    kept.append(futures.from_python(forever(), None))
    kept.append(coloop.future_from_pointer(awaiter.start(kept[-1])))
    done = futures.new(loop)
    futures.set_object(done, Loud())
    coloop.future_pointer(coloop.future_from_pointer(done))

class Loud:
    def __del__(self):
        pass

kept = []
loop = coloop.new_event_loop()
loop.run_until_complete(main())
{last}
print("end")
"""


class Forgotten(TestCase):
    def setUp(self):
        super().setUp()
        self.loop = coloop.new_event_loop()
        self.addCleanup(self.loop.close)
        self.destroyed = futures.destroyed()

    def turn(self):
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def test_a_pending_future_of_cs_that_nobody_else_has(self):
        for asked in 1, 3:
            future = futures.new(self.loop)
            known = [weakref.ref(coloop.future_from_pointer(future, convert=convert))
                     for convert in (None, hex, oct)[:asked]]
            gc.collect()
            self.assertTrue(all(reference() for reference in known))  # C may still end it
            del future
            gc.collect()
            self.assertFalse(any(reference() for reference in known))

    def test_a_pending_future_of_cs_that_only_python_has_until_another_thread_ends_it(self):
        future = futures.new(self.loop)
        known = weakref.ref(coloop.future_from_pointer(future))
        gc.collect()
        self.assertIsNotNone(known())
        futures.forget_on_thread(future)
        del future
        gc.collect()
        self.assertIsNone(known())

    def test_c_code_that_keeps_the_future_ends_it_for_whoever_waits(self):
        async def wait(awaited):
            return await awaited

        future = futures.new(self.loop)
        results = []
        task = self.loop.create_task(wait(coloop.future_from_pointer(future)))
        task.add_done_callback(lambda task: results.append(task.result()))
        self.turn()
        del task
        gc.collect()
        futures.set_result(future, 8)
        while not results:
            self.turn()
        self.assertEqual(results, [8])

    def test_a_message_whose_destructor_asks_for_the_future(self):
        class Message:
            def __del__(self):
                found.append(coloop.future_from_pointer(future).result())

        found = []
        future = futures.new_cancellable(self.loop, lambda message: 0)
        awaited = coloop.future_from_pointer(future)
        self.assertFalse(awaited.cancel(Message()))
        futures.set_result(future, 42)
        self.assertEqual(self.loop.run_until_complete(awaited), 42)
        del awaited
        gc.collect()
        self.assertEqual(found, [42])

    def test_a_task_that_waits_for_what_c_code_has_forgotten(self):
        async def wait(awaited):
            await awaited

        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
        future = futures.new(self.loop)
        known = weakref.ref(self.loop.create_task(wait(coloop.future_from_pointer(future))))
        self.turn()
        del future
        gc.collect()
        self.assertIsNone(known())
        self.assertEqual(reports, ["Task was destroyed but it is pending!"])

    def test_a_python_future_that_is_gone_cancels_that_of_c(self):
        future = self.loop.create_future()
        shared = futures.from_python(future, None)
        known = weakref.ref(future)
        del future
        gc.collect()
        self.assertIsNone(known())
        self.assertEqual(futures.end(shared), (-1014, "the Python future was destroyed"))

    def test_the_same_on_another_thread_while_the_loop_runs(self):
        ended = []
        future = self.loop.create_future()
        shared = futures.from_python(future, None)
        futures.when_done(shared, lambda: (ended.append(threading.get_ident()), self.loop.stop()))
        self.loop.call_soon(gc.disable)
        self.addCleanup(gc.enable)
        holder = [future]
        del future
        thread = threading.Thread(target=lambda: (holder.clear(), gc.collect()))
        self.loop.call_soon(thread.start)
        self.loop.run_forever()
        thread.join()
        self.assertEqual(ended, [threading.get_ident()])
        self.assertEqual(futures.end(shared), (-1014, "the Python future was destroyed"))

    def test_both_forget_a_python_future(self):
        future = self.loop.create_future()
        pointer = coloop.future_pointer(future)
        known = weakref.ref(future)
        lib.loop_future_unref(pointer)
        del future
        gc.collect()
        self.assertIsNone(known())

    def test_a_coroutine_goes_on_when_c_code_forgets_it(self):
        ran = []

        async def work():
            await asyncio.sleep(0)
            ran.append("to the end")

        lib.loop_future_unref(coloop.future_pointer(work(), loop=self.loop))
        gc.collect()
        for _ in range(5):
            self.turn()
        self.assertEqual(ran, ["to the end"])

    def test_a_loop_that_is_closed_with_futures_pending(self):
        future, other = futures.new(self.loop), self.loop.create_future()
        awaited, shared = coloop.future_from_pointer(future), futures.from_python(other, None)
        waits = awaiter.start(futures.from_python(self.loop.create_future(), None))
        known = [weakref.ref(each) for each in (awaited, other, coloop.future_from_pointer(waits))]
        self.turn()
        reports = []
        self.loop.set_exception_handler(lambda loop, context: reports.append(context["message"]))
        self.loop.close()
        self.assertEqual(reports, ["Task was destroyed but it is pending!"])  # C's task
        self.assertEqual([futures.done(each) for each in (future, shared, waits)], [0, 0, 0])
        del future, other, awaited, shared, waits
        gc.collect()
        self.assertEqual([reference() for reference in known], [None] * 3)

    def test_an_exception_whose_traceback_leads_to_what_was_awaited(self):
        class Failure(Exception):
            pass

        async def fail():
            raise Failure

        async def main():
            inner = awaiter.start(futures.from_python(fail(), None))
            awaited = coloop.future_from_pointer(inner)
            del inner
            try:
                await awaited
            except Failure as exc:
                return weakref.ref(exc), awaited

        known, awaited = self.loop.run_until_complete(main())
        del awaited
        gc.collect()
        self.assertIsNone(known())

    def test_a_loop_that_is_forgotten_with_futures_pending(self):
        loop = coloop.new_event_loop()
        future = loop.create_future()
        future.add_done_callback(lambda done, loop=loop: None)  # a circle
        kept = futures.from_python(future, None)
        known = weakref.ref(loop)
        awaited = coloop.future_from_pointer(futures.new(loop))
        with self.assertWarns(ResourceWarning):
            del loop, awaited, future
            gc.collect()
        self.assertIsNone(known())
        self.assertEqual(futures.end(kept), (-1014, "the Python future was destroyed"))

    def test_the_interpreters_end(self):
        directories = [os.path.dirname(module.__file__) for module in (futures, awaiter)]
        for last in "", "loop.close()", "del kept", "del kept, loop", "loop.close(); del loop":
            with self.subTest(last):
                self.assertEqual(
                    run(sys.executable, "-c", AT_THE_END.format(directories=directories, last=last)), "end\n",
                )

    def test_a_forked_child_is_refused(self):
        future, awaited = futures.new(self.loop), self.loop.create_future()
        here = coloop.future_from_pointer(future)
        shared = futures.from_python(awaited, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the test's watchdog is a thread
            child = os.fork()
        if child == 0:
            status = 1
            try:
                refused = 0
                for call in (
                    lambda: coloop.future_from_pointer(future), here.cancel,
                    lambda: coloop.future_pointer(awaited),
                ):
                    try:
                        call()
                    except RuntimeError:
                        refused += 1
                refused += futures.cancel(shared) == -1008
                del here, shared, future, awaited
                gc.collect()
                status = 0 if refused == 4 else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        futures.set_result(future, 1)
        self.assertEqual(self.loop.run_until_complete(here), 1)


class Failure(Exception):
    pass


class Value:
    alive = 0

    def __init__(self):
        Value.alive += 1

    def __del__(self):
        Value.alive -= 1


class UnderPressure(TestCase):
    """Much at a time, with the garbage collector at work between any two steps."""

    def setUp(self):
        super().setUp()
        self.loop = coloop.new_event_loop()
        self.addCleanup(self.loop.close)
        self.addCleanup(gc.set_threshold, *gc.get_threshold())
        gc.collect()
        gc.freeze()  # what was there before takes no time
        self.addCleanup(gc.unfreeze)
        gc.set_threshold(3, 2, 2)

    def test_anything_in_any_order(self):
        async def leaf(choose):
            await asyncio.sleep(0)
            match choose.randrange(4):
                case 0:
                    raise Failure
                case 1:
                    await asyncio.sleep(0.001)
            return Value()

        async def node(choose, depth):
            """Awaits a few, of both kinds, cancels some, forgets some."""
            for _ in range(choose.randrange(1, 4)):
                inner = node(choose, depth - 1) if depth else leaf(choose)
                shared = futures.from_python(inner, None)
                if choose.random() < 0.5:
                    shared = awaiter.start(shared)
                match choose.randrange(5):
                    case 0:
                        futures.cancel(shared)
                    case 1:
                        continue
                    case 2:
                        made = futures.new(self.loop)
                        coloop.future_from_pointer(made)
                        if choose.random() < 0.5:
                            futures.answer_from_thread(made, 1)
                awaited = coloop.future_from_pointer(shared)
                del shared
                try:
                    await asyncio.wait_for(awaited, choose.choice([0.0005, 60]))
                except (Failure, TimeoutError):
                    pass  # its traceback has this frame, and so what was awaited
                except asyncio.CancelledError:
                    if choose.random() < 0.3:
                        raise
            return Value()

        async def main(choose):
            await asyncio.gather(*(node(choose, 3) for _ in range(4)), return_exceptions=True)
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0)

        self.loop.set_exception_handler(lambda loop, context: None)
        for seed in range(3):
            self.loop.run_until_complete(main(random.Random(seed)))
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()
        gc.collect()
        self.assertEqual(Value.alive, 0)
