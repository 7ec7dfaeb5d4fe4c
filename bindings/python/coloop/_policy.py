"""Event loop policies, for Pythons and programs that still choose a loop by them."""

import asyncio
from asyncio import unix_events

from . import _coloop
from ._loop import EventLoop


class EventLoopPolicy(unix_events._UnixDefaultEventLoopPolicy):
    """asyncio's policy with coloop's loops. asyncio: DefaultEventLoopPolicy.

    A thread's loop is C code's, too: policy_get_event_loop finds it.
    """

    _loop_factory = EventLoop

    def set_event_loop(self, loop):
        super().set_event_loop(loop)
        _coloop._set_current(loop)


def install():
    """Make every loop that asyncio makes from now on one of coloop's.

    Prefer coloop.run, or asyncio.Runner's loop_factory: policies go with Python 3.16.
    """
    asyncio.set_event_loop_policy(EventLoopPolicy())
