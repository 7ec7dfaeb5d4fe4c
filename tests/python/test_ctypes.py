"""The raw C ABI, driven by ctypes alone."""

import asyncio
import ctypes
import os
import pathlib
import socket
import threading
import traceback
import unittest

import raw

lib = raw.load()


class LoopTest(unittest.TestCase):
    def setUp(self):
        self.loop = self.new_loop()

    def new_loop(self):
        loop = raw.Loop(lib)
        self.addCleanup(loop.close)
        return loop

    def socketpair(self):
        pair = socket.socketpair()
        for end in pair:
            end.setblocking(False)
            self.addCleanup(end.close)
        return pair

    def soon(self, function):
        return self.loop.schedule("loop_call_soon", function=function)

    def later(self, nanoseconds, function):
        return self.loop.schedule("loop_call_later", nanoseconds, function=function)

    def post(self, function):
        return self.loop.schedule("loop_call_soon_threadsafe", function=function)

    def stop(self):
        self.assertEqual(lib.loop_stop(self.loop.pointer), 0)


class Scheduling(LoopTest):
    def test_callbacks_run_in_order_and_new_ones_in_the_next_turn(self):
        order = []
        self.soon(lambda: (order.append("a"), self.soon(lambda: (order.append("c"), self.stop()))))
        self.soon(lambda: order.append("b"))
        self.assertEqual(self.loop.run(), 0)
        self.assertEqual(order, ["a", "b", "c"])

    def test_timers_run_in_order_and_never_early(self):
        order, begin = [], lib.loop_time(self.loop.pointer)

        def fire(milliseconds):
            passed = lib.loop_time(self.loop.pointer) - begin
            self.assertGreaterEqual(passed, milliseconds * 1_000_000)
            order.append(milliseconds)

        # From one beginning: a pause between the calls shall not change the order.
        for milliseconds in (9, 3, 6):
            self.loop.schedule("loop_call_at", begin + milliseconds * 1_000_000,
                               function=lambda milliseconds=milliseconds: fire(milliseconds))
        self.loop.schedule("loop_call_at", begin + 12_000_000, function=self.stop)
        self.loop.run()
        self.assertEqual(order, [3, 6, 9])

    def test_a_delay_is_kept_at_least(self):
        begin, delay = lib.loop_time(self.loop.pointer), 5_000_001
        self.later(delay, self.stop)
        self.loop.run()
        self.assertGreaterEqual(lib.loop_time(self.loop.pointer) - begin, delay)

    def test_a_cancelled_handle_does_not_run(self):
        ran = []
        handle = self.soon(lambda: ran.append(1))
        self.assertEqual(lib.loop_handle_cancel(self.loop.pointer, handle), 0)
        done = self.soon(self.stop)
        self.loop.run()
        self.assertEqual(ran, [])
        self.assertEqual(lib.loop_handle_cancel(self.loop.pointer, done), raw.ESTALE)

    def test_user_data_is_destroyed_once_whatever_happens(self):
        destroyed = []
        destroy = raw.CALLBACK(destroyed.append)
        nothing = raw.CALLBACK(lambda data: None)
        pointer = self.loop.pointer
        _, far = self.socketpair()
        self.assertEqual(lib.loop_call_soon(pointer, nothing, 1, destroy, None), 0)
        handle = ctypes.c_uint64()
        self.assertEqual(lib.loop_call_later(pointer, 10**12, nothing, 2, destroy, handle), 0)
        self.assertEqual(lib.loop_handle_cancel(pointer, handle.value), 0)
        self.assertEqual(lib.loop_call_later(pointer, 10**12, nothing, 3, destroy, None), 0)
        self.assertEqual(lib.loop_add_reader(pointer, -1, nothing, 4, destroy), raw.EINVAL)
        self.assertEqual(lib.loop_add_reader(pointer, far.fileno(), nothing, 5, destroy), 0)
        self.assertEqual(lib.loop_add_reader(pointer, far.fileno(), nothing, 6, destroy), 0)
        self.assertEqual(destroyed, [2, 4, 5])  # cancelled, refused, replaced
        self.soon(self.stop)
        self.loop.run()
        self.assertEqual(destroyed, [2, 4, 5, 1])
        self.assertEqual(lib.loop_remove_reader(pointer, far.fileno()), 1)
        self.assertEqual(destroyed, [2, 4, 5, 1, 6])
        self.assertEqual(lib.loop_close(pointer), 0)
        self.assertEqual(destroyed, [2, 4, 5, 1, 6, 3])
        self.assertEqual(lib.loop_call_soon(pointer, nothing, 7, destroy, None), raw.ECLOSED)
        self.assertEqual(destroyed, [2, 4, 5, 1, 6, 3, 7])


