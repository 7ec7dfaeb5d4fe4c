"""Nothing is left of what is over: loops, callbacks, transports, descriptors."""

import asyncio
import contextvars
import gc
import os
import socket
import sys
import unittest
import weakref

import both


def turn(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


class Memory(both.Case):
    def loop_ends(self, use, *, close=True):
        """A loop that `use` was called with is collected, on both loops."""
        for kind, make in both.LOOPS.items():
            loop = make()
            kept = use(loop)
            if close:
                loop.close()
            end = weakref.ref(loop)
            del loop, kept
            gc.collect()
            gc.collect()
            self.assertIsNone(end(), kind)

    def test_an_unused_loop(self):
        self.loop_ends(lambda loop: None)

    def test_a_loop_that_is_not_closed(self):
        self.loop_ends(lambda loop: None, close=False)
        self.loop_ends(lambda loop: loop.call_later(60, loop.stop) and None, close=False)

    def test_a_loop_with_everything_scheduled(self):
        def use(loop):
            ours, peer = socket.socketpair()
            loop.add_reader(ours, loop.stop, ours, peer)
            loop.add_writer(ours, loop.stop, ours, peer)
            loop.call_soon(loop.stop)
            loop.call_soon_threadsafe(loop.call_later, 5, loop.stop)
            loop.call_later(60, loop.stop)

        self.loop_ends(use)

    def test_a_loop_with_tasks_that_wait(self):
        def use(loop):
            async def sleeper():
                await asyncio.sleep(60)

            async def receiver():
                ours, peer = socket.socketpair()
                ours.setblocking(False)
                await loop.sock_recv(ours, 10), peer

            loop.set_exception_handler(lambda loop, context: None)
            tasks = [loop.create_task(sleeper()), loop.create_task(receiver())]
            turn(loop)
            turn(loop)
            del tasks

        self.loop_ends(use)

    def test_a_loop_whose_handler_has_a_handle(self):
        class Holder:
            def handler(self, loop, context):
                pass

        def use(loop):
            for schedule in (loop.call_soon, lambda function: loop.call_later(0, function)):
                holder = Holder()
                holder.ran = schedule(int)
                holder.cancelled = loop.call_later(5, int)
                holder.cancelled.cancel()
                holder.pending = loop.call_later(60, int)
                loop.set_exception_handler(holder.handler)
            loop.call_later(0.005, loop.stop)
            loop.run_forever()

        self.loop_ends(use)

    def test_a_loop_with_transports(self):
        def use(loop):
            async def main():
                ours, peer = socket.socketpair()
                transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
                server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
                datagrams, _ = await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, ("127.0.0.1", 0)
                )
                transport.close()
                server.close()
                datagrams.close()
                peer.close()
                await asyncio.sleep(0.001)

            loop.run_until_complete(main())

        self.loop_ends(use)

    def test_a_loop_with_signals_and_children(self):
        import signal

        def use(loop):
            async def main():
                loop.add_signal_handler(signal.SIGUSR1, loop.stop)
                process = await asyncio.create_subprocess_exec("true")
                await process.wait()

            asyncio.set_event_loop(loop)
            loop.run_until_complete(main())
            asyncio.set_event_loop(None)

        self.loop_ends(use)

    def test_descriptors(self):
        def count():
            return len(os.listdir("/proc/self/fd"))

        for make in both.LOOPS.values():
            make().close()
            before = count()
            for _ in range(20):
                loop = make()
                loop.run_until_complete(asyncio.sleep(0))
                loop.close()
            self.assertEqual(count(), before)

    def test_references_of_callbacks(self):
        """Scheduling, running, failing and cancelling take as many as they give back."""
        loop = both.coloop.new_event_loop()
        loop.set_exception_handler(lambda loop, context: None)
        context = contextvars.copy_context()

        class Fails:
            def __call__(self, *args):
                raise LookupError

        callback, fails, argument = (lambda *args: None), Fails(), object()
        things = (callback, fails, argument, context)

        def use():
            for function in (callback, fails):
                for count in range(6):
                    arguments = (argument,) * count
                    loop.call_soon(function, *arguments)
                    loop.call_soon(function, *arguments, context=context)
                    loop.call_soon_threadsafe(function, *arguments)
                    loop.call_later(0, function, *arguments)
                    loop.call_at(0, function, *arguments, context=context)
                    loop.call_soon(function, *arguments).cancel()
                    loop.call_later(5, function, *arguments).cancel()
            loop.call_later(0.001, loop.stop)
            loop.run_forever()

        for debug in (False, True):
            loop.set_debug(debug)
            use()
            gc.collect()
            before = [sys.getrefcount(thing) for thing in things]
            for _ in range(20):
                use()
            gc.collect()
            self.assertEqual(before, [sys.getrefcount(thing) for thing in things])
        loop.close()

    def test_references_of_what_is_refused(self):
        loop = both.coloop.new_event_loop()
        argument = object()
        ours, peer = socket.socketpair()

        def use():
            for function, args in [
                (loop.call_later, ("x", int, argument)), (loop.call_at, (None, int, argument)),
                (loop.add_reader, (-1, int, argument)), (loop.add_reader, (argument, int)),
                (loop.add_reader, (12345, int, argument)), (loop.remove_reader, (argument,)),
                (loop.create_task, (argument,)), (loop.run_until_complete, (argument,)),
                (loop.sock_recv_into, (ours, argument)), (loop.sock_sendall, (argument, b"")),
            ]:
                made = both.attempt(function, *args)
                if asyncio.iscoroutine(made):
                    made.close()

        use()
        gc.collect()
        before = sys.getrefcount(argument), sys.getrefcount(loop)
        for _ in range(20):
            use()
        gc.collect()
        self.assertEqual(before, (sys.getrefcount(argument), sys.getrefcount(loop)))
        loop.close()
        closed = sys.getrefcount(argument)
        for function in (loop.call_soon, loop.call_soon_threadsafe):
            for _ in range(5):
                both.attempt(function, int, argument)
        self.assertEqual(closed, sys.getrefcount(argument))
        ours.close()
        peer.close()

    def test_blocks_of_memory(self):
        """A thousand rounds of everything small leave as much as ten."""

        async def round_of(loop, pairs):
            for ours, peer in pairs:
                ours.send(b"x")
                await loop.sock_recv(peer, 10)
                waiting = loop.create_task(loop.sock_recv(peer, 10))
                await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
            loop.call_later(5, int).cancel()
            loop.call_soon(int)
            await asyncio.sleep(0)
            try:
                await asyncio.wait_for(loop.create_future(), 0)
            except asyncio.TimeoutError:
                pass

        async def main(loop, rounds, pairs):
            for _ in range(rounds):
                await round_of(loop, pairs)

        for kind, make in both.LOOPS.items():
            loop = make()
            pairs = [socket.socketpair() for _ in range(2)]
            for pair in pairs:
                for sock in pair:
                    sock.setblocking(False)
            loop.run_until_complete(main(loop, 200, pairs))
            gc.collect()
            before = sys.getallocatedblocks(), len(gc.get_objects())
            loop.run_until_complete(main(loop, 1000, pairs))
            gc.collect()
            after = sys.getallocatedblocks(), len(gc.get_objects())
            self.assertLess(after[0] - before[0], 200, kind)
            self.assertLess(after[1] - before[1], 50, kind)
            for pair in pairs:
                for sock in pair:
                    sock.close()
            loop.close()


if __name__ == "__main__":
    unittest.main()
