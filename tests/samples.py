#!/usr/bin/env python3
"""Compiles and runs every program in the documents: samples.py LIBRARY-DIRECTORY [DOCUMENT...]

Without documents: in every page of docs/SUMMARY.md.

Each block of c, cpp, python or sh is a whole program. What it prints stands in a
block of text right after it, if the document shows it; programs between the marks of
tabs share the one after the tabs. A name behind the language
is the file's name; sh finds it beside itself, with include and target/lib as in
the repository. What a document's Python programs import is made of the C before them.
"""

import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field

import coloop

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts/docs"))

import pages  # noqa: E402

SAMPLE = re.compile(
    r"^```(?P<language>c|cpp|python|sh)(?: (?P<name>[\w.]+))?\n(?P<source>.*?)^```$"
    r"(?:\n+```text\n(?P<output>.*?)^```$)?",
    re.M | re.S,
)
TABS = re.compile(r"^<!-- tabs -->$.*?^<!-- end tabs -->\n+```text\n(?P<output>.*?)^```$", re.M | re.S)
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-g"]
COMPILERS = {
    "c": [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-D_GNU_SOURCE", *WARNINGS],
    "cpp": [*shlex.split(os.environ.get("CXX", "c++")), "-std=c++20", "-pedantic", *WARNINGS],
}


@dataclass
class Sample:
    document: pathlib.Path
    line: int
    language: str
    name: str
    source: str
    output: str | None
    build: list = field(default_factory=list)
    run: list = field(default_factory=list)


def samples_of(document, folder, link):
    """The document's programs, written into `folder`, with the commands to build and run each."""
    text = pathlib.Path(document).read_text()
    shared = [(match.span(), match["output"]) for match in TABS.finditer(text)]
    found = []
    for number, match in enumerate(SAMPLE.finditer(text)):
        language, source = match["language"], match["source"]
        name = match["name"] or f"sample{number}.{language}"
        output = next((output for (start, end), output in shared if start < match.start() < end), match["output"])
        sample = Sample(pathlib.Path(document), text.count("\n", 0, match.start()) + 1, language, name, source, output)
        if (folder / name).exists():
            raise ValueError(f"{document}: two programs are called {name}")
        (folder / name).write_text(source)
        module = language == "c" and re.search(r"\bPyInit_(\w+)", source)
        if module:
            sample.build = [*COMPILERS["c"], name, "-o", f"{module[1]}.so", "-shared", "-fPIC", "-pthread",
                            f"-I{sysconfig.get_path('include')}", f"-I{coloop.get_include()}"]
        elif language in COMPILERS:
            program = folder / f"program{number}"
            # A program that loads the library does not link to it.
            libraries = [flag for flag in link if flag != "-lcoloop" or "<coloop/dynamic.h>" not in source]
            sample.build = [*COMPILERS[language], name, "-o", str(program), *libraries]
            sample.run = [str(program)]
        else:
            sample.run = [sys.executable, name] if language == "python" else ["sh", "-eu", name]
        found.append(sample)
    return found


def execute(command, folder):
    """What went wrong, or None, and what was printed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])),
                   "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])}
    try:
        result = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired as late:
        return f"ran longer than {late.timeout} s\n{late.stdout or ''}{late.stderr or ''}", ""
    if result.returncode != 0:
        return f"status {result.returncode}\n{result.stdout}{result.stderr}", ""
    return None, result.stdout


def check(sample, folder):
    """What went wrong when the program ran, or None."""
    if not sample.run:
        return None
    wrong, printed = execute(sample.run, folder)
    if wrong is None and sample.output is not None and printed != sample.output:
        wrong = f"printed\n{printed}instead of\n{sample.output}"
    return wrong


def main(library, *documents):
    link = [f"-I{ROOT}/include", f"-L{os.path.abspath(library)}", "-lcoloop",
            f"-Wl,-rpath,{os.path.abspath(library)}", "-pthread", "-ldl"]
    failed = count = 0
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        books = []
        for number, document in enumerate(documents or [ROOT / page for page in pages.summary_pages(ROOT)]):
            folder = pathlib.Path(scratch, str(number))
            (folder / "target").mkdir(parents=True)
            (folder / "include").symlink_to(ROOT / "include")
            (folder / "target/lib").symlink_to(os.path.abspath(library))
            books.append((folder, samples_of(document, folder, link)))

        def build(work):
            folder, sample = work
            return execute(sample.build, folder)[0] if sample.build else None

        every = [(folder, sample) for folder, samples in books for sample in samples]
        built = {id(sample): wrong for (_, sample), wrong in zip(every, pool.map(build, every))}

        def run(book):
            folder, samples = book
            return [(sample, built[id(sample)] or check(sample, folder)) for sample in samples]

        for outcomes in pool.map(run, books):
            for sample, wrong in outcomes:
                count += 1
                if wrong:
                    failed += 1
                    print(f"{sample.document}:{sample.line}: {wrong}")
    print(f"{count - failed} of {count} programs in the documents ran")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
