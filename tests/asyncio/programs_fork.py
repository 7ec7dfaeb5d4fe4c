"""Programs that fork: what the child sees, and that the parent goes on.

PROMISED says what those print on coloop where asyncio's loop does something else,
or does it differently from version to version.
"""

import asyncio
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor

from both import attempt

PROMISED = {}


def promised(text):
    def note(function):
        PROMISED[function.__name__] = text + "exit 0\n"
        return function

    return note


def in_child(function, *args):
    """Calls it in a forked child, which ends; returns the child's status."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        signal.alarm(30)
        code = 1
        try:
            function(*args)
            code = 0
        except BaseException as error:
            print("child raised", type(error).__name__, error)
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitpid(pid, 0)[1]


class Parent:
    """A loop with a timer, a reader and posts of a thread: all must still work."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self.seen = []
        self.loop.add_reader(self.ours, self.read)
        self.loop.call_later(0.02, self.seen.append, "timer")

    def read(self):
        self.seen.append(self.ours.recv(10))
        poster = threading.Timer(0.1, self.loop.call_soon_threadsafe, (self.loop.stop,))
        poster.start()

    def check(self):
        self.loop.call_later(0.05, self.peer.send, b"bytes")
        self.loop.call_later(20, self.seen.append, "not woken")
        self.loop.call_later(20, self.loop.stop)
        self.loop.run_forever()
        print("parent", self.seen)
        self.loop.close()


WELL = "parent ['timer', b'bytes']\n"


def a_new_loop_in_the_child_of_a_coroutine():  # E7 F2
    def child():
        print("running", asyncio._get_running_loop())
        loop = asyncio.new_event_loop()
        print(loop.run_until_complete(asyncio.sleep(0.01, result="child")))
        loop.close()

    async def main():
        print(in_child(child))
        return "parent"

    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(main()))
    loop.close()


def asyncio_run_in_the_child_of_a_coroutine():
    async def answer():
        await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(sock=socket.socketpair()[0])
        writer.close()
        return "child"

    async def main():
        print(in_child(lambda: print(asyncio.run(answer()))))
        return "parent"

    print(asyncio.run(main()))


@promised("True RuntimeError\n" + WELL)
def the_child_does_not_get_the_parents_loop():  # F3
    parent = Parent()
    asyncio.set_event_loop(parent.loop)

    async def main():
        def child():
            print(asyncio._get_running_loop() is None, attempt(asyncio.get_running_loop)[:12])

        in_child(child)

    parent.loop.run_until_complete(main())
    parent.check()


@promised("0\n" + WELL)
def the_child_closes_the_inherited_loop():  # F5
    parent = Parent()
    print(in_child(parent.loop.close))
    parent.check()


@promised("0\n" + WELL)
def the_child_of_a_coroutine_closes_the_inherited_loop():  # F5
    parent = Parent()

    async def main():
        print(in_child(parent.loop.close))

    parent.loop.run_until_complete(main())
    parent.check()


@promised("0\n" + WELL)
def the_child_drops_the_inherited_loop():  # F6
    parent = Parent()

    def child():
        del parent.loop
        gc.collect()

    print(in_child(child))
    parent.check()


REFUSALS = [
    ("call_soon", (print,)), ("call_soon_threadsafe", (print,)), ("call_later", (1, print)),
    ("call_at", (1, print)), ("add_reader", (0, print)), ("add_writer", (1, print)),
    ("remove_reader", (0,)), ("remove_writer", (1,)), ("run_forever", ()), ("stop", ()),
]


@promised("".join(f"{name} RuntimeError\n" for name, _ in REFUSALS)
          + "False False\ncloses None True\n0\n" + WELL)
def the_child_uses_the_inherited_loop():  # F4 F7
    parent = Parent()

    def child():
        loop = parent.loop
        texts = set()
        for name, args in REFUSALS:
            kind, _, text = attempt(getattr(loop, name), *args).partition(": ")
            print(name, kind)
            texts.add(text)
        assert len(texts) == 1, texts
        print(loop.is_running(), loop.is_closed())
        print("closes", loop.close(), loop.is_closed())

    print(in_child(child))
    parent.check()


