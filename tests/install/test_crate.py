"""What a crate of this version would hold, and its documentation."""

import re
import unittest

from support import ROOT, VERSION, Case, run


class Crate(Case):
    def test_what_it_holds(self):
        names = run("cargo", "package", "--locked", "--allow-dirty", "--list").splitlines()
        for name in ["Cargo.toml", "Cargo.lock", "build.rs", "README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT",
                     "src/lib.rs", "include/coloop.h", "include/coloop/dynamic.h", "tests/header.rs", "cbindgen.toml"]:
            self.assertIn(name, names)
        sources = [str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.rs")]
        headers = [f"include/{name}" for name in self.files(ROOT / "include")]
        self.assertLessEqual({*sources, *headers}, set(names))
        others = [name for name in names if not re.match(
            r"(src/.*|tests/\w+)\.rs$|include/|build\.rs$|cbindgen\.toml$|Cargo\.(toml|toml\.orig|lock)$"
            r"|README\.md$|CHANGELOG\.md$|LICENSE-[\w-]+$|\.cargo_vcs_info\.json$", name)]
        self.assertEqual(others, [])

    def test_the_licences_of_others(self):
        lines = run("cargo", "tree", "--locked", "--edges", "normal", "--target", "x86_64-unknown-linux-gnu",
                    "--target", "x86_64-pc-windows-gnu", "--prefix", "none", "--format", "{p} {l}").splitlines()
        crates = dict(re.match(r"(\S+) \S+ (?:\([^)]*\) )?(.*?)(?: \(\*\))?$", line).groups() for line in lines if line)
        del crates["coloop"]
        text = (ROOT / "LICENSE-THIRD-PARTY").read_text()
        listed = re.findall(r"^  (\S+)  .*(?:MIT|Apache)", text, re.M)
        self.assertEqual(sorted(listed), sorted(crates))
        for crate, license in crates.items():
            with self.subTest(crate=crate, license=license):
                self.assertTrue("Apache-2.0" in license or f"\n{crate}:\n" in text)

    def test_its_documentation_has_no_warnings(self):
        run("cargo", "doc", "--locked", "--no-deps", RUSTDOCFLAGS="-D warnings")

    def test_one_version_everywhere(self):
        changelog = run("dpkg-parsechangelog", "-SVersion").strip()
        self.assertEqual(changelog.partition("-")[0], VERSION)
        self.assertIn(f"\n## {VERSION} ", (ROOT / "CHANGELOG.md").read_text())


if __name__ == "__main__":
    unittest.main()
