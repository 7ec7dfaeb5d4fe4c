#!/usr/bin/env python3
"""Random programs of coroutines that lock, wait and cancel each other, in C++ and on asyncio.

sync_oracle.py EXECUTABLE [COUNT [FIRST-SEED]]: both have to print the same. The letters are
those of sync_program.cpp.
"""

import asyncio
import random
import sys

import oracle


class World:
    def __init__(self):
        self.mutex = asyncio.Lock()
        self.flag = asyncio.Event()
        self.permits = asyncio.Semaphore(2)
        self.bounded = asyncio.BoundedSemaphore(1)
        self.changed = asyncio.Condition()
        self.both = asyncio.Barrier(2)
        self.items = asyncio.Queue(2)
        self.sorted = asyncio.PriorityQueue(1)
        self.tasks = []

    async def perform(self, step):
        letter, number, result = step[0], int(step[1:] or 0), ""
        match letter:
            case "a": await self.mutex.acquire()
            case "r": self.mutex.release()
            case "e": await self.flag.wait()
            case "s": self.flag.set()
            case "c": self.flag.clear()
            case "p": await self.permits.acquire()
            case "v": self.permits.release()
            case "q": await self.bounded.acquire()
            case "u": self.bounded.release()
            case "w":
                async with self.changed:
                    await self.changed.wait()
            case "n" | "m":
                async with self.changed:
                    (self.changed.notify if letter == "n" else self.changed.notify_all)()
            case "b": result = await self.both.wait()
            case "x": await self.both.reset()
            case "g": result = await self.items.get()
            case "t": await self.items.put(number)
            case "d": self.items.task_done()
            case "j": await self.items.join()
            case "h": result = self.items.get_nowait()
            case "i": self.items.put_nowait(7)
            case "l": result = await self.sorted.get()
            case "o": await self.sorted.put(number)
            case "y": await asyncio.sleep(0)
            case "k": result = int(self.tasks[number].cancel())
        return (f"{result}{'L' if self.mutex.locked() else 'l'}{'P' if self.permits.locked() else 'p'}"
                f"{self.items.qsize()}{self.both.n_waiting}")


async def on_asyncio(programs):
    world, log = World(), []

    async def coroutine(number, program):
        for step in program.split("."):
            try:
                result = await world.perform(step)
            except asyncio.CancelledError:
                result = "cancelled"
            except Exception:
                result = "failed"
            log.append(f"{number}.{step}:{result}\n")

    for number, program in enumerate(programs):
        world.tasks.append(asyncio.create_task(coroutine(number, program)))
    for _ in range(100):
        for _ in range(50):
            await asyncio.sleep(0)
        pending = [task for task in world.tasks if not task.done()]
        if not pending:
            return "".join(log)
        for task in pending:
            task.cancel()
    return "".join(log) + "endless\n"


def random_programs(seed):
    # Some letters at a time, so that the same few things are contended for.
    chosen = random.Random(seed)
    letters = chosen.choice(["ar", "aary", "esc", "pv", "pvvy", "qu", "wnm", "wwnmy", "bx", "bby", "gt", "gthi", "tgdj",
                             "lo", "arescpv", "wnmar", "bgtar", "aresqupvwnmbxgtdjhilo"])
    if sys.version_info < (3, 13):
        # What a cancelled wait of a Condition or a Semaphore passes on was mended there.
        letters = "".join(letter for letter in letters if letter not in "wbpvqu") or "ar"
    count = chosen.randint(2, 6)

    def step():
        letter = chosen.choice(letters + chosen.choice(["y", "k", "yk", "yykk"]))
        return letter + (str(chosen.randrange(count)) if letter in "kto" else "")

    return [".".join(step() for _ in range(chosen.randint(2, 10))) for _ in range(count)]


def main(executable, count="300", first="0"):
    return oracle.compare(executable, random_programs, on_asyncio, count, first)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
