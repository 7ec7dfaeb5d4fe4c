"""The stubs: a type checker understands them, and they name what there is."""

import ast
import pathlib
import subprocess
import sys
import unittest

import coloop

HERE = pathlib.Path(__file__).parent


def check(program, platform=sys.platform):
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir=/dev/null", "--platform", platform, str(program)],
        capture_output=True, text=True, check=False,
    )


class Types(unittest.TestCase):
    def test_a_program_is_accepted(self):
        for platform in "linux", "darwin", "win32":
            with self.subTest(platform):
                checked = check(HERE / "program.py", platform)
                self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_a_wrong_program_is_refused(self):
        checked = check(HERE / "wrong.py")
        lines = (HERE / "wrong.py").read_text().splitlines()
        wrong = [number for number, line in enumerate(lines, 1) if line.endswith("# wrong")]
        found = [int(line.split(":")[1]) for line in checked.stdout.splitlines() if "error:" in line]
        self.assertEqual(sorted(set(found)), wrong, checked.stdout)

    def test_the_stub_names_what_there_is(self):
        stub = ast.parse((pathlib.Path(coloop.__file__).parent / "__init__.pyi").read_text())
        named = {
            node.name for node in stub.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        }
        self.assertEqual(named, set(coloop.__all__))

    def test_every_public_name_says_what_it_is(self):
        for name in coloop.__all__:
            self.assertTrue(getattr(coloop, name).__doc__, name)
        for name, value in vars(coloop.EventLoop.__mro__[1]).items():
            if not name.startswith("_"):
                self.assertTrue(value.__doc__, name)


if __name__ == "__main__":
    unittest.main()
