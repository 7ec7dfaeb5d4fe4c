"""The package on systems without a native loop, played on this one: a copy without the
extension, for a Python that says it runs elsewhere."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import coloop

PROGRAM = pathlib.Path(__file__).with_name("program.py")
TIME_LIMIT = 120  # seconds
ELSEWHERE = """
import asyncio, subprocess, runpy, sys  # which have looked where they are
sys.platform = "elsewhere"
"""
RUN = ELSEWHERE + """
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


class Fallback(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="coloop-fallback-")))
        cls.package = cls.home / "coloop"
        shutil.copytree(pathlib.Path(coloop.__file__).parent, cls.package)
        for extension in cls.package.glob("_coloop.*.so"):
            extension.unlink()

    def run_python(self, code, *arguments, package=None, status=0):
        """What a Python writes to its standard error, with that package before all others."""
        result = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
            timeout=TIME_LIMIT, env={**os.environ, "PYTHONPATH": str(package or self.home)},
        )
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result.stderr

    def test_programs(self):
        told = self.run_python(RUN, PROGRAM)
        tests = PROGRAM.read_text().count("    def test_")
        self.assertIn(f"\nRan {tests} tests in ", told)
        self.assertNotIn("Warning", told)

    def test_one_warning_on_standard_error(self):
        code = ELSEWHERE + "import coloop\nfor _ in range(3): coloop.run(asyncio.sleep(0))"
        told = self.run_python(code)
        self.assertEqual(told.count("RuntimeWarning: coloop has no native event loop for elsewhere"), 1, told)

    def test_a_warning_that_is_an_error_leaves_nothing_behind(self):
        code = ELSEWHERE + (
            "import coloop, gc, warnings\n"
            "warnings.simplefilter('error')\n"
            "for _ in range(2):\n"
            "    try: coloop.new_event_loop()\n"
            "    except RuntimeWarning: pass\n"
            "    else: sys.exit('no warning')\n"
            "gc.collect()\n"
        )
        self.assertEqual(self.run_python(code), "")

    def test_on_linux_a_missing_extension_is_an_error(self):
        told = self.run_python("import coloop", status=1)
        self.assertIn("ModuleNotFoundError: No module named 'coloop._coloop'", told)

    def test_a_broken_extension_is_an_error_everywhere(self):
        with tempfile.TemporaryDirectory(prefix="coloop-fallback-") as home:
            package = pathlib.Path(home, "coloop")
            shutil.copytree(self.package, package)
            (package / "_coloop.abi3.so").write_bytes(b"no library")
            for code in "", ELSEWHERE:
                told = self.run_python(code + "import coloop", package=home, status=1)
                self.assertIn("ImportError", told)

    def test_nothing_is_there_in_the_native_package_only(self):
        code = ELSEWHERE + (
            "import coloop\n"
            "for thing in coloop, coloop.EventLoop:\n"
            "    print(*(name for name in dir(thing) if not name.startswith('_')), file=sys.stderr)\n"
        )
        module, loop = (set(line.split()) for line in self.run_python(code).splitlines())
        self.assertEqual({*coloop.__all__} - module, set())
        self.assertEqual(public(coloop.EventLoop) - loop, set())


if __name__ == "__main__":
    unittest.main()