@promised("RuntimeError True\n0\n" + WELL)
def the_refusal_names_both_processes():
    parent = Parent()

    def child():
        kind, _, text = attempt(parent.loop.call_soon, print).partition(": ")
        print(kind, text == f"loop belongs to pid {os.getppid()}; it was inherited through fork")

    print(in_child(child))
    parent.check()


@promised("child ['child reads', 'posted']\n0\n" + WELL)
def mode_asyncio_works_on_in_the_child():
    works_on("asyncio")


@promised("child ['child reads', 'posted']\n0\n" + WELL)
def mode_reinit_works_on_in_the_child():
    works_on("reinit")


def works_on(mode):
    import coloop

    made = asyncio.new_event_loop
    asyncio.new_event_loop = lambda: coloop.new_event_loop(fork=mode)
    parent = Parent()
    asyncio.new_event_loop = made

    def child():
        loop, seen = parent.loop, []
        ours, peer = socket.socketpair()

        def read():
            seen.append(f"child {ours.recv(10).decode()}")
            thread = threading.Timer(0.05, loop.call_soon_threadsafe, (post,))
            thread.start()

        def post():
            seen.append("posted")
            loop.stop()

        loop.add_reader(ours, read)
        loop.call_later(0.01, peer.send, b"reads")
        loop.call_later(20, loop.stop)
        loop.run_forever()
        print("child", seen)
        loop.close()

    print(in_child(child))
    parent.check()


@promised("child ['own', 'timer', b'bytes']\n0\n" + WELL)
def mode_asyncio_keeps_timers_and_readers():
    keeps("asyncio")


@promised("child ['own', 'timer']\n0\n" + WELL)
def mode_reinit_keeps_timers_only():
    keeps("reinit")


def keeps(mode):
    import coloop

    made = asyncio.new_event_loop
    asyncio.new_event_loop = lambda: coloop.new_event_loop(fork=mode)
    parent = Parent()
    asyncio.new_event_loop = made

    def child():
        loop = parent.loop
        loop.call_soon(parent.seen.append, "own")
        loop.call_later(0.1, parent.peer.send, b"bytes")
        loop.call_later(0.3, loop.stop)
        loop.run_forever()
        if mode == "reinit":  # nobody has read it
            parent.ours.recv(10)
        print("child", parent.seen)
        loop.close()

    print(in_child(child))
    parent.check()


@promised("ValueError: fork must be one of error, asyncio, reinit\n")
def fork_modes_have_names():
    import coloop

    print(attempt(coloop.EventLoop, fork="other"))


@promised("child RuntimeError True\n0\nparent 5\n")
def the_child_returns_into_the_run():  # F14
    sys.stdout.flush()
    me = os.getpid()

    async def main():
        pid = os.fork()
        if pid == 0:
            signal.alarm(30)
            return "child"
        print(os.waitpid(pid, 0)[1])
        return await asyncio.sleep(0.01, result=5)

    loop = asyncio.new_event_loop()
    try:
        result = loop.run_until_complete(main())
    except RuntimeError as error:
        print("child RuntimeError", str(error).startswith(f"loop belongs to pid {os.getppid()}"))
        loop.close()
        sys.stdout.flush()
        os._exit(0 if os.getpid() != me else 1)
    print("parent", result)
    loop.close()


@promised("[]\n")
def a_signal_of_the_child_is_not_the_parents():  # F10
    loop, seen = asyncio.new_event_loop(), []
    loop.add_signal_handler(signal.SIGUSR1, seen.append, "parent")
    ours, theirs = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.write(theirs, b"x")
        time.sleep(0.3)
        os._exit(0)
    os.read(ours, 1)
    os.kill(pid, signal.SIGUSR1)
    loop.call_later(0.5, loop.stop)
    loop.run_forever()
    os.waitpid(pid, 0)
    print(seen)
    loop.close()


