"""coloop: an asyncio event loop that C, C++ and Python share."""

from ._build import (
    get_cmake_dir, get_include, get_libraries, get_library_dirs, get_library_path,
)
from ._coloop import _C_API  # noqa: F401  (coloop_capi.h imports it by this name)
from ._loop import EventLoop, from_pointer, new_event_loop
from ._policy import EventLoopPolicy, install
from ._run import run

__all__ = [
    "EventLoop", "EventLoopPolicy", "from_pointer", "get_cmake_dir", "get_include", "get_libraries",
    "get_library_dirs", "get_library_path", "install", "new_event_loop", "run",
]
