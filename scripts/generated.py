"""Files that scripts make and the repository keeps."""

import re
import sys


def version(root):
    """The project's version, from its one place."""
    return re.search(r'^version = "(.+)"$', (root / "Cargo.toml").read_text(), re.M)[1]


def write(files, arguments):
    """Writes {path: text}; with the argument --check it tells which are out of date instead. The exit status."""
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if arguments == ["--check"]:
            print(f"{path} is out of date: run `make header`", file=sys.stderr)
        else:
            path.write_text(files[path])
    return 1 if stale and arguments == ["--check"] else 0
