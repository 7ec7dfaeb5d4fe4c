#!/usr/bin/env python3
"""Runs the benchmark executables that build.sh made and compares coloop with its peers.

Every round runs each scenario for all libraries one after the other (A B C, A B C, ...),
so that what else happens on the machine hits all of them alike.
"""

import argparse
import json
import os
import subprocess
import sys

import document
import report
from rows import LIBRARIES, PARTS, ROWS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT = 120  # seconds; a scenario takes about one


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="shortened runs, indicative only")
    parser.add_argument("--only", default="", help="rows with one of these in the name: a,b,c")
    parser.add_argument("--libraries", default=",".join(LIBRARIES), help="only these: a,b,c")
    parser.add_argument("--bin", default=os.path.join(ROOT, "target", "bench"),
                        help="where build.sh put the executables")
    parser.add_argument("--write", action="store_true", help="write the parts of docs/performance.md that were measured in full")
    parser.add_argument("--json", metavar="FILE", help="append every result line to FILE")
    return parser.parse_args()


def find_executables(directory, libraries):
    found = {}
    for library in LIBRARIES:
        if library not in libraries:
            continue
        path = os.path.join(directory, "bench_" + library)
        if not os.access(path, os.X_OK):
            print(f"no {path}: {library} is left out", file=sys.stderr)
            continue
        names = subprocess.run([path, "--list"], capture_output=True, text=True, check=False)
        if names.returncode != 0:
            print(f"{path} does not start: {names.stderr.strip()}", file=sys.stderr)
            continue
        found[library] = (path, set(names.stdout.split()))
    return found


def plan(executables, only):
    """The scenarios to run: (scenario, libraries that have it, needs every round)."""
    steps = {}
    for row in ROWS:
        if not any(word in row.name for word in only.split(",")):
            continue
        for library, (_, names) in executables.items():
            scenario = row.scenario(library)
            if scenario in names:
                libraries, _ = steps.setdefault(scenario, ([], not row.deterministic))
                if library not in libraries:
                    libraries.append(library)
    return [(scenario, libraries, every) for scenario, (libraries, every) in steps.items()]


def run_one(path, scenario, quick):
    command = [path, scenario] + (["--quick"] if quick else [])
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT,
                              check=False)
    except subprocess.TimeoutExpired:
        print(f"{' '.join(command)}: no end after {TIMEOUT} s", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}",
              file=sys.stderr)
        return None
    return json.loads(done.stdout)


def main():
    arguments = parse_arguments()
    executables = find_executables(arguments.bin, arguments.libraries.split(","))
    if not executables:
        sys.exit("nothing to run: benches/build.sh first")
    results = report.Results()
    steps = plan(executables, arguments.only)
    for number in range(arguments.rounds):
        for scenario, libraries, every_round in steps:
            if number >= 2 and not every_round:
                continue
            print(f"round {number + 1}/{arguments.rounds}: {scenario}", file=sys.stderr)
            for library in libraries:
                result = run_one(executables[library][0], scenario, arguments.quick)
                if result is None:
                    continue
                results.add(library, scenario, result)
                if arguments.json:
                    with open(arguments.json, "a", encoding="utf-8") as file:
                        file.write(json.dumps(result) + "\n")
    print(report.text_tables(results))
    print()
    print("\n".join(report.side_notes(results)))
    if arguments.write:
        for part in filter(lambda part: report.is_complete(results, part), PARTS):
            document.replace(os.path.join(ROOT, "docs", "performance.md"), part,
                             report.markdown(results, part, arguments.rounds, arguments.quick))


if __name__ == "__main__":
    main()
