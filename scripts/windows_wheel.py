#!/usr/bin/env python3
"""The wheel for Windows: windows_wheel.py OUTPUT LIBRARY

LIBRARY is coloop.dll, beside its import library: scripts/windows_library.sh makes
them. The wheel is built from the source distribution; it has no extension, so it is
for every Python that the package is for. To be run by the Python of an environment
that has scripts/requirements-wheels.txt.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile

import wheels


def main():
    parser = argparse.ArgumentParser(description="The wheel for Windows.")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("library", type=pathlib.Path)
    options = parser.parse_args()
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("coloop-*-win_amd64.whl"):
        old.unlink()
    wheels.set_date()
    env = {**os.environ, "COLOOP_TARGET": "win-amd64", "COLOOP_LIBRARY": str(options.library.resolve())}
    with tempfile.TemporaryDirectory() as scratch:
        # Both, the second from the first: a directory where the package was built for
        # this machine has what does not belong in here.
        wheels.run(sys.executable, "-m", "build", "--outdir", scratch, wheels.ROOT / "bindings/python", env=env)
        (built,) = pathlib.Path(scratch).glob("coloop-*.whl")
        wheels.run(wheels.tool("twine"), "check", "--strict", built)
        shutil.copy(built, output)
    print(output / built.name)


if __name__ == "__main__":
    main()
