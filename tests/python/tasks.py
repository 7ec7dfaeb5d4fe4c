"""Coroutines on coloop's tasks: as little of a binding as the tests need, in asyncio's words."""

import asyncio
import ctypes

import raw

ECANCELLED = -1014
DONE, AWAIT, YIELD = 0, 1, 2
pointer, integer = ctypes.c_void_p, ctypes.c_int
STEP = ctypes.CFUNCTYPE(integer, pointer, integer, pointer)
DONE_CALLBACK = ctypes.CFUNCTYPE(None, pointer, pointer)
HANDLER = ctypes.CFUNCTYPE(None, pointer, pointer, pointer)
NO_DESTROY = raw.NO_DESTROY


def load():
    lib = raw.load()
    place, count, text = ctypes.POINTER(pointer), ctypes.c_size_t, ctypes.c_char_p
    signatures = {
        "loop_future_new": [pointer, place],
        "loop_future_done": [pointer],
        "loop_future_result": [pointer, place],
        "loop_future_set_result": [pointer, pointer, raw.CALLBACK],
        "loop_future_set_exception": [pointer, integer, text],
        "loop_future_cancel": [pointer, text],
        "loop_future_add_done_callback": [pointer, DONE_CALLBACK, pointer, raw.CALLBACK],
        "loop_future_remove_done_callback": [pointer, DONE_CALLBACK, pointer],
        "loop_create_task": [pointer, STEP, pointer, raw.CALLBACK, place],
        "loop_task_await": [pointer, pointer],
        "loop_task_return": [pointer, pointer, raw.CALLBACK],
        "loop_task_fail": [pointer, integer, text],
        "loop_task_cancelling": [pointer],
        "loop_task_uncancel": [pointer],
        "loop_sleep": [pointer, ctypes.c_int64, pointer, raw.CALLBACK, place],
        "loop_gather": [pointer, place, count, ctypes.c_uint32, place],
        "loop_wait": [pointer, place, count, ctypes.c_int64, integer, place],
        "loop_shield": [pointer, place],
        "loop_task_group_new": [pointer, place],
        "loop_task_group_create_task": [pointer, STEP, pointer, raw.CALLBACK, place],
        "loop_task_group_exit": [pointer, integer, place],
        "loop_set_exception_handler": [pointer, HANDLER, pointer, raw.CALLBACK],
    }
    for name, arguments in signatures.items():
        function = getattr(lib, name)
        function.restype, function.argtypes = integer, arguments
    for name in ["loop_current_task", "loop_task_future", "loop_task_awaited", "loop_future_ref"]:
        function = getattr(lib, name)
        function.restype, function.argtypes = pointer, [pointer]
    for name in ["loop_future_unref", "loop_task_unref", "loop_task_group_unref"]:
        function = getattr(lib, name)
        function.restype, function.argtypes = None, [pointer]
    return lib


class Failure(Exception):
    """What a program raises, or a future failed with."""


class Gathered(ctypes.Structure):
    _fields_ = [("count", ctypes.c_size_t), ("results", ctypes.POINTER(pointer)),
                ("codes", ctypes.POINTER(integer)), ("futures", ctypes.POINTER(pointer))]


class Waited(ctypes.Structure):
    _fields_ = [("done_count", ctypes.c_size_t), ("done", ctypes.POINTER(pointer)),
                ("pending_count", ctypes.c_size_t), ("pending", ctypes.POINTER(pointer))]


class Future:
    """One reference to a future of the library's."""

    def __init__(self, loop, address, read=lambda result: result or 0):
        self.loop, self.lib, self.pointer, self.read = loop, loop.lib, address, read

    def __del__(self):
        self.lib.loop_future_unref(self.pointer)

    def __await__(self):
        yield self
        return self.result()

    def done(self):
        return bool(self.lib.loop_future_done(self.pointer))

    def result(self):
        result = pointer()
        code = self.lib.loop_future_result(self.pointer, result)
        if code == 0:
            return self.read(result.value)
        text = self.lib.loop_last_error().decode()
        if code != ECANCELLED:
            raise Failure(text)
        raise asyncio.CancelledError(*([] if text == "the future was cancelled" else [text]))

    def set_result(self, value):
        self.loop.check(self.lib.loop_future_set_result(self.pointer, value, NO_DESTROY))

    def set_exception(self, error):
        self.loop.check(self.lib.loop_future_set_exception(self.pointer, -1, str(error).encode()))

    def cancel(self, message=None):
        message = None if message is None else message.encode()
        return bool(self.loop.check(self.lib.loop_future_cancel(self.pointer, message)))

    def add_done_callback(self, callback):
        self.loop.check(self.lib.loop_future_add_done_callback(
            self.pointer, self.loop.done_callback(callback), None, NO_DESTROY))

    def remove_done_callback(self, callback):
        return self.loop.check(self.lib.loop_future_remove_done_callback(
            self.pointer, self.loop.done_callback(callback), None))


