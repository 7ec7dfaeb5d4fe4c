"""The C ABI as cffi and ctypes see it, made from the header."""

import asyncio
import ctypes
import os
import socket
import sys
import textwrap
import threading

import cffi
import coloop
from coloop import _coloop, cdef, ctypes_abi as c

from support import TestCase, run

ffi = cffi.FFI()
ffi.cdef(cdef.CDEF)
through_cffi = ffi.dlopen(coloop.get_library_path())
lib = c.load()


def structs():
    return [
        value for value in vars(c).values()
        if isinstance(value, type) and issubclass(value, c._Struct) and value is not c._Struct
    ]


class Same(TestCase):
    """Both are made from one header by different ways through it: they must agree."""

    def test_structs_are_laid_out_alike(self):
        self.assertGreater(len(structs()), 20)
        for struct in structs():
            described = ffi.typeof(struct.__name__)
            self.assertEqual(ffi.sizeof(described), ctypes.sizeof(struct), struct)
            offsets = {name: getattr(struct, name).offset for name, *_ in struct._fields_}
            self.assertEqual({name: field.offset for name, field in described.fields}, offsets)

    def test_functions_take_and_give_values_of_the_same_sizes(self):
        self.assertGreater(len(c.FUNCTIONS), 250)
        for name, (result, arguments) in c.FUNCTIONS.items():
            described = ffi.typeof(getattr(through_cffi, name))
            self.assertEqual([ffi.sizeof(each) for each in described.args], [*map(ctypes.sizeof, arguments)], name)
            if result is None:
                self.assertEqual(described.result.kind, "void")
            else:
                self.assertEqual(ffi.sizeof(described.result), ctypes.sizeof(result), name)
            for declared, each in zip(described.args, arguments):
                self.assertEqual(declared.kind == "primitive", not issubclass(each, self.pointers), name)

    def test_the_examples_in_the_docstrings(self):
        for module in c, cdef:
            lines = [line for line in module.__doc__.splitlines() if line.startswith("    ") or not line]
            self.assertEqual(run(sys.executable, "-c", textwrap.dedent("\n".join(lines))), "hello\n")

    pointers = ctypes.c_void_p, ctypes.c_char_p, ctypes._Pointer, ctypes._CFuncPtr

    def test_constants(self):
        names = [name for name in vars(c) if name.startswith(("LOOP_", "POLICY_"))]
        self.assertGreater(len(names), 60)
        for name in names:
            self.assertEqual(getattr(through_cffi, name), getattr(c, name), name)

    def test_one_library(self):
        self.assertEqual(lib.coloop_instance_id(), _coloop.instance_id)
        self.assertEqual(through_cffi.coloop_instance_id(), _coloop.instance_id)


