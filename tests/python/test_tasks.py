"""Random programs of futures and tasks on asyncio and on coloop: what they say, and in which turn
of the loop they say it, must be equal.

A program is a list of tasks, each a list of operations on things: some plain futures and the tasks
themselves. A task waits for things of higher numbers only, because asyncio has no answer to tasks
that await each other.
"""

import asyncio
import os
import random
import sys
import unittest

import raw
import tasks
from tasks import Failure

FUTURES, TASKS, TURNS = 4, 5, 40
SEEDS = int(os.environ.get("COLOOP_SEEDS", 60))
# Since 3.12 asyncio.gather looks at done futures at once.
KINDS = ["gather"] if sys.version_info < (3, 12) else []
KINDS += ["shield", "wait", "wait_future", "wait_future", "wait_future", "give_way", "sleep",
          "set", "set", "fail", "cancel", "cancel", "callback", "remove", "leave"]


class InOrder(dict):
    """As much of a set as a TaskGroup needs, which cancels its tasks in their order then."""

    def add(self, task):
        self[task] = True

    def discard(self, task):
        self.pop(task, None)


class TaskGroup(asyncio.TaskGroup):
    def __init__(self):
        super().__init__()
        self._tasks = InOrder()


class Asyncio(asyncio.SelectorEventLoop):
    """asyncio's loop, with what else a program needs."""

    gather, shield, sleep = (staticmethod(getattr(asyncio, name))
                             for name in ["gather", "shield", "sleep"])
    task_group = TaskGroup

    def __init__(self):
        super().__init__()
        self.set_exception_handler(lambda loop, context: None)

    def wait(self, futures, return_when):
        return asyncio.wait(futures, return_when=["ALL_COMPLETED", "FIRST_COMPLETED",
                                                  "FIRST_EXCEPTION"][return_when])

    def turn(self):
        return asyncio.sleep(0)

    def soon(self, function):
        self.call_soon(function)

    def run(self):
        raw.run_limited(self.run_forever)


class Coloop(tasks.Loop):
    """The same for coloop."""

    def turn(self):
        return tasks.Turn()

    def soon(self, function):
        self.schedule("loop_call_soon", function=function)

    def stop(self):
        self.check(self.lib.loop_stop(self.pointer))


def random_program(seed):
    pick = random.Random(seed)
    kinds, cancelled = list(KINDS), FUTURES + TASKS
    if seed % 2:
        # Groups count their own requests to cancel differently, and before 3.13 asyncio's forget
        # those of others.
        kinds.append("group")
        cancelled = cancelled if sys.version_info >= (3, 13) else FUTURES
    elif sys.version_info >= (3, 13):
        # Before, uncancel did not take back what was not delivered yet.
        kinds.append("uncancel")

    def operation(task, depth):
        kind = pick.choice(kinds)
        above = [*range(FUTURES), *range(FUTURES + task + 1, FUTURES + TASKS)]
        several = pick.sample(above, pick.randint(1, 3))
        any_thing, caught = pick.randrange(FUTURES + TASKS), pick.random() < 0.5
        match kind:
            case "gather":
                arguments = several, pick.random() < 0.5
            case "wait":
                arguments = several, pick.randint(0, 2)
            case "shield" | "wait_future":
                arguments = several[:1]
            case "group" if depth == 0:
                arguments = [operations(task, 1, 3) for _ in range(pick.randint(1, 4))],
            case "give_way" | "sleep":
                arguments = ()
            case "set" | "fail" | "callback" | "remove":
                arguments = any_thing, pick.randrange(3)
            case "cancel":
                arguments = pick.randrange(cancelled), pick.choice([None, "a", "b"])
            case "uncancel":
                arguments = pick.randrange(FUTURES, FUTURES + TASKS),
            case _:
                kind, arguments = "leave", (pick.choice([None, None, True, False]),)
        return kind, arguments, caught

    def operations(task, depth, most):
        return [operation(task, depth) for _ in range(pick.randint(1, most))]

    return [operations(task, 0, 8) for task in range(TASKS)]


