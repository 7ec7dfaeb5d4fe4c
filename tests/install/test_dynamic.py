"""coloop/dynamic.h: what it loads, what it refuses, and what it says."""

import shutil
import unittest

from support import COMPILERS, PROGRAMS, VERSION, Installed, each, run


class Dynamic(Installed):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.real = cls.library / "libcoloop.so.0"
        cls.program = cls.compile(cls, "gcc", "dynamic", "dynamic.c", f"-I{cls.prefix}/include")

    def pretender(self, name, *definitions):
        library = self.scratch / f"{name}.so.0"
        run("gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}.so.0", *definitions, PROGRAMS / "pretender.c", "-o", library)
        return library

    def plugin(self):
        library = self.scratch / "plugin.so"
        run("gcc", "-shared", "-fPIC", f"-I{self.prefix}/include", PROGRAMS / "plugin.c", "-o", library)
        return library

    def tell(self, *libraries):
        return run(self.program, "tell", *libraries).splitlines()

    def test_before_loading_every_call_is_an_error(self):
        def check(compiler):
            run(self.compile(compiler, compiler, "dynamic.c", f"-I{self.prefix}/include"), "unloaded")

        each(check, COMPILERS)

    def test_no_library(self):
        told = run(self.program, "tell", "/no/such/libcoloop.so.0")
        self.assertRegex(told, "^-2 /no/such/libcoloop.so.0: .*No such file")
        told = run(self.compile("gcc", "load", "load.c", "hello.c", "-DHELLO_MAIN=hello", f"-I{self.prefix}/include"),
                   status=1)
        self.assertRegex(told, "^-2 libcoloop.so.0: .*No such file")

    def test_something_that_is_no_library(self):
        text = self.scratch / "text.so"
        text.write_text("no library\n")
        self.assertRegex(run(self.program, "tell", text), f"^-2 {text}: ")
        other = self.pretender("other")
        self.assertEqual(self.tell(other), [f"-38 {other} is no library of coloop: it has no coloop_version"])

    def test_other_versions(self):
        for name, version, number, what in [("old", "0.0.9", 9, "older"), ("new", "0.99.0", 99 << 8, "newer"),
                                            ("newest", "7.0.0", 7 << 16, "newer")]:
            with self.subTest(version=version):
                library = self.pretender(name, f'-DVERSION="{version}"', f"-DNUMBER={number}")
                self.assertEqual(self.tell(library), [
                    f"-38 {library} is version {version}, {what} than the headers of this program, version {VERSION}"])

    def test_another_version_that_is_loaded_already(self):
        # The right one would be a second copy.
        library = self.pretender("libcoloop", '-DVERSION="0.0.9"', "-DNUMBER=9")
        refused = ("-38 libcoloop.so.0, which this process has already, is version 0.0.9, older than the headers of "
                   f"this program, version {VERSION}\n")
        self.assertEqual(run(self.program, "tell", self.real, LD_PRELOAD=library), refused)
        lasting = self.pretender("lasting", '-DVERSION="0.0.9"', "-DNUMBER=9", "-Wl,-soname,libcoloop.so.0,-z,nodelete")
        self.assertEqual(self.tell(lasting, self.real)[1] + "\n", refused)

    def test_a_function_that_is_missing(self):
        major, minor, patch = map(int, VERSION.split("."))
        library = self.pretender("lacking", f'-DVERSION="{VERSION}"', f"-DNUMBER={major << 16 | minor << 8 | patch}")
        self.assertEqual(self.tell(library), [
            f"-38 {library} is version {VERSION} and has no coloop_instance_id, which the headers of this program, "
            f"version {VERSION}, have"])

    def test_after_a_failure_another_file_may_do(self):
        other = self.pretender("first")
        self.assertEqual(self.tell(other, "/no/such/file", self.real, "/no/such/file")[2:],
                         [f"0 {VERSION}", f"0 {VERSION}"])

    def test_a_library_that_is_loaded_already_is_the_one(self):
        copy = self.scratch / "copy.so"
        shutil.copy(self.real, copy)
        self.assertEqual(run(self.program, "shares", self.real, copy), "one instance\n")

    def test_modules_share_the_library_and_no_names(self):
        plugin = self.plugin()
        self.assertNotRegex(run("nm", "-D", "--defined-only", plugin), "loop_|coloop")
        self.assertEqual(run(self.program, "plugin", plugin, self.real), "one instance\n")

    def test_a_copy_inside_the_program(self):
        host = self.compile("gcc", "host", "host.c", f"-I{self.prefix}/include", "-rdynamic",
                            self.library / "libcoloop.a")
        self.assertEqual(run(host, self.plugin(), LD_LIBRARY_PATH=self.library), "one instance\n")

    def test_threads(self):
        for _ in range(10):
            run(self.program, "threads", self.real)
        program = self.compile("gcc", "tsan", "dynamic.c", f"-I{self.prefix}/include", "-fsanitize=thread")
        run("setarch", "-R", program, "threads", self.real)

    def test_a_fork_while_a_thread_loads(self):
        slow = self.pretender("slow", "-DSLOW")
        self.assertEqual(run(self.program, "fork", slow, self.real), "the child loaded\n")

    def test_with_sanitizers(self):
        def check(compiler):
            program = self.compile(compiler, f"sanitized-{compiler}", "dynamic.c", f"-I{self.prefix}/include",
                                   "-fsanitize=address,undefined", "-fno-sanitize-recover")
            run(program, "unloaded")
            run(program, "tell", "/no/such/file", self.real)

        each(check, ["gcc", "clang++"])


if __name__ == "__main__":
    unittest.main()
