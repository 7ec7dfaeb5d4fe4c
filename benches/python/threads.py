"""What threads do with a loop: posts to it, answers from it, jobs for an executor."""

import queue
import threading


def threadsafe_flood(loop, count):
    """One thread posts `count` callbacks to a running loop as fast as it can."""
    ran = 0

    def post():
        for _ in range(count):
            loop.call_soon_threadsafe(arrive)

    def arrive():
        nonlocal ran
        ran += 1
        if ran == count:
            loop.stop()

    thread = threading.Thread(target=post)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def thread_pingpong(loop, count):
    """A thread posts one callback and waits for its answer, `count` times."""
    answers = queue.SimpleQueue()

    def ask():
        for _ in range(count):
            loop.call_soon_threadsafe(answers.put, None)
            answers.get()
        loop.call_soon_threadsafe(loop.stop)

    thread = threading.Thread(target=ask)
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def executor_job(loop, count):
    """An empty job in the default executor, awaited before the next one."""

    def job():
        pass

    async def main():
        for _ in range(count):
            await loop.run_in_executor(None, job)

    loop.run_until_complete(main())
