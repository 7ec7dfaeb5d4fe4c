"""C code of other extensions on a loop that Python runs: by the capsule, and by linking."""

import asyncio
import gc
import threading

import coloop
from coloop import _coloop

from support import TestCase, extension

poster = extension("poster")
runner = extension("runner", link=True)
ECLOSED = -1001


class OneLibrary(TestCase):
    def test_every_extension_has_the_same_instance(self):
        size, instance, version = poster.about()
        self.assertGreaterEqual(size, 8 * 25)
        self.assertEqual(instance, _coloop.instance_id)
        self.assertEqual(runner.instance_id(), _coloop.instance_id)
        self.assertEqual(".".join(str(version >> shift & 255) for shift in (16, 8, 0)), _coloop.version)

    def test_get_loop_refuses_what_is_no_loop_of_coloop(self):
        loop = asyncio.new_event_loop()
        self.addCleanup(loop.close)
        for wrong in loop, 1, None:
            with self.assertRaisesRegex(TypeError, "a coloop.EventLoop is needed"):
                poster.call_soon(wrong, print)


class OnALoopOfPythons(TestCase):
    def setUp(self):
        super().setUp()
        self.loop = coloop.new_event_loop()
        self.addCleanup(self.loop.close)

    def test_from_loop_gives_the_python_object_again(self):
        self.assertIs(poster.from_loop(self.loop), self.loop)
        self.assertIs(poster.from_loop(self.loop.capsule), self.loop)
        self.assertIs(coloop.from_pointer(self.loop.pointer), self.loop)

    def test_threads_post_while_another_has_the_gil(self):
        poster.start(self.loop, 4, 5000)
        self.assertEqual(poster.join(), [0] * 4)  # with the GIL held: who needed it would never end
        self.assertEqual(poster.counts(), (20_000, 0, 0, 0))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(poster.counts(), (20_000, 20_000, 20_000, 0))

    def test_a_post_wakes_a_loop_that_waits(self):
        async def main():
            done = self.loop.create_future()

            def post():
                while not self.loop.stats()["waits"]:
                    pass
                poster.call_soon_threadsafe(self.loop, lambda: done.set_result("woken"))

            thread = threading.Thread(target=post)
            thread.start()
            self.assertEqual(await done, "woken")
            thread.join()

        self.loop.run_until_complete(main())

    def test_c_and_python_callbacks_run_in_the_order_of_scheduling(self):
        order = []
        for number in range(0, 300, 3):
            self.loop.call_soon(order.append, number)
            poster.call_soon(self.loop, lambda number=number: order.append(number + 1))
            self.loop.create_task(self.append(order, number + 2))
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(order, list(range(300)))

    async def append(self, order, number):
        order.append(number)

    def test_posts_keep_their_order_too(self):
        order = []
        for number in range(0, 200, 2):
            self.loop.call_soon_threadsafe(order.append, number)
            poster.call_soon_threadsafe(self.loop, lambda number=number: order.append(number + 1))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(order, list(range(200)))

    def test_timers_with_one_deadline_keep_their_order_too(self):
        order = []
        for number in range(0, 100, 2):
            self.loop.call_at(1e-9, order.append, number)
            poster.call_at_1ns(self.loop, lambda number=number: order.append(number + 1))
        self.loop.call_later(0.01, self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(order, list(range(100)))

    def test_a_coroutine_awaits_what_c_callbacks_bring(self):
        async def main():
            brought = asyncio.Queue()
            for number in range(100):
                poster.call_soon_threadsafe(self.loop, lambda number=number: brought.put_nowait(number))
            return [await brought.get() for _ in range(100)]

        self.assertEqual(self.loop.run_until_complete(main()), list(range(100)))

    def test_posting_while_python_closes_the_loop_loses_no_user_data(self):
        for _ in range(10):
            loop = coloop.new_event_loop()
            poster.start(loop, 4, 1_000_000)
            while poster.counts()[0] < 100:
                loop.call_soon(loop.stop)
                loop.run_forever()
            loop.close()
            codes = poster.join()
            accepted, ran, destroyed, out_of_order = poster.counts()
            self.assertIn(ECLOSED, codes)
            self.assertLessEqual(ran, accepted)
            refused = codes.count(ECLOSED)
            self.assertEqual((destroyed, out_of_order), (accepted + refused, 0))

    def test_c_code_that_keeps_the_loop_sees_it_closed_once_the_object_is_gone(self):
        loop = coloop.new_event_loop()
        capsule = loop.capsule
        with self.assertWarns(ResourceWarning):
            del loop
            gc.collect()
        self.assertTrue(runner.is_closed(capsule))
        self.assertEqual(poster.call_soon(capsule, print), ECLOSED)

    def test_c_code_closes_the_loop(self):
        capsule = self.loop.capsule
        task = self.loop.create_task(asyncio.sleep(60))
        executor = self.loop.run_in_executor(None, int)
        self.loop.run_until_complete(executor)
        handle = self.loop.call_later(60, print)
        self.assertEqual(runner.close(capsule), 0)
        self.assertTrue(self.loop.is_closed())
        with self.assertRaisesRegex(RuntimeError, "^Event loop is closed$"):
            self.loop.call_soon(print)
        with self.assertRaisesRegex(RuntimeError, "^Event loop is closed$"):
            self.loop.run_forever()
        self.assertIsNone(self.loop._default_executor)
        handle.cancel()
        task._log_destroy_pending = False

    def test_c_code_cannot_close_a_loop_that_python_runs(self):
        capsule = self.loop.capsule
        codes = []
        self.loop.call_soon(lambda: codes.append(runner.close(capsule)))
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()
        self.assertEqual(codes, [-1002])
        self.assertFalse(self.loop.is_closed())

    def test_c_code_stops_a_loop_that_python_runs(self):
        threading.Thread(target=runner.stop, args=[self.loop.capsule]).start()
        self.loop.run_forever()
        self.assertFalse(self.loop.is_running())
