"""From samples to tables: medians, ratios, spread, and whether a bound holds."""

import statistics

from tables import aligned, markdown_table, number

TIE = 1.15  # differences below this are ties

SETTINGS = {
    "default": "malloc as it is",
    "fixed": "malloc's thresholds fixed (`MALLOC_MMAP_THRESHOLD_`, `MALLOC_TRIM_THRESHOLD_`)",
}


class Results:
    """The samples of all rounds, by scenario, loop and setting of malloc."""

    def __init__(self, settings):
        self.settings = settings
        self._samples = {}

    @staticmethod
    def _key(row, loop, setting):
        return row.scenario or row.name, row.load, loop, setting

    def add(self, row, loop, setting, result):
        """A sample as measure.measure() gives it, or {"failure": why there is none}."""
        self._samples.setdefault(self._key(row, loop, setting), []).append(result)

    def values(self, row, loop, setting, value=None):
        samples = self._samples.get(self._key(row, loop, setting), [])
        return [sample[value or row.value] for sample in samples if "failure" not in sample]

    def failures(self, row, loop):
        samples = [sample for setting in self.settings
                   for sample in self._samples.get(self._key(row, loop, setting), [])]
        return sorted({sample["failure"] for sample in samples if "failure" in sample})

    def rounds(self):
        return max(map(len, self._samples.values()), default=0)

    def median(self, row, loop, setting, value=None):
        values = self.values(row, loop, setting, value)
        return statistics.median(values) if values else None

    def ratio(self, row, setting):
        """(coloop's median by the best peer's, that peer); (None, None) without either."""
        own = self.median(row, "coloop", setting)
        medians = [(self.median(row, peer, setting), peer) for peer in row.peers]
        best, peer = min(((m, p) for m, p in medians if m is not None), default=(None, None))
        return (own / best, peer) if own is not None and best else (None, None)

    # Text.

    def _cells(self, row, names, setting):
        ratio, peer = self.ratio(row, setting)
        own = self.values(row, "coloop", setting)
        return [
            row.name, row.unit,
            *(number(self.median(row, name, setting)) for name in names),
            f"{number(min(own))}-{number(max(own))}" if own else "-",
            peer or "-",
            f"{ratio:.2f}" if ratio else "-",
            _mark(ratio, row.must), _mark(ratio, row.aim),
        ]

    def _tables(self, rows, names):
        heads = ["row", "unit", *names, "coloop min-max", "against", "ratio", "must", "aim"]
        for setting in self.settings:
            yield setting, heads, [self._cells(row, names, setting) for row in rows]

    def _notes(self, rows, names):
        for setting in self.settings:
            for row in rows:
                if row.beside:
                    value, text = row.beside
                    medians = [(name, self.median(row, name, setting, value)) for name in names]
                    figures = ", ".join(f"{n} {number(m)}" for n, m in medians if m is not None)
                    yield f"{row.name}, {text} ({setting}): {figures}"
        for row in rows:
            for name in names:
                for failure in self.failures(row, name):
                    yield f"{row.name}, {name}: {failure}"

    def text(self, rows, names):
        parts = [f"{SETTINGS[setting]}\n\n{aligned([heads, *lines])}"
                 for setting, heads, lines in self._tables(rows, names)]
        return "\n\n".join([*parts, "\n".join(self._notes(rows, names))])

    def markdown(self, rows, names, versions):
        lines = [
            "## From Python", "",
            "CPU time (user and system) of the loop's process for one operation; medians of "
            f"{self.rounds()} interleaved",
            "rounds; the load is a C program on the same processor. The ratio is coloop's to the "
            "better one's of",
            "uvloop and rloop, or to asyncio's where that is named. `held` and `missed` say "
            "whether a bound holds;",
            f"`tie`: missed, by less than {TIE - 1:.0%}, which one run does not tell from held. "
            "`-`: the loop has no such",
            "feature, or failed: see the notes.", "",
            *(f"- {name}: {version}" for name, version in versions), ""]
        for setting, heads, cells in self._tables(rows, names):
            lines += [f"### {SETTINGS[setting][0].upper()}{SETTINGS[setting][1:]}", "",
                      *markdown_table(heads, cells), ""]
        for setting in self.settings:
            lines += [f"### Spread: {setting}", "",
                      *markdown_table(["row", *names], self._spread(rows, names, setting)), ""]
        lines += ["### Notes", "", *(f"- {note}" for note in self._notes(rows, names)), "",
                  "### These rows", "", *(f"- `{row.name}`: {row.what}" for row in rows)]
        return "\n".join(lines)

    def _spread(self, rows, names, setting):
        for row in rows:
            found = [self.values(row, name, setting) for name in names]
            yield [row.name, *(f"{number(min(v))}-{number(max(v))}" if v else "-" for v in found)]


def _mark(ratio, bound):
    if ratio is None:
        return f"<= {bound:g}"
    verdict = "held" if ratio <= bound else "tie" if ratio <= bound * TIE else "missed"
    return f"<= {bound:g} {verdict}"
