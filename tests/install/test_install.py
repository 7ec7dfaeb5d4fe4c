"""make install and make uninstall."""

import os
import shlex
import unittest

from support import ROOT, VERSION, Case, make, run


class Install(Case):
    def setUp(self):
        self.root = self.scratch / self.id().rpartition(".")[2]

    def headers(self):
        include = ROOT / "include"
        return [f"include/{name}" for name in self.files(include) if name.endswith((".h", ".hpp"))]

    def expected(self):
        return sorted([
            *self.headers(),
            "lib/libcoloop.a", "lib/libcoloop.so", "lib/libcoloop.so.0", f"lib/libcoloop.so.{VERSION}",
            "lib/pkgconfig/coloop.pc", "lib/cmake/coloop/coloopConfig.cmake", "lib/cmake/coloop/coloopConfigVersion.cmake",
            *(f"share/doc/coloop/{name}" for name in [
                "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "LICENSE-THIRD-PARTY", "README.md"]),
            "share/coloop/installed-files",
        ])

    def test_what_is_installed(self):
        make("install", PREFIX="/opt/coloop", DESTDIR=self.root)
        tree = self.root / "opt/coloop"
        self.assertEqual(self.files(self.root), sorted(f"opt/coloop/{name}" for name in self.expected()))
        self.assertEqual(os.readlink(tree / "lib/libcoloop.so"), "libcoloop.so.0")
        self.assertEqual(os.readlink(tree / "lib/libcoloop.so.0"), f"libcoloop.so.{VERSION}")
        self.assertIn("[libcoloop.so.0]", run("readelf", "-d", tree / "lib/libcoloop.so"))
        self.assertNotIn(".debug_info", run("readelf", "-S", tree / "lib/libcoloop.so"))
        self.assertEqual((tree / "lib/libcoloop.so").stat().st_mode & 0o777, 0o755)
        for name in [*self.headers(), "lib/libcoloop.a", "lib/pkgconfig/coloop.pc"]:
            self.assertEqual((tree / name).stat().st_mode & 0o777, 0o644, name)
        for name in self.headers():
            self.assertEqual((tree / name).read_bytes(), (ROOT / name).read_bytes())
        for name in ["lib/pkgconfig/coloop.pc", "lib/cmake/coloop/coloopConfig.cmake", "share/coloop/installed-files"]:
            text = (tree / name).read_text()
            self.assertNotIn(str(self.root), text)
            self.assertNotRegex(text, "@[A-Z]+@")

    def test_uninstall_leaves_what_was_there(self):
        others = ["usr/include/coloop/other.h", "usr/lib/libother.so"]
        for name in others:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).touch()
        make("install", PREFIX="/usr", DESTDIR=self.root)
        make("uninstall", PREFIX="/usr", DESTDIR=self.root)
        self.assertEqual(self.files(self.root), others)
        self.assertEqual(sorted(path.name for path in self.root.rglob("*") if path.is_dir()),
                         ["coloop", "include", "lib", "usr"])

    def test_uninstall_leaves_nothing(self):
        self.root.mkdir()
        make("install", PREFIX="/usr/local", DESTDIR=self.root)
        make("uninstall", PREFIX="/usr/local", DESTDIR=self.root)
        self.assertEqual(list(self.root.iterdir()), [])
        told = run("make", "uninstall", "PREFIX=/usr/local", f"DESTDIR={self.root}", status=2)
        self.assertIn("nothing is installed here", told)

    def test_an_older_version_is_replaced(self):
        make("install", PREFIX="/usr", DESTDIR=self.root)
        installed = self.files(self.root)
        old = self.root / "usr/include/coloop/old/gone.h"
        old.parent.mkdir()
        old.touch()
        names = self.root / "usr/share/coloop/installed-files"
        names.write_text(names.read_text() + "/usr/include/coloop/old/\n/usr/include/coloop/old/gone.h\n")
        make("install", PREFIX="/usr", DESTDIR=self.root)
        self.assertEqual(self.files(self.root), installed)
        self.assertFalse(old.parent.exists())
        make("uninstall", PREFIX="/usr", DESTDIR=self.root)
        self.assertEqual(list(self.root.iterdir()), [])

    def test_other_names_for_the_same_place(self):
        (self.root / "usr/lib").mkdir(parents=True)
        (self.root / "usr/lib64").symlink_to("lib")
        for changes in {}, {"PREFIX": "//usr/"}, {"LIBDIR": "/usr/lib64"}, {}:
            make("install", **{"DESTDIR": self.root, "PREFIX": "/usr", **changes})
            self.assertEqual(self.files(self.root / "usr"), self.expected())
        make("uninstall", PREFIX="/usr/", DESTDIR=self.root)
        self.assertEqual(sorted(os.listdir(self.root / "usr")), ["lib", "lib64"])

    def test_places_of_ones_own(self):
        make("install", PREFIX="/usr", DESTDIR=self.root, LIBDIR="/usr/lib/machine-system", INCLUDEDIR="/headers/here",
             DATADIR="/data", DOCDIR="/data/manuals", STRIP="")
        for name in ["usr/lib/machine-system/libcoloop.so.0", "headers/here/coloop.h", "headers/here/coloop/dynamic.h",
                     "data/coloop/installed-files", "data/manuals/LICENSE-MIT"]:
            self.assertTrue((self.root / name).exists(), name)
        library = self.root / "usr/lib/machine-system"
        self.assertIn(".debug_info", run("readelf", "-S", library / "libcoloop.so.0"))
        pc = (library / "pkgconfig/coloop.pc").read_text()
        self.assertIn("libdir=${prefix}/lib/machine-system\nincludedir=/headers/here\n", pc)
        config = (library / "cmake/coloop/coloopConfig.cmake").read_text()
        self.assertIn('"${coloop_here}/../../../../../headers/here"', config)
        make("uninstall", PREFIX="/usr", DESTDIR=self.root, DATADIR="/data")
        self.assertFalse(self.root.exists() and self.files(self.root))

    def test_names_with_spaces(self):
        prefix = self.root / "some where"
        make("install", PREFIX=prefix)
        self.assertEqual(self.files(prefix), self.expected())
        for options in [], ["--define-prefix"]:
            flags = run("pkg-config", *options, "--cflags", "--libs", "coloop", PKG_CONFIG_PATH=prefix / "lib/pkgconfig")
            self.assertEqual(shlex.split(flags), [f"-I{prefix}/include", f"-L{prefix}/lib", "-lcoloop"])
        make("uninstall", PREFIX=prefix)
        self.assertFalse(prefix.exists())

    def test_a_relative_prefix_is_refused(self):
        told = run("make", "install", "PREFIX=usr", f"DESTDIR={self.root}", status=2)
        self.assertIn("not an absolute path: 'usr'", told)
        self.assertFalse(self.root.exists())


if __name__ == "__main__":
    unittest.main()
