"""The wheel for Windows in $COLOOP_WHEELS: what is in it, and that it runs under wine,
with each CPython for Windows in $COLOOP_WINDOWS_PYTHON and with C programs of mingw's."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import c_header  # noqa: E402

WHEELS = pathlib.Path(os.environ["COLOOP_WHEELS"]).resolve()
PYTHONS = sorted(pathlib.Path(os.environ["COLOOP_WINDOWS_PYTHON"]).resolve().glob("*/python.exe"))
MINGW = "x86_64-w64-mingw32"
CC = f"{MINGW}-gcc-posix"
TIME_LIMIT = 300  # seconds; wine is slow to start
# The DLLs that Windows has, from Windows 10 on.
OF_WINDOWS = {
    "advapi32.dll", "bcryptprimitives.dll", "kernel32.dll", "msvcrt.dll", "ntdll.dll", "userenv.dll", "ws2_32.dll",
}
PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(example C)
find_package(coloop REQUIRED)
add_executable(linked linked.c)
target_link_libraries(linked PRIVATE coloop::coloop)
"""


def run(*command, status=0):
    """Standard output and error of a program, whose end is checked; all are pipes."""
    result = subprocess.run(
        [str(part) for part in command], input="", capture_output=True, text=True, timeout=TIME_LIMIT,
    )
    if result.returncode != status:
        raise AssertionError(f"{command}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout, result.stderr


def wine(program, *arguments, **options):
    out, err = run(ROOT / "scripts/portable/wine.sh", program, *arguments, **options)
    return out.replace("\r", ""), err.replace("\r", "")


def there(path):
    """A file of this system as programs in wine name it."""
    return "Z:" + str(path).replace("/", "\\")


def wheel():
    (path,) = WHEELS.glob("coloop-*.whl")
    return path


class Installed(unittest.TestCase):
    """Installed by pip, as for a CPython on Windows."""

    VERSION = "3.11"  # the oldest

    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="coloop-windows-")))
        run(
            sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps",
            "--only-binary", ":all:", "--platform", "win_amd64", "--implementation", "cp",
            "--python-version", cls.VERSION, "--target", cls.home, wheel(),
        )
        cls.package = cls.home / "coloop"


class Contents(Installed):
    def test_library_and_no_extension(self):
        self.assertRegex(wheel().name, r"^coloop-[\d.]+-py3-none-win_amd64\.whl$")
        self.assertEqual({path.name for path in (self.package / "lib").iterdir()}, {"coloop.dll", "libcoloop.dll.a"})
        self.assertEqual([*self.home.rglob("*.so*")] + [*self.home.rglob("*.pyd")], [])

    def test_headers(self):
        wanted = {path.relative_to(ROOT / "include") for path in (ROOT / "include").rglob("*") if path.is_file()}
        include = self.package / "include"
        found = {path.relative_to(include) for path in include.rglob("*") if path.is_file()}
        self.assertEqual(found, wanted | {pathlib.Path("coloop_capi.h")})

    def test_the_library_needs_those_of_windows_only(self):
        text, _ = run(f"{MINGW}-objdump", "-p", self.package / "lib/coloop.dll")
        needed = {name.lower() for name in re.findall(r"DLL Name: (\S+)", text)}
        self.assertIn("kernel32.dll", needed)
        others = {name for name in needed - OF_WINDOWS if not name.startswith("api-ms-win-")}
        self.assertEqual(others, set())

    def test_the_library_has_every_function_of_the_header(self):
        text, _ = run(f"{MINGW}-objdump", "-p", self.package / "lib/coloop.dll")
        table = text.partition("[Ordinal/Name Pointer] Table")[2]
        exported = set(re.findall(r"^\s*\[\s*\d+\] (?:\+base\[\s*\d+\]\s+\w+ )?(\w+)$", table, re.M))
        header = c_header.read((ROOT / "include/coloop.h").read_text())
        self.assertEqual({function.name for function in header.functions} - exported, set())

    def test_no_directories_of_the_builder(self):
        library = (self.package / "lib/coloop.dll").read_bytes()
        for place in ROOT, pathlib.Path.home():
            self.assertNotIn(os.fsencode(place), library)