class Task(Future):
    """A task's future, and the task."""

    def __init__(self, loop, task):
        self.task = task
        super().__init__(loop, loop.lib.loop_future_ref(loop.lib.loop_task_future(task)))

    def __del__(self):
        self.lib.loop_task_unref(self.task)
        super().__del__()

    def cancelling(self):
        return self.loop.check(self.lib.loop_task_cancelling(self.task))

    def uncancel(self):
        return self.loop.check(self.lib.loop_task_uncancel(self.task))


class Turn:
    """asyncio.sleep(0) by the step's answer."""

    def __await__(self):
        yield self


class Loop(raw.Loop):
    """A loop that runs coroutines."""

    def __init__(self):
        super().__init__(load())
        self.done_callbacks = {}
        self.kept.append(HANDLER(lambda loop, context, data: None))
        self.lib.loop_set_exception_handler(self.pointer, self.kept[0], None, NO_DESTROY)

    def made(self, name, *arguments):
        place = pointer()
        self.check(getattr(self.lib, name)(*arguments, place))
        return place.value

    def done_callback(self, callback):
        call = lambda future, data: callback(None)
        return self.done_callbacks.setdefault(callback, DONE_CALLBACK(call))

    def create_future(self):
        return Future(self, self.made("loop_future_new", self.pointer))

    def create_task(self, coroutine):
        return Task(self, self.made("loop_create_task", self.pointer, self.drive(coroutine), None,
                                    NO_DESTROY))

    def drive(self, coroutine):
        def step(task, outcome, _):
            try:
                return self.step(coroutine, task, outcome)
            except BaseException as error:
                self.error = self.error or error
                self.lib.loop_stop(self.pointer)
                return DONE

        self.kept.append(STEP(step))
        return self.kept[-1]

    def step(self, coroutine, task, outcome):
        lib = self.lib
        try:
            if outcome == ECANCELLED:
                # Of the task, or of what it awaited: that reads the message itself.
                awaited = lib.loop_task_awaited(task)
                own = awaited is None or lib.loop_future_result(awaited, None) != outcome
                waits = coroutine.throw(asyncio.CancelledError()) if own else coroutine.send(None)
            else:
                waits = coroutine.send(None)
        except StopIteration as end:
            return lib.loop_task_return(task, end.value, NO_DESTROY)
        except asyncio.CancelledError:
            return ECANCELLED
        except Failure as error:
            return lib.loop_task_fail(task, -1, str(error).encode())
        if isinstance(waits, Turn):
            return YIELD
        return lib.loop_task_await(task, lib.loop_future_ref(waits.pointer))

    def list(self, futures):
        return (pointer * len(futures))(*[future.pointer for future in futures])

    def sleep(self, seconds):
        return Future(self, self.made(
            "loop_sleep", self.pointer, int(seconds * 1e9), None, NO_DESTROY))

    def gather(self, *futures, return_exceptions=False):
        def read(result):
            all = ctypes.cast(result, ctypes.POINTER(Gathered))[0]
            return [Failure() if all.codes[i] else all.results[i] or 0 for i in range(all.count)]

        return Future(self, self.made("loop_gather", self.pointer, self.list(futures), len(futures),
                                      int(return_exceptions)), read)

    def shield(self, future):
        return Future(self, self.made("loop_shield", future.pointer))

    def wait(self, futures, return_when):
        def read(result):
            waited = ctypes.cast(result, ctypes.POINTER(Waited))[0]
            done = [waited.done[i] for i in range(waited.done_count)]
            return [future for future in futures if future.pointer in done], None

        return Future(self, self.made("loop_wait", self.pointer, self.list(futures), len(futures),
                                      -1, return_when), read)

    def task_group(self):
        return TaskGroup(self)


def code_of(error):
    """How a block ended, for the library."""
    if error is None:
        return 0
    return ECANCELLED if error is asyncio.CancelledError else -1


class TaskGroup:
    def __init__(self, loop):
        self.loop = loop

    async def __aenter__(self):
        task = self.loop.lib.loop_current_task(self.loop.pointer)
        self.pointer = self.loop.made("loop_task_group_new", task)
        return self

    def create_task(self, coroutine):
        return Task(self.loop, self.loop.made(
            "loop_task_group_create_task", self.pointer, self.loop.drive(coroutine), None,
            NO_DESTROY))

    async def __aexit__(self, error, *_):
        exit = Future(self.loop, self.loop.made("loop_task_group_exit", self.pointer, code_of(error)))
        self.loop.lib.loop_task_group_unref(self.pointer)
        await exit
        return True
