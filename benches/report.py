"""From samples to tables: medians, ratios, marks, Markdown."""

import os
import platform
import re
import statistics
import subprocess

from rows import LIBRARIES, PARTS, ROWS
from tables import aligned, markdown_table, number


class Results:
    """samples[library, scenario] is a list of result objects, one a round."""

    def __init__(self):
        self.samples = {}

    def add(self, library, scenario, result):
        self.samples.setdefault((library, scenario), []).append(result)

    def values(self, row, library, value=None):
        found = self.samples.get((library, row.scenario(library)), [])
        name = value or row.value
        return [result[name] for result in found if name in result]

    def median(self, row, library, value=None):
        values = self.values(row, library, value)
        return statistics.median(values) if values else None

    def best_peer(self, row):
        peers = [library for library in LIBRARIES if row.is_peer(library)]
        medians = [(self.median(row, lib), lib) for lib in peers]
        return min((pair for pair in medians if pair[0] is not None), default=(None, None))

    def early(self, row):
        """How many of coloop's timers fired too early, over all rounds."""
        return sum(self.values(row, "coloop", "early")) if row.never_early else 0

    def verdict(self, row):
        """(ratio to the best peer or None, must mark, aim mark)."""
        own = self.median(row, "coloop")
        best, _ = self.best_peer(row)
        if own is None:
            return None, "", ""
        ratio = own / best if best else None
        compared = own if row.absolute else ratio
        if compared is None:
            return ratio, "", ""
        early = self.early(row)

        def mark(bound):
            if bound is None:
                return "early!" if early else ""
            return "ok" if compared <= bound and not early else "missed"

        return ratio, mark(row.must), mark(row.aim)


def bound(row):
    return tuple("-" if limit is None else f"<= {limit:g}" for limit in (row.must, row.aim))


def tables(results, every_row, parts=tuple(PARTS)):
    """(title, rows, libraries): what there is to show. every_row: also those without values."""
    for title, rows in ((title, rows) for part in parts for title, rows in PARTS[part].items()):
        measured = [row for row in rows if any(results.values(row, lib) for lib in LIBRARIES)]
        libraries = [lib for lib in LIBRARIES if any(results.values(row, lib) for row in rows)]
        if measured:
            yield title, rows if every_row else measured, libraries


def cells(results, row, libraries):
    ratio, must, aim = results.verdict(row)
    _, best_library = results.best_peer(row)
    own = results.values(row, "coloop")
    spread = f"{number(min(own))}-{number(max(own))}" if own else "-"
    values = [number(results.median(row, library)) for library in libraries]
    must_bound, aim_bound = bound(row)
    return [row.name, row.unit, *values, spread, best_library or "-",
            f"{ratio:.2f}" if ratio is not None else "-",
            f"{must_bound} {must}".strip(), f"{aim_bound} {aim}".strip()]


def headings(libraries):
    return ["row", "unit", *(lib + " (bound)" if lib == "raw" else lib for lib in libraries),
            "coloop min-max", "best peer", "ratio", "must", "aim"]


def text_tables(results):
    return "\n\n".join(
        aligned([headings(libraries), *(cells(results, row, libraries) for row in rows)])
        for _, rows, libraries in tables(results, every_row=False))


def side_notes(results, rows=tuple(ROWS)):
    """Figures beside the compared one: CPU of the posts, early timers, descriptors."""
    for row in rows:
        for library in LIBRARIES:
            if not results.values(row, library):
                continue
            if row.value == "wall_ns_per_op":
                cpu = results.median(row, library, "cpu_ns_per_op")
                yield f"{row.name}, {library}: {number(cpu)} CPU ns"
            if row.name == "spawn":
                children = results.median(row, library, "children_cpu_ns_per_op")
                wall = results.median(row, library, "wall_ns_per_op")
                yield (f"spawn, {library}: {number(children)} of it in the children, "
                       f"{number(wall)} wall ns")
            if row.never_early and library == "coloop" or row.name == "timer_fire":
                early = sum(results.values(row, library, "early"))
                yield f"{row.name}, {library}: {early} timers fired early"
            if row.name == "mem_loop":
                fds = results.median(row, library, "fds_per_item")
                yield f"{row.name}, {library}: {number(fds)} descriptors per loop"


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"model name\s*:\s*(.*)", file.read())
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or "unknown"


