"""The numbers of pages as HTML: tables that a script can sort, everywhere and at each place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from dpid_cli.compare.table import HEADINGS, MEANINGS, PLAIN

# What is better in which columns, by the first line of their headings: more, less, or near 100.
_BETTER = {"detail kept": "near", "noise added": "less", "noise": "less", "FLIP": "less"} | dict.fromkeys(
    ("likeness", "SSIM", "PSNR", "MS-SSIM", "speed"), "more"
)

_LOSSES: dict[str, Callable[[float], float]] = {
    "more": lambda value: -value,
    "less": lambda value: value,
    "near": lambda value: abs(value - 100),
}


@dataclass(frozen=True)
class Row:
    """The numbers of one variant as texts, perhaps with their spread over images."""

    key: str
    label: str
    cells: Sequence[str]  # those of `HEADINGS`, or only the first ones
    spreads: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """The numbers of all variants, everywhere or at one place."""

    scope: str  # the letter of the place, or everywhere
    title: str
    rows: Sequence[Row]


def section_of(tables: Sequence[Table]) -> str:
    """The numbers of one image: everywhere, and at its places; empty if they were not measured."""
    if not tables:
        return ""
    buttons = "".join(
        f'<button type="button" data-table="{table.scope}" hidden>{table.title}</button> ' for table in tables
    )
    parts = "\n".join(
        f'<div data-scope="{table.scope}"><h3>{table.title}</h3>\n'
        + _table(f"Numbers {table.title[0].lower()}{table.title[1:]}", table.rows, True)
        + "</div>"
        for table in tables
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


def _table(name: str, rows: Sequence[Row], sortable: bool) -> str:
    """A table in a region that scrolls; a caption would be cut off with it."""
    used = [column for column in range(len(rows[0].cells)) if any(row.cells[column] for row in rows)]
    best = {column: _best_of([row.cells[column] for row in rows], column) for column in used}
    head = _heading(("variant", ""), "", "", sortable)
    for column in used:
        head += _heading(HEADINGS[column], _better(column), _kind(column), sortable)
    body = "\n".join(
        f'<tr data-key="{escape(row.key)}" data-order="{order}"><th scope="row">{escape(row.label)}</th>'
        + "".join(_cell(row, column, order in best[column]) for column in used)
        + "</tr>"
        for order, row in enumerate(rows)
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f'<table class="numbers" aria-label="{escape(name)}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _heading(lines: tuple[str, str], better: str, kind: str, sortable: bool) -> str:
    text = "<br>".join(escape(line) for line in lines if line)
    name = escape(" ".join(line for line in lines if line))
    content = f'<button type="button">{text}</button>' if sortable else text
    return f'<th scope="col"{_class(kind)} data-name="{name}" data-better="{better}">{content}</th>'


def _kind(column: int) -> str:
    return "more" if column >= PLAIN else ""


def _class(names: str) -> str:
    return f' class="{names}"' if names else ""


def _better(column: int) -> str:
    """What is better in a column, if that can be said."""
    return _BETTER.get(HEADINGS[column][0], "")


def _value(text: str) -> float | None:
    """The number that a cell shows, so that rows which show the same are equally good."""
    return math.inf if text == "∞" else float(text) if text else None


def _best_of(texts: Sequence[str], column: int) -> set[int]:
    """The rows with the best number of a column, if not all are equal."""
    known = {order: value for order, text in enumerate(texts) if (value := _value(text)) is not None}
    loss = _LOSSES.get(_better(column))
    if loss is None or len(set(known.values())) < 2:
        return set()
    best = min(map(loss, known.values()))
    return {order for order, value in known.items() if loss(value) == best}


def _cell(row: Row, column: int, is_best: bool) -> str:
    names = " ".join(filter(None, (_kind(column), "best" if is_best else "")))
    spread = row.spreads[column] if row.spreads else ""
    below = f' <span class="spread">± {escape(spread)}</span>' if spread else ""
    return f"<td{_class(names)}>{escape(row.cells[column])}{below}</td>"
