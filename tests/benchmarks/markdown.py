"""Numbers and tables in Markdown, and the generated part of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .measure import Results, Samples, ratio

BEGIN = "<!-- begin generated -->"
END = "<!-- end generated -->"
MISSING = "not installed"

# Seconds, or another unit that the section chooses, by (comparison, contestant); verdicts follow from them.
Facts = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Section:
    """A part of the report, and its medians, from which verdicts follow."""

    title: str
    body: str
    facts: Facts = field(default_factory=dict)

    def __str__(self) -> str:
        return f"## {self.title}\n\n{self.body}"


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{decimals}f}"


def times(value: float | None) -> str:
    """A ratio."""
    return MISSING if value is None else number(value)


def spread(samples: Samples | None, factor: float = 1) -> str:
    """Median and quartiles, each multiplied by `factor`."""
    if samples is None:
        return MISSING
    scaled = samples.scaled(factor)
    if len(scaled.values) == 1:
        return f"{number(scaled.median)} (one run)"
    low, high = sorted(scaled.quartiles)
    return f"{number(scaled.median)} ({number(low)} to {number(high)})"


def milliseconds(samples: Samples | None) -> str:
    return spread(samples, 1000)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table, first column to the left, others to the right, padded so that the source is legible, too."""
    lines = [list(header), *map(list, rows)]
    widths = [max(3, *(len(line[i]) for line in lines)) for i in range(len(header))]

    def row(cells: Sequence[str]) -> str:
        first, *others = (
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join([first, *others]) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-:"[i > 0]) for i, w in enumerate(widths)) + "|"
    return "\n".join([row(header), rule, *map(row, rows)])


def comparison(first: str, results: Results, reference: str) -> str:
    """A table of times and of their ratios to the reference."""
    rows = [
        [name, milliseconds(samples), times(ratio(samples, results[reference]))]
        for name, samples in results.items()
    ]
    return table([first, "ms", f"ratio to {reference}"], rows)


def side_by_side(first: str, columns: Mapping[str, Results], reference: str) -> str:
    """Two tables with a column for every comparison: times, and their ratios to the reference."""
    names = list(next(iter(columns.values())))
    durations = [[name, *(milliseconds(results[name]) for results in columns.values())] for name in names]
    ratios = [
        [name, *(times(ratio(results[name], results[reference])) for results in columns.values())]
        for name in names
    ]
    header = [first, *columns]
    return f"Milliseconds:\n\n{table(header, durations)}\n\nRatio to {reference}:\n\n{table(header, ratios)}"


def medians(what: str, results: Results) -> Facts:
    """Medians of a comparison."""
    return {(what, name): samples.median for name, samples in results.items() if samples is not None}


def replace_between(text: str, generated: str) -> str:
    """Put `generated` between the markers and keep the rest; each marker must appear once."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ValueError(f"the markers {BEGIN} and {END} must each appear once, in this order")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{generated.strip()}\n\n{END}{after}"
