"""What C code tells a loop that Python made, and what that loop tells C code and Python."""

import asyncio
import contextlib
import ctypes
import errno
import threading
import time
import unittest

import coloop
from coloop import ctypes_abi as c

lib = c.load(coloop.get_library_path())


class Reports(unittest.TestCase):
    def setUp(self):
        self.loop = coloop.new_event_loop()
        self.addCleanup(self.loop.close)
        self.pointer = c.loop_t(self.loop.pointer)
        self.told = []
        self.loop.set_exception_handler(lambda loop, context: self.told.append((loop, context)))

    def run_in_c(self, function):
        """Calls it as a callback of C code's, in a run that then ends."""
        callback = c.loop_callback_t(lambda data: function())
        self.assertEqual(lib.loop_call_soon(self.pointer, callback, None, None, None), 0)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def test_a_failed_callback(self):
        self.run_in_c(lambda: lib.loop_callback_failed(self.pointer, -errno.EIO, b"the disk"))
        ((loop, context),) = self.told
        self.assertIs(loop, self.loop)
        self.assertEqual(context["message"], "Exception in callback")
        self.assertIsInstance(context["exception"], OSError)
        self.assertEqual(context["exception"].args, (errno.EIO, "the disk"))

    def test_a_failure_that_is_no_errno(self):
        self.run_in_c(lambda: lib.loop_callback_failed(self.pointer, c.LOOP_EINVAL, b"of its own"))
        ((_, context),) = self.told
        self.assertIsInstance(context["exception"], RuntimeError)
        self.assertEqual(context["exception"].args, ("of its own",))

    def test_a_handler_that_raises_is_asyncios_business(self):
        def handler(loop, context):
            raise ValueError("in the handler")

        self.loop.set_exception_handler(handler)
        with self.assertLogs("asyncio", "ERROR") as logged:
            self.run_in_c(lambda: lib.loop_callback_failed(self.pointer, -errno.EIO, None))
        self.assertIn("Unhandled error in exception handler", logged.output[0])

    def test_what_must_leave_a_run_leaves_it_from_a_handler_too(self):
        for kind in KeyboardInterrupt, SystemExit:
            def handler(loop, context, kind=kind):
                raise kind

            self.loop.set_exception_handler(handler)
            with self.assertRaises(kind):
                self.run_in_c(lambda: lib.loop_callback_failed(self.pointer, -errno.EIO, None))

    def test_a_slow_callback_in_debug_mode(self):
        self.loop.slow_callback_duration = 0.01
        self.loop.set_debug(True)
        self.assertEqual(lib.loop_get_debug(self.pointer), 1)
        with self.assertLogs("asyncio", "WARNING") as logged:
            self.run_in_c(lambda: time.sleep(0.05))
        (line,) = [line for line in logged.output if "<C callback 0x" in line]
        self.assertRegex(line, r"Executing <C callback 0x[0-9a-f]+> took \d\.\d{3} seconds")
        self.loop.set_debug(False)
        self.assertEqual(lib.loop_get_debug(self.pointer), 0)

    def test_pythons_slow_callbacks_are_reported_once(self):
        self.loop.slow_callback_duration = 0.01
        self.loop.set_debug(True)
        self.loop.call_soon(time.sleep, 0.05)
        with self.assertLogs("asyncio", "WARNING") as logged:
            self.run_in_c(lambda: None)
        (line,) = [line for line in logged.output if " took " in line]
        self.assertIn("<Handle sleep(0.05)", line)


class Statistics(unittest.TestCase):
    def test_counts(self):
        """They are exact in a callback and after a run."""
        with contextlib.closing(coloop.new_event_loop()) as loop:
            inside = []
            loop.call_later(60, int)
            loop.call_soon(lambda: inside.append(loop.stats()))
            loop.call_soon(loop.stop)
            loop.run_forever()
            (first,) = inside
            self.assertEqual((first["timers_now"], first["ready_now"], first["fds_now"]), (1, 1, 0))
            before = loop.stats()
            for _ in range(5):
                loop.call_soon(int)
                loop.call_soon_threadsafe(int)
            loop.call_soon(loop.stop)
            loop.run_forever()
            after = loop.stats()
            self.assertEqual(after["callbacks"] - before["callbacks"], 11)
            self.assertEqual(after["posts"] - before["posts"], 5)
            self.assertEqual((after["ready_now"], after["posts_now"]), (0, 0))

    def test_times_are_measured_where_asked_for(self):
        with contextlib.closing(coloop.new_event_loop()) as loop:
            def turn():
                loop.call_soon(time.sleep, 0.02)
                loop.call_later(0.03, loop.stop)
                loop.run_forever()
                return loop.stats()

            self.assertEqual([turn()[name] for name in ("busy_ns", "wait_ns", "longest_ns")], [0, 0, 0])
            loop.set_stats_level(2)
            measured = turn()
            self.assertGreaterEqual(measured["longest_ns"], 20_000_000)
            self.assertGreaterEqual(measured["busy_ns"], 20_000_000)
            self.assertGreater(measured["wait_ns"], 0)
            for level in (3, 2**32, 2**63):
                self.assertRaises(ValueError, loop.set_stats_level, level)
            self.assertRaises(OverflowError, loop.set_stats_level, -1)


@unittest.skipUnless(hasattr(coloop, "EventLoopPolicy"), "this Python has no policies")
class Policy(unittest.TestCase):
    def setUp(self):
        outer = asyncio.get_event_loop_policy()
        self.addCleanup(asyncio.set_event_loop_policy, outer)
        coloop.install()

    def current(self):
        """The code of policy_get_event_loop, and the pointer."""
        place = c.loop_t()
        return lib.policy_get_event_loop(ctypes.byref(place)), place.value

    def test_a_threads_loop_is_that_of_its_c_code(self):
        seen = []

        def thread():
            seen.append(self.current()[0])
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            seen.append(self.current() == (0, loop.pointer))
            asyncio.set_event_loop(None)
            seen.append(self.current()[0])
            loop.close()

        worker = threading.Thread(target=thread)
        worker.start()
        worker.join()
        self.assertEqual(seen, [c.LOOP_ENO_CURRENT, True, c.LOOP_ENO_CURRENT])


if __name__ == "__main__":
    unittest.main()
