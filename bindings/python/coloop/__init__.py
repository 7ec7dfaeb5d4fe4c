"""coloop: an asyncio event loop that C, C++ and Python share."""

from ._loop import EventLoop, from_pointer, new_event_loop
from ._run import run

__all__ = ["EventLoop", "from_pointer", "new_event_loop", "run"]
