"""Builds libcoloop with cargo and the extension that links to it.

Both go into the package, with the headers, so that Python and C code in one
process share one instance: coloop/lib/libcoloop.so.0 keeps its SONAME.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIBRARY = "libcoloop.so.0"
if not (ROOT / "Cargo.toml").exists():
    sys.exit("coloop: the library's source is missing: build in a clone of the repository")
ABOUT = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)
assert ABOUT is not None
# Before 1.0 a minor version is a major one.
CMAKE_VERSION = f"""\
set(PACKAGE_VERSION "{ABOUT[1]}")
string(REGEX MATCH "^[0-9]+\\\\.[0-9]+" coloop_series "${{PACKAGE_FIND_VERSION}}")
string(REGEX MATCH "^[0-9]+\\\\.[0-9]+" coloop_own_series "${{PACKAGE_VERSION}}")
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION OR NOT coloop_series STREQUAL coloop_own_series)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
"""


class Build(build_ext):
    def run(self):
        self.library = self.build_library()
        super().run()

    def build_library(self):
        """COLOOP_LIBRARY names a library that is built already."""
        given = os.environ.get("COLOOP_LIBRARY")
        if given:
            return pathlib.Path(given).resolve()
        command = [
            os.environ.get("CARGO", "cargo"), "rustc", "--locked", "--release", "--lib",
            "--crate-type", "cdylib", "--features", "symbol-versions",
            "--manifest-path", str(ROOT / "Cargo.toml"),
        ]
        try:
            subprocess.run(command, check=True)
        except FileNotFoundError:
            sys.exit(
                f"coloop: {command[0]} was not found. Building needs Rust 1.85 or later "
                "(https://rustup.rs), or COLOOP_LIBRARY, the path of a libcoloop.so that is built."
            )
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        return target / "release" / "libcoloop.so"

    def build_extension(self, ext):
        package = pathlib.Path(self.get_ext_fullpath(ext.name)).parent
        self.put_files(package)
        ext.extra_objects = [str(package / "lib" / LIBRARY)]
        super().build_extension(ext)

    def copy_extensions_to_source(self):
        super().copy_extensions_to_source()
        self.put_files(HERE / "coloop")

    def put_files(self, package):
        """What the package carries beside Python: the library and its headers."""
        files = {
            "lib": [(self.library, LIBRARY)],
            "include": [
                (ROOT / "include" / "coloop.h", "coloop.h"),
                (HERE / "csrc" / "coloop_capi.h", "coloop_capi.h"),
            ],
        }
        for folder, contents in files.items():
            (package / folder).mkdir(parents=True, exist_ok=True)
            for source, name in contents:
                shutil.copy(source, package / folder / name)
        # What -lcoloop looks for: not a link, which wheels cannot have, nor a copy.
        (package / "lib" / "libcoloop.so").write_text(f"INPUT({LIBRARY})\n")
        (package / "cmake").mkdir(exist_ok=True)
        (package / "cmake" / "coloopConfigVersion.cmake").write_text(CMAKE_VERSION)


setup(
    version=ABOUT[1],
    packages=["coloop"],
    package_data={"coloop": ["py.typed", "*.pyi", "cmake/*"]},
    ext_modules=[
        Extension(
            "coloop._coloop",
            sorted(str(path.relative_to(HERE)) for path in (HERE / "csrc").glob("*.c")),
            depends=sorted(str(path.relative_to(HERE)) for path in (HERE / "csrc").glob("*.h")),
            include_dirs=[str(ROOT / "include"), "csrc"],
            extra_compile_args=[
                "-std=c11", "-O3", "-Wall", "-Wextra", "-Wno-missing-field-initializers",
                "-Wno-cast-function-type", "-fvisibility=hidden", "-fexceptions",
            ],
            extra_link_args=["-Wl,-rpath,$ORIGIN/lib"],
        )
    ],
    cmdclass={"build_ext": Build},
    zip_safe=False,
)
