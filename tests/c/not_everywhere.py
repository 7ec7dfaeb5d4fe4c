"""The C tests that a platform cannot have: not_everywhere.txt, read."""

import fnmatch
import pathlib
import sys


class LeftOut:
    """What the list says of one platform."""

    def __init__(self, path, rows):
        self.path = path
        self.rows = rows

    def sources(self):
        """The C files of the program, without those that are left out as a whole."""
        return sorted(str(file) for file in self.path.parent.glob("*.c") if file.name not in self.rows)

    def tests(self, every):
        """Which tests of the program are left out; every is a dictionary from tests to files."""
        out = set()
        for row in self.rows:
            if row.endswith(".c"):
                found = {name for name, file in every.items() if pathlib.Path(file).name == row}
                # The program may have been made without it.
                there = (self.path.parent / row).exists()
            elif "*" in row:
                found = set(fnmatch.filter(every, row))
                there = found
            else:
                found = {row} & every.keys()
                there = found
            if not there:
                sys.exit(f"{self.path}: there is no {row}")
            out |= found
        return out


def read(path, platforms):
    """The rows for any of the platforms."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        columns = [column.strip() for column in line.split("|", 2)]
        if len(columns) != 3 or not all(columns):
            sys.exit(f"{path}:{number}: not three columns: tests | platforms | reason")
        if platforms & set(columns[1].split()):
            rows.extend(columns[0].split())
    return LeftOut(path, rows)
