"""Coroutines of Python and C++ await each other: coroutines.py DIRECTORY

C++ awaits many Python coroutines at once and is awaited by one. Results, exceptions and
cancellation go through both as if they were one language. DIRECTORY is build.sh's.
"""

import asyncio
import faulthandler
import pathlib
import sys

import coloop

COUNT = 100
TIME_LIMIT = 60  # seconds


class Odd(Exception):
    """An exception of Python's that C++ knows nothing of."""


async def main():
    import coroutines

    finished = 0

    async def square(number):
        nonlocal finished
        try:
            await asyncio.sleep(0.001 * (number % 3))
            return number * number
        finally:
            finished += 1

    total = await coroutines.sum_of(square, COUNT)
    assert total == sum(number * number for number in range(COUNT))
    assert finished == coroutines.cleaned_up() == COUNT
    print(f"C++ has awaited {COUNT} coroutines of Python, and Python their sum: {total:,}")

    raised = Odd("three")

    async def fail_at_three(number):
        if number == 3:
            raise raised
        return await square(number)

    try:
        await coroutines.sum_of(fail_at_three, 10)
    except Odd as exc:
        assert exc is raised
        print(f"An exception of Python's has come through C++: {exc!r}")

    async def all_have_ended(count):
        # When one fails, or is cancelled, gather does not wait for the rest: as in asyncio.
        while coroutines.cleaned_up() < count:
            await asyncio.sleep(0.001)

    await all_have_ended(COUNT + 10)

    begun, cancelled, before = 0, [], coroutines.cleaned_up()

    async def endless(number):
        nonlocal begun
        begun += 1
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001 * number)  # takes its time
            cancelled.append((number, coroutines.cleaned_up() - before))
            raise

    task = asyncio.ensure_future(coroutines.sum_of(endless, 10))
    while begun < 10:
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        await all_have_ended(before + 10)
        # No coroutine of C++ has ended before the one of Python's that it awaits.
        assert len(cancelled) == 10 and all(ended <= place for place, (_, ended) in enumerate(cancelled))
        print("Cancelled from Python, through C++, in Python: all twenty have cleaned up")


if __name__ == "__main__":
    faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)
    sys.path.insert(0, str(pathlib.Path(sys.argv[1]).resolve()))
    coloop.run(main())