def first_line(command):
    try:
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return out.strip().splitlines()[0] if out.strip() else None


def versions():
    """What can be found out; a library without pkg-config data stays unnamed."""
    yield "compiler", first_line(["cc", "--version"])
    yield "rustc", first_line(["rustc", "--version"])
    yield "libuv", first_line(["pkg-config", "--modversion", "libuv"]) \
        or header_version("uv/version.h", ["UV_VERSION_MAJOR", "UV_VERSION_MINOR",
                                           "UV_VERSION_PATCH"])
    yield "libev", header_version("ev.h", ["EV_VERSION_MAJOR", "EV_VERSION_MINOR"])
    yield "libevent", first_line(["pkg-config", "--modversion", "libevent"]) \
        or first_line(["dpkg-query", "-W", "-f=${Version}", "libevent-dev"])
    yield "Boost.Asio", boost_version()
    for crate in ("mio", "tokio"):
        yield crate, locked_version(crate)


def boost_version():
    version = header_version("boost/version.hpp", ["BOOST_LIB_VERSION"])
    return version and version.strip('"').replace("_", ".")


def locked_version(crate):
    lock = os.path.join(os.path.dirname(os.path.abspath(__file__)), crate, "Cargo.lock")
    try:
        with open(lock, encoding="utf-8") as file:
            found = re.search(rf'name = "{crate}"\nversion = "([^"]+)"', file.read())
    except OSError:
        found = None
    return found.group(1) if found else None


def header_version(header, names):
    """Asks the preprocessor, because not every library ships pkg-config data."""
    source = f"#include <{header}>\n" + "BENCH " + " ".join(names) + "\n"
    try:
        out = subprocess.run(["cc", "-E", "-P", "-x", "c", "-"], input=source, text=True,
                             capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"^BENCH (.*)$", out, re.MULTILINE)
    return ".".join(found.group(1).split()) if found else None


def spread(results, row, libraries):
    values = [results.values(row, library) for library in libraries]
    return [row.name, *(f"{number(min(v))}-{number(max(v))}" if v else "-" for v in values)]


HEADINGS = {"c": "From C", "coroutines": "From C++: coroutines"}
REMARKS = {
    "c": ["The ratio is coloop's median by the best peer's. raw is epoll by hand, a bound and",
          "no peer; nor is mio where it has no such feature (timers: a BTreeMap of the benchmark",
          "beside its poller). Of the services' last three rows, only libuv is a peer. The bounds of",
          "timer_accuracy, mem_timer and mem_loop are bounds of the value itself, all others of",
          "the ratio. `ok` and `missed` say whether it holds."],
    "coroutines": ["The ratio is coloop's median by Boost.Asio's. `ok` and `missed` say whether the",
                   "bound holds."],
}


def is_complete(results, part):
    return all(results.values(row, "coloop") for rows in PARTS[part].values() for row in rows)


def markdown(results, part, rounds, quick):
    lines = [f"## {HEADINGS[part]}", "",
             "By `make bench`. How to repeat it, and what each row means, is in `benches/README.md`.", "",
             f"- cpu: {cpu_model()}, {os.cpu_count()} visible",
             f"- kernel: {platform.system()} {platform.release()}"]
    lines += [f"- {name}: {version}" for name, version in versions() if version]
    lines += [f"- medians of {rounds} interleaved rounds"
              + (" (shortened runs: indicative only)" if quick else ""), "",
              *REMARKS[part], ""]
    for title, rows, libraries in tables(results, True, [part]):
        lines += [f"### {title}", "",
                  *markdown_table(headings(libraries),
                                  (cells(results, row, libraries) for row in rows)), ""]
    lines += ["### Spread", "", "Minimum and maximum over the rounds.", ""]
    for _, rows, libraries in tables(results, True, [part]):
        lines += [*markdown_table(["row", *libraries],
                                  (spread(results, row, libraries) for row in rows)), ""]
    own_rows = [row for rows in PARTS[part].values() for row in rows]
    notes = list(side_notes(results, own_rows))
    if notes:
        lines += ["### Beside the rows", "", *(f"- {note}" for note in notes), ""]
    lines += ["### The rows", ""]
    lines += [f"- `{row.name}`: {row.what}" for row in own_rows]
    return "\n".join(lines) + "\n"