class Program:
    """A program and what it says."""

    def __init__(self, loop, program):
        self.loop, self.turn, self.said = loop, 0, []
        self.things = [loop.create_future() for _ in range(FUTURES)]
        self.callbacks = [lambda _, name=name: self.say("callback", name) for name in range(3)]
        for number, operations in enumerate(program):
            self.things.append(loop.create_task(self.task(number, operations)))

    def say(self, *words):
        self.said.append((self.turn, *words))

    def run(self):
        """What was said, each with its turn, and how the things ended."""
        self.turns(TURNS)
        self.loop.run()
        said, states = list(self.said), [self.state(thing) for thing in self.things]
        # Everything ends, so that neither loop has anything to complain about.
        for _ in range(3):
            for thing in self.things:
                thing.cancel()
            self.turns(TURNS)
            self.loop.run()
        self.things = []
        self.loop.close()
        return said, states

    def turns(self, left):
        self.turn += 1
        if left:
            self.loop.soon(lambda: self.turns(left - 1))
        else:
            self.loop.stop()

    def state(self, thing):
        if not thing.done():
            return "pending"
        try:
            return "result", thing.result()
        except asyncio.CancelledError as error:
            return "cancelled", *error.args
        except Exception as error:
            return "failed", str(error)

    async def task(self, number, operations):
        for place, (kind, arguments, caught) in enumerate(operations):
            try:
                result = await getattr(self, kind)(*arguments)
            except (Exception, asyncio.CancelledError) as error:
                cancelled = isinstance(error, asyncio.CancelledError)
                self.say(number, place, kind, "cancelled" if cancelled else str(error))
                if not caught:
                    raise
            else:
                self.say(number, place, kind, result)
                if kind == "leave" and result is not None:
                    return result
        return 7

    async def gather(self, several, exceptions):
        things = [self.things[number] for number in several]
        results = await self.loop.gather(*things, return_exceptions=exceptions)
        return [result if isinstance(result, int) else "failed" for result in results]

    async def shield(self, number):
        return await self.loop.shield(self.things[number])

    async def wait(self, several, when):
        things = [self.things[number] for number in several]
        done, _ = await self.loop.wait(things, when)
        # Which of them are done is asked a turn later by asyncio.
        return when or len(done) == len(things)

    async def group(self, members):
        *members, body = members
        async with self.loop.task_group() as group:
            for number, operations in enumerate(members):
                group.create_task(self.task(f"member {number}", operations))
            await self.task("body", body)

    async def wait_future(self, number):
        return await self.things[number]

    async def give_way(self):
        await self.loop.turn()

    async def sleep(self):
        await self.loop.sleep(0)

    async def set(self, number, value):
        return self.unless_refused(self.things[number].set_result, value)

    async def fail(self, number, value):
        return self.unless_refused(self.things[number].set_exception, Failure(f"failure {value}"))

    def unless_refused(self, function, value):
        try:
            function(value)
        except (asyncio.InvalidStateError, RuntimeError, OSError):
            return "refused"

    async def cancel(self, number, message):
        return self.things[number].cancel(message)

    async def uncancel(self, number):
        return self.things[number].cancelling(), self.things[number].uncancel()

    async def callback(self, number, name):
        self.things[number].add_done_callback(self.callbacks[name])

    async def remove(self, number, name):
        return self.things[number].remove_done_callback(self.callbacks[name])

    async def leave(self, how):
        if how is False:
            raise Failure("left")
        return 9 if how else None


class RandomPrograms(unittest.TestCase):
    maxDiff = 3000

    def test_random_programs_say_the_same_in_the_same_turns(self):
        words = 0
        for seed in range(SEEDS):
            program = random_program(seed)
            (theirs, their_states), (ours, our_states) = (
                Program(kind(), program).run() for kind in (Asyncio, Coloop))
            with self.subTest(seed=seed, program=program):
                self.assertEqual(ours, theirs)
                for our, their in zip(our_states, their_states, strict=True):
                    # asyncio tells the message of a cancellation once and then forgets it.
                    self.assertEqual(our[:1] if their == ("cancelled",) else our, their)
            words += len(theirs)
        self.assertGreater(words, 10 * SEEDS)


if __name__ == "__main__":
    unittest.main()
