"""Arrange panels, labels and numbers on a sheet, in whole pixels. Nothing is drawn here."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from dpid_cli.compare.sheet import COLOURS, LETTERS, THEMES, Box, Image, Sheet, Style, Text
from dpid_cli.compare.table import HEADINGS, cells_of

if TYPE_CHECKING:
    from dpid_cli.compare.metrics import Numbers
    from dpid_cli.compare.panels import Cell, Content, Panel

Measure = Callable[[str, float, bool], float]  # width in pixels of a text of this size, bold or not

_GAP = 12  # between panels, and around the sheet
_FRAME = 2  # width of the frames around regions
_LINE = 1.3  # height of a line of text, in font sizes
_ASCENT = 0.97  # from the top of a line to its baseline, in font sizes
_ASPECT = 1.5  # width to height that a sheet should have


def sheet_of(content: Content, style: Style, measure: Measure) -> Sheet:
    """Arrange the panels in rows, and the numbers below them."""
    return _Layout(content, style, measure).sheet()


class _Layout:
    """Fills one sheet from top to bottom."""

    def __init__(self, content: Content, style: Style, measure: Measure) -> None:
        self.content, self.style, self.measure = content, style, measure
        self.theme = THEMES[style.theme]
        self.size = style.font_size
        self.line = math.ceil(_LINE * self.size)
        widest = max(*(cell.width for cell in content.cells), 7 * self.size)
        self.width = widest + 2 * _FRAME  # of a cell

    def sheet(self) -> Sheet:
        rows = list(self.rows())
        overview = self.content.overview
        table = _Table(self.content.numbers, 0.85 * self.size, self.measure) if self.content.numbers else None
        widths = [max(map(len, rows)) * (self.width + _GAP) - _GAP]
        widths += [overview.pixels.shape[1]] if overview else []
        widths += [table.width] if table else []
        sheet = Sheet(max(widths) + 2 * _GAP, 0, self.theme)
        top = self.put_title(sheet, _GAP)
        if overview is not None:
            top = self.put_panel(sheet, overview, _GAP, top) + _GAP
        for row in rows:
            top = self.put_row(sheet, row, top) + _GAP
        if table:
            top = table.put(sheet, _GAP, top + _GAP // 2) + _GAP
        sheet.height = top
        return sheet

    def rows(self) -> Iterator[Sequence[Cell]]:
        """Cells divided into rows; every grid of two sweeps begins a new one."""
        columns = self.style.columns or self.columns()
        for _, group in groupby(self.content.cells, key=lambda cell: cell.group):
            run = list(group)
            count = columns if self.style.columns else run[0].across or columns
            yield from (run[i : i + count] for i in range(0, len(run), count))

    def columns(self) -> int:
        """The number of columns that brings the sheet near its usual shape and leaves few cells empty."""
        height = self.row_height(self.content.cells[:1])
        count = len([cell for cell in self.content.cells if not cell.across])

        def misfit(columns: int) -> float:
            rows = -(-count // columns)
            shape = columns * (self.width + _GAP) / (rows * (height + _GAP))
            return abs(math.log(shape / _ASPECT)) + (rows * columns - count) / count

        return min(range(1, count + 1), key=misfit)

    def labels(self, cell: Cell) -> list[tuple[str, bool]]:
        """The lines of a label, and whether each is bold."""
        names = wrapped(cell.name, self.width, lambda text: self.measure(text, self.size, True))
        details = wrapped(cell.detail, self.width, lambda text: self.measure(text, self.size, False))
        return [(line, True) for line in names] + [(line, False) for line in details]

    def label_height(self, row: Sequence[Cell]) -> int:
        return max(len(self.labels(cell)) for cell in row) * self.line + _GAP // 3

    def row_height(self, row: Sequence[Cell]) -> int:
        panels = max(sum(self.panel_height(panel) + _GAP for panel in cell.panels) for cell in row)
        return self.label_height(row) + panels

    def panel_height(self, panel: Panel) -> int:
        height: int = panel.pixels.shape[0]
        return height + (self.line if panel.caption else 0) + (2 * _FRAME if panel.colour else 0)

    def put_title(self, sheet: Sheet, top: int) -> int:
        size = 1.35 * self.size
        lines = wrapped(self.style.title, sheet.width - 2 * _GAP, lambda text: self.measure(text, size, True))
        for line in lines:
            sheet.texts.append(Text(_GAP, top + _ASCENT * size, line, size, self.theme.ink, True))
            top += math.ceil(_LINE * size)
        return top + (_GAP if lines else 0)

    def put_row(self, sheet: Sheet, row: Sequence[Cell], top: int) -> int:
        below = top + self.label_height(row)
        heights = [
            max(self.panel_height(cell.panels[i]) for cell in row if i < len(cell.panels))
            for i in range(max(len(cell.panels) for cell in row))
        ]
        for column, cell in enumerate(row):
            left = _GAP + column * (self.width + _GAP)
            for i, (line, bold) in enumerate(self.labels(cell)):
                colour = self.theme.ink if bold else self.theme.faint
                baseline = top + i * self.line + _ASCENT * self.size
                sheet.texts.append(Text(left, baseline, line, self.size, colour, bold))
            at = below
            for panel, height in zip(cell.panels, heights, strict=False):
                self.put_panel(sheet, panel, left, at)
                at += height + _GAP
        return below + sum(heights) + _GAP * (len(heights) - 1)

    def put_panel(self, sheet: Sheet, panel: Panel, left: int, top: int) -> int:
        """Put a panel below its caption, and return where it ends."""
        if panel.caption:
            baseline = top + _ASCENT * self.size
            sheet.texts.append(Text(left, baseline, panel.caption, self.size, self.theme.faint))
            top += self.line
        height, width = int(panel.pixels.shape[0]), int(panel.pixels.shape[1])
        border = _FRAME if panel.colour else 0
        if panel.colour:
            right, bottom = left + width + 2 * border, top + height + 2 * border
            sheet.boxes.append(Box(left, top, right, bottom, panel.colour, border))
        sheet.images.append(Image(left + border, top + border, panel.pixels))
        self.put_marks(sheet, panel, left, top)
        return top + height + 2 * border

    def put_marks(self, sheet: Sheet, panel: Panel, left: int, top: int) -> None:
        """Frame the regions on the overview, with their letters where these hide nothing."""
        area = Box(left, top, left + panel.pixels.shape[1], top + panel.pixels.shape[0], "")
        side = math.ceil(0.9 * self.size)
        frames = [
            Box(
                max(area.left, left + mark.left - _FRAME),
                max(area.top, top + mark.top - _FRAME),
                min(left + mark.right + _FRAME, area.right),
                min(top + mark.bottom + _FRAME, area.bottom),
                COLOURS[index % len(COLOURS)],
                _FRAME,
            )
            for index, mark in enumerate(panel.marks)
        ]
        sheet.boxes += frames
        # A letter would hide a small frame, or merge with it into one spot.
        taken = [frame for frame in frames if _is_small(frame, side)]
        for letter, frame in zip(LETTERS, frames, strict=False):
            free = (
                box
                for box in _positions_beside(frame, side)
                if _is_inside(box, area) and not any(box.meets(other) for other in taken)
            )
            if box := next(free, None):
                taken.append(box)
                self.put_letter(sheet, letter, box)

    def put_letter(self, sheet: Sheet, letter: str, box: Box) -> None:
        size, side = 0.75 * self.size, box.right - box.left
        sheet.boxes.append(box)
        start = box.left + (side - self.measure(letter, size, True)) / 2
        baseline = box.top + 0.5 * side + 0.37 * size
        sheet.texts.append(Text(start, baseline, letter, size, "#000000", True))


def _is_small(frame: Box, side: int) -> bool:
    return max(frame.right - frame.left, frame.bottom - frame.top) <= 2 * side


def _is_inside(box: Box, area: Box) -> bool:
    across = area.left <= box.left and box.right <= area.right
    return across and area.top <= box.top and box.bottom <= area.bottom


def _positions_beside(frame: Box, side: int) -> Iterator[Box]:
    """Positions for a letter, the best first; farther from a small frame, in case others are near."""
    for gap in (2 * _FRAME, 2 * _FRAME + side) if _is_small(frame, side) else (0,):
        for y in (frame.top - side - gap, frame.bottom + gap, frame.top, frame.bottom - side):
            for x in (frame.left, frame.right - side, frame.left - side - gap, frame.right + gap):
                yield Box(x, y, x + side, y + side, frame.colour)


class _Table:
    """The numbers of all outputs, in columns as wide as they need."""

    def __init__(self, numbers: Sequence[tuple[str, Numbers]], size: float, measure: Measure) -> None:
        self.size, self.line = size, math.ceil(1.5 * size)
        self.measure: Callable[[str], float] = lambda text: measure(text, size, False)
        rows = [(wrapped(label, 22 * size, self.measure), cells_of(values)) for label, values in numbers]
        used = [i for i in range(len(HEADINGS)) if any(cells[i] for _, cells in rows)]
        self.headings = [HEADINGS[i] for i in used]
        self.rows = [(label, [cells[i] for i in used]) for label, cells in rows]
        self.first = max(self.measure(line) for label, _ in rows for line in label)
        self.widths = [
            max(self.measure(text) for text in (*heading, *(cells[i] for _, cells in self.rows)))
            for i, heading in enumerate(self.headings)
        ]
        self.width = math.ceil(self.first + sum(self.widths) + 1.5 * size * len(self.widths))

    def put(self, sheet: Sheet, left: int, top: int) -> int:
        """Put the table below `top`, and return where it ends."""
        theme = sheet.theme
        for i in range(2):
            self.put_line(sheet, left, top, "", [heading[i] for heading in self.headings], theme.faint)
            top += self.line
        for label, cells in self.rows:
            sheet.boxes.append(Box(left, top - 1, left + self.width, top, theme.line))
            for i, line in enumerate(label):
                self.put_line(sheet, left, top, line, [] if i else cells, theme.ink)
                top += self.line
        return top

    def put_line(
        self, sheet: Sheet, left: float, top: int, label: str, cells: Sequence[str], colour: str
    ) -> None:
        baseline = top + 1.08 * self.size
        right = left + self.first
        entries = [(float(left), label)]
        for cell, width in zip(cells, self.widths, strict=False):
            right += 1.5 * self.size + width
            entries.append((right - self.measure(cell), cell))
        sheet.texts += [Text(at, baseline, text, self.size, colour) for at, text in entries if text]


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break `text` into lines no wider than `width`, at spaces that are not next to =.

    A word that is too long is broken after = or a comma, or between letters if nothing else helps.
    """
    lines: list[str] = []
    line = ""
    for word in re.split(r"(?<![ =]) +(?![ =])", text.strip()):
        if line and measure(f"{line} {word}") <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = word
        while measure(line) > width and len(line) > 1:
            fitting = _fitting(line, width, measure)
            ends = [match.end() for match in re.finditer("[=,]", line[:fitting])]
            end = ends[-1] if ends else fitting
            lines.append(line[:end].rstrip())
            line = line[end:].lstrip()
    return [*lines, line] if line else lines


def _fitting(word: str, width: float, measure: Callable[[str], float]) -> int:
    """How many letters of a word fit, at least one."""
    return max(1, bisect_right(range(1, len(word)), width, key=lambda n: measure(word[:n])))
