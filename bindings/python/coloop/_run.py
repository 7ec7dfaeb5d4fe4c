"""coloop.run: asyncio.run on a coloop.EventLoop."""

import asyncio
from asyncio import events

from . import new_event_loop  # the one that the package has chosen


def run(main, *, debug=None, loop_factory=new_event_loop):
    """Run a coroutine on a new loop and return its result. asyncio: run().

    debug: the loop's debug mode; None leaves it. loop_factory: makes the loop.
    RuntimeError if a loop runs in this thread, ValueError if `main` is no coroutine.
    """
    # Here and not in the Runner, which would make a loop first and say it otherwise.
    if events._get_running_loop() is not None:
        raise RuntimeError("asyncio.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
        return runner.run(main)