class Threads(LoopTest):
    def test_posts_from_threads_all_arrive_in_each_threads_order(self):
        received = {number: [] for number in range(3)}

        def receive(number, value):
            received[number].append(value)
            if sum(map(len, received.values())) == 3 * 500:
                self.stop()

        def post(number):
            for value in range(500):
                self.post(lambda value=value: receive(number, value))

        threads = [threading.Thread(target=post, args=(number,)) for number in received]
        # The first callback starts them, so that they post while the loop runs.
        self.soon(lambda: [thread.start() for thread in threads])
        self.loop.run()
        for thread in threads:
            thread.join()
        self.assertEqual(received, {number: list(range(500)) for number in received})

    def test_stop_from_another_thread_comes_behind_what_it_posted(self):
        ran = []

        def other():
            self.post(lambda: ran.append(1))
            self.loop.check(lib.loop_stop_threadsafe(self.loop.pointer))

        thread = threading.Thread(target=other)
        self.soon(thread.start)
        self.loop.run()
        thread.join()
        self.assertEqual(ran, [1])

    def test_a_second_ctypes_handle_of_the_file_shares_the_loop(self):
        other = raw.load()
        self.assertIsNot(other, lib)
        self.assertEqual(other.coloop_instance_id(), lib.coloop_instance_id())
        self.assertIs(type(self.loop.pointer), int)
        ran = []
        shared = raw.Loop(other, self.loop.pointer)

        def callback():
            running = ctypes.c_void_p()
            self.assertEqual(other.loop_get_running(running), 0)
            ran.append(running.value)
            self.stop()

        shared.schedule("loop_call_soon_threadsafe", function=callback)
        self.loop.run()
        self.assertIsNone(shared.error)
        self.assertEqual(ran, [self.loop.pointer])


class Descriptors(LoopTest):
    def test_a_reader_is_called_until_it_is_removed(self):
        near, far = self.socketpair()
        got = []

        def readable():
            got.append(far.recv(1))
            if len(got) == 3:
                self.assertEqual(lib.loop_remove_reader(self.loop.pointer, far.fileno()), 1)
                self.stop()

        self.loop.watch("loop_add_reader", far.fileno(), readable)
        near.sendall(b"abcd")
        self.loop.run()
        self.assertEqual(got, [b"a", b"b", b"c"])
        self.assertEqual(lib.loop_remove_reader(self.loop.pointer, far.fileno()), 0)

    def test_a_reader_sees_the_end_of_the_stream(self):
        near, far = self.socketpair()
        got = []
        self.loop.watch("loop_add_reader", far.fileno(), lambda: (got.append(far.recv(1)), self.stop()))
        near.close()
        self.loop.run()
        self.assertEqual(got, [b""])

    def test_a_writer_is_called_again_once_there_is_room(self):
        near, far = self.socketpair()
        sent = 0
        with self.assertRaises(BlockingIOError):
            while True:
                sent += near.send(bytes(65536))
        order = []

        def drain():
            order.append("drain")
            left = sent
            while left:
                left -= len(far.recv(left))

        def writable():
            order.append("writable")
            self.stop()

        self.loop.watch("loop_add_writer", near.fileno(), writable)
        self.soon(lambda: self.soon(drain))  # a turn later: the full socket had its chance
        self.loop.run()
        self.assertEqual(order, ["drain", "writable"])


