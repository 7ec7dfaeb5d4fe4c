#!/usr/bin/env python3
"""Writes LICENSE-DEPENDENCIES, the licences of what the library contains of other
crates: licenses.py [--check]

--check writes nothing, and its status is 1 if the file is out of date.
"""

import json
import os
import pathlib
import subprocess
import sys

import generated

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = "x86_64-unknown-linux-gnu"
HEAD = """\
The shared and the static library contain code of the crates below and of Rust's standard
library, which is distributed under the Apache License 2.0 (LICENSE-APACHE) or the MIT
license, copyright The Rust Project contributors. Made by scripts/licenses.py.
"""


def contained(metadata):
    """The packages that the library is built from, without itself."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting, found = [metadata["resolve"]["root"]], set()
    while waiting:
        node = nodes[waiting.pop()]
        for dependency in node["deps"]:
            kinds = [kind for kind in dependency["dep_kinds"] if "loom" not in str(kind["target"])]
            # Neither for tests nor for build scripts.
            if any(kind["kind"] is None for kind in kinds) and dependency["pkg"] not in found:
                found.add(dependency["pkg"])
                waiting.append(dependency["pkg"])
    packages = [package for package in metadata["packages"] if package["id"] in found]
    return sorted(packages, key=lambda package: package["name"])


def license_text(package):
    """The MIT license of a package, which all of them offer."""
    if "MIT" not in package["license"]:
        raise SystemExit(f"{package['name']} is not under the MIT license but {package['license']}")
    directory = pathlib.Path(package["manifest_path"]).parent
    for name in "LICENSE-MIT", "LICENSE":
        if (directory / name).exists():
            return (directory / name).read_text().strip()
    raise SystemExit(f"{package['name']} has no license text")


def text():
    command = [
        os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1",
        "--filter-platform", TARGET, "--manifest-path", ROOT / "Cargo.toml",
    ]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    parts = [
        f"{package['name']} {package['version']}\n\n{license_text(package)}\n" for package in contained(metadata)
    ]
    return ("\n" + "-" * 80 + "\n\n").join([HEAD, *parts])


if __name__ == "__main__":
    sys.exit(generated.write({ROOT / "LICENSE-DEPENDENCIES": text()}, sys.argv[1:]))
