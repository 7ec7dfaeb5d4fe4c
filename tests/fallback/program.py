"""What a program finds where the package has no native loop: unittest, on any system.

test_fallback.py runs it on a system that is named otherwise, tests/windows on Windows.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
import threading
import unittest
import warnings

with warnings.catch_warnings(record=True) as at_import:
    warnings.simplefilter("always")
    import coloop
    from coloop import ctypes_abi as c

with warnings.catch_warnings(record=True) as at_loops:
    warnings.simplefilter("always")
    for _ in range(2):
        coloop.EventLoop().close()
        coloop.new_event_loop(fork="reinit").close()

OWN = asyncio.ProactorEventLoop if sys.platform == "win32" else asyncio.SelectorEventLoop
NATIVE = "from_pointer", "future_capsule", "future_from_pointer", "future_pointer"


async def kind():
    return type(asyncio.get_running_loop())


async def echo(reader, writer):
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


class Warned(unittest.TestCase):
    def test_once_and_for_the_first_loop_only(self):
        self.assertEqual([str(warning.message) for warning in at_import], [])
        (warning,) = at_loops
        self.assertIs(warning.category, RuntimeWarning)
        self.assertIn(f"no native event loop for {sys.platform}", str(warning.message))
        self.assertIn(OWN.__name__, str(warning.message))
        self.assertEqual(warning.filename, __file__)


class Loops(unittest.TestCase):
    def test_it_is_asyncios_own(self):
        self.assertTrue(issubclass(coloop.EventLoop, OWN))
        self.assertIs(coloop.run(kind()), coloop.EventLoop)
        self.assertIs(coloop.run(kind(), loop_factory=OWN), OWN)

    def test_a_runner(self):
        with asyncio.Runner(loop_factory=coloop.new_event_loop, debug=True) as runner:
            self.assertIs(runner.run(kind()), coloop.EventLoop)
            self.assertTrue(runner.get_loop().get_debug())

    def test_the_policy(self):
        before = asyncio.get_event_loop_policy()
        coloop.install()
        try:
            self.assertIsInstance(asyncio.get_event_loop_policy(), coloop.EventLoopPolicy)
            self.assertIs(asyncio.run(kind()), coloop.EventLoop)
        finally:
            asyncio.set_event_loop_policy(before)

    def test_run_refuses_what_it_refuses_elsewhere(self):
        async def inner():
            main = kind()
            with contextlib.closing(main), self.assertRaises(RuntimeError):
                coloop.run(main)

        coloop.run(inner())
        with self.assertRaises(ValueError):
            coloop.run(kind)

    def test_an_echo_over_tcp(self):
        async def main():
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            async with server:
                reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                sent = os.urandom(2**20)
                writer.write(sent)
                writer.write_eof()
                received = await reader.read()
                writer.close()
                await writer.wait_closed()
                return sent == received

        self.assertTrue(coloop.run(limited(main())))

    def test_a_subprocess(self):
        async def main():
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper())",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate(b"text")
            return output, process.returncode

        self.assertEqual(coloop.run(limited(main())), (b"TEXT", 0))

    def test_timers_threads_and_cancellation(self):
        async def main():
            loop = asyncio.get_running_loop()
            self.assertEqual(await asyncio.to_thread(lambda: 42), 42)
            posted = asyncio.Event()
            threading.Thread(target=loop.call_soon_threadsafe, args=(posted.set,)).start()
            await posted.wait()
            with self.assertRaises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(60)

        coloop.run(limited(main()))


async def limited(main):
    async with asyncio.timeout(60):
        return await main


class Names(unittest.TestCase):
    def test_every_public_name_is_there_and_says_what_it_is(self):
        for name in coloop.__all__:
            self.assertTrue(getattr(coloop, name).__doc__, name)
        self.assertIsInstance(coloop.__version__, str)

    def test_what_needs_the_native_loop_says_so(self):
        for name in NATIVE:
            with self.assertRaisesRegex(NotImplementedError, f"coloop.{name} needs .*{sys.platform}"):
                getattr(coloop, name)(1)
        with contextlib.closing(coloop.EventLoop()) as loop:
            for name in "pointer", "capsule":
                with self.assertRaisesRegex(NotImplementedError, f"EventLoop.{name} needs"):
                    getattr(loop, name)
            with self.assertRaisesRegex(NotImplementedError, "EventLoop.stats needs"):
                loop.stats()
            with self.assertRaisesRegex(NotImplementedError, "EventLoop.set_stats_level needs"):
                loop.set_stats_level(1)

    def test_an_extension_that_asks_for_the_functions_cannot_be_imported(self):
        with self.assertRaisesRegex(ImportError, f"native event loop.*{sys.platform}"):
            coloop._C_API
        with self.assertRaises(AttributeError):
            coloop.no_such_name

    def test_errors_of_c_code(self):
        error = coloop.Error(-1001, "text")
        self.assertEqual((error.code, str(error)), (-1001, "text"))

    def test_library_and_headers(self):
        for name in "coloop.h", "coloop_capi.h":
            self.assertTrue(os.path.isfile(os.path.join(coloop.get_include(), name)), name)
        self.assertTrue(os.path.isfile(os.path.join(coloop.get_cmake_dir(), "coloopConfig.cmake")))
        library = coloop.get_library_path()
        self.assertTrue(os.path.isfile(library))
        (directory,) = coloop.get_library_dirs()
        self.assertTrue(os.path.samefile(os.path.dirname(library), directory))


class RawAbi(unittest.TestCase):
    """A loop of the library's, by ctypes."""

    def setUp(self):
        self.lib = c.load()
        self.loop = self.lib.loop_new()
        self.addCleanup(self.lib.loop_unref, self.loop)
        self.addCleanup(self.lib.loop_close, self.loop)

    def test_the_library_is_the_one_that_the_package_names(self):
        same = c.load(coloop.get_library_path())
        self.assertEqual(self.lib.coloop_instance_id(), same.coloop_instance_id())
        if coloop.__version__ != "unknown":
            self.assertEqual(self.lib.coloop_version().decode(), coloop.__version__)

    def test_callbacks_timers_and_the_end(self):
        seen, destroyed = [], []
        callback, destroy = c.loop_callback_t(seen.append), c.loop_destroy_t(destroyed.append)
        stop = c.loop_callback_t(lambda _: self.lib.loop_stop(self.loop))
        later = 20_000_000  # nanoseconds
        start = self.lib.loop_time(self.loop)
        self.assertEqual(self.lib.loop_call_later(self.loop, later, callback, 3, destroy, None), 0)
        self.assertEqual(self.lib.loop_call_later(self.loop, later, stop, None, None, None), 0)
        self.assertEqual(self.lib.loop_call_soon(self.loop, callback, 1, destroy, None), 0)
        self.assertEqual(self.lib.loop_call_soon(self.loop, callback, 2, destroy, None), 0)
        self.assertEqual(self.lib.loop_call_later(self.loop, 2**50, callback, 4, destroy, None), 0)
        self.assertEqual(self.lib.loop_run_forever(self.loop), 0)
        self.assertGreaterEqual(self.lib.loop_time(self.loop) - start, later)
        self.assertEqual((seen, destroyed), ([1, 2, 3], [1, 2, 3]))
        self.assertEqual(self.lib.loop_close(self.loop), 0)
        self.assertEqual((seen, destroyed), ([1, 2, 3], [1, 2, 3, 4]))
        self.assertEqual(self.lib.loop_run_forever(self.loop), c.LOOP_ECLOSED)
        self.assertEqual(self.lib.loop_last_error(), b"Event loop is closed")

    def test_posts_of_threads(self):
        count, threads = 200, 4
        seen = []

        @c.loop_callback_t
        def posted(number):
            seen.append(number)
            if len(seen) == count * threads:
                self.lib.loop_stop(self.loop)

        def post(first):
            for number in range(first, first + count):
                self.lib.loop_call_soon_threadsafe(self.loop, posted, number, None, None)

        posting = [threading.Thread(target=post, args=(1 + i * count,)) for i in range(threads)]
        start = c.loop_callback_t(lambda _: [thread.start() for thread in posting])
        self.assertEqual(self.lib.loop_call_soon(self.loop, start, None, None, None), 0)
        self.assertEqual(self.lib.loop_run_forever(self.loop), 0)
        for thread in posting:
            thread.join()
        self.assertEqual(sorted(seen), [*range(1, count * threads + 1)])
        for i in range(threads):  # each thread's in its order
            own = [number for number in seen if i * count < number <= (i + 1) * count]
            self.assertEqual(own, sorted(own))

    def test_a_post_wakes_a_loop_that_waits(self):
        stop = c.loop_callback_t(lambda _: self.lib.loop_stop(self.loop))
        timer = threading.Timer(0.1, self.lib.loop_call_soon_threadsafe, (self.loop, stop, None, None, None))
        timer.start()
        self.assertEqual(self.lib.loop_run_forever(self.loop), 0)
        timer.join()

    def test_an_echo_that_the_library_serves(self):
        ended, answers = [], []

        def received(transport, data, length, user_data):
            pieces = c.loop_iovec_t(base=data, length=length)
            self.lib.loop_transport_writev(transport, pieces, 1)

        def lost(transport, code, message, user_data):
            ended.append((code, message, user_data))
            self.lib.loop_stop(self.loop)

        protocol = c.loop_protocol_t(data_received=received, connection_lost=lost)

        @c.loop_protocol_factory_t
        def factory(loop, factory_data, ret_protocol, ret_user_data, ret_destroy):
            ret_protocol[0], ret_user_data[0] = ctypes.pointer(protocol), 7
            return 0

        listening = socket.create_server(("127.0.0.1", 0))
        address = listening.getsockname()
        fd = ctypes.c_int(listening.detach())  # on Windows, a SOCKET: they are small numbers
        options = c.loop_server_options_t(fds=ctypes.pointer(fd), fd_count=1)
        server = c.loop_future_t()
        self.assertEqual(self.lib.loop_create_server(self.loop, options, factory, None, None, server), 0)
        self.addCleanup(self.lib.loop_future_unref, server)

        def talk():
            with socket.create_connection(address) as client:
                client.sendall(b"hello")
                answers.append(client.recv(100))

        thread = threading.Thread(target=talk)
        thread.start()
        self.assertEqual(self.lib.loop_run_forever(self.loop), 0)
        thread.join()
        self.assertEqual((answers, ended), ([b"hello"], [(0, None, 7)]))

    def test_a_loop_in_a_thread_beside_asyncios(self):
        async def main():
            loop = asyncio.get_running_loop()
            answer = loop.create_future()

            @c.loop_callback_t
            def asked(number):  # in the other thread
                loop.call_soon_threadsafe(answer.set_result, (number, threading.get_ident()))
                self.lib.loop_stop(self.loop)

            running = asyncio.create_task(asyncio.to_thread(self.lib.loop_run_forever, self.loop))
            code = self.lib.loop_call_soon_threadsafe(self.loop, asked, 42, None, None)
            number, thread = await answer
            return code, number, thread != threading.get_ident(), await running

        self.assertEqual(coloop.run(limited(main())), (0, 42, True, 0))

    def test_a_future(self):
        future = c.loop_future_t()
        self.assertEqual(self.lib.loop_future_new(self.loop, future), 0)
        self.addCleanup(self.lib.loop_future_unref, future)
        finish = c.loop_callback_t(lambda _: self.lib.loop_future_set_result(future, 42, None))
        self.assertEqual(self.lib.loop_call_soon(self.loop, finish, None, None, None), 0)
        result = ctypes.c_void_p()
        self.assertEqual(self.lib.loop_run_until_complete(self.loop, future, result), 0)
        self.assertEqual(result.value, 42)


if __name__ == "__main__":
    unittest.main()
