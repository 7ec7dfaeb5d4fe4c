"""A distributed.LocalCluster of processes, driven from a loop: cluster.py LOOP DIRECTORY.

Prints what was seen, as JSON. Workers import this file, too: the loop that it
chooses is theirs as well.
"""

import asyncio
import json
import os
import signal
import sys
import time

import coloop
from distributed import Client, LocalCluster

LOOP, DIRECTORY = sys.argv[1:3]
if LOOP == "coloop":
    coloop.install()


def where():
    """The kind of the loop that runs in this thread."""
    return type(asyncio.get_running_loop()).__module__.split(".")[0]


def square(number):
    return number * number


def fail():
    raise LookupError("no such luck")


def die_once(path):
    """Kills its process, but not a second time."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "survived"
    os.kill(os.getpid(), signal.SIGKILL)


async def use_client(client):
    """What the cluster's own interface gives, in this loop."""
    return {
        "here": where(),
        "scheduler": await client.run_on_scheduler(where),
        "workers": sorted((await client.run(where)).values()),
        "squares": sum(await client.gather(client.map(square, range(200)))),
        "scattered": len(await client.submit(bytes.upper, await client.scatter(b"x" * 3_000_000))),
    }


async def use_executor(executor):
    """What the loop's own interface gives, with the cluster as its executor."""
    loop = asyncio.get_running_loop()

    def run(function, *arguments):
        return loop.run_in_executor(executor, function, *arguments)

    squares = await asyncio.gather(*[run(square, number) for number in range(100)])
    pids = set(await asyncio.gather(*[run(os.getpid) for _ in range(4)]))
    failure = (await asyncio.gather(run(fail), return_exceptions=True))[0]
    slow = run(time.sleep, 1)
    slow.cancel()
    cancelled = (await asyncio.gather(slow, return_exceptions=True))[0]
    return {
        "squares": sum(squares), "elsewhere": os.getpid() not in pids, "failure": repr(failure),
        "cancelled": type(cancelled).__name__,
        "killed": await run(die_once, os.path.join(DIRECTORY, "died")),
    }


async def main():
    async with LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            local_directory=DIRECTORY, asynchronous=True) as cluster:
        async with Client(cluster, asynchronous=True) as client:
            seen = {"client": await use_client(client)}
        # Its executor belongs to threads, so it wants a client with a loop of its own.
        client = await asyncio.to_thread(Client, cluster.scheduler_address)
        try:
            executor = client.get_executor()
            seen["executor"] = await use_executor(executor)
            await asyncio.to_thread(executor.shutdown)
        finally:
            await asyncio.to_thread(client.close)
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(main())
