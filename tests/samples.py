#!/usr/bin/env python3
"""Compiles and runs every program in the documents: samples.py LIBRARY-DIRECTORY DOCUMENT..."""

import os
import pathlib
import re
import subprocess
import sys
import sysconfig
import tempfile

import coloop


def main(library, *documents):
    root = pathlib.Path(__file__).resolve().parent.parent
    compiler = [os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g"]
    link = [f"-I{root}/include", f"-L{library}", "-lcoloop", f"-Wl,-rpath,{os.path.abspath(library)}", "-pthread"]
    failed = count = 0
    with tempfile.TemporaryDirectory() as scratch:
        for document in documents:
            text = pathlib.Path(document).read_text()
            # What a document's Python programs import is made of the C before them.
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(
                filter(None, [scratch, os.environ.get("PYTHONPATH")]))}
            for match in re.finditer(r"^```(c|python)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                language, source = match.groups()
                line = text.count("\n", 0, match.start()) + 1
                program = pathlib.Path(scratch, f"sample{count}")
                count += 1
                module = re.search(r"\bPyInit_(\w+)", source)
                if language == "c" and module:
                    path = program.with_suffix(".c")
                    path.write_text(source)
                    built = pathlib.Path(scratch, f"{module[1]}.so")
                    commands = [[*compiler, str(path), "-o", str(built), "-shared", "-fPIC", "-pthread",
                                 f"-I{sysconfig.get_path('include')}", f"-I{coloop.get_include()}"]]
                elif language == "c":
                    path = program.with_suffix(".c")
                    path.write_text(source)
                    commands = [[*compiler, str(path), "-o", str(program), *link], [str(program)]]
                else:
                    commands = [[sys.executable, "-c", source]]
                for command in commands:
                    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=60)
                    if result.returncode != 0:
                        failed += 1
                        print(f"{document}:{line}: status {result.returncode}\n{result.stdout}{result.stderr}")
                        break
    print(f"{count - failed} of {count} programs in the documents ran")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
