"""Loops and processes: what making and ending one costs."""

import asyncio

import loops


def spawn(loop, count):
    """/bin/true, started and waited for, one after the other."""

    async def main():
        for _ in range(count):
            process = await asyncio.create_subprocess_exec("/bin/true")
            if await process.wait() != 0:
                raise RuntimeError("/bin/true failed")

    loop.run_until_complete(main())


def create_close(loop, count):
    """A loop made and closed; `loop` only says of which kind."""
    new_event_loop = loops.factory(type(loop).__module__.partition(".")[0])
    for _ in range(count):
        new_event_loop().close()
