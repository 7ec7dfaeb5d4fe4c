"""What other people's builds ask the package for."""

import ctypes
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import coloop
from coloop import _coloop

from support import HERE, TestCase, program, run

PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(example C)
find_package(coloop {version} REQUIRED)
add_executable(linked linked.c)
target_link_libraries(linked PRIVATE coloop::coloop)
"""


class Build(TestCase):
    def test_a_program_is_built_with_what_the_package_says(self):
        self.assertEqual(run(program("linked")), "hello\n")

    def test_headers(self):
        for name in "coloop.h", "coloop_capi.h":
            self.assertTrue(os.path.isfile(os.path.join(coloop.get_include(), name)))

    def test_the_library_path_is_the_one_in_use(self):
        library = ctypes.CDLL(coloop.get_library_path())
        library.coloop_instance_id.restype = ctypes.c_uint64
        self.assertEqual(library.coloop_instance_id(), _coloop.instance_id)

    def test_another_library_that_was_loaded_first_is_the_one_in_use(self):
        with tempfile.TemporaryDirectory() as scratch:
            other = shutil.copy(coloop.get_library_path(), scratch)
            code = f"import ctypes; ctypes.CDLL({other!r}); import coloop; print(coloop.get_library_path())"
            self.assertEqual(run(sys.executable, "-c", code).strip(), other)

    def cmake(self, scratch, version):
        pathlib.Path(scratch, "CMakeLists.txt").write_text(PROJECT.format(version=version))
        shutil.copy(HERE / "linked.c", scratch)
        command = ["cmake", "-S", scratch, "-B", f"{scratch}/build", f"-Dcoloop_DIR={coloop.get_cmake_dir()}"]
        return subprocess.run(command, capture_output=True, text=True)

    def test_cmake_finds_the_package(self):
        with tempfile.TemporaryDirectory() as scratch:
            found = self.cmake(scratch, _coloop.version.rpartition(".")[0])
            self.assertEqual(found.returncode, 0, found.stderr)
            subprocess.run(["cmake", "--build", f"{scratch}/build"], check=True, capture_output=True)
            self.assertEqual(run(f"{scratch}/build/linked"), "hello\n")

    def test_cmake_refuses_another_version(self):
        with tempfile.TemporaryDirectory() as scratch:
            refused = self.cmake(scratch, "99.0")
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("coloop", refused.stderr)
