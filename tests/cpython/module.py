"""Runs the tests of one module in this process, and tells run.py of each.

    child.py LOOP MODULE SKIP [REGEX]

LOOP is "asyncio" or "coloop". SKIP is a file with the names of tests that are
not to be run, one a line. Only tests whose name REGEX finds are run. One JSON
object a line is written to what was the standard output:

    {"event": "list", "tests": [NAME, ...]}
    {"event": "start", "name": NAME}
    {"event": "end", "name": NAME, "outcome": OUTCOME, "category": CATEGORY, "text": TEXT}
    {"event": "done"}

OUTCOME is pass, fail, error, skip or xfail. CATEGORY is loop if at least one loop
was made for the test, whitebox if the test looks into private parts, or noloop.
"""

import faulthandler
import importlib
import json
import os
import re
import signal
import sys
import traceback
import unittest
import warnings

import substitute
import whitebox

PREFIX = "test.test_asyncio."


class Reports:
    """The lines for run.py: what the tests print goes elsewhere."""

    def __init__(self):
        self._fd = os.dup(1)
        os.dup2(2, 1)

    def send(self, event, **fields):
        os.write(self._fd, (json.dumps({"event": event, **fields}) + "\n").encode())


class Result(unittest.TestResult):
    """Reports a test when it begins and when it ends."""

    def __init__(self, reports, factory):
        super().__init__()
        self._reports = reports
        self._factory = factory
        self._name = None

    def startTest(self, test):
        super().startTest(test)
        self._name = name_of(test)
        self._worst = ("pass", "")
        self._made_before = self._factory.made
        self._reports.send("start", name=self._name)

    def stopTest(self, test):
        super().stopTest(test)
        if self._name is None:  # 3.12.1 stops what it skipped without starting it
            return
        if whitebox.reason(getattr(test, test._testMethodName)):
            category = "whitebox"
        else:
            category = "loop" if self._factory.made > self._made_before else "noloop"
        outcome, text = self._worst
        self._reports.send(
            "end", name=self._name, outcome=outcome, category=category, text=text
        )
        self._name = None

    def _note(self, test, outcome, text):
        if self._name is None:  # in setUpClass or setUpModule
            self._reports.send("start", name=str(test))
            self._reports.send(
                "end", name=str(test), outcome=outcome, category="loop", text=text
            )
        elif self._worst[0] in ("pass", "skip") or outcome == "error":
            self._worst = (outcome, text)

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "error", as_text(err))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "fail", as_text(err))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            self._note(test, "fail" if failed else "error", as_text(err))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self._name is not None and self._worst[0] == "pass":
            self._worst = ("skip", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._note(test, "xfail", "")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._note(test, "fail", "unexpected success")


def as_text(err):
    return "".join(traceback.format_exception(*err))[-3000:]


def name_of(test):
    return test.id().removeprefix(PREFIX)


def flat(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def main():
    loop, module_name, skip_file, *rest = sys.argv[1:]
    only = re.compile(rest[0] if rest else "")
    with open(skip_file) as lines:
        skip = set(lines.read().splitlines())

    faulthandler.enable()
    # A shell ignores Ctrl-C for what runs in its background, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    reports = Reports()
    factory = substitute.Factory(loop)
    substitute.before_import(factory)
    module = importlib.import_module(PREFIX + module_name)
    substitute.after_import(module_name, module, factory)

    listed, wanted = [], []
    for test in flat(unittest.TestLoader().loadTestsFromModule(module)):
        name = name_of(test)
        # Found out before any test runs: reading source is slow, and a test
        # may replace what reads it.
        private = whitebox.reason(getattr(test, test._testMethodName))
        if not only.search(name) or not substitute.applies(module_name, test, private):
            continue
        listed.append(name)
        if name not in skip:
            wanted.append(test)
    reports.send("list", tests=listed)
    warnings.simplefilter("ignore")
    unittest.TestSuite(wanted).run(Result(reports, factory))
    reports.send("done")
    # Threads that a test left behind must not keep the process.
    os._exit(0)
