"""Builds libcoloop with cargo and the extension that links to it.

Both go into the package, with the headers, so that Python and C code in one
process share one instance: coloop/lib/libcoloop.so.0 keeps its SONAME. Windows and
macOS have the library and the headers, but no extension: see coloop/_fallback.py.

A source distribution carries the library's sources in rust/; in a clone of the
repository they are two directories up.
"""

import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile

import setuptools
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE / "rust" if (HERE / "rust").exists() else HERE.parent.parent
# COLOOP_TARGET names another platform than this one; it needs COLOOP_LIBRARY.
TARGET = os.environ.get("COLOOP_TARGET", sysconfig.get_platform())
SYSTEM = re.match("[a-z]+", TARGET)[0]
HAS_NATIVE_LOOP = SYSTEM not in ("win", "macosx")
# The library's name, and what cargo calls it.
LIBRARY, BUILT = {
    "win": ("coloop.dll", "coloop.dll"),
    "macosx": ("libcoloop.dylib", "libcoloop.dylib"),
}.get(SYSTEM, ("libcoloop.so.0", "libcoloop.so"))
# What -lcoloop looks for on Windows: mingw's and Microsoft's, under cargo's name and their own.
IMPORT_LIBRARIES = {"libcoloop.dll.a": "libcoloop.dll.a", "coloop.dll.lib": "coloop.lib"}
LICENSES = ["LICENSE-APACHE", "LICENSE-MIT", "LICENSE-THIRD-PARTY"]
# What building the library and this package needs of the repository.
SOURCES = [
    "Cargo.toml", "Cargo.lock", "build.rs", "README.md", *LICENSES, "src", "include",
    "packaging/coloopConfig.cmake.in", "packaging/coloopConfigVersion.cmake.in",
]
if not (ROOT / "Cargo.toml").exists():
    sys.exit("coloop: the library's source is missing: build in a clone of the repository")
ABOUT = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)
assert ABOUT is not None
# Since setuptools 77; Debian 12 has 66.
LICENSE_FIELD = "license_expression" if int(setuptools.__version__.split(".")[0]) >= 77 else "license"
# Where setuptools finds them; they belong into what is built.
for name in LICENSES:
    shutil.copy(ROOT / name, HERE / name)


def source_files():
    """SOURCES file by file, relative to ROOT."""
    for name in SOURCES:
        path = ROOT / name
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file.relative_to(ROOT) for file in files if file.is_file())


class SourceDistribution(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for file in source_files():
            target = pathlib.Path(base_dir, "rust", file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, target)

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        """The same archive from the same sources, if SOURCE_DATE_EPOCH is set."""
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if not epoch or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)

        def plain(member):
            member.mtime, member.uid, member.gid, member.uname, member.gname = int(epoch), 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = f"{base_name}.tar.gz"
        with open(name, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as zipped:
            with tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive:
                archive.add(base_dir, filter=plain)  # sorted
        return name


class Build(build_ext):
    def run(self):
        self.library = self.build_library()
        self.put_files(pathlib.Path(self.build_lib, "coloop"))
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
                f"(https://rustup.rs), or COLOOP_LIBRARY, the path of a {BUILT} that is built."
            )
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
        return target / "release" / BUILT

    def build_extension(self, ext):
        package = pathlib.Path(self.get_ext_fullpath(ext.name)).parent
        ext.extra_objects = [str(package / "lib" / LIBRARY)]
        super().build_extension(ext)

    def copy_extensions_to_source(self):
        super().copy_extensions_to_source()
        self.put_files(HERE / "coloop")

    def put_files(self, package):
        """What the package carries beside Python: the library, headers, CMake's files."""
        for folder in "lib", "include", "cmake":
            shutil.rmtree(package / folder, ignore_errors=True)
            (package / folder).mkdir(parents=True)
        shutil.copy(self.library, package / "lib" / LIBRARY)
        if LIBRARY.endswith(".so.0"):
            # What -lcoloop looks for: not a link, which wheels cannot have, nor a copy.
            (package / "lib" / "libcoloop.so").write_text(f"INPUT({LIBRARY})\n")
        for built, name in IMPORT_LIBRARIES.items():
            if SYSTEM == "win" and (self.library.parent / built).exists():
                shutil.copy(self.library.parent / built, package / "lib" / name)
        shutil.copytree(ROOT / "include", package / "include", dirs_exist_ok=True)
        shutil.copy(HERE / "csrc" / "coloop_capi.h", package / "include")
        values = {"@VERSION@": ABOUT[1], "@INCLUDES@": "../include", "@LIBRARIES@": "../lib", "@PRIVATE@": ""}
        for name in "coloopConfig.cmake", "coloopConfigVersion.cmake":
            text = (ROOT / "packaging" / f"{name}.in").read_text()
            for key, value in values.items():
                text = text.replace(key, value)
            (package / "cmake" / name).write_text(text)


COMMANDS = {"build_ext": Build, "sdist": SourceDistribution}
if not HAS_NATIVE_LOOP:
    from setuptools.command.bdist_wheel import bdist_wheel

    class Wheel(bdist_wheel):
        """For every Python, but for one platform."""

        def get_tag(self):
            return "py3", "none", re.sub("[-.]", "_", TARGET)

    COMMANDS["bdist_wheel"] = Wheel


class Distribution(setuptools.Distribution):
    def has_ext_modules(self):
        """There is a library to build, in any case."""
        return True


setup(
    version=ABOUT[1],
    **{LICENSE_FIELD: "Apache-2.0 OR MIT"},
    packages=["coloop"],
    package_data={"coloop": ["py.typed", "*.pyi"]},
    distclass=Distribution,
    ext_modules=HAS_NATIVE_LOOP * [
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
            # Nobody has tried the others: the package can do without.
            optional=SYSTEM != "linux",
        )
    ],
    cmdclass=COMMANDS,
    zip_safe=False,
)
