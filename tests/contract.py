#!/usr/bin/env python3
"""Checks docs/contract.md against the tests: contract.py docs/contract.md C-TEST-PROGRAM

Every row E1-E27, P1-P35 and F1-F24 stands in the document once. A row names the tests
that hold it, which must exist, or says what it waits for.
"""

import pathlib
import re
import subprocess
import sys

ROWS = [f"E{n}" for n in range(1, 28)] + [f"P{n}" for n in range(1, 36)] + [f"F{n}" for n in range(1, 25)]


def python_tests(root):
    pattern = re.compile(r"^    def (test_\w+)", re.MULTILINE)
    return {
        name
        for folder in ("python", "asyncio")
        for path in root.glob(f"tests/{folder}/*.py")
        for name in pattern.findall(path.read_text())
    }


def main(document, program):
    root = pathlib.Path(__file__).resolve().parent.parent
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True)
    tests = set(listed.stdout.split()) | python_tests(root)
    errors, seen, named = [], [], set()
    for line in pathlib.Path(document).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or not re.fullmatch(r"[EPF]\d+", cells[0]):
            continue
        row, held_by = cells[0], cells[-1]
        seen.append(row)
        names = re.findall(r"`(\w+)`", held_by)
        named.update(names)
        errors += [f"{row}: there is no test {name}" for name in names if name not in tests]
        if not names and "waits for" not in held_by and "nothing to hold" not in held_by:
            errors.append(f"{row}: neither a test nor what it waits for")
    errors += [f"{row}: stands {seen.count(row)} times" for row in ROWS if seen.count(row) != 1]
    errors += [
        f"{test}: names a row but the document does not name the test"
        for test in sorted(tests - named) if re.match(r"(test_)?[EPF]\d+_", test)
    ]
    print("\n".join(errors) or f"{document}: {len(seen)} rows, {len(named)} tests")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
