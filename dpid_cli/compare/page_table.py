"""The numbers of pages as HTML: sortable tables with bars, everywhere and at each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from dpid_cli.compare.intensities import intensities
from dpid_cli.compare.metrics import Yardstick
from dpid_cli.compare.sheet import LETTERS
from dpid_cli.compare.table import HEADINGS, MEANINGS, cells_of

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison
    from dpid_cli.compare.metrics import Numbers
    from dpid_cli.compare.regions import Region
    from dpid_cli.pictures import Picture

PLAIN = 3  # columns that answer a question; the others follow under "More numbers"
# Which numbers can be better, by the first line of their headings.
_MOST = {"detail kept", "likeness", "SSIM", "PSNR", "MS-SSIM", "speed"}
_LEAST = {"noise added", "noise", "time", "FLIP"}


@dataclass(frozen=True)
class Row:
    """The numbers of one variant as texts, perhaps with their spread over images."""

    key: str
    label: str
    cells: Sequence[str]
    spreads: Sequence[str] = ()


def rows_of(comparison: Comparison, numbers: Sequence[Numbers]) -> list[Row]:
    """A row for each output of a comparison."""
    return [
        Row(result.variant.word, result.variant.label, cells_of(own))
        for result, own in zip(comparison.results, numbers, strict=True)
    ]


def numbers_at(comparison: Comparison, region: Region) -> list[Numbers]:
    """The numbers of all outputs within a region, without times."""

    def cut(picture: Picture, part: Region) -> Picture:
        return replace(picture, pixels=part.cut(picture.pixels))

    below = region.on(comparison.size, comparison.picture.size)
    yardstick = Yardstick(
        intensities(cut(comparison.picture, below)), intensities(cut(comparison.box, region))
    )
    return [yardstick.measure(intensities(cut(result.picture, region))) for result in comparison.results]


def section_of(comparison: Comparison) -> str:
    """The numbers of a comparison: everywhere, and at its places; empty if they were not measured."""
    if not comparison.numbers:
        return ""
    tables = [("everywhere", "Everywhere", rows_of(comparison, comparison.numbers))]
    for letter, region in zip(LETTERS, comparison.regions, strict=False):
        tables.append((letter, f"At {letter}", rows_of(comparison, numbers_at(comparison, region))))
    buttons = "".join(
        f'<button type="button" data-table="{scope}" hidden>{title}</button> ' for scope, title, _ in tables
    )
    parts = "\n".join(
        f'<div data-scope="{scope}"><h3>{title}</h3>\n'
        + _table(f"Numbers {title[0].lower()}{title[1:]}", rows, True, PLAIN if number else len(HEADINGS))
        + "</div>"
        for number, (scope, title, rows) in enumerate(tables)
    )
    more = '<button type="button" id="more-numbers" aria-expanded="false" hidden>More numbers</button>'
    return (
        '<section id="numbers-section" class="all" aria-labelledby="numbers">\n'
        '<h2 id="numbers">Numbers</h2>\n'
        f'<div class="group" id="scopes">{buttons}{more}</div>\n{parts}\n{_meanings()}\n</section>'
    )


def summary_of(heading: str, rows: Sequence[Row]) -> str:
    """One table below a heading, which a page without a script shows whole."""
    return f"<h2>{escape(heading)}</h2>\n{_table(heading, rows, False)}\n{_meanings()}"


def _meanings() -> str:
    terms = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in MEANINGS)
    return f"<details>\n<summary>What the numbers mean</summary>\n<dl>\n{terms}\n</dl>\n</details>"


def _table(name: str, rows: Sequence[Row], sortable: bool, columns: int = len(HEADINGS)) -> str:
    """A table of the first columns in a region that scrolls; a caption would be cut off with it."""
    used = [column for column in range(columns) if any(row.cells[column] for row in rows)]
    values = {column: [_value(row.cells[column]) for row in rows] for column in used}
    head = _heading(("variant", ""), "", "", sortable)
    for column in used:
        head += _heading(HEADINGS[column], _best(column), "more" if column >= PLAIN else "", sortable)
    body = "\n".join(
        f'<tr data-key="{escape(row.key)}" data-order="{order}"><th scope="row">{escape(row.label)}</th>'
        + "".join(_cell(row, order, column, values[column]) for column in used)
        + "</tr>"
        for order, row in enumerate(rows)
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f'<table class="numbers" aria-label="{escape(name)}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _heading(lines: tuple[str, str], best: str, kind: str, sortable: bool) -> str:
    text = "<br>".join(escape(line) for line in lines if line)
    name = escape(" ".join(line for line in lines if line))
    content = f'<button type="button">{text}</button>' if sortable else text
    return f'<th scope="col" class="{kind}" data-name="{name}" data-best="{best}">{content}</th>'


def _best(column: int) -> str:
    """Whether the largest or the smallest number of a column is the best one, if that can be said."""
    name = HEADINGS[column][0]
    return "most" if name in _MOST else "least" if name in _LEAST else ""


def _value(text: str) -> float | None:
    """The number that a cell shows, so that rows which show the same are equally good."""
    return math.inf if text == "∞" else float(text) if text else None


def _cell(row: Row, order: int, column: int, values: Sequence[float | None]) -> str:
    """A number, its bar, and a star if it is the best of its column."""
    value, kind = values[order], ["more"] if column >= PLAIN else []
    if value is None:
        return f'<td class="{" ".join(kind)}" ></td>'
    known = [other for other in values if other is not None]
    best = {"most": max, "least": min}.get(_best(column))
    star = ""
    if best and len(known) > 1 and min(known) < max(known) and value == best(known):
        kind.append("best")
        star = '<span class="star" role="img" aria-label="best">★</span> '
    text = row.cells[column]
    spread = row.spreads[column] if row.spreads else ""
    below = f' <span class="spread">± {escape(spread)}</span>' if spread else ""
    return (
        f'<td class="{" ".join(kind)}" data-value="{value if math.isfinite(value) else 1e308:g}" '
        f'data-text="{escape(text)}">{star}{escape(text)}{below}{_bar(value, known)}</td>'
    )


def _bar(value: float, known: Sequence[float]) -> str:
    """The share of the largest finite number of a column."""
    most = max((abs(other) for other in known if math.isfinite(other)), default=0.0)
    part = 100.0 if not math.isfinite(value) else 100 * abs(value) / most if most else 0.0
    return (
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{part:.4g}" height="4"/></svg>'
    )
