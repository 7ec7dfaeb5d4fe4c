"""The interpreter's own end, with loops in it: each program in a process of its own."""

import textwrap
import unittest

from servers import SECONDS, python

THREADS = """
    import sys, threading, time
    import coloop

    def tick(loop, rounds):
        rounds.append(1)
        loop.call_later(0.0005, tick, loop, rounds)

    def run(rounds):
        loop = coloop.new_event_loop()
        loop.call_soon(tick, loop, rounds)
        loop.run_forever()

    class Slow:
        "Gives the threads time to want the GIL while the interpreter ends."
        def __del__(self, sleep=time.sleep):
            sleep(0.2)

    counts = [[] for _ in range(4)]
    for rounds in counts:
        threading.Thread(target=run, args=[rounds], daemon=True).start()
    while not all(counts):
        time.sleep(0.001)
    sys.slow = Slow()
    print("the main thread ends")
"""
WAITING = """
    import asyncio, builtins, socket
    import coloop

    class Holder:
        pass

    near, far = socket.socketpair()
    loop = coloop.new_event_loop()
    loop.add_reader(near, print)
    task = loop.create_task(asyncio.sleep(3600))
    loop.run_until_complete(asyncio.sleep(0))
    holder = Holder()
    holder.all = [holder, loop, task, near, far, loop.call_later(1000, print, holder)]
    task.add_done_callback(lambda _, holder=holder: None)
    builtins.holder = holder
    print("the main thread ends")
"""
COLLECTED = """
    import gc, sys
    import coloop

    gc.disable()
    loop = coloop.new_event_loop()
    loop.close()
    holder = [loop, loop.create_future()]
    holder.append(holder)
    del holder, loop, coloop
    for name in [name for name in sys.modules if name.startswith("coloop")]:
        del sys.modules[name]
    gc.collect()
    print("the main thread ends")
"""


class InterpreterTest(unittest.TestCase):
    def end_of(self, text):
        """How it ends, by itself, and what it says; freed memory is scribbled on."""
        with python("-c", textwrap.dedent(text), PYTHONMALLOC="debug",
                    PYTHONFAULTHANDLER="1") as program:
            status = program.process.wait(SECONDS)
            return status, program.output()

    def ends(self, text):
        """It must end with nothing else to say."""
        self.assertEqual(self.end_of(text), (0, "the main thread ends\n"))

    def test_threads_that_run_loops(self):
        """Daemon threads are still in their loops when the interpreter ends."""
        self.ends(THREADS)

    def test_what_still_waits(self):
        """A loop is open, with timers, readers and a task: asyncio tells of the task."""
        theirs = WAITING.replace("coloop.new", "asyncio.new")
        self.assertEqual(self.end_of(WAITING), self.end_of(theirs))

    def test_collected_with_the_module(self):
        """A loop is garbage together with the module that it is made of."""
        self.ends(COLLECTED)


if __name__ == "__main__":
    unittest.main()