class Ctypes(TestCase):
    def setUp(self):
        super().setUp()
        self.loop = lib.loop_new()
        self.addCleanup(lib.loop_unref, self.loop)
        self.addCleanup(lib.loop_close, self.loop)

    def test_callbacks_and_user_data(self):
        seen, destroyed = [], []
        callback, destroy = c.loop_callback_t(seen.append), c.loop_destroy_t(destroyed.append)
        handle = c.loop_handle_t()
        self.assertEqual(lib.loop_call_soon(self.loop, callback, 2**40, destroy, handle), 0)
        self.assertNotEqual(handle.value, 0)
        self.assertEqual(lib.loop_call_later(self.loop, 2**50, callback, 2, destroy, None), 0)
        lib.loop_stop(self.loop)
        self.assertEqual(lib.loop_run_forever(self.loop), 0)
        self.assertEqual((seen, destroyed), ([2**40], [2**40]))
        self.assertEqual(lib.loop_close(self.loop), 0)
        self.assertEqual(destroyed, [2**40, 2])

    def test_errors_are_codes_with_a_text(self):
        self.assertEqual(lib.loop_close(self.loop), 0)
        self.assertEqual(lib.loop_run_forever(self.loop), c.LOOP_ECLOSED)
        self.assertEqual(lib.loop_last_error(), b"Event loop is closed")

    def test_pointers_of_another_class_are_refused(self):
        with self.assertRaises(ctypes.ArgumentError):
            lib.loop_close(c.loop_future_t(1))

    def test_options_have_their_size(self):
        loop = c.loop_t()
        options = c.loop_options_t(backend=c.LOOP_BACKEND_EPOLL)
        self.assertEqual(options.size, ctypes.sizeof(options))
        self.assertEqual(lib.loop_create(options, loop), 0)
        self.assertEqual(lib.loop_backend_name(loop), b"epoll")
        lib.loop_unref(loop)

    def test_a_protocol_of_python_functions_serves_a_connection(self):
        def received(transport, data, length, user_data):
            pieces = c.loop_iovec_t(base=data, length=length)
            lib.loop_transport_writev(transport, pieces, 1)

        def lost(transport, code, message, user_data):
            ended.append((code, message, user_data))
            lib.loop_stop(self.loop)

        ended = []
        protocol = c.loop_protocol_t(data_received=received, connection_lost=lost)

        @c.loop_protocol_factory_t
        def factory(loop, factory_data, ret_protocol, ret_user_data, ret_destroy):
            ret_protocol[0], ret_user_data[0] = ctypes.pointer(protocol), 7
            return 0

        listening = socket.create_server(("127.0.0.1", 0))
        fd = ctypes.c_int(os.dup(listening.fileno()))
        options = c.loop_server_options_t(fds=ctypes.pointer(fd), fd_count=1)
        future = c.loop_future_t()
        self.assertEqual(lib.loop_create_server(self.loop, options, factory, None, None, future), 0)

        def talk():
            with socket.create_connection(listening.getsockname()) as client:
                client.sendall(b"hello")
                answers.append(client.recv(100))

        answers = []
        thread = threading.Thread(target=talk)
        thread.start()
        self.assertEqual(lib.loop_run_forever(self.loop), 0)
        thread.join()
        lib.loop_future_unref(future)
        listening.close()
        self.assertEqual((answers, ended), ([b"hello"], [(0, None, 7)]))

    def test_on_a_loop_that_python_runs(self):
        async def main():
            done = asyncio.get_running_loop().create_future()
            callback = c.loop_callback_t(lambda number: done.set_result(number))
            pointer = asyncio.get_running_loop().pointer
            self.assertEqual(lib.loop_call_soon_threadsafe(pointer, callback, 42, None, None), 0)
            return await done

        self.assertEqual(coloop.run(main()), 42)

    def test_the_file_needs_only_the_library(self):
        code = (
            "import importlib.util, sys\n"
            f"spec = importlib.util.spec_from_file_location('abi', {c.__file__!r})\n"
            "abi = importlib.util.module_from_spec(spec)\n"
            "spec.loader.exec_module(abi)\n"
            "assert 'coloop' not in sys.modules\n"
            "print(abi.load(sys.argv[1]).coloop_version().decode())\n"
        )
        self.assertEqual(run(sys.executable, "-c", code, coloop.get_library_path()).strip(), _coloop.version)


class Cffi(TestCase):
    def test_a_callback_on_a_loop_of_its_own(self):
        calls = []

        @ffi.callback("void(void *)")
        def callback(data):
            calls.append(ffi.from_handle(data))
            through_cffi.loop_stop(loop)

        text = ffi.new_handle("user data")
        loop = through_cffi.loop_new()
        self.assertEqual(through_cffi.loop_call_soon(loop, callback, text, ffi.NULL, ffi.NULL), 0)
        self.assertEqual(through_cffi.loop_run_forever(loop), 0)
        self.assertEqual(through_cffi.loop_close(loop), 0)
        through_cffi.loop_unref(loop)
        self.assertEqual(calls, ["user data"])

    def test_on_a_loop_that_python_runs(self):
        async def main():
            done = asyncio.get_running_loop().create_future()
            callback = ffi.callback("void(void *)", lambda data: done.set_result("posted"))
            loop = ffi.cast("loop_t *", asyncio.get_running_loop().pointer)
            self.assertEqual(through_cffi.loop_call_soon_threadsafe(loop, callback, ffi.NULL, ffi.NULL, ffi.NULL), 0)
            return await done

        self.assertEqual(coloop.run(main()), "posted")
