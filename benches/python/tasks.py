"""Tasks and futures: asyncio's own, woken up by the loop."""

import asyncio


def sleep0(loop, count):
    """100 tasks, each `count` / 100 times over sleep(0); an operation is one of these."""

    async def turn():
        for _ in range(count // 100):
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(turn() for _ in range(100)))

    loop.run_until_complete(main())


def gather(loop, count):
    """gather of `count` coroutines that return at once: a task each."""

    async def nothing():
        pass

    async def main():
        await asyncio.gather(*(nothing() for _ in range(count)))

    loop.run_until_complete(main())


def future_pingpong(loop, count):
    """Two tasks wake each other up by a future each: `count` there and back."""

    async def answer(asked, answered):
        for number in range(count):
            await asked[number % 2]
            asked[number % 2] = loop.create_future()
            answered[number % 2].set_result(None)

    async def main():
        asked = [loop.create_future(), loop.create_future()]
        answered = [loop.create_future(), loop.create_future()]
        other = loop.create_task(answer(asked, answered))
        for number in range(count):
            asked[number % 2].set_result(None)
            await answered[number % 2]
            answered[number % 2] = loop.create_future()
        await other

    loop.run_until_complete(main())
