"""coloop: an asyncio event loop that C, C++ and Python share.

    import coloop
    coloop.run(main())

EventLoop is asyncio's loop on a loop_t of libcoloop; new_event_loop is what others
take as a loop factory. from_pointer and EventLoop.pointer lead from C to Python and
back, future_from_pointer and future_pointer do so with futures; the get_... functions say where C and C++ code finds library and headers.
coloop.cdef and coloop.ctypes_abi are the C functions themselves.

On systems that the native loop is not built for, EventLoop is asyncio's own.
"""

import importlib.util
import sys

from ._build import (
    get_cmake_dir, get_include, get_libraries, get_library_dirs, get_library_path,
)
from ._error import Error

# On Linux the native half must be there, and wherever it is it must work: what is
# broken is no reason to go on without it.
if sys.platform == "linux" or importlib.util.find_spec(f"{__name__}._coloop"):
    from ._coloop import _C_API  # noqa: F401  (coloop_capi.h imports it by this name)
    from ._coloop import _set_current  # noqa: F401
    from ._coloop import version as __version__  # noqa: F401
    from ._futures import future_capsule, future_from_pointer, future_pointer
    from ._loop import EventLoop, from_pointer, new_event_loop
else:
    from ._fallback import (
        EventLoop, __getattr__, __version__, _set_current,  # noqa: F401
        from_pointer, future_capsule, future_from_pointer, future_pointer, new_event_loop,
    )

from ._run import run  # which takes new_event_loop from here

try:
    from ._policy import EventLoopPolicy, install
except (ImportError, AttributeError):  # Python 3.16 has no policies
    pass

__all__ = [
    "Error", "EventLoop", "from_pointer", "future_capsule", "future_from_pointer",
    "future_pointer", "get_cmake_dir", "get_include", "get_libraries", "get_library_dirs",
    "get_library_path", "new_event_loop", "run",
]
__all__ += [name for name in ("EventLoopPolicy", "install") if name in globals()]
