"""A test case that runs a scenario on asyncio's loop and on coloop's.

asyncio is the oracle: what the scenario returns must be equal. On both loops
nothing may be complained of: no warning about what was left open or never
awaited, nothing raised where nobody can catch it, no descriptor more.
"""

import asyncio
import gc
import logging
import os
import sys
import threading
import unittest
import warnings

import coloop

SECONDS = 60
# What asyncio says in debug mode only: callbacks are slow on a busy machine, and
# handshakes fail on purpose.
_DEBUG_MODE = ("Executing ", "Error on transport creation for incoming connection")
LOOPS = {"asyncio": asyncio.SelectorEventLoop, "coloop": coloop.new_event_loop}


def descriptors():
    """The sockets, pipes and waits that this process has open: {number: what}."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            what = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # the one that listed the directory
            continue
        if what.startswith(("socket:", "pipe:", "anon_inode:")):
            found[int(fd)] = what
    return found


class Complaints(logging.Handler):
    """Collects everything that Python, asyncio or a library complains of."""

    def __init__(self, *loggers):
        super().__init__(logging.WARNING)
        self.seen = []
        self._loggers = [logging.getLogger(name) for name in ("asyncio", *loggers)]
        self._warnings = warnings.catch_warnings()

    def emit(self, record):
        text = record.getMessage()
        if not text.startswith(_DEBUG_MODE):
            self.seen.append(f"{record.name}: {text} {record.exc_info or ''}")

    def _warned(self, message, category, filename, lineno, file=None, line=None):
        if issubclass(category, ResourceWarning) or "never awaited" in str(message):
            self.seen.append(f"{filename}:{lineno}: {category.__name__}: {message}")

    def _unraisable(self, unraisable):
        self.seen.append(f"unraisable: {unraisable.exc_value!r} in {unraisable.object!r}")

    def _in_thread(self, failure):
        self.seen.append(f"thread: {failure.exc_value!r} in {failure.thread!r}")

    def __enter__(self):
        self._warnings.__enter__()
        warnings.simplefilter("always")
        warnings.showwarning = self._warned
        self._hooks = sys.unraisablehook, threading.excepthook
        sys.unraisablehook, threading.excepthook = self._unraisable, self._in_thread
        for logger in self._loggers:
            logger.addHandler(self)
        return self.seen

    def __exit__(self, *failure):
        gc.collect()
        for logger in self._loggers:
            logger.removeHandler(self)
        sys.unraisablehook, threading.excepthook = self._hooks
        self._warnings.__exit__(*failure)


class BothLoops(unittest.TestCase):
    """Scenarios are coroutine functions that return what is to be compared."""

    #: loggers of the software under test that must keep silent, too
    loggers = ()

    def on(self, name, scenario):
        """Run a scenario on the loop of that name; what it returned."""
        before = descriptors()
        try:
            with Complaints(*self.loggers) as complaints:
                with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
                    seen = runner.run(asyncio.wait_for(scenario(), SECONDS))
            self.assertEqual(complaints, [])
            self.assertEqual(descriptors(), before)
        except BaseException as exc:
            exc.add_note(f"on the loop of {name}")
            raise
        return seen

    def both(self, scenario):
        """Run a scenario on both loops; what coloop's returned, which is asyncio's."""
        expected = self.on("asyncio", scenario)
        seen = self.on("coloop", scenario)
        self.assertEqual(seen, expected)
        return seen


async def outcome(awaitable):
    """The name of the exception that an awaitable ends with, or its result."""
    try:
        return await awaitable
    except Exception as exc:
        return type(exc).__name__
