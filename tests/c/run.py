#!/usr/bin/env python3
"""Runs each C test in a process of its own: run.py [OPTION...] PROGRAM

A platform may leave tests out: not_everywhere.txt names them, with the reason.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shlex
import signal
import subprocess
import sys

import not_everywhere

VALGRIND = [
    "valgrind", "--quiet", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
    "--show-leak-kinds=definite,indirect,possible", "--error-exitcode=99", "--fair-sched=yes",
    # The tests' own malloc, which fails when it is told to, stays in place.
    "--soname-synonyms=somalloc=nouserintercepts",
]
SECONDS = 30
FOLDER = pathlib.Path(__file__).resolve().parent


def run(command, limit):
    """Returns the exit status and the output; a hanging test is killed with its children."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
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
    arguments.add_argument("--runner", default="", metavar="COMMAND",
                           help="what runs the program, as in 'qemu-s390x -L /usr/s390x-linux-gnu'")
    arguments.add_argument("--platform", action="append", default=[], metavar="NAME",
                           help="leave out what not_everywhere.txt names for it; may be repeated")
    arguments.add_argument("--listed", action="store_true", help="run only what would be left out")
    arguments.add_argument("--sources", action="store_true",
                           help="only print the C files that the platform's program is made of")
    arguments.add_argument("--limit", type=int, default=SECONDS, metavar="SECONDS", help="for each test")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at the same time")
    arguments.add_argument("program", nargs="?")
    options = arguments.parse_args()
    left_out = not_everywhere.read(FOLDER / "not_everywhere.txt", set(options.platform))
    if options.sources:
        print(*left_out.sources())
        return
    if options.program is None:
        arguments.error("no program")
    prefix, limit = (VALGRIND, options.limit * 6) if options.valgrind else ([], options.limit)
    runner = shlex.split(options.runner)
    listed = subprocess.run([*runner, options.program, "--files"], check=True, capture_output=True, text=True)
    every = dict(line.split(" ", 1) for line in listed.stdout.splitlines())
    out = left_out.tests(every)
    names = sorted(name for name in every if options.only in name and (name in out) == options.listed)
    if not names:
        sys.exit("no such test")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda name: run([*prefix, *runner, options.program, name], limit), names)
        for name, (status, output) in zip(names, results):
            if status != 0:
                failed += 1
                print(f"FAILED {name} (status {status})\n{output}")
    print(f"{len(names) - failed} of {len(names)} C tests passed"
          + (" under valgrind" if options.valgrind else "")
          + (f", {len(out)} left out on {' '.join(options.platform)}" if out and not options.listed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
