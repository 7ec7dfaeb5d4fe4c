#!/usr/bin/env python3
"""Compares coloop with the other asyncio loops: CPU time of the loop's process per operation.

Each round runs every row on all loops one after the other, with malloc as it is and with
its thresholds fixed, so that what else happens on the machine hits all of them alike.
"""

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.dirname(HERE))

import document  # noqa: E402
import measure  # noqa: E402
import results  # noqa: E402
from loops import LOOPS, factory  # noqa: E402
from rows import ROWS  # noqa: E402


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="rows with one of these in the name: a,b,c")
    parser.add_argument("--loops", default=",".join(LOOPS), help="only these: a,b,c")
    parser.add_argument("--malloc", default=",".join(measure.MALLOC),
                        help="only this: default | fixed")
    parser.add_argument("--load", default=os.path.join(ROOT, "target", "bench", "load"),
                        help="the load generator, from load.c and wire.c")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--json", metavar="FILE", help="append every result to FILE")
    parser.add_argument("--tables", metavar="FILE",
                        help="measure nothing: the tables of the results in FILE")
    arguments = parser.parse_args()
    unknown = set(arguments.loops.split(",")) - set(LOOPS)
    if unknown:
        parser.error(f"no such loop: {', '.join(unknown)}")
    if arguments.write and arguments.only:
        parser.error("--write is for all rows")
    return arguments


def installed(names):
    for name in LOOPS:
        if name not in names:
            continue
        try:
            factory(name)
        except ImportError as missing:
            print(f"{name} is left out: {missing}", file=sys.stderr)
        else:
            yield name


def certificate(directory):
    """A key and a certificate for 127.0.0.1, in one file."""
    path = os.path.join(directory, "certificate.pem")
    key = os.path.join(directory, "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", path],
        check=True, capture_output=True)
    with open(path, "a", encoding="ascii") as file, open(key, encoding="ascii") as secret:
        shutil.copyfileobj(secret, file)
    return path


def versions(names):
    yield "python", sys.version.split()[0]
    for name in (*names, "uvicorn", "httptools", "aiohttp"):
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass


def collect(arguments, rows, names, collected):
    # Server and load take turns on one processor, so that each turn of a server finds what
    # all connections have sent, whatever the number of processors.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="coloop-bench-") as directory:
        tools = measure.Tools(arguments.load, directory, certificate(directory))
        for number in range(arguments.rounds):
            for row in measure.steps(rows):
                print(f"round {number + 1}/{arguments.rounds}: {row.name}", file=sys.stderr)
                for setting in collected.settings:
                    for step in range(len(names)):
                        # Nobody is always the first after another row.
                        name = names[(step + number) % len(names)]
                        result = one(tools, row, name, setting)
                        collected.add(row, name, setting, result)
                        if arguments.json:
                            with open(arguments.json, "a", encoding="utf-8") as out:
                                out.write(json.dumps([row.name, name, setting, result]) + "\n")


def one(tools, row, name, setting):
    try:
        return measure.measure(tools, row, name, setting)
    except measure.Failed as failure:
        print(f"{row.name}, {name}, {setting}: {failure}", file=sys.stderr)
        return {"failure": str(failure)}


def read(path, collected):
    rows = {row.name: row for row in ROWS}
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, loop, setting, result = json.loads(line)
            collected.add(rows[name], loop, setting, result)


def main():
    arguments = parse_arguments()
    names = list(installed(arguments.loops.split(",")))
    rows = [row for row in ROWS if any(word in row.name for word in arguments.only.split(","))]
    if not names or not rows:
        sys.exit("nothing to run")
    collected = results.Results(arguments.malloc.split(","))
    if arguments.tables:
        read(arguments.tables, collected)
    else:
        collect(arguments, rows, names, collected)
    print(collected.text(rows, names))
    if arguments.write:
        document.replace(os.path.join(ROOT, "docs", "performance.md"), "python",
                         collected.markdown(rows, names, versions(names)))


if __name__ == "__main__":
    main()
