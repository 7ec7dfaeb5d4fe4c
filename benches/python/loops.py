"""The loops that are compared, each made by its package's own factory."""

import importlib

#: In the order they are shown. asyncio is shown; the other two are the ones to beat.
LOOPS = ["coloop", "asyncio", "uvloop", "rloop"]


def factory(name):
    """The function that makes a loop of this package. ImportError without the package."""
    return importlib.import_module(name).new_event_loop