class Words(LoopTest):
    """What asyncio raises in this very Python is what the library has to say."""

    def setUp(self):
        super().setUp()
        self.theirs = asyncio.SelectorEventLoop()
        self.addCleanup(self.theirs.close)

    def assert_same(self, code, ours, theirs):
        with self.assertRaises(RuntimeError) as expected:
            theirs()
        with self.assertRaises(OSError) as error:
            ours()
        self.assertEqual(error.exception.errno, code)
        self.assertEqual(error.exception.strerror, str(expected.exception))

    def test_a_closed_loop(self):
        self.theirs.close()
        self.assertEqual(lib.loop_close(self.loop.pointer), 0)
        self.assertEqual(lib.loop_close(self.loop.pointer), 0)
        self.assertEqual(lib.loop_is_closed(self.loop.pointer), 1)
        for ours, theirs in [
            (lambda: self.soon(print), lambda: self.theirs.call_soon(print)),
            (lambda: self.post(print), lambda: self.theirs.call_soon_threadsafe(print)),
            (lambda: self.later(1, print), lambda: self.theirs.call_later(1, print)),
            (lambda: self.loop.watch("loop_add_reader", 0, print),
             lambda: self.theirs.add_reader(0, print)),
            (self.loop.run, self.theirs.run_forever),
        ]:
            self.assert_same(raw.ECLOSED, ours, theirs)

    def test_a_running_loop_runs_and_closes_no_second_time(self):
        def inside(code, ours, theirs):
            """Each is asked inside a run of its own loop; the answers are compared after both."""
            answers = {}

            def ask(name, question, stop):
                try:
                    question()
                except Exception as error:
                    answers[name] = error
                stop()

            self.soon(lambda: ask("ours", ours, self.stop))
            self.loop.run()
            self.theirs.call_soon(ask, "theirs", theirs, self.theirs.stop)
            raw.run_limited(self.theirs.run_forever)
            self.assertEqual(answers["ours"].errno, code)
            self.assertEqual(answers["ours"].strerror, str(answers["theirs"]))

        check, pointer = self.loop.check, self.loop.pointer
        inside(raw.ERUNNING, lambda: check(lib.loop_run_forever(pointer)), self.theirs.run_forever)
        inside(raw.ERUNNING, lambda: check(lib.loop_close(pointer)), self.theirs.close)
        ours, theirs = self.new_loop(), asyncio.SelectorEventLoop()
        self.addCleanup(theirs.close)
        inside(raw.EOTHER_RUNNING, lambda: check(lib.loop_run_forever(ours.pointer)), theirs.run_forever)

    def test_no_running_loop(self):
        found = ctypes.c_void_p()
        self.assert_same(raw.ENO_RUNNING, lambda: self.loop.check(lib.loop_get_running(found)),
                         asyncio.get_running_loop)

    def test_a_thread_without_a_loop(self):
        found = ctypes.c_void_p()
        answers = {}

        def ask():
            answers["code"] = lib.policy_get_event_loop(found)
            answers["ours"] = lib.loop_last_error().decode()
            # The library knows the system's name of the thread, not Python's.
            comm = pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/comm")
            answers["name"] = comm.read_text().removesuffix("\n")
            try:
                asyncio.get_event_loop()
            except RuntimeError as error:
                answers["theirs"] = str(error)

        thread = threading.Thread(target=ask, name="Python's name")
        thread.start()
        thread.join()
        self.assertEqual(answers["code"], raw.ENO_CURRENT)
        self.assertIn(repr(thread.name), answers["theirs"])
        self.assertEqual(answers["ours"],
                         answers["theirs"].replace(repr(thread.name), repr(answers["name"])))

    def test_the_description_reads_like_a_repr(self):
        def describe():
            buffer = ctypes.create_string_buffer(100)
            length = lib.loop_describe(self.loop.pointer, buffer, len(buffer))
            self.assertEqual(length, len(buffer.value))
            return buffer.value.decode()

        def expected():
            return repr(self.theirs).replace("_UnixSelectorEventLoop", "coloop.EventLoop")

        self.assertEqual(describe(), expected())
        seen = []
        self.soon(lambda: (seen.append(describe()), self.stop()))
        self.loop.run()
        self.theirs.call_soon(lambda: (seen.append(expected()), self.theirs.stop()))
        self.theirs.run_forever()
        self.assertEqual(seen[0], seen[1])
        lib.loop_close(self.loop.pointer)
        self.theirs.close()
        self.assertEqual(describe(), expected())


class Fork(LoopTest):
    def in_child(self, function):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                function()
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)  # the tests that wait in this process are the parent's
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def test_a_child_leaves_an_inherited_loop_and_runs_its_own(self):
        near, far = self.socketpair()
        got = []
        self.loop.watch("loop_add_reader", far.fileno(), lambda: (got.append(far.recv(1)), self.stop()))
        self.soon(lambda: got.append("kept"))

        def child():
            for call in (self.loop.run, lambda: self.soon(print), lambda: self.post(print)):
                with self.assertRaises(OSError) as error:
                    call()
                self.assertEqual(error.exception.errno, raw.EFORKED)
            self.assertEqual(lib.loop_close(self.loop.pointer), 0)
            own = raw.Loop(lib)
            own.schedule("loop_call_soon", function=lambda: lib.loop_stop(own.pointer))
            self.assertEqual(own.run(), 0)
            own.close()
            self.assertEqual(got, [])

        self.in_child(child)
        near.sendall(b"x")
        self.assertEqual(self.loop.run(), 0)
        self.assertEqual(got, ["kept", b"x"])

    def test_a_child_of_a_callback_is_in_no_running_loop(self):
        def child():
            self.assertEqual(lib.loop_get_running(ctypes.c_void_p()), raw.ENO_RUNNING)
            own = raw.Loop(lib)
            own.schedule("loop_call_soon", function=lambda: lib.loop_stop(own.pointer))
            self.assertEqual(own.run(), 0)
            own.close()

        self.soon(lambda: (self.in_child(child), self.stop()))
        self.assertEqual(self.loop.run(), 0)


if __name__ == "__main__":
    unittest.main()
