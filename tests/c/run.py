#!/usr/bin/env python3
"""Runs each C test in a process of its own: run.py [--valgrind] [--only TEXT] PROGRAM"""

import argparse
import concurrent.futures
import os
import signal
import subprocess
import sys

VALGRIND = [
    "valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
    "--show-leak-kinds=definite,indirect,possible", "--error-exitcode=99", "--fair-sched=yes",
    # The tests' own malloc, which fails when it is told to, stays in place.
    "--soname-synonyms=somalloc=nouserintercepts",
]
SECONDS = 30


def run(command, limit):
    """Returns the exit status and the output; a hanging test is killed with its children."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "COLOOP_VALGRIND": "1" if command[0] == "valgrind" else ""},
    )
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return -1, output.decode(errors="replace") + f"\nno end within {limit} s"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--valgrind", action="store_true")
    arguments.add_argument("--only", default="", metavar="TEXT", help="tests whose name contains it")
    arguments.add_argument("program")
    options = arguments.parse_args()
    prefix, limit = (VALGRIND, SECONDS * 6) if options.valgrind else ([], SECONDS)
    listed = subprocess.run([options.program, "--list"], check=True, capture_output=True, text=True)
    names = sorted(name for name in listed.stdout.split() if options.only in name)
    if not names:
        sys.exit("no such test")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda name: run([*prefix, options.program, name], limit), names)
        for name, (status, output) in zip(names, results):
            if status != 0:
                failed += 1
                print(f"FAILED {name} (status {status})\n{output}")
    print(f"{len(names) - failed} of {len(names)} C tests passed"
          + (" under valgrind" if options.valgrind else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
