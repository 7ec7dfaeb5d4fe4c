#!/usr/bin/env python3
"""Compiles and runs the examples that say what they print:
examples.py LIBRARY-DIRECTORY [EXAMPLES-DIRECTORY PKG-CONFIG-NAME...]

The expected output stands in the example's first comment, after a line "Output:".
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile


def expected_output(source):
    comment = re.match(r"/\*(.*?)\*/", source, re.DOTALL)
    _, found, output = comment.group(1).partition("\n * Output:\n") if comment else ("", "", "")
    return "".join(line[3:] + "\n" for line in output.splitlines() if line.startswith(" * ")) if found else None


def main(library, examples="examples/c", *packages):
    root = pathlib.Path(__file__).resolve().parent.parent
    warnings = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-g"]
    compilers = {
        ".c": [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", *warnings],
        ".cpp": [os.environ.get("CXX", "c++"), "-std=c++20", *warnings],
    }
    link = [f"-I{root}/include", f"-L{library}", "-lcoloop", f"-Wl,-rpath,{os.path.abspath(library)}", "-pthread"]
    if packages:
        link += subprocess.run(["pkg-config", "--cflags", "--libs", *packages],
                               check=True, capture_output=True, text=True).stdout.split()
    failed = count = 0
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(root.joinpath(examples).iterdir()):
            expected = expected_output(path.read_text()) if path.suffix in compilers else None
            if expected is None:
                continue
            count += 1
            program = pathlib.Path(scratch, path.stem)
            subprocess.run([*compilers[path.suffix], str(path), "-o", str(program), *link], check=True)
            for prefix in ([], ["valgrind", "--quiet", "--leak-check=full", "--error-exitcode=99", "--fair-sched=yes"]):
                result = subprocess.run([*prefix, str(program)], capture_output=True, text=True, timeout=120)
                if result.returncode != 0 or result.stdout != expected:
                    failed += 1
                    print(f"{path.name} {' '.join(prefix[:1])}: status {result.returncode}, printed\n{result.stdout}"
                          f"instead of\n{expected}{result.stderr}")
    print(f"{count} examples, {failed} wrong")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
