"""Plots of docs/performance.md: for each table with ratios a bar for each row.

The axis is logarithmic, so that twice and half are equally far from 1: a bar to
the left is a row in which coloop takes less than the best of the others, one to
the right a row in which it takes more.
"""

import html
import math
import re

ROW, TOP, LABELS, PLOT, VALUES = 20, 44, 190, 420, 150
_TABLE = re.compile(r"^\|.*\|\n\|[-|]+\|\n(?:\|.*\|\n?)+", re.M)


def tables(text):
    """(match, rows) of each table with ratios; a row is its name, ratio and peer."""
    for match in _TABLE.finditer(text):
        head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in match[0].splitlines()]
        if "ratio" not in head:
            continue
        peer = head.index("best peer" if "best peer" in head else "against")
        rows = [(line[0], line[head.index("ratio")], line[peer]) for line in lines]
        yield match, [row for row in rows if re.fullmatch(r"\d+(\.\d+)?", row[1])]


def _power(exponent):
    return str(2**exponent) if exponent >= 0 else f"1/{2**-exponent}"


def svg(rows, title):
    """The plot of one table."""
    # What rounds to 0.00 is drawn as the least that a table can tell from it.
    logs = [math.log2(max(float(ratio), 0.005)) for _, ratio, _ in rows]
    low = math.floor(min([-1, *logs]))
    high = math.ceil(max([1, *logs]))

    def x(log):
        return round(LABELS + (log - low) * PLOT / (high - low), 1)

    height = TOP + ROW * len(rows) + 8
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" '
             f'viewBox="0 0 {LABELS + PLOT + VALUES} {height}" aria-label="{html.escape(title)}: '
             f'coloop\'s ratio to the best of the others; the table below has the numbers">']
    lines.append(f'<text class="side" x="{x(0) - 8}" y="14" text-anchor="end">coloop takes less</text>'
                 f'<text class="side" x="{x(0) + 8}" y="14">takes more</text>')
    for exponent in range(low, high + 1):
        kind = "one" if exponent == 0 else "grid"
        lines.append(f'<line class="{kind}" x1="{x(exponent)}" x2="{x(exponent)}" y1="{TOP - 8}" y2="{height - 4}"/>'
                     f'<text class="tick" x="{x(exponent)}" y="{TOP - 13}" text-anchor="middle">{_power(exponent)}</text>')
    for number, ((name, ratio, peer), log) in enumerate(zip(rows, logs)):
        y = TOP + ROW * number
        left, width = min(x(0), x(log)), max(1.0, round(abs(x(log) - x(0)), 1))
        kind = "less" if float(ratio) < 1 else "more" if float(ratio) > 1 else "equal"
        lines.append(f'<g data-row="{name}" data-ratio="{ratio}" data-peer="{html.escape(peer)}">'
                     f'<text class="name" x="{LABELS - 12}" y="{y + 13}" text-anchor="end">{name}</text>'
                     f'<rect class="{kind}" x="{left}" y="{y + 3}" width="{width}" height="{ROW - 7}"/>'
                     f'<text class="value" x="{LABELS + PLOT + 12}" y="{y + 13}">{ratio} × {html.escape(peer)}</text></g>')
    return "\n".join([*lines, "</svg>"])


def insert(text):
    """The page with a plot before each of its tables with ratios."""
    parts, place = [], 0
    for match, rows in tables(text):
        heading = re.findall(r"^#+ (.*)$", text[:match.start()], re.M)[-1].replace("`", "")
        parts += [text[place:match.start()], svg(rows, heading), "\n\n"]
        place = match.start()
    return "".join(parts) + text[place:]
