#!/usr/bin/env python3
"""Random programs of coroutines that gather, group, limit, shield, fail and cancel each other, in
C++ and on asyncio.

sync_ends_oracle.py EXECUTABLE [COUNT [FIRST-SEED]]: both have to print the same. The letters are
those of sync_ends.cpp.
"""

import asyncio
import random
import re
import sys

import oracle


class Failure(Exception):
    pass


class InOrder(dict):
    """What a group cancels, in the order of its making; a set has none."""

    def add(self, task):
        self[task] = None

    def discard(self, task):
        self.pop(task, None)


def parse(text):
    """A block: steps with a letter, a number, blocks, and their own number."""
    counter = iter(range(10**6))

    def block(at):
        steps = []
        while at < len(text) and text[at] != "}":
            letter, digits = text[at], re.match(r"\d*", text[at + 1:]).group()
            own, blocks, at = next(counter), [], at + 1 + len(digits)
            while at < len(text) and text[at] == "{":
                inner, at = block(at + 1)
                blocks.append(inner)
                at += 1
            steps.append((letter, int(digits or 0), blocks, own))
        return steps, at

    return block(0)[0]


def kind(error):
    match error:
        case asyncio.CancelledError(): return "cancelled"
        case Failure(): return f"failure({error})"
        case TimeoutError(): return "late"
        case BaseExceptionGroup(): return f"group[{','.join(map(kind, error.exceptions))}]"
    return "refused"


class World:
    def __init__(self):
        self.log, self.tasks, self.kept, self.scopes = [], [], [], []
        loop = asyncio.get_running_loop()
        self.futures = [loop.create_future() for _ in range(3)]
        self.flag = asyncio.Event()
        self.mutex = asyncio.Lock()

    async def begin(self, steps, group=None):
        """A task of its own."""
        own = len(self.tasks)
        self.tasks.append(asyncio.current_task())
        return await self.block(steps, own, group)

    async def block(self, steps, own, group):
        last = 0
        for letter, number, blocks, id in steps:
            result = await self.perform(letter, number, blocks, id, own, group)
            self.log.append(f"{own}:{id}{letter} {'' if result is None else result}")
            last = id
        return last

    async def perform(self, letter, number, blocks, id, own, group):
        run = lambda index: self.block(blocks[index], own, group)
        begin = lambda index: self.begin(blocks[index])
        later = self.tasks[own + 1:]
        match letter:
            case "y":
                for _ in range(number + 1): await asyncio.sleep(0)
            case "f": raise Failure(id)
            case "c": raise asyncio.CancelledError()
            case "k": return int(self.tasks[number % len(self.tasks)].cancel())
            case "u": return asyncio.current_task().uncancel()
            case "q": return asyncio.current_task().cancelling()
            case "T":
                try: return await run(0)
                except asyncio.CancelledError as error: return kind(error)
                except Exception as error: return kind(error)
            case "R":
                try: return await run(0)
                except BaseException as error:
                    self.log.append(f"{own}:{id}R {kind(error)}")
                    raise
            case "F":
                try: await run(0)
                finally: await run(1)
            case "G":
                all = await asyncio.gather(*(begin(i) for i in range(len(blocks))), return_exceptions=number % 2 == 1)
                return ",".join(kind(one) if isinstance(one, BaseException) else str(one) for one in all)
            case "S": return await asyncio.shield(begin(0))
            case "W": return await asyncio.wait_for(self.block(blocks[0], own, group), 0 if number % 2 else None)
            case "O":
                try:
                    async with asyncio.timeout(0 if number % 2 else None) as scope:
                        self.scopes.append(scope)
                        try: return await run(0)
                        finally: self.scopes.remove(scope)
                finally:
                    self.log.append(f"{own}:{id}O left")
            case "d":
                if not self.scopes: return "none"
                scope = self.scopes[number % len(self.scopes)]
                try: scope.reschedule(None if number % 5 == 4 else 0)
                except RuntimeError: return "refused"
            case "P":
                try:
                    async with asyncio.TaskGroup() as inner:
                        inner._tasks = InOrder()
                        for block in blocks[1:]: inner.create_task(self.begin(block, inner))
                        return await self.block(blocks[0], own, inner)
                finally:
                    self.log.append(f"{own}:{id}P left")
            case "g":
                if not group: return "none"
                given = self.begin(blocks[0], group)
                try: self.kept.append(group.create_task(given))
                except RuntimeError:
                    given.close()
                    return "refused"
            case "t": self.kept.append(asyncio.create_task(begin(0)))
            case "a": return await later[number % len(later)] if later else "none"
            case "e": return await self.futures[number % 3]
            case "h": return await asyncio.shield(self.futures[number % 3])
            case "r" | "x" | "m":
                future = self.futures[number % 3]
                if letter == "m": return int(future.cancel())
                if future.done(): return "refused"
                future.set_result(id) if letter == "r" else future.set_exception(Failure(id))
            case "n": self.futures[number % 3] = asyncio.get_running_loop().create_future()
            case "v": await self.flag.wait()
            case "V": self.flag.set()
            case "z": self.flag.clear()
            case "L":
                async with self.mutex: return await run(0)
            case "b":
                if not later: return "none"
                when = (asyncio.ALL_COMPLETED, asyncio.FIRST_COMPLETED, asyncio.FIRST_EXCEPTION)[number % 3]
                done, pending = await asyncio.wait(later, return_when=when)
                return f"{len(done)}/{len(pending)}"


def state(task):
    if not task.done(): return "pending"
    try: return str(task.result())
    except BaseException as error: return kind(error)


async def on_asyncio(programs):
    world = World()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    for program in programs:
        world.kept.append(asyncio.create_task(world.begin(parse(program))))
    for _ in range(40):
        for _ in range(60): await asyncio.sleep(0)
        pending = [task for task in world.tasks if not task.done()]
        if not pending: break
        for task in pending: task.cancel()
    for number, task in enumerate(world.tasks):
        world.log.append(f"{number} {state(task)} {task.cancelling()}")
    return "".join(line + "\n" for line in world.log)


PLAIN = "yyyfcuqkkkvVzerxmnhadb"
NESTED = "TTRFGGSWOOPPPtgL"


def random_programs(seed):
    # Some letters at a time, so that the same few things meet.
    chosen = random.Random(seed)
    plain = "yk" + "".join(chosen.sample(PLAIN, chosen.randint(1, 8)))
    nested = "".join(chosen.sample(NESTED, chosen.randint(1, 6)))
    budget = chosen.randint(6, 40)

    def block(depth):
        nonlocal budget
        return "".join(step(depth) for _ in range(chosen.randint(1, 4)) if budget > 0)

    def step(depth):
        nonlocal budget
        budget -= 1
        if depth < 5 and chosen.random() < 0.4:
            letter = chosen.choice(nested)
            count = {"F": 2, "G": chosen.randint(0, 3), "P": chosen.randint(1, 3)}.get(letter, 1)
            number = chosen.randrange(6) if letter in "GWO" else ""
            return f"{letter}{number}" + "".join("{" + block(depth + 1) + "}" for _ in range(count))
        letter = chosen.choice(plain)
        return letter + (str(chosen.randrange(4 if letter == "y" else 8)) if letter in "ykdaerxmnhb" else "")

    return [block(0) or "y" for _ in range(chosen.randint(1, 4))]


def main(executable, count="300", first="0"):
    if sys.version_info < (3, 13):
        print("skipped: groups and time limits were mended in Python 3.13")
        return 0
    return oracle.compare(executable, random_programs, on_asyncio, count, first)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
