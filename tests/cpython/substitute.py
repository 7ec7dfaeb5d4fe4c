"""Puts the loop under test where CPython's tests make theirs."""

import asyncio
import re
import warnings
from asyncio import unix_events

# Modules of test.test_asyncio that say something about any loop.
MODULES = [
    "test_ssl", "test_tasks", "test_subprocess", "test_events",  # the long ones first
    "test_base_events", "test_buffered_proto", "test_context", "test_eager_task_factory",
    "test_free_threading", "test_futures", "test_futures2", "test_locks", "test_pep492",
    "test_queues", "test_runners", "test_sendfile", "test_server", "test_sock_lowlevel",
    "test_sslproto", "test_staggered", "test_streams", "test_taskgroups", "test_threads",
    "test_timeouts", "test_waitfor",
]

# Classes that cannot be about another loop: they choose a selector or Windows'
# proactor, watch children with a class of asyncio's, or test one of asyncio's
# own classes by itself. The class for select() is where the loop is put.
_OTHER_LOOPS = r"(Poll|EPoll|KQueue|Proactor)"
_DROPPED = {
    "test_events": _OTHER_LOOPS
    + r"|(HandleTests|TimerTests|AbstractEventLoopTests|TestServer|TestAbstractServer)$",
    "test_sendfile": _OTHER_LOOPS + r"|BaseLoopSendfileTests$",
    "test_sock_lowlevel": _OTHER_LOOPS,
    "test_server": _OTHER_LOOPS,
    "test_buffered_proto": _OTHER_LOOPS,
    "test_sslproto": _OTHER_LOOPS + r"|SslProtoHandshakeTests$",
    "test_subprocess": r"(SubprocessTransport|SubprocessSafeWatcher|SubprocessFastWatcher"
    r"|MultiLoopChildWatcher|GenericWatcher)Tests$",
    "test_base_events": r"(BaseEvent|BaseLoopSockSendfile|BaseEventLoopWithSelector)Tests$"
    r"|TestSelectorUtils$",
}


class Factory:
    """Makes loops, and counts them in `made`."""

    def __init__(self, loop):
        if loop == "coloop":
            import coloop

            self._make = coloop.new_event_loop
        else:
            self._make = unix_events.SelectorEventLoop
        self.made = 0

    def __call__(self, *args, **kwargs):
        loop = self._make()
        self.made += 1
        return loop


def applies(module_name, test, private):
    """Is this test about any loop? private: what it looks into, or ""."""
    if re.match(_DROPPED.get(module_name, r"$"), type(test).__name__):
        return False
    # Most of these are about asyncio's class; the others are about its behaviour.
    return module_name != "test_base_events" or not private


def before_import(factory):
    """What asyncio itself makes loops with, and the helpers of its tests."""
    unix_events._UnixDefaultEventLoopPolicy._loop_factory = staticmethod(factory)
    if hasattr(asyncio, "EventLoop"):  # 3.13
        asyncio.EventLoop = factory

    from test import support
    from test.test_asyncio import functional, utils

    support.use_resources = ["cpu", "subprocess", "walltime", "largefile"]
    functional.FunctionalTestCaseMixin.new_loop = lambda self: factory()
    utils.TestCase.close_loop = staticmethod(_close_loop)

    def new_test_loop(self, gen=None):
        # With a generator, the test simulates the clock: that loop is its own.
        loop = factory() if gen is None else utils.TestLoop(gen)
        self.set_event_loop(loop)
        return loop

    utils.TestCase.new_test_loop = new_test_loop


def _close_loop(loop):
    """What the tests' own helper does, without its look at the loop's class."""
    if not loop.is_closed() and getattr(loop, "_default_executor", None) is not None:
        try:
            loop.run_until_complete(loop.shutdown_default_executor())
        except RuntimeError:
            pass  # it runs in a debugged or stopped state
    loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watcher = asyncio.get_event_loop_policy().get_child_watcher()
    for thread in list(getattr(watcher, "_threads", {}).values()):
        thread.join(timeout=30)


def after_import(module_name, module, factory):
    """What the test module itself makes loops with."""
    from test.test_asyncio import utils

    # Tests count that their loop's shutdown_asyncgens was called.
    def counted_loop(self):
        loop = factory()
        loop.shutdown_ag_run = False

        async def shutdown_asyncgens():
            loop.shutdown_ag_run = True

        loop.shutdown_asyncgens = shutdown_asyncgens
        return loop

    def set_up(self):
        utils.TestCase.setUp(self)
        self.loop = factory()
        self.set_event_loop(self.loop)

    for name, case in vars(module).items():
        if not isinstance(case, type) or re.match(_DROPPED.get(module_name, r"$"), name):
            continue
        if hasattr(case, "create_event_loop"):
            case.create_event_loop = lambda self: factory()
        if hasattr(case, "new_loop") and module_name != "test_runners":
            case.new_loop = lambda self: factory()
    if module_name == "test_runners":
        module.BaseTest.new_loop = counted_loop
    elif module_name == "test_pep492":
        module.BaseTest.setUp = set_up
    elif module_name == "test_base_events":
        module.BaseEventLoopTests.setUp = set_up
