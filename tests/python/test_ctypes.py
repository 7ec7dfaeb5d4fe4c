"""The raw C ABI, driven by ctypes alone."""

import asyncio
import ctypes
import os
import socket
import threading
import unittest

import raw

lib = raw.load()


class LoopTest(unittest.TestCase):
    def setUp(self):
        self.loop = raw.Loop(lib)
        self.addCleanup(self.loop.close)

    def soon(self, function, **keywords):
        return self.loop.schedule("loop_call_soon", function=function, **keywords)

    def stop(self):
        self.assertEqual(lib.loop_stop(self.loop.pointer), 0)

    def test_callbacks_run_in_order_and_new_ones_in_the_next_turn(self):
        order = []
        self.soon(lambda: (order.append("a"), self.soon(lambda: (order.append("c"), self.stop()))))
        self.soon(lambda: order.append("b"))
        self.assertEqual(self.loop.run(), 0)
        self.assertEqual(order, ["a", "b", "c"])

    def test_timers_run_in_order_and_never_early(self):
        order, begin = [], lib.loop_time(self.loop.pointer)

        def fire(milliseconds):
            self.assertGreaterEqual(lib.loop_time(self.loop.pointer) - begin, milliseconds * 1_000_000)
            order.append(milliseconds)

        for milliseconds in (9, 3, 6):
            self.loop.schedule("loop_call_later", milliseconds * 1_000_000,
                               function=lambda milliseconds=milliseconds: fire(milliseconds))
        self.loop.schedule("loop_call_later", 12_000_000, function=self.stop)
        self.loop.run()
        self.assertEqual(order, [3, 6, 9])

    def test_a_cancelled_handle_does_not_run(self):
        ran = []
        handle = self.soon(lambda: ran.append(1), wants_handle=True)
        self.assertEqual(lib.loop_handle_cancel(self.loop.pointer, handle), 0)
        self.soon(self.stop)
        self.loop.run()
        self.assertEqual(ran, [])
        self.assertEqual(lib.loop_handle_cancel(self.loop.pointer, 12345), raw.ESTALE)

    def test_posts_from_threads_all_arrive_in_each_threads_order(self):
        received = {number: [] for number in range(3)}

        def receive(number, value):
            received[number].append(value)
            if sum(map(len, received.values())) == 3 * 200:
                self.stop()

        def post(number):
            for value in range(200):
                self.loop.schedule("loop_call_soon_threadsafe",
                                   function=lambda value=value: receive(number, value))

        threads = [threading.Thread(target=post, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        self.loop.run()
        for thread in threads:
            thread.join()
        self.assertEqual(received, {number: list(range(200)) for number in range(3)})

    def test_a_reader_is_called_until_it_is_removed(self):
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        self.addCleanup(far.close)
        far.setblocking(False)
        got = []

        def readable():
            got.append(far.recv(1))
            if len(got) == 3:
                self.assertEqual(lib.loop_remove_reader(self.loop.pointer, far.fileno()), 1)
                self.stop()

        self.loop.watch("loop_add_reader", far.fileno(), readable)
        near.sendall(b"abc")
        self.loop.run()
        self.assertEqual(got, [b"a", b"b", b"c"])
        self.assertEqual(lib.loop_remove_reader(self.loop.pointer, far.fileno()), 0)

    def test_a_closed_loop_answers_in_asyncios_words(self):
        theirs = asyncio.new_event_loop()
        theirs.close()
        with self.assertRaises(RuntimeError) as expected:
            theirs.call_soon(print)
        lib.loop_close(self.loop.pointer)
        with self.assertRaises(OSError) as error:
            self.soon(print)
        self.assertEqual(error.exception.errno, raw.ECLOSED)
        self.assertEqual(error.exception.strerror, str(expected.exception))

    def test_no_running_loop_in_asyncios_words(self):
        with self.assertRaises(RuntimeError) as expected:
            asyncio.get_running_loop()
        found = ctypes.c_void_p()
        self.assertEqual(lib.loop_get_running(ctypes.byref(found)), raw.ENO_RUNNING)
        self.assertEqual(lib.loop_last_error().decode(), str(expected.exception))

    def test_a_thread_without_a_loop_is_told_so(self):
        results = []

        def ask():
            found = ctypes.c_void_p()
            results.append(lib.policy_get_event_loop(ctypes.byref(found)))
            results.append(lib.loop_last_error().decode())

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        self.assertEqual(results[0], raw.ENO_CURRENT)
        self.assertRegex(results[1], r"^There is no current event loop in thread '.+'\.$")

    def test_a_second_ctypes_handle_shares_the_loop(self):
        other = raw.load()
        self.assertIsNot(other, lib)
        self.assertEqual(other.coloop_instance_id(), lib.coloop_instance_id())
        ran = []
        shared = raw.Loop(other, self.loop.pointer)
        shared.schedule("loop_call_soon_threadsafe", function=lambda: (ran.append(1), self.stop()))
        self.loop.run()
        self.assertEqual(ran, [1])

    def test_user_data_is_destroyed_once_whatever_happens(self):
        destroyed = []
        destroy = raw.CALLBACK(destroyed.append)
        nothing = raw.CALLBACK(lambda data: None)
        pointer = self.loop.pointer
        lib.loop_call_soon(pointer, nothing, 1, destroy, None)
        handle = ctypes.c_uint64()
        lib.loop_call_later(pointer, 10**12, nothing, 2, destroy, ctypes.byref(handle))
        lib.loop_handle_cancel(pointer, handle.value)
        lib.loop_call_later(pointer, 10**12, nothing, 3, destroy, None)
        self.assertLess(lib.loop_add_reader(pointer, -1, nothing, 4, destroy), 0)
        self.soon(self.stop)
        self.loop.run()
        self.assertEqual(destroyed, [2, 4, 1])
        lib.loop_close(pointer)
        self.assertEqual(destroyed, [2, 4, 1, 3])
        self.assertLess(lib.loop_call_soon(pointer, nothing, 5, destroy, None), 0)
        self.assertEqual(destroyed, [2, 4, 1, 3, 5])

    def test_the_description_reads_like_a_repr(self):
        buffer = ctypes.create_string_buffer(100)
        length = lib.loop_describe(self.loop.pointer, buffer, len(buffer))
        self.assertEqual(buffer.value, b"<coloop.EventLoop running=False closed=False debug=False>")
        self.assertEqual(length, len(buffer.value))

    def test_a_forked_child_leaves_the_loop_and_runs_its_own(self):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                refused = lib.loop_run_forever(self.loop.pointer) == raw.EFORKED
                own = raw.Loop(lib)
                own.schedule("loop_call_soon", function=lambda: lib.loop_stop(own.pointer))
                status = 0 if refused and own.run() == 0 else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.soon(self.stop)
        self.assertEqual(self.loop.run(), 0)


if __name__ == "__main__":
    unittest.main()
