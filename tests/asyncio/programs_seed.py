"""Programs that print what happens: introductions' examples, each in its own process.

A row of docs/contract.md stands before a program that shows it on the Python side.
"""

import asyncio
import contextvars
import gc
import logging
import os
import pickle
import random
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from both import attempt


def in_thread(target, *args, **options):
    thread = threading.Thread(target=target, args=args, daemon=True, **options)
    thread.start()
    return thread


def started(loop):
    """Waits until a loop runs in its thread."""
    running = threading.Event()
    loop.call_soon_threadsafe(running.set)
    running.wait()


def get_event_loop_in_the_main_thread():  # E1 E25
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    print(repr(loop), loop is asyncio.get_event_loop())
    loop.close()
    print(repr(loop), str(loop))


def get_event_loop_in_another_thread():  # E13 P3
    in_thread(lambda: print(attempt(asyncio.get_event_loop))).join()


def call_soon_from_another_thread_wakes_nobody():  # E3
    seen = []
    loop = asyncio.new_event_loop()
    loop.set_debug(False)
    thread = in_thread(loop.run_forever)
    started(loop)
    time.sleep(0.1)
    loop.call_soon(seen.append, "task")
    time.sleep(0.2)
    print("not woken", seen)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    print("woken", seen)
    loop.close()


def timers_from_another_thread_wait_for_the_next_wake():
    seen = []
    loop = asyncio.new_event_loop()
    loop.set_debug(False)
    thread = in_thread(loop.run_forever)
    started(loop)
    time.sleep(0.1)
    loop.call_later(0, seen.append, "first")
    loop.call_later(30, seen.append, "never").cancel()
    loop.call_soon_threadsafe(lambda: loop.call_later(0.05, loop.stop))
    thread.join()
    print(seen)
    loop.close()


def call_soon_from_another_thread_in_debug_mode():  # E3
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    thread = in_thread(loop.run_forever)
    started(loop)
    print(attempt(loop.call_soon, print))
    print(attempt(loop.call_later, 0, print))
    print(attempt(loop.call_at, 0, print))
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def call_soon_threadsafe_prints():  # E4 P4
    loop = asyncio.new_event_loop()
    thread = in_thread(loop.run_forever)
    loop.call_soon_threadsafe(print, "task")
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    print("joined")


def a_pool_of_threads_and_loops():  # E10
    pool, results = ThreadPoolExecutor(5), []
    together = threading.Barrier(5)

    def job(number):
        together.wait(20)  # all five run at once
        return number

    def main(number):
        loop = asyncio.new_event_loop()
        results.append(loop.run_until_complete(loop.run_in_executor(pool, job, number)))
        loop.close()

    threads = [in_thread(main, number) for number in range(5)]
    for thread in threads:
        thread.join()
    print(sorted(results))


def jobs_run_though_the_loop_does_not():  # E9
    seen = []
    pool, loop = ThreadPoolExecutor(2), asyncio.new_event_loop()
    futures = [loop.run_in_executor(pool, seen.append, word) for word in ("boo", "baa")]
    pool.shutdown()
    print(sorted(seen), [future.done() for future in futures])
    loop.run_until_complete(asyncio.wait(futures))
    print([future.done() for future in futures])
    loop.close()


def two_loops_in_one_thread():  # P9
    async def nothing():
        pass

    async def main():
        other = asyncio.new_event_loop()
        print(attempt(other.run_forever))
        unused = nothing()
        print(attempt(other.run_until_complete, unused))
        unused.close()
        running = asyncio.get_running_loop()
        other.close()
        print(attempt(running.close))
        unused = nothing()
        print(attempt(asyncio.run, unused))
        unused.close()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()


def a_running_loop_cannot_run():  # P9
    async def main():
        print(attempt(asyncio.get_running_loop().run_forever))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()


def nothing_works_on_a_closed_loop():  # P19
    async def nothing():
        pass

    loop = asyncio.new_event_loop()
    loop.close()
    for name, args in [
        ("call_soon", (print,)), ("call_later", (1, print)), ("call_at", (1, print)),
        ("call_soon_threadsafe", (print,)), ("run_forever", ()),
        ("run_in_executor", (None, print)), ("add_reader", (0, print)),
        ("add_writer", (1, print)), ("remove_reader", (0,)), ("remove_writer", (1,)),
        ("add_signal_handler", (10, print)), ("stop", ()), ("close", ()),
        ("is_closed", ()), ("is_running", ()), ("get_debug", ()),
    ]:
        print(name, attempt(getattr(loop, name), *args))
    for name in ("create_task", "run_until_complete"):
        unused = nothing()
        print(name, attempt(getattr(loop, name), unused))
        unused.close()
    future = loop.create_future()
    future.set_result(1)
    print("add_done_callback", attempt(future.add_done_callback, print))
    print(type(loop.time()).__name__, repr(loop))


