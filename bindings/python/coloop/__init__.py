"""coloop: an asyncio event loop that C, C++ and Python share."""

from ._loop import EventLoop, from_pointer, new_event_loop
from ._policy import EventLoopPolicy, install
from ._run import run

__all__ = ["EventLoop", "EventLoopPolicy", "from_pointer", "install", "new_event_loop", "run"]
