"""The Debian packages: built, installed below a directory of their own, used, removed."""

import os
import pathlib
import re
import shutil
import unittest

from support import HELLO, PROGRAMS, ROOT, VERSION, Case, needed, run

OUTPUT = ROOT / "target/deb"
NAMES = ["libcoloop0", "libcoloop-dev", "python3-coloop"]
PROGRAM = """
import asyncio, coloop
async def main():
    await asyncio.sleep(0.001)
    return coloop.get_library_path()
print(coloop.run(main()))
"""


@unittest.skipUnless(shutil.which("dpkg"), "not a Debian system")
class Debian(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run("make", "--no-print-directory", "deb", DEB_BUILD_OPTIONS="noautodbgsym")
        cls.packages = {path.name.partition("_")[0]: path for path in OUTPUT.glob("*.deb")}
        cls.root = cls.scratch / "root"
        for package in cls.packages.values():
            run("dpkg-deb", "--extract", package, cls.root)
        triplet = run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
        cls.library = cls.root / "usr/lib" / triplet

    def test_names_and_versions(self):
        self.assertEqual(sorted(self.packages), sorted(NAMES))
        for package in self.packages.values():
            self.assertEqual(run("dpkg-deb", "--field", package, "Version").strip(), VERSION)
        self.assertIn(f"libcoloop0 (= {VERSION})", run("dpkg-deb", "--field", self.packages["libcoloop-dev"], "Depends"))
        self.assertIn(f"libcoloop0 (>= {VERSION})", run("dpkg-deb", "--field", self.packages["python3-coloop"], "Depends"))

    def test_the_list_of_symbols(self):
        control = self.scratch / "control"
        run("dpkg-deb", "--control", self.packages["libcoloop0"], control)
        listed = re.findall(r"^ (\w+)@COLOOP_0 \S+$", (control / "symbols").read_text(), re.M)
        exported = re.findall(r" [A-Z] (\w+)@@COLOOP_0$",
                              run("nm", "-D", "--defined-only", "--with-symbol-versions", self.library / "libcoloop.so.0"), re.M)
        self.assertEqual(sorted(set(listed) - {"COLOOP_0"}), sorted(set(exported) - {"COLOOP_0"}))
        self.assertGreater(len(exported), 200)

    def test_a_consumer(self):
        flags = run("pkg-config", "--cflags", "--libs", "coloop", PKG_CONFIG_LIBDIR=self.library / "pkgconfig",
                    PKG_CONFIG_SYSROOT_DIR=self.root).split()
        program = self.scratch / "hello"
        run("gcc", PROGRAMS / "hello.c", f"-I{self.root}/usr/include", "-o", program, "-pthread", *flags)
        self.assertIn("libcoloop.so.0", needed(program))
        self.assertEqual(run(program, LD_LIBRARY_PATH=self.library), HELLO)

    def test_cmake_finds_it(self):
        build = self.scratch / "build"
        run("cmake", "-S", PROGRAMS, "-B", build, f"-DCMAKE_PREFIX_PATH={self.root}/usr")
        run("cmake", "--build", build, "--target", "shared", "static")
        self.assertEqual(run(build / "shared"), HELLO)
        self.assertEqual(run(build / "static"), HELLO)

    def test_python(self):
        module = self.root / "usr/lib/python3/dist-packages"
        link = module / "coloop/lib/libcoloop.so.0"
        self.assertTrue(link.is_symlink() and link.samefile(self.library / "libcoloop.so.0"))
        used = run("/usr/bin/python3", "-c", PROGRAM, cwd=self.scratch, PYTHONPATH=module).strip()
        self.assertTrue(pathlib.Path(used).samefile(link))

    @unittest.skipUnless(os.geteuid() == 0, "dpkg needs root")
    def test_installing_and_removing(self):
        root = self.scratch / "system"
        for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"]:
            (root / directory).mkdir(parents=True)
        (root / "var/lib/dpkg/status").touch()
        # What the packages depend on is not in that directory, so those with scripts
        # cannot be installed there.
        names = [name for name in NAMES if name != "python3-coloop"]
        dpkg = ["dpkg", f"--root={root}", "--force-depends", f"--log={self.scratch}/log"]
        run(*dpkg, "--install", *(self.packages[name] for name in names))
        listed = run("dpkg-query", f"--admindir={root}/var/lib/dpkg", "--listfiles", *names).split()
        self.assertTrue((root / "usr/include/coloop.h").exists())
        self.assertIn("/usr/include/coloop/dynamic.h", listed)
        run(*dpkg, "--purge", *names)
        self.assertEqual([name for name in self.files(root) if not name.startswith("var/lib/dpkg/")], [])


if __name__ == "__main__":
    unittest.main()