class Programs(Installed):
    """C programs that are built with the package, and run beside the library."""

    def hello(self, program):
        shutil.copy(self.package / "lib/coloop.dll", program.parent)
        self.assertEqual(wine(program)[0], "hello\n")

    def test_linked(self):
        scratch = self.home / "linked"
        scratch.mkdir()
        run(
            CC, ROOT / "tests/sharing/linked.c", "-o", scratch / "linked.exe",
            f"-I{self.package / 'include'}", f"-L{self.package / 'lib'}", "-lcoloop",
        )
        self.hello(scratch / "linked.exe")

    def test_found_by_cmake(self):
        source = self.home / "cmake"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(PROJECT)
        shutil.copy(ROOT / "tests/sharing/linked.c", source)
        run(
            "cmake", "-S", source, "-B", source / "build", "-DCMAKE_SYSTEM_NAME=Windows",
            f"-DCMAKE_C_COMPILER={CC}", f"-Dcoloop_DIR={self.package / 'cmake'}",
        )
        run("cmake", "--build", source / "build")
        self.hello(source / "build/linked.exe")


class Python(Installed):
    def python(self, interpreter, code, *arguments):
        first = f"import sys; sys.path.insert(0, {there(self.home)!r})\n"
        return wine(interpreter, "-u", "-c", first + code, *arguments)

    def test_there_is_one_of_each_version(self):
        self.assertEqual([path.parent.name for path in PYTHONS], ["cp311", "cp312", "cp313"])

    def test_the_programs_of_a_package_without_a_native_loop(self):
        run_it = "import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        program = ROOT / "tests/fallback/program.py"
        tests = program.read_text().count("    def test_")
        for interpreter in PYTHONS:
            with self.subTest(interpreter.parent.name):
                _, told = self.python(interpreter, run_it, there(program), "-v")
                self.assertRegex(told, rf"\nRan {tests} tests in .*\n\nOK\n")
                self.assertNotIn("Warning", told)

    def test_one_warning(self):
        code = (
            "import asyncio, coloop\n"
            "for _ in range(3): coloop.run(asyncio.sleep(0))\n"
            "print(coloop.__version__, coloop.EventLoop.__base__.__name__)\n"
        )
        version = re.search(r"coloop-([\d.]+)-", wheel().name)[1]
        for interpreter in PYTHONS:
            with self.subTest(interpreter.parent.name):
                printed, told = self.python(interpreter, code)
                self.assertEqual(printed, f"{version} ProactorEventLoop\n")
                self.assertEqual(told.count("RuntimeWarning: coloop has no native event loop for win32"), 1, told)

    def test_a_library_that_was_loaded_before_is_the_one(self):
        other = self.home / "other"
        other.mkdir()
        shutil.copy(self.package / "lib/coloop.dll", other)
        code = (
            "import ctypes, coloop\n"
            "from coloop import ctypes_abi\n"
            "first = ctypes.CDLL(sys.argv[1])\n"
            "print(coloop.get_library_path())\n"
            "print(ctypes_abi.load().coloop_instance_id() == ctypes_abi.load(sys.argv[1]).coloop_instance_id())\n"
        )
        for interpreter in PYTHONS:
            with self.subTest(interpreter.parent.name):
                printed, _ = self.python(interpreter, code, there(other / "coloop.dll"))
                self.assertEqual(printed.splitlines(), [there(other / "coloop.dll"), "True"])

    def test_the_examples_in_the_docstrings_of_the_raw_abi(self):
        code = (
            "sys.path.insert(0, sys.argv[1])\n"
            "import textwrap\n"
            "from coloop import cdef, ctypes_abi\n"
            "for module in cdef, ctypes_abi:\n"
            "    lines = [line for line in module.__doc__.splitlines() if line.startswith('    ') or not line]\n"
            "    exec(textwrap.dedent('\\n'.join(lines)), {})\n"
        )
        interpreter = PYTHONS[-1]
        cffi = self.home / "cffi"
        run(  # pip may have to ask the network
            sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--only-binary", ":all:",
            "--platform", "win_amd64", "--implementation", "cp", "--python-version",
            interpreter.parent.name.removeprefix("cp"), "--target", cffi, "cffi",
        )
        printed, told = self.python(interpreter, code, there(cffi))
        self.assertEqual((printed, told), ("hello\nhello\n", ""))


if __name__ == "__main__":
    unittest.main()