def loops_of_threads():  # E14 E2
    policy, made = asyncio.get_event_loop_policy(), []

    def main():
        loop = asyncio.get_event_loop_policy().new_event_loop()
        asyncio.set_event_loop(loop)
        made.append(loop)
        print(asyncio.get_event_loop() is loop, asyncio.get_event_loop_policy() is policy)

    for _ in range(3):
        in_thread(main).join()
    print(len(set(map(id, made))))
    for loop in made:
        loop.close()


def set_event_loop_wants_a_loop():  # E2
    print(attempt(asyncio.set_event_loop, None))
    if sys.version_info >= (3, 12):  # an assertion before
        print(attempt(asyncio.set_event_loop, 5))


def a_child_watcher_and_finalizers():  # E15 E16 E20
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    watcher = asyncio.get_child_watcher()
    print(attempt(watcher.attach_loop, loop), type(watcher).__name__)
    try:
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    print(loop.is_closed())


def run_then_get():  # E17 E18 E19 P21 P22
    async def main():
        return 7

    print(asyncio.run(main()), asyncio.run(main()))
    print(attempt(asyncio.get_event_loop))
    print(attempt(asyncio.run, 5))


def four_ways_to_schedule():  # E21 P24
    seen = []
    loop = asyncio.new_event_loop()
    loop.call_soon(seen.append, "soon")
    loop.call_soon_threadsafe(seen.append, "threadsafe")
    loop.call_later(0.05, seen.append, "later")
    loop.call_at(loop.time() + 0.1, seen.append, "at")
    loop.call_later(0.15, loop.stop)
    try:
        loop.run_forever()
    finally:
        loop.close()
    print(seen)


def control_c_ends_a_wait():  # E21
    loop = asyncio.new_event_loop()
    main = threading.get_ident()
    timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    try:
        loop.run_forever()
    except KeyboardInterrupt:
        print("interrupted", loop.is_running())
        loop.stop()
    loop.call_soon(print, "one turn")
    loop.run_forever()
    print("returned")
    loop.close()


def control_c_cancels_the_main_task():
    async def main():
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            print("cancelled")
            raise

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("interrupted")


def a_context_keeps_what_is_set():  # E22 P25
    variable = contextvars.ContextVar("variable", default=0)
    context = contextvars.copy_context()
    loop = asyncio.new_event_loop()
    loop.call_soon(variable.set, 5, context=context)
    loop.call_soon(variable.set, 6)
    loop.call_soon(loop.stop)
    loop.run_forever()
    print(context[variable], variable.get())


def gather_keeps_the_order():  # E23
    async def work(number):
        return await asyncio.sleep(random.random() * 0.05, result=number)

    async def main():
        return await asyncio.gather(*(work(number) for number in range(10)))

    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(main()))


def tasks_need_their_loop():  # E11 E12 P26 P27
    async def one():
        return 1

    unused = one()
    print(attempt(asyncio.create_task, unused))
    unused.close()
    print(attempt(asyncio.get_running_loop))
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    task = first.create_task(one())
    print(attempt(second.run_until_complete, task))
    print(first.run_until_complete(task))


def three_threads_three_loops():  # E24 E6
    async def name():
        await asyncio.sleep(0.1)
        return threading.current_thread().name

    def run(loop):
        asyncio.set_event_loop(loop)
        loop.run_forever()

    loops = [asyncio.new_event_loop() for _ in range(3)]
    threads = [in_thread(run, loop, name=f"T{i}") for i, loop in enumerate(loops)]
    futures = [asyncio.run_coroutine_threadsafe(name(), loop) for loop in loops for _ in "123"]
    print(type(futures[0]), [future.result(timeout=20) for future in futures])
    for loop in loops:
        loop.call_soon_threadsafe(partial(lambda loop: loop.stop(), loop))
    for thread in threads:
        thread.join()
    print([loop.is_running() for loop in loops])


def plain_stop_from_another_thread():  # P31
    loop = asyncio.new_event_loop()
    thread = in_thread(loop.run_forever)
    started(loop)
    time.sleep(0.1)
    loop.stop()
    thread.join(0.2)
    print("alive", thread.is_alive())
    loop.call_soon_threadsafe(int)
    thread.join(20)
    print("alive", thread.is_alive())


def a_loop_cannot_be_pickled():  # P30
    print(attempt(pickle.dumps, asyncio.new_event_loop()))


def asynchronous_generators_end():  # E16
    seen, kept = [], []

    async def numbers():
        try:
            while True:
                yield 1
        finally:
            seen.append("closed")

    async def main():
        generator = numbers()
        kept.append(generator)
        async for _ in generator:
            break

    async def forgotten():
        async for _ in numbers():
            break
        gc.collect()
        await asyncio.sleep(0.01)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    print(seen)
    loop.run_until_complete(loop.shutdown_asyncgens())
    print(seen)
    loop.close()
    other = asyncio.new_event_loop()
    other.run_until_complete(forgotten())
    print(seen)
    other.close()


