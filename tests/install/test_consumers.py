"""Programs that use the installed package, each in its own way."""

import shutil
import unittest

from support import COMPILERS, HELLO, PROGRAMS, VERSION, Installed, each, needed, run

DYNAMIC = ["load.c", "hello.c", "-DHELLO_MAIN=hello"]


class Compilers(Installed):
    """The compiler alone, told where things are."""

    def check(self, *arguments, linked):
        def consume(compiler):
            program = self.compile(compiler, compiler, *arguments)
            self.assertEqual("libcoloop.so.0" in needed(program), linked)
            self.assertEqual(run(program), HELLO)

        each(consume, COMPILERS)

    def flags(self, *more):
        return f"-I{self.prefix}/include", *more

    def test_the_shared_library(self):
        self.check("hello.c", *self.flags(f"-L{self.library}", "-lcoloop", f"-Wl,-rpath,{self.library}"), linked=True)

    def test_the_static_library(self):
        self.check("hello.c", *self.flags(f"{self.library}/libcoloop.a"), linked=False)

    def test_no_shared_library_at_all(self):
        program = self.compile("gcc", "alone", "hello.c", *self.flags("-static", f"{self.library}/libcoloop.a"))
        self.assertEqual(needed(program), [])
        self.assertEqual(run(program), HELLO)

    def test_nothing_but_the_headers(self):
        headers = self.scratch / "headers"
        shutil.copytree(self.prefix / "include", headers)

        def consume(compiler):
            program = self.compile(compiler, compiler, *DYNAMIC, f"-I{headers}")
            self.assertNotIn("libcoloop.so.0", needed(program))
            self.assertEqual(run(program, self.library / "libcoloop.so.0"), HELLO)
            self.assertEqual(run(program, LD_LIBRARY_PATH=self.library), HELLO)

        each(consume, COMPILERS)

    def load(self, compiler, source, standard):
        program = self.compile(compiler, compiler, "load.c", source, "-DHELLO_MAIN=hello", *self.flags(), standard=standard)
        self.assertNotIn("libcoloop.so.0", needed(program))
        self.assertEqual(run(program, self.library / "libcoloop.so.0"), HELLO)

    def test_cpp(self):
        def consume(compiler):
            program = self.compile(compiler, f"{compiler}-linked", "hello.cpp", *self.flags(f"-L{self.library}", "-lcoloop"))
            self.assertEqual(run(program, LD_LIBRARY_PATH=self.library), HELLO)
            self.load(compiler, "hello.cpp", "c++17")

        each(consume, ["g++", "clang++"])

    def test_coroutines_without_linking(self):
        each(lambda compiler: self.load(compiler, "coroutine.cpp", "c++20"), ["g++", "clang++"])


class PkgConfig(Installed):
    def setUp(self):
        self.path = self.library / "pkgconfig"

    def query(self, *arguments):
        return run("pkg-config", *arguments, "coloop", PKG_CONFIG_PATH=self.path).split()

    def test_the_version(self):
        self.assertEqual(self.query("--modversion"), [VERSION])
        self.query(f"--atleast-version={VERSION}")
        run("pkg-config", "--atleast-version=99", "coloop", status=1, PKG_CONFIG_PATH=self.path)

    def test_shared(self):
        program = self.compile("gcc", "shared", "hello.c", *self.query("--cflags", "--libs"))
        self.assertIn("libcoloop.so.0", needed(program))
        self.assertEqual(run(program, LD_LIBRARY_PATH=self.library), HELLO)

    def test_static(self):
        flags = self.query("--cflags", "--libs", "--static")
        self.assertIn("-lpthread", flags)
        self.assertNotIn("-lpthread", self.query("--libs"))

        def consume(compiler):
            program = self.compile(compiler, compiler, "hello.c", "-static", *flags)
            self.assertEqual(needed(program), [])
            self.assertEqual(run(program), HELLO)

        each(consume, ["gcc", "clang"])

    def test_a_static_coloop_in_a_dynamic_program(self):
        flags = [{"-lcoloop": "-l:libcoloop.a"}.get(flag, flag) for flag in self.query("--cflags", "--libs", "--static")]
        program = self.compile("gcc", "mixed", "hello.c", *flags)
        self.assertIn("libc.so.6", needed(program))
        self.assertEqual(run(program), HELLO)


class CMake(Installed):
    def build(self, prefix, *targets):
        build = self.scratch / f"build-{prefix.name}"
        run("cmake", "-S", PROGRAMS, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
        run("cmake", "--build", build, "--parallel", "2", "--target", *targets)
        return build

    def test_all_targets(self):
        build = self.build(self.prefix, "shared", "shared_cpp", "static", "dynamic")
        for name in ["shared", "shared_cpp", "static"]:
            self.assertEqual(run(build / name), HELLO)
        self.assertEqual(run(build / "dynamic", self.library / "libcoloop.so.0"), HELLO)
        self.assertEqual([name for name in ["shared", "static", "dynamic"] if "libcoloop.so.0" in needed(build / name)],
                         ["shared"])

    def test_a_tree_that_was_moved(self):
        elsewhere = self.scratch / "some where"
        shutil.copytree(self.prefix, elsewhere, symlinks=True)
        build = self.build(elsewhere, "shared", "static")
        for name in ["shared", "static"]:
            self.assertEqual(run(build / name), HELLO)
        self.assertIn(str(elsewhere), run("readelf", "-d", build / "shared"))

    def test_versions(self):
        major, minor, patch = map(int, VERSION.split("."))
        source = self.scratch / "versions"
        source.mkdir()
        lines = ["cmake_minimum_required(VERSION 3.16)", "project(versions NONE)"]
        for version, right in [("", 1), (f"{major}.{minor}", 1), (VERSION, 1), (f"{VERSION} EXACT", 1), ("99.0", 0),
                               (f"{major}.{minor + 1}", 0), (f"{major}.{minor}.{patch + 1}", 0),
                               (f"{major}.{minor}.{patch + 1} EXACT", 0)]:
            lines.append(f"find_package(coloop {version} QUIET)\n"
                         f"if(NOT coloop_FOUND EQUAL {right})\n"
                         f'  message(SEND_ERROR "version {version}: found ${{coloop_FOUND}}")\n'
                         f"endif()")
        (source / "CMakeLists.txt").write_text("\n".join(lines) + "\n")
        run("cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}")


if __name__ == "__main__":
    unittest.main()
