"""The table of numbers on a sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from dpid_cli.compare.sheet import Box, Sheet, Text
from dpid_cli.compare.table import HEADINGS, PLAIN, best_of, cells_of
from dpid_cli.compare.wrapping import Measure, wrapped

if TYPE_CHECKING:
    from dpid_cli.compare.metrics import Numbers

_LABEL, _GAP = 22.0, 1.5  # width of labels at most, and space between columns, in font sizes


class SheetTable:
    """The numbers of all outputs: the plain columns, and as many others as fit into `limit` pixels."""

    def __init__(
        self, numbers: Sequence[tuple[str, Numbers]], size: float, measure: Measure, limit: int
    ) -> None:
        cells = [[cell.replace("-", "−") for cell in cells_of(values)] for _, values in numbers]
        self.best = best_of([values for _, values in numbers]) if len(numbers) > 1 else []
        used = [i for i in range(len(HEADINGS)) if any(row[i] for row in cells)]
        for smaller in (1.0, 0.85, 0.7, 0.55):
            self.size = size * smaller
            self.measure: Callable[[str], float] = lambda text: measure(text, self.size, True)
            widths = [
                max(self.measure(text) for text in (*HEADINGS[i], *(row[i] for row in cells))) for i in used
            ]
            plain = sum(width + _GAP * self.size for width, i in zip(widths, used, strict=True) if i < PLAIN)
            most = min(_LABEL * self.size, limit - plain)
            if most >= 6 * self.size:
                break
        self.line = math.ceil(1.5 * self.size)
        labels = [wrapped(label, max(most, 6 * self.size), self.measure) for label, _ in numbers]
        self.first = max(self.measure(line) for label in labels for line in label)
        self.columns: list[int] = []
        self.widths: list[float] = []
        width = self.first
        for i, own in zip(used, widths, strict=True):
            width += own + _GAP * self.size
            if i >= PLAIN and width > limit:
                break
            self.columns.append(i)
            self.widths.append(own)
        self.width = math.ceil(self.first + sum(self.widths) + _GAP * self.size * len(self.widths))
        self.rows = [
            (label, [row[i] for i in self.columns]) for label, row in zip(labels, cells, strict=True)
        ]

    def put(self, sheet: Sheet, left: int, top: int) -> int:
        """Put the table below `top`, and return where it ends."""
        theme = sheet.theme
        for i in range(2):
            self._put_line(
                sheet, left, top, "", [HEADINGS[column][i] for column in self.columns], theme.faint
            )
            top += self.line
        edge = max(1, round(self.size / 14))
        for n, (label, cells) in enumerate(self.rows):
            best = {column for column, rows in enumerate(self.best) if n in rows}
            sheet.boxes.append(Box(left, top - edge, left + self.width, top, theme.line))
            for i, line in enumerate(label):
                self._put_line(sheet, left, top, line, [] if i else cells, theme.ink, best)
                top += self.line
        return top

    def _put_line(
        self,
        sheet: Sheet,
        left: float,
        top: int,
        label: str,
        cells: Sequence[str],
        colour: str,
        best: Collection[int] = (),
    ) -> None:
        """Put a label and cells, those of the columns `best` in bold."""
        baseline, right = top + 1.08 * self.size, left + self.first
        if label:
            sheet.texts.append(Text(left, baseline, label, self.size, colour))
        for i, (cell, width) in enumerate(zip(cells, self.widths, strict=False)):
            right += _GAP * self.size + width
            if cell:
                sheet.texts.append(Text(right, baseline, cell, self.size, colour, i in best, "right"))