def stop_ends_after_the_turn():  # P10 P19 P23
    seen = []
    loop = asyncio.new_event_loop()

    def first():
        seen.append("first")
        loop.stop()
        loop.call_soon(seen.append, "next turn")

    loop.call_soon(first)
    loop.call_soon(seen.append, "same turn")
    loop.run_forever()
    print(seen)
    loop.stop()
    loop.run_forever()
    print(seen)
    loop.stop()
    loop.call_soon(lambda: loop.call_soon(seen.append, "too late"))
    loop.run_forever()
    print(seen)

    async def stopping():
        loop.stop()
        await asyncio.sleep(30)

    print(attempt(loop.run_until_complete, stopping()))
    print(loop.run_until_complete(asyncio.sleep(0, result=3)), seen)  # P28


def close_is_not_for_coroutines():  # P20
    loop = asyncio.new_event_loop()

    async def main():
        loop.close()

    print(attempt(loop.run_until_complete, main()), loop.is_closed())
    print(hasattr(loop, "for_ever"))


def the_order_of_one_turn():  # 2.1 of asyncio's turn
    seen = []
    ours, peer = socket.socketpair()
    loop = asyncio.new_event_loop()
    loop.add_reader(ours, lambda: (ours.recv(10), seen.append("io")))
    peer.send(b"x")
    loop.call_soon(seen.append, "soon1")
    loop.call_later(0, seen.append, "later0")
    loop.call_at(loop.time() - 1, seen.append, "past")
    loop.call_soon(seen.append, "soon2")
    loop.call_soon(loop.call_soon, seen.append, "nested")
    loop.call_later(0.1, loop.stop)
    time.sleep(0.01)
    loop.run_forever()
    print(seen)


def equal_deadlines():
    seen = []
    loop = asyncio.new_event_loop()
    due = loop.time() + 0.05
    for number in range(9):
        loop.call_at(due, seen.append, number)
    loop.call_at(due + 0.05, loop.stop)
    loop.run_forever()
    print(seen)


def later_zero_is_a_timer():
    seen = []
    loop = asyncio.new_event_loop()
    loop.call_later(0, seen.append, "later0")
    loop.call_soon(seen.append, "soon1")
    loop.call_soon(seen.append, "soon2")
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    print(seen)


class Short(logging.Formatter):
    """Without the frames: those of asyncio's own code are not coloop's."""

    def formatException(self, info):
        error, text = info[1], ""
        while error is not None:
            text += f"{error!r} "
            error = error.__context__
        return text


def exceptions_of_callbacks():
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Short("%(levelname)s %(message)s"))
    logging.getLogger("asyncio").addHandler(handler)
    logging.getLogger("asyncio").setLevel(logging.NOTSET)
    loop = asyncio.new_event_loop()

    def one_turn(callback, *args):
        loop.call_soon(callback, *args)
        loop.call_soon(loop.stop)
        loop.run_forever()

    def fail():
        raise LookupError("told")

    one_turn(fail)
    loop.set_exception_handler(lambda loop, context: print(sorted(context), context["message"]))
    one_turn(fail)
    loop.set_exception_handler(lambda loop, context: print("handled", repr(sys.exc_info()[1])))
    one_turn(fail)
    loop.set_exception_handler(lambda loop, context: 1 / 0)
    one_turn(fail)
    loop.set_exception_handler(None)
    loop.call_soon(sys.exit, 3)
    loop.call_soon(print, "still queued")
    try:
        loop.run_forever()
    except SystemExit as error:
        print("SystemExit", error.code, loop.is_running())
    one_turn(int)

    async def bad():
        raise KeyError("never retrieved")

    task = loop.create_task(bad())
    one_turn(int)
    del task
    gc.collect()
    loop.close()


def exit_from_a_callback():
    loop = asyncio.new_event_loop()
    loop.call_soon(sys.exit, 3)
    loop.run_forever()


def futures_and_cancelling():
    seen = []
    loop = asyncio.new_event_loop()

    async def sleeper():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError as error:
            seen.append(error.args)
            raise

    task = loop.create_task(sleeper())
    loop.call_soon(task.cancel, "why")
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        seen.append("cancelled")
    future = loop.create_future()
    future.add_done_callback(lambda future: seen.append("done"))
    future.set_result(1)
    seen.append("before")
    loop.run_until_complete(asyncio.sleep(0))
    seen.append(attempt(future.set_result, 2))
    seen.append(attempt(loop.create_future().result))
    seen.append(future.cancel())
    handle = loop.call_later(5, print)
    handle.cancel()
    seen.append((handle.cancelled(), repr(handle)[:23]))
    print(seen)


