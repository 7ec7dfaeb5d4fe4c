"""coloop.run: asyncio.run on a coloop.EventLoop."""

import asyncio
from asyncio import coroutines, events

from ._loop import new_event_loop


def run(main, *, debug=None, loop_factory=new_event_loop):
    """Run a coroutine on a new loop and return its result. asyncio: run().

    debug: the loop's debug mode; None leaves it. loop_factory: makes the loop.
    RuntimeError if a loop runs in this thread, ValueError if `main` is no coroutine.
    """
    if events._get_running_loop() is not None:
        # fail fast with short traceback
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
        return runner.run(main)
