#!/usr/bin/env python3
"""CPython's own installed asyncio tests, on asyncio and on coloop.

    run.py [--jobs N] [--timeout SECONDS] [--only REGEX] [MODULE ...]

Fails if a test that passes on asyncio does not pass on coloop. Each module runs in a
process of its own, once with each loop. A test that does not end in SECONDS or that
kills its process is a hang or a crash, and the module goes on behind it. What went
wrong on coloop is run once more by itself, so that only what goes wrong twice fails:
many of these tests depend on how busy the machine is. Both are shown.

The tests are those of the Python that runs this file; `coloop` must be importable.
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import platform
import re
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
GOOD = ("pass", "xfail", "skip")
# Children that die before any test, or again and again, are given up.
MOST_STARTS = 30
MOST_SHOWN = 40


class Module:
    """The outcomes of one module's tests on one loop, by name."""

    def __init__(self, options, loop, name, only, folder):
        self._options = options
        self._loop = loop
        self._name = name
        self._only = only
        self._folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.results = {}
        self.listed = []
        self.seconds = 0.0

    async def run(self):
        began = time.monotonic()
        for _ in range(MOST_STARTS):
            ended, running, how = await self._run_rest()
            if ended:
                break
            if running is None:
                if not self.results or not self.listed:
                    break
                running = f"after {list(self.results)[-1]}"
            self.results[running] = {"outcome": how, "category": "loop", "text": self._log_end()}
        for name in self.listed:
            # Those of a skipped class never begin; those of a broken run do not either.
            missing = "skip" if ended else "not run"
            self.results.setdefault(
                name, {"outcome": missing, "category": "noloop", "text": ""}
            )
        if not self.listed and not ended:
            self.results[self._name] = {
                "outcome": "crash", "category": "loop", "text": self._log_end(),
            }
        self.seconds = time.monotonic() - began
        return self

    def _log_end(self):
        text = (self._folder / "log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])

    async def _run_rest(self):
        """One process for what has no outcome yet: (it ended well, the test that
        ran when it did not, why it did not)."""
        skip = self._folder / "skip"
        skip.write_text("".join(f"{name}\n" for name in self.results))
        environment = dict(
            os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONHASHSEED="0",
            PYTHONPATH=os.pathsep.join(os.path.abspath(folder) for folder in sys.path if folder),
        )
        with open(self._folder / "log", "ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, HERE / "child.py", self._loop, self._name, skip, self._only,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                cwd=tempfile.mkdtemp(dir=self._folder), env=environment,
                start_new_session=True, limit=1 << 22,
            )
        running, ended, how = None, False, "crash"
        while True:
            try:
                line = await asyncio.wait_for(child.stdout.readline(), self._options.timeout)
            except asyncio.TimeoutError:
                how = "hang"
                break
            if not line:
                break
            fields = json.loads(line)
            event = fields.pop("event")
            if event == "list":
                self.listed = fields["tests"]
            elif event == "start":
                running = fields["name"]
            elif event == "end":
                self.results[fields.pop("name")] = fields
                running = None
            elif event == "done":
                ended = True
                break
        try:  # with what its tests left behind
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await child.wait()
        return ended, running, how


def compare(oracle, subject):
    """The names of the tests that are good on asyncio and not on coloop."""
    names = []
    for name, theirs in oracle.results.items():
        ours = subject.results.get(name, {"outcome": "not run", "text": ""})
        equal = theirs["outcome"] == ours["outcome"]
        if not equal and theirs["outcome"] in GOOD:
            names.append(name)
    # Fixtures that fail only here, and what came between two tests.
    names += [
        name for name, ours in subject.results.items()
        if name not in oracle.results and ours["outcome"] not in GOOD
    ]
    return names


def exact(names):
    """A regular expression for these names only."""
    return "^(" + "|".join(re.escape(name) for name in names) + ")$"


async def one_module(options, name, folder, limit, report):
    async def limited(loop):
        async with limit:
            return await Module(options, loop, name, options.only, folder).run()

    oracle, subject = await asyncio.gather(limited("asyncio"), limited("coloop"))
    names = compare(oracle, subject)
    report.add(name, oracle, subject)
    if names:
        async with limit:
            again = await Module(options, "coloop", name, exact(names), folder).run()
        report.add_again(name, oracle, subject, names, again)


class Report:
    """Counts, and what to print at the end."""

    def __init__(self):
        self.totals = collections.Counter()
        self.noted, self.failed = [], []
        print(f"{'module':26} {'asyncio':>15} {'coloop':>15}   (loop category: passed / run)")

    def add(self, name, oracle, subject):
        counts = collections.Counter()
        for test, theirs in oracle.results.items():
            category = theirs["category"]
            for who, result in (("asyncio", theirs), ("coloop", subject.results.get(test))):
                if result is None or result["outcome"] in ("skip", "not run"):
                    continue
                counts[who, category, "run"] += 1
                counts[who, category, "passed"] += result["outcome"] in GOOD
            if theirs["outcome"] not in GOOD:
                self.noted.append(f"{test}: {theirs['outcome']} on asyncio itself: not counted")
        self.totals += counts
        self._line(name, counts, f"{oracle.seconds:6.1f} s {subject.seconds:6.1f} s")

    def _line(self, name, counts, rest):
        def score(who):
            return f"{counts[who, 'loop', 'passed']} / {counts[who, 'loop', 'run']}"

        print(f"{name:26} {score('asyncio'):>15} {score('coloop'):>15}   {rest}", flush=True)

    def add_again(self, name, oracle, subject, names, again):
        for test in names:
            first = subject.results.get(test, {"outcome": "not run", "text": ""})
            second = again.results.get(test, {"outcome": "not run", "text": ""})
            expected = oracle.results.get(test, {"outcome": "pass"})["outcome"]
            if second["outcome"] == expected:
                self.noted.append(f"{test}: {first['outcome']} on coloop, {expected} by itself")
            else:
                self.failed.append((test, expected, second if second["text"] else first))

    def end(self):
        self._line("total", self.totals, "")
        for category in ("noloop", "whitebox"):
            passed, run = (
                [self.totals[who, category, what] for who in ("asyncio", "coloop")]
                for what in ("passed", "run")
            )
            print(f"{category}: asyncio {passed[0]} / {run[0]}, coloop {passed[1]} / {run[1]}")
        for line in self.noted:
            print("note:", line)
        self.failed.sort(key=lambda item: item[2]["outcome"] == "not run")
        for test, expected, result in self.failed[:MOST_SHOWN]:
            outcome = result["outcome"].upper()
            print(f"\n{outcome}: {test} ({expected} on asyncio)\n{result['text']}")
        if self.failed:
            print(f"{len(self.failed)} tests pass on asyncio and do not on coloop")
        if not self.totals["coloop", "loop", "run"]:
            print("no test was run")
            return 1
        return 1 if self.failed else 0


async def run(options, modules, folder):
    report = Report()
    limit = asyncio.Semaphore(options.jobs)
    await asyncio.gather(
        *(one_module(options, name, folder, limit, report) for name in modules)
    )
    return report.end()


def installed_modules():
    try:
        from test import test_asyncio
    except ImportError:
        sys.exit(
            f"{sys.executable} has no test package (test.test_asyncio), which this compares with:"
            " install it (Debian: libpython3-testsuite) or choose another with PYTHON="
        )
    import substitute

    folder = pathlib.Path(test_asyncio.__file__).parent
    return [name for name in substitute.MODULES if (folder / f"{name}.py").exists()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1)
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one test")
    parser.add_argument("--only", default="", help="a regular expression for names of tests")
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    modules = options.modules or installed_modules()
    import coloop

    print(f"CPython {platform.python_version()}, coloop of {coloop.__path__[0]}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coloop-cpython-") as folder:
        code = asyncio.run(run(options, modules, folder))
    print(f"{time.monotonic() - began:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