def a_signal_of_the_parent_is_the_parents():  # F10
    loop, seen = asyncio.new_event_loop(), []

    def handler():
        seen.append("parent")
        loop.stop()

    loop.add_signal_handler(signal.SIGUSR1, handler)
    ours, theirs = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.read(ours, 1)
        os._exit(0)
    loop.call_later(0.05, os.kill, os.getpid(), signal.SIGUSR1)
    loop.call_later(20, loop.stop)
    loop.run_forever()
    os.write(theirs, b"x")
    print(seen, os.waitpid(pid, 0)[1])
    loop.close()


def subprocesses_beside_a_child():  # F12
    async def main():
        print(in_child(lambda: asyncio.run(echo("child"))))
        await echo("parent")

    async def echo(word):
        process = await asyncio.create_subprocess_exec(
            "echo", word, stdout=asyncio.subprocess.PIPE
        )
        print((await process.communicate())[0], process.returncode)
        sys.stdout.flush()

    asyncio.run(main())


def square(number):
    return number * number, os.getpid()


def a_process_pool_in_a_callback():  # F17
    async def main():
        loop = asyncio.get_running_loop()
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            results = await asyncio.gather(
                *(loop.run_in_executor(pool, square, number) for number in range(6))
            )
        print([number for number, _ in results], os.getpid() in [pid for _, pid in results])

    asyncio.run(main())


async def doubled(number):
    await asyncio.sleep(0.01)
    return 2 * number


def worker(connection, number):
    """A loop of its own in a forked worker, of whatever kind is usual."""
    connection.send(asyncio.run(doubled(number)))
    connection.close()


def multiprocessing_with_fork_in_a_callback():  # F17
    async def main():
        context = multiprocessing.get_context("fork")
        loop = asyncio.get_running_loop()
        ours, theirs = context.Pipe(False)
        process = context.Process(target=worker, args=(theirs, 21))
        process.start()
        theirs.close()
        arrived = loop.create_future()
        loop.add_reader(ours.fileno(), lambda: arrived.done() or arrived.set_result(ours.recv()))
        print(await asyncio.wait_for(arrived, 30))
        loop.remove_reader(ours.fileno())
        await loop.run_in_executor(None, process.join)
        print(process.exitcode)

    asyncio.run(main())


@promised("child dropped ['a', 'b']\n0\nparent ran ['a', 'b']\n")
def queued_callbacks_run_in_the_parent_only():  # F18
    class Noted:
        """Says when its last reference goes."""

        def __init__(self, name, ends):
            self.name, self.ends = name, ends

        def __call__(self):
            ran.append(self.name)

        def __del__(self):
            self.ends.append(self.name)

    ran, ends = [], []
    loop = asyncio.new_event_loop()
    loop.call_soon(Noted("a", ends))
    loop.call_later(0, Noted("b", ends))

    def child():
        loop.close()
        print("child dropped", ends, *ran)

    print(in_child(child))
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    print("parent ran", ran)
    assert ends == ["a", "b"], ends
    loop.close()


@promised("child RuntimeError\n0\nparent 3\n")
def jobs_in_the_child():  # F11
    loop = asyncio.new_event_loop()
    print_result = loop.run_until_complete(loop.run_in_executor(None, int, "3"))

    def child():
        print("child", attempt(loop.run_until_complete, asyncio.sleep(0)).partition(":")[0])

    print(in_child(child))
    print("parent", print_result)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@promised("1\n2\n3\n4\n5\n0\n")
def generations_of_children():  # F19
    def generation(number):
        loop = asyncio.new_event_loop()
        print(loop.run_until_complete(asyncio.sleep(0.001, result=number)))
        if number < 5:
            status = in_child(generation, number + 1)
            assert status == 0, status
            loop.run_until_complete(asyncio.sleep(0.001))
        loop.close()

    print(in_child(generation, 1))


def a_fork_while_a_loop_runs_in_another_thread():  # F13
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    running = threading.Event()
    loop.call_soon_threadsafe(running.set)
    running.wait()

    def child():
        other = asyncio.new_event_loop()
        print(other.run_until_complete(asyncio.sleep(0.01, result="child")))
        other.close()

    print(in_child(child))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    print("joined")
    loop.close()
