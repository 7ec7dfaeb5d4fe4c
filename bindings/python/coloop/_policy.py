"""Event loop policies, for Pythons and programs that still choose a loop by them."""

import asyncio
import sys

from . import EventLoop, _set_current  # those that the package has chosen

if sys.platform == "win32":
    from asyncio import windows_events as _system
else:
    from asyncio import unix_events as _system

# The first of these names from 3.14 on, the second before.
_Policy = getattr(_system, "_DefaultEventLoopPolicy", None) or _system.DefaultEventLoopPolicy


class EventLoopPolicy(_Policy):
    """asyncio's policy with coloop's loops. asyncio: DefaultEventLoopPolicy.

    A thread's loop is C code's, too: policy_get_event_loop finds it.
    """

    _loop_factory = EventLoop

    def set_event_loop(self, loop):
        super().set_event_loop(loop)
        _set_current(loop)


def install():
    """Make every loop that asyncio makes from now on one of coloop's.

    Prefer coloop.run, or asyncio.Runner's loop_factory: policies go with Python 3.16.
    """
    asyncio.set_event_loop_policy(EventLoopPolicy())
