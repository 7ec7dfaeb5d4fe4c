"""The same program on asyncio's own loop and on coloop: what it does must be equal.

A program is a function of (loop, say), or a coroutine function of the same. It says
what happens; asyncio is the oracle. What differs by nature (addresses, the name of
the loop's class, numbers of descriptors) is made equal first.
"""

import asyncio
import contextlib
import faulthandler
import gc
import inspect
import logging
import os
import pathlib
import re
import subprocess
import sys
import unittest
import warnings

import coloop

HERE = pathlib.Path(__file__).resolve().parent
LOOPS = {"asyncio": asyncio.SelectorEventLoop, "coloop": coloop.new_event_loop}
# Seconds after which a test is taken for hung and its process ended.
LIMIT = 240

logging.getLogger("asyncio").setLevel(logging.CRITICAL)

_EQUAL = [
    (re.compile(r"\b0x[0-9a-f]+\b"), "0x"),
    (re.compile(r"\b(_UnixSelectorEventLoop|EventLoop)\b"), "Loop"),
    (re.compile(r"\b_Selector(Socket|Datagram)Transport\b"), r"\1Transport"),
    (re.compile(r"\bfd=\d+"), "fd=N"),
    (re.compile(r"\bdescriptor \d+"), "descriptor N"),
    (re.compile(r"\bpid \d+"), "pid N"),
    (re.compile(r"\bTask-\d+"), "Task-N"),
    (re.compile(r"\bwhen=(?!1000000)[0-9.]+"), "when=N"),
]


def equalled(value):
    """The value, without what may differ between two runs."""
    if isinstance(value, str):
        for pattern, replacement in _EQUAL:
            value = pattern.sub(replacement, value)
    elif isinstance(value, (list, tuple)):
        value = type(value)(map(equalled, value))
    elif isinstance(value, dict):
        value = {key: equalled(item) for key, item in value.items()}
    return value


def attempt(function, *args, **kwargs):
    """What a call gives: its result, or the exception's type and text."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


async def attempted(awaitable):
    """What awaiting gives: the result, or the exception's type and text."""
    try:
        return await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def unraisable():
    """Exceptions that nobody can catch are kept, instead of written to stderr."""
    kept, before = [], sys.unraisablehook
    sys.unraisablehook = lambda about: kept.append(type(about.exc_value).__name__)
    try:
        yield kept
    finally:
        sys.unraisablehook = before


def events_of(kind, program, **options):
    """What a program says on a new loop, which is closed afterwards."""
    loop = LOOPS[kind](**options)
    said = []

    def say(*what):
        said.append(equalled(what[0] if len(what) == 1 else what))

    def handler(loop, context):
        error = context.get("exception")
        say("handler", context["message"], type(error).__name__, str(error))

    loop.set_exception_handler(handler)
    asyncio.set_event_loop(loop)
    try:
        result = program(loop, say)
        if inspect.iscoroutine(result):
            loop.run_until_complete(result)
    finally:
        asyncio.set_event_loop(None)
        if not loop.is_closed():
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        del loop, handler
        gc.collect()
    return said


def output_of(kind, program, *, python_options=(), environment=()):
    """What a program of programs_*.py prints in a process of its own.

    program: "module.function". The text ends with how the process ended.
    """
    path = os.pathsep.join([str(HERE), str(pathlib.Path(coloop.__path__[0]).parent)])
    done = subprocess.run(
        [sys.executable, *python_options, HERE / "child.py", kind, program],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=LIMIT, env=dict(os.environ, PYTHONPATH=path, **dict(environment)),
    )
    if done.returncode and "SystemExit" not in done.stderr and "exit_from" not in program:
        print(done.stderr, file=sys.stderr)
    return equalled(done.stdout) + f"exit {done.returncode}\n"


class Case(unittest.TestCase):
    """Tests that compare the loops."""

    maxDiff = None

    def setUp(self):
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        context = warnings.catch_warnings()
        context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        warnings.simplefilter("ignore")

    def same(self, program, *expected, apart=()):
        """Both loops let it say the same, and that is `expected`, if given.

        apart: the first words of what is compared apart from the rest, since two
        ends of a connection do not wait for one another.
        """

        def end(event):
            first = event[0] if isinstance(event, (tuple, list)) and event else event
            word = str(first).partition(" ")[0]
            return word if word in apart else ""

        theirs = sorted(events_of("asyncio", program), key=end)
        ours = sorted(events_of("coloop", program), key=end)
        self.assertTrue(theirs, "the program said nothing")
        self.assertEqual(theirs, ours)
        if expected:
            self.assertEqual(theirs, list(expected))
        return ours
