"""Every public method of the loop: what it returns and what it refuses, as asyncio does."""

import asyncio
import gc
import inspect
import io
import signal
import socket
import subprocess
import sys
import unittest
import unittest.mock
import warnings

import both
from both import attempt, attempted


class Methods(both.Case):
    def test_every_method_of_asyncio_is_there(self):
        names = [
            name for name in vars(asyncio.AbstractEventLoop) if not name.startswith("_")
        ]
        self.assertGreater(len(names), 50)
        loops = {kind: make() for kind, make in both.LOOPS.items()}
        for name in names:
            for kind, loop in loops.items():
                self.assertTrue(callable(getattr(loop, name)), (kind, name))
            ours = getattr(loops["coloop"], name)
            self.assertTrue(ours.__doc__ or not getattr(loops["asyncio"], name).__doc__, name)
            # Not left as it is in the abstract class, which raises NotImplementedError.
            abstract = getattr(asyncio.AbstractEventLoop, name)
            implemented = getattr(type(loops["asyncio"]), name) is not abstract
            self.assertEqual(getattr(type(loops["coloop"]), name) is not abstract, implemented)
        for loop in loops.values():
            loop.close()

    def test_parameters_are_asyncios(self):
        loops = {kind: make() for kind, make in both.LOOPS.items()}
        compared = 0
        for name in vars(asyncio.AbstractEventLoop):
            if name.startswith("_"):
                continue
            theirs, ours = (inspect.signature(getattr(loop, name)) for loop in loops.values())
            if name == "create_task" and sys.version_info >= (3, 13, 3):
                continue  # **kwargs, which are passed on
            self.assertEqual(theirs, ours, name)
            compared += 1
        self.assertGreater(compared, 50)
        for loop in loops.values():
            loop.close()

    def test_sockets_with_keywords(self):
        async def program(loop, say):
            ours, peer = socket.socketpair()
            with ours, peer:
                ours.setblocking(False)
                peer.setblocking(False)
                buffer = bytearray(3)
                say(await loop.sock_sendall(ours, data=b"one"))
                say(await loop.sock_recv(peer, n=2))
                say(await loop.sock_sendall(sock=ours, data=b"two"))
                say(await loop.sock_recv_into(buf=buffer, sock=peer), bytes(buffer))
                for name in ("sock_recv", "sock_recv_into", "sock_sendall"):
                    for args, kwargs in [
                        ((), {}), ((ours,), {}), ((ours, 1, 1), {}), ((ours,), {"other": 1}),
                        ((ours, 1), {"sock": ours}), ((ours, 1), {"other": 1}),
                    ]:
                        say(name, attempt(getattr(loop, name), *args, **kwargs).partition(":")[0])

        self.same(program)

    def test_a_loop_that_could_not_be_made_is_silent_at_its_end(self):
        new = both.coloop.EventLoop
        hook = unittest.mock.patch("sys.unraisablehook")
        with hook as unraisable, warnings.catch_warnings():
            warnings.simplefilter("error")
            for make, wrong, text in [
                (new, {"fork": "other"}, "fork must be one of error, asyncio, reinit"),
                (new, {"other": 1}, "unexpected keyword argument 'other'"),
                (both.coloop.from_pointer, {"pointer": 0}, "the pointer is NULL"),
                (both.coloop.from_pointer, {"pointer": "x"}, "an int or a capsule"),
            ]:
                with self.assertRaisesRegex((TypeError, ValueError), text):
                    make(**wrong)
            gc.collect()
            unraisable.assert_not_called()

    def test_it_is_asyncios(self):
        loop = both.coloop.new_event_loop()
        self.assertIsInstance(loop, asyncio.AbstractEventLoop)
        self.assertIsInstance(loop, asyncio.BaseEventLoop)
        self.assertIsInstance(loop, asyncio.SelectorEventLoop)
        loop.close()

    def test_a_loop_that_was_not_initialised_crashes_nothing(self):
        loop = both.coloop.EventLoop.__new__(both.coloop.EventLoop)
        for name in dir(type(loop)):
            if name.startswith("_"):
                continue
            attribute = getattr(type(loop), name)
            if isinstance(attribute, property) or not callable(attribute):
                attempt(getattr, loop, name)
            else:
                for args in [(), (0,), (print,), (0, print), (None, None)]:
                    made = attempt(getattr(loop, name), *args)
                    if inspect.iscoroutine(made):
                        made.close()
        with self.assertRaises(RuntimeError):
            loop.call_soon(print)

    def test_scheduling_with_keywords(self):
        def program(loop, say):
            for name, args, kwargs in [
                ("call_soon", (), {"callback": print}),
                ("call_soon_threadsafe", (), {"callback": print}),
                ("call_later", (5,), {"callback": print}),
                ("call_later", (), {"delay": 5, "callback": print}),
                ("call_at", (), {"when": 5e5, "callback": print}),
                ("call_soon", (print,), {"context": None}),
            ]:
                handle = attempt(getattr(loop, name), *args, **kwargs)
                say(name, handle.__class__.__name__, str(handle)[:20])
                handle.cancel()

        self.same(program)

    def test_wrong_arguments_of_scheduling(self):
        def program(loop, say):
            for name, args, kwargs in [
                ("call_soon", (), {}), ("call_later", (), {}), ("call_later", (1,), {}),
                ("call_at", (1,), {}), ("call_soon_threadsafe", (), {}),
                ("call_soon", (print,), {"other": 1}), ("call_later", (1, print), {"other": 1}),
                ("call_soon", (print,), {"callback": print}),
            ]:
                kind = attempt(getattr(loop, name), *args, **kwargs).partition(":")[0]
                say(name, kwargs, kind)
            say(attempt(loop.call_later, None, print))
            say(attempt(loop.call_at, None, print))
            say(attempt(loop.call_later, "x", print).partition(":")[0])

        self.same(program)

    def test_what_is_not_callable(self):
        def program(loop, say):
            loop.set_debug(False)
            loop.call_soon(5)
            loop.call_soon(loop.stop)
            loop.run_forever()

            async def coroutine():
                pass

            loop.set_debug(True)
            made = coroutine()
            for callback in (5, coroutine, made):
                say(attempt(loop.call_soon, callback))
                say(attempt(loop.call_soon_threadsafe, callback))
                say(attempt(loop.call_later, 1, callback))
                say(attempt(loop.call_at, 1, callback))
                say(attempt(loop.run_in_executor, None, callback))
            made.close()

        self.same(program)

    def test_times_of_every_kind(self):
        from fractions import Fraction

        def program(loop, say):
            base = int(loop.time())
            for when in (base + 50, base + 50.5, True, Fraction(base + 50), -1, float("inf"), 1e30):
                handle = loop.call_at(when, print)
                say(type(handle.when()).__name__, handle.when() == when)
                handle.cancel()
            for delay in (10, 2.5, Fraction(5, 2), False, -3, float("inf")):
                before = loop.time()
                handle = loop.call_later(delay, print)
                after = loop.time()
                say(type(handle.when()).__name__, before + delay <= handle.when() <= after + delay)
                handle.cancel()

        self.same(program)

    def test_readers_and_writers(self):
        def program(loop, say):
            ours, peer = socket.socketpair()
            with ours, peer:
                say(loop.add_reader(ours, print), loop.add_writer(ours.fileno(), print))
                say(loop.remove_reader(ours), loop.remove_reader(ours.fileno()))
                say(loop.add_writer(ours, print), loop.remove_writer(ours))
                say(loop.remove_writer(ours), loop.remove_reader(12345), loop.remove_writer(12345))
                say(attempt(loop.add_reader, 12345, print))
                say(attempt(loop.add_writer, 12345, print))
            for name in ("add_reader", "add_writer", "remove_reader", "remove_writer"):
                method = getattr(loop, name)
                args = (print,) if name.startswith("add") else ()
                for wrong in (-1, "x", None, 1.5, object()):
                    say(name, wrong if wrong.__class__ is not object else "", attempt(
                        method, wrong, *args))
                say(attempt(method, ours, *args))  # closed: its number is -1
                say(attempt(method).partition(":")[0])
            with open(__file__) as file:
                say(attempt(loop.add_reader, file, print))
                say(attempt(loop.add_reader, file.fileno(), print))

        self.same(program)

    def test_a_transports_descriptor_is_not_for_others(self):
        async def program(loop, say):
            ours, peer = socket.socketpair()
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
            fd = transport.get_extra_info("socket").fileno()
            for name in ("add_reader", "add_writer"):
                say(attempt(getattr(loop, name), fd, print)[:40])
            for name in ("remove_reader", "remove_writer"):
                say(attempt(getattr(loop, name), fd)[:40])
            for coroutine in (
                loop.sock_recv(ours, 1), loop.sock_recv_into(ours, bytearray(1)),
                loop.sock_sendall(ours, b"x"), loop.sock_recvfrom(ours, 1),
            ):
                say(str(await attempted(coroutine))[:40])
            if sys.version_info >= (3, 12):  # before, only coloop looks
                second = await attempted(loop.create_connection(asyncio.Protocol, sock=ours))
                say(str(second)[:40])
            transport.close()
            peer.close()

        self.same(program)

    def test_running_what_cannot_be_run(self):
        def program(loop, say):
            say(attempt(loop.run_until_complete, 5))
            say(attempt(loop.run_until_complete, print).partition(":")[0])
            say(attempt(loop.create_task, 5).partition(":")[0])
            future = loop.create_future()
            future.set_result("done")
            say(loop.run_until_complete(future), loop.run_until_complete(future))
            cancelled = loop.create_future()
            cancelled.cancel()
            try:
                loop.run_until_complete(cancelled)
            except asyncio.CancelledError:
                say("cancelled", loop.is_running())

        self.same(program)

    def test_tasks_and_factories(self):
        import contextvars

        variable = contextvars.ContextVar("variable", default="outer")

        async def name(loop):
            return asyncio.current_task(loop).get_name(), variable.get()

        def program(loop, say):
            context = contextvars.copy_context()
            context.run(variable.set, "inner")
            say(loop.get_task_factory(), attempt(loop.set_task_factory, 5))
            for kwargs in ({}, {"name": "named"}, {"context": context}, {"name": None},
                           {"name": "both", "context": context}):
                say(loop.run_until_complete(loop.create_task(name(loop), **kwargs)))
            say(loop.run_until_complete(loop.create_task(coro=name(loop))))
            for kwargs in ({"nonsense": 1}, {"coro": 5}):
                unused = name(loop)
                say(attempt(loop.create_task, unused, **kwargs).partition(":")[0])
                unused.close()

            def factory(loop, coro, **kwargs):
                say("factory", sorted(kwargs))
                return asyncio.Task(coro, loop=loop, **kwargs)

            loop.set_task_factory(factory)
            say(loop.run_until_complete(loop.create_task(name(loop))))
            say(loop.run_until_complete(name(loop)))
            say(loop.get_task_factory() is factory)
            loop.set_task_factory(None)
            say(loop.run_until_complete(loop.create_task(name(loop))))
            future = loop.create_future()
            say(type(future).__name__, future.get_loop() is loop)

        self.same(program)

    @unittest.skipIf(sys.version_info < (3, 12), "eager tasks came with 3.12")
    def test_eager_tasks(self):
        async def program(loop, say):
            async def body(word, wait):
                say(word, "begins", asyncio.current_task() is not None)
                if wait:
                    await asyncio.sleep(0)
                say(word, "ends")
                return word

            loop.set_task_factory(asyncio.eager_task_factory)
            first = loop.create_task(body("first", False))
            second = loop.create_task(body("second", True), name="second")
            say(first.done(), second.done(), second.get_name())
            say(await first, await second, await asyncio.gather(body("a", True), body("b", False)))

        self.same(program)

    def test_executors(self):
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

        async def program(loop, say):
            def fail():
                raise LookupError("job")

            say(await loop.run_in_executor(None, pow, 2, 5))
            say(await attempted(loop.run_in_executor(None, fail)))
            with ThreadPoolExecutor(1) as pool:
                say(await loop.run_in_executor(pool, len, "four"))
            say(attempt(loop.set_default_executor, 5))
            say(attempt(loop.set_default_executor, ProcessPoolExecutor(1)))
            loop.set_default_executor(ThreadPoolExecutor(1, thread_name_prefix="mine"))
            import threading

            name = await loop.run_in_executor(None, lambda: threading.current_thread().name)
            say(name)
            # A queued job is cancelled, one that runs is not.
            go_on, begun = threading.Event(), threading.Event()
            running = loop.run_in_executor(None, lambda: (begun.set(), go_on.wait(30)))
            queued = loop.run_in_executor(None, say, "never said")
            while not begun.is_set():
                await asyncio.sleep(0.001)
            say(queued.cancel(), running.cancel())
            await asyncio.sleep(0)
            go_on.set()
            say(await attempted(queued), await attempted(running))
            await loop.shutdown_default_executor()
            say(attempt(loop.run_in_executor, None, print))

        self.same(program)

    def test_names_and_addresses(self):
        async def program(loop, say):
            say(await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))
            say(await loop.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST))
            say((await attempted(loop.getaddrinfo("no.such.host.invalid", 80)))[:8])

        self.same(program)

    def test_signals(self):
        def program(loop, say):
            seen = []
            say(attempt(loop.add_signal_handler, "x", print))
            say(attempt(loop.add_signal_handler, 999, print))
            say(attempt(loop.add_signal_handler, signal.SIGKILL, print))
            say(attempt(loop.remove_signal_handler, "x"))
            say(loop.remove_signal_handler(signal.SIGUSR1))
            say(loop.add_signal_handler(signal.SIGUSR1, seen.append, "replaced"))
            say(loop.add_signal_handler(signal.SIGUSR1, seen.append, "one"))
            say(loop.add_signal_handler(signal.SIGUSR2, lambda: (seen.append("two"), loop.stop())))
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR2)
            loop.run_forever()
            say(sorted(seen))
            loop.call_later(0.01, signal.raise_signal, signal.SIGUSR2)
            loop.run_forever()
            say(sorted(seen))
            say(loop.remove_signal_handler(signal.SIGUSR1))
            say(loop.remove_signal_handler(signal.SIGUSR1))
            say(signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL)
            loop.close()
            say(signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL, signal.set_wakeup_fd(-1))

        self.same(program)

    def test_signals_in_another_thread(self):
        import threading

        def program(loop, say):
            def main():
                say(attempt(loop.add_signal_handler, signal.SIGUSR1, print))

            thread = threading.Thread(target=main)
            thread.start()
            thread.join()

        self.same(program)

    def test_wrong_arguments_of_endpoints(self):
        async def program(loop, say):
            stream = socket.socket()
            datagram = socket.socket(type=socket.SOCK_DGRAM)
            blocking = socket.socket()
            for coroutine in (
                loop.create_connection(asyncio.Protocol),
                loop.create_connection(asyncio.Protocol, "h", 1, sock=stream),
                loop.create_connection(asyncio.Protocol, sock=datagram),
                loop.create_connection(asyncio.Protocol, "h", 1, server_hostname="h"),
                loop.create_connection(asyncio.Protocol, "127.0.0.1", 1, ssl=True,
                                       local_addr=5),
                loop.create_connection(asyncio.Protocol, "h", 1, ssl_handshake_timeout=1),
                loop.create_server(asyncio.Protocol, "h", 1, sock=stream),
                loop.create_server(asyncio.Protocol),
                loop.create_server(asyncio.Protocol, sock=datagram),
                loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=5),
                loop.create_unix_connection(asyncio.Protocol),
                loop.create_unix_connection(asyncio.Protocol, "p", sock=stream),
                loop.create_unix_connection(asyncio.Protocol, "/no/such/path"),
                loop.create_unix_server(asyncio.Protocol),
                loop.create_unix_server(asyncio.Protocol, "/no/such/folder/socket"),
                loop.create_unix_server(asyncio.Protocol, sock=stream),
                loop.create_datagram_endpoint(asyncio.DatagramProtocol),
                loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=stream),
                loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0),
                                              sock=datagram),
                loop.connect_accepted_socket(asyncio.Protocol, datagram),
                loop.start_tls(None, None, 5),
                loop.subprocess_shell(asyncio.SubprocessProtocol, 5),
                loop.subprocess_exec(asyncio.SubprocessProtocol, "true", shell=True),
                loop.subprocess_exec(asyncio.SubprocessProtocol, 5),
                loop.subprocess_exec(asyncio.SubprocessProtocol, "/no/such/program"),
                loop.sendfile(None, io.BytesIO(b"")),
                loop.sock_sendfile(stream, io.StringIO("")),
                loop.connect_read_pipe(asyncio.Protocol, open(__file__)),
                loop.connect_write_pipe(asyncio.BaseProtocol, open(__file__)),
            ):
                result = await attempted(coroutine)
                say(result if isinstance(result, str) else type(result).__name__)
            loop.set_debug(True)
            blocking.setblocking(True)
            for coroutine in (
                loop.sock_recv(blocking, 1), loop.sock_recv_into(blocking, bytearray(1)),
                loop.sock_sendall(blocking, b""), loop.sock_accept(blocking),
                loop.sock_connect(blocking, ("127.0.0.1", 1)), loop.sock_recvfrom(blocking, 1),
                loop.sock_sendto(blocking, b"", ("127.0.0.1", 1)),
                loop.sock_recvfrom_into(blocking, bytearray(1)),
            ):
                say(await attempted(coroutine))
            for sock in (stream, datagram, blocking):
                sock.close()

        self.same(program)

    def test_state(self):
        def program(loop, say):
            say(loop.is_running(), loop.is_closed(), repr(loop))
            loop.set_debug(True)
            say(loop.get_debug(), repr(loop), loop.slow_callback_duration)
            loop.call_soon(lambda: say(loop.is_running(), repr(loop)))
            loop.call_soon(loop.stop)
            loop.run_forever()
            say(loop.get_exception_handler() is not None, attempt(loop.set_exception_handler, 5))
            say(type(loop.time()).__name__, loop.time() <= loop.time())
            loop.close()
            say(loop.close(), loop.is_closed(), repr(loop), loop.time() > 0)

        self.same(program)

    def test_an_open_loop_that_is_forgotten_warns(self):
        for kind in both.LOOPS:
            done = subprocess.run(
                [sys.executable, "-W", "always", "-c",
                 f"import sys; sys.path[:0] = {sys.path!r}\n"
                 f"import both; loop = both.LOOPS[{kind!r}](); del loop"],
                capture_output=True, text=True, timeout=both.LIMIT,
            )
            self.assertIn("ResourceWarning: unclosed event loop <", done.stderr, kind)
            self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
