"""Arrange panels, labels and numbers on a sheet, in whole pixels. Nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dpid_cli.compare.sheet import (
    COLOURS,
    DARK,
    LETTERS,
    LIGHT,
    THEMES,
    Box,
    Image,
    Line,
    Sheet,
    Space,
    Style,
    Text,
    framed,
)
from dpid_cli.compare.sheet_table import SheetTable
from dpid_cli.compare.wrapping import Measure, wrapped

if TYPE_CHECKING:
    from dpid_cli.compare.panels import Cell, Content, Grid, Panel
    from dpid_cli.compare.regions import Region

GAP = 12  # between panels, and around the sheet
EDGE = 1  # width of a hairline; a frame has four
_LINE = 1.3  # height of a line of text, in font sizes
_ASCENT = 0.97  # from the top of a line to its baseline, in font sizes
_ASPECT = 1.5  # width to height that a sheet should have
_BLANK, _TINY = 3.0, 0.5  # how much worse than another shape a blank part of a sheet is, or a tiny overview


class Layout:
    """Fills one sheet from top to bottom.

    Parameters
    ----------
    content : Content
    style : Style
        Its width is not looked at.
    space : Space
        With which the content was made.
    measure : callable
        Width in pixels of a text of this size, bold or not.
    columns : int or None
        Number of cells in a row; None to choose it.
    text : float
        Pixels of the sheet for each pixel of the font size.
    """

    def __init__(
        self,
        content: Content,
        style: Style,
        space: Space,
        measure: Measure,
        columns: int | None = None,
        text: float = 1.0,
    ) -> None:
        self.content, self.style, self.space, self.measure = content, style, space, measure
        self.theme = THEMES[style.theme]
        self.size = style.font_size * text
        self.line = math.ceil(_LINE * self.size)
        self.gap = space.gap
        self.edge = space.frame // 4
        self.heading = self._heading_width()
        panels = [self.cell_width(cell) for cell in content.cells]
        panels += [self.panel_width(p) for g in content.grids for row in g.panels for p in row if p]
        least = 0 if space.cell else math.ceil(7 * self.size)
        self.width = space.cell if space.cell and space.strict else max(*panels, least)
        self.columns = columns or self.best_columns()

    def _heading_width(self) -> int:
        """Width of the column with the headings of rows, with its gap; 0 without grids."""
        texts = [text for grid in self.content.grids for text in grid.rows]
        return (
            math.ceil(max(self.measure(text, self.size, False) for text in texts)) + self.gap if texts else 0
        )

    @property
    def pitch(self) -> int:
        """Distance of two columns."""
        return self.width + self.gap

    def sheet(self) -> Sheet:
        """The sheet, as large as its content."""
        columns = max(self.columns, *(len(grid.columns) for grid in self.content.grids), 1)
        width = self.heading + columns * self.pitch - self.gap
        table = (
            SheetTable(self.content.numbers, 0.85 * self.size, self.measure, width)
            if self.content.numbers
            else None
        )
        sheet = Sheet(max(width, table.width if table else 0) + 2 * self.gap, 0, self.theme)
        if self.content.painter.regions:
            sheet.note = f"Details are enlarged {self.content.painter.crop_zoom} times."
        top = self.put_title(sheet, self.gap)
        top = self.put_cells(sheet, top)
        for grid in self.content.grids:
            top = self.put_grid(sheet, grid, top + self.gap // 2) + self.gap
        if table:
            top = table.put(sheet, self.gap, top + self.gap // 2) + self.gap
        sheet.height = top
        return sheet

    # Columns

    def best_columns(self, most: int = 1000) -> int:
        """The number of columns that brings the sheet near its usual shape and leaves little of it blank."""
        if self.content.grids:
            return min(most, max(len(grid.columns) for grid in self.content.grids))
        count = len(self.content.cells)
        limit = max(1, min(most, count + (3 if self.content.has_overview else 0)))
        return min(range(1, limit + 1), key=self._misfit)

    def _misfit(self, columns: int) -> float:
        """How far from its usual shape a sheet of so many columns is, how blank, and its overview small."""
        count, height = len(self.content.cells), self.row_height(self.content.cells) + self.gap
        span = self.overview_span(columns)
        rows, width = -(-(count + span) // columns), columns * self.pitch
        total, shown, tiny = width * rows * height, count * self.pitch * height, 0.0
        if span:
            across, down = self.overview_size(columns, span)
            if span == columns:  # in a row of its own
                total += width * (down + self.gap - height)
            shown += (across + self.gap) * (down + self.gap)
            tiny = _TINY if span < columns and down < 0.6 * height else 0.0
        shape = abs(math.log(width * width / total / _ASPECT))
        return shape + _BLANK * max(0.0, 1 - shown / total) + tiny

    def overview_span(self, columns: int) -> int:
        """How many columns the overview takes in the first row; 0 without one."""
        if not self.content.has_overview:
            return 0
        count = len(self.content.cells)
        width, height = self.content.painter.size
        wanted = self.row_height(self.content.cells) * width / height
        fitting = max(1, min(columns, round(wanted / self.pitch)))
        if columns > 1 and fitting == columns and height * 2 > width:
            fitting = columns - 1
        # The cells fill the rest of the first row, and rows below it.
        spans = range(1, fitting + 1)
        return (
            min(spans, key=lambda span: ((-(count + span)) % columns, -span))
            if fitting < columns
            else columns
        )

    def overview_size(self, columns: int, span: int) -> tuple[int, int]:
        """Width and height of the overview, without its edge."""
        width, height = self.content.painter.size
        most = self.heading + span * self.pitch - self.gap - 2 * self.edge
        if span == columns:  # alone in its row
            part = min(most / width, most / (_ASPECT * height))
        else:
            part = min(most / width, (self.row_height(self.content.cells) - 2 * self.edge) / height)
        return max(1, int(width * part)), max(1, int(height * part))

    # Heights and widths

    def labels(self, cell: Cell) -> list[tuple[str, bool]]:
        """The lines of a label, and whether each is bold."""
        names, details = self.lines_of(cell.name, True), self.lines_of(cell.detail, False)
        return [(line, True) for line in names] + [(line, False) for line in details]

    def lines_of(self, text: str, bold: bool) -> list[str]:
        return wrapped(text, self.width, lambda part: self.measure(part, self.size, bold))

    def label_height(self, row: Sequence[Cell]) -> int:
        return max(len(self.labels(cell)) for cell in row) * self.line + self.gap // 3

    def row_height(self, row: Sequence[Cell]) -> int:
        heights = self.panel_heights(row)
        insets = max(
            (self.panel_height(panel) + 2 * self.gap for cell in row for panel in cell.insets), default=0
        )
        return self.label_height(row) + sum(heights) + self.gap * (len(heights) - 1) + insets

    def panel_heights(self, row: Sequence[Cell]) -> list[int]:
        return [
            max(self.panel_height(cell.panels[i]) for cell in row if i < len(cell.panels))
            for i in range(max(len(cell.panels) for cell in row))
        ]

    def insets_width(self, cell: Cell) -> int:
        return sum(self.panel_width(panel) + self.gap for panel in cell.insets) - self.gap

    def cell_width(self, cell: Cell) -> int:
        return max(self.insets_width(cell), *(self.panel_width(panel) for panel in cell.panels), 0)

    def frame_of(self, panel: Panel) -> int:
        """Width of the frame around a panel; a hairline unless it shows a region."""
        return 4 * self.edge if panel.colour else self.edge

    def panel_width(self, panel: Panel) -> int:
        return panel.width + 2 * self.frame_of(panel)

    def panel_height(self, panel: Panel) -> int:
        return panel.height + (self.line if panel.caption else 0) + 2 * self.frame_of(panel)

    # Putting

    def put_title(self, sheet: Sheet, top: int) -> int:
        size = 1.35 * self.size
        lines = wrapped(
            self.style.title, sheet.width - 2 * self.gap, lambda text: self.measure(text, size, True)
        )
        for line in lines:
            sheet.texts.append(Text(self.gap, top + _ASCENT * size, line, size, self.theme.ink, True))
            top += math.ceil(_LINE * size)
        return top + (self.gap if lines else 0)

    def put_cells(self, sheet: Sheet, top: int) -> int:
        """Put the cells in rows; the first ones stand to the right of the overview, if there is one."""
        waiting = list(self.content.cells)
        span = self.overview_span(self.columns)
        if span:
            width, height = self.overview_size(self.columns, span)
            bottom = (
                self.put_panel(sheet, self.content.painter.overview(width, height), self.gap, top) + self.gap
            )
            free = self.columns - span
            if free:
                start = self.heading + self.gap + span * self.pitch
                bottom = max(bottom, self.put_row(sheet, waiting[:free], top, start) + self.gap)
            waiting, top = waiting[free:], bottom
        for i in range(0, len(waiting), self.columns):
            top = self.put_row(sheet, waiting[i : i + self.columns], top, self.gap + self.heading) + self.gap
        return top

    def put_row(self, sheet: Sheet, row: Sequence[Cell], top: int, left: int) -> int:
        below = top + self.label_height(row)
        heights = self.panel_heights(row)
        for cell in row:
            for i, (line, bold) in enumerate(self.labels(cell)):
                colour = self.theme.ink if bold else self.theme.faint
                baseline = top + i * self.line + _ASCENT * self.size
                sheet.texts.append(Text(left, baseline, line, self.size, colour, bold))
            at = below
            for panel, height in zip(cell.panels, heights, strict=False):
                self.put_panel(sheet, panel, left, at)
                at += height + self.gap
            if cell.insets:
                self.put_insets(sheet, cell, left, below, at + self.gap)
            left += self.pitch
        return top + self.row_height(row)

    def put_insets(self, sheet: Sheet, cell: Cell, left: int, whole_top: int, top: int) -> None:
        """Put the insets below the middle of the whole image, each connected with its frame on the image."""
        (whole,) = cell.panels
        at = left + max(0, (self.panel_width(whole) - self.insets_width(cell)) // 2)
        pairs = zip(cell.insets, whole.marks, strict=True)
        for panel, mark in sorted(pairs, key=lambda pair: pair[1].left + pair[1].right):  # none cross
            frame = self.mark_frame(whole, mark, left + self.edge, whole_top + self.edge)
            inset = Box(at, top, at + self.panel_width(panel), top + self.panel_height(panel), frame.colour)
            self.put_connectors(sheet, frame, inset)
            self.put_panel(sheet, panel, at, top)
            at = inset.right + self.gap

    def put_connectors(self, sheet: Sheet, frame: Box, inset: Box) -> None:
        """Connect the lower corners of a frame with the upper corners of its inset."""
        edge = self.edge
        for start, end in (
            (frame.left + edge, inset.left + edge),
            (frame.right - edge, inset.right - edge),
        ):
            points = (float(start), float(frame.bottom - edge)), (float(end), float(inset.top + edge))
            for width, colour in ((4, LIGHT), (3, DARK), (1.5, frame.colour)):
                sheet.lines.append(Line(points, width * edge, colour))

    def put_grid(self, sheet: Sheet, grid: Grid, top: int) -> int:
        """Put panels below the headings of columns and beside those of rows; return where they end."""
        ink, faint = self.theme.ink, self.theme.faint
        for line in wrapped(
            grid.name, sheet.width - 2 * self.gap, lambda text: self.measure(text, self.size, True)
        ):
            sheet.texts.append(Text(self.gap, top + _ASCENT * self.size, line, self.size, ink, True))
            top += self.line
        lefts = [self.gap + self.heading + column * self.pitch for column in range(len(grid.columns))]
        for left, heading in zip(lefts, grid.columns, strict=True):
            sheet.texts.append(Text(left, top + _ASCENT * self.size, heading, self.size, faint))
        top += self.line + self.gap // 3
        for heading, row in zip(grid.rows, grid.panels, strict=True):
            height = max(self.panel_height(panel) for panel in row if panel)
            middle = top + height / 2 + 0.35 * self.size
            sheet.texts.append(Text(self.gap, middle, heading, self.size, faint))
            for left, panel in zip(lefts, row, strict=True):
                if panel:
                    self.put_panel(sheet, panel, left, top)
            top += height + self.gap
        return top - self.gap

    def put_panel(self, sheet: Sheet, panel: Panel, left: int, top: int) -> int:
        """Put a panel below its caption, and return where it ends."""
        if panel.caption:
            baseline = top + _ASCENT * self.size
            sheet.texts.append(Text(left, baseline, panel.caption, self.size, self.theme.faint))
            top += self.line
        border = self.frame_of(panel)
        right, bottom = left + panel.width + 2 * border, top + panel.height + 2 * border
        if panel.colour:
            sheet.boxes += framed(left, top, right, bottom, panel.colour, self.edge)
        else:
            sheet.boxes.append(Box(left, top, right, bottom, self.theme.line, border))
        sheet.images.append(Image(left + border, top + border, panel.pixels))
        self.put_marks(sheet, panel, left + border, top + border)
        return bottom

    def mark_frame(self, panel: Panel, mark: Region, left: int, top: int) -> Box:
        """The frame around a region on a panel, whose pixels begin at (left, top)."""
        index, frame = panel.marks.index(mark), 4 * self.edge
        return Box(
            max(left, left + mark.left - frame),
            max(top, top + mark.top - frame),
            min(left + mark.right + frame, left + panel.width),
            min(top + mark.bottom + frame, top + panel.height),
            COLOURS[index % len(COLOURS)],
        )

    def put_marks(self, sheet: Sheet, panel: Panel, left: int, top: int) -> None:
        """Frame the regions on the overview, with their letters where these hide nothing."""
        area = Box(left, top, left + panel.width, top + panel.height, "")
        side = math.ceil(0.9 * self.size)
        frames = [self.mark_frame(panel, mark, left, top) for mark in panel.marks]
        for frame in frames:
            sheet.boxes += framed(frame.left, frame.top, frame.right, frame.bottom, frame.colour, self.edge)
        if self.content.painter.is_inset:  # connectors say which is which
            return
        # A letter would hide a small frame, or merge with it into one spot.
        taken = [frame for frame in frames if _is_small(frame, side)]
        for letter, frame in zip(LETTERS, frames, strict=False):
            free = [
                box
                for box in self.positions_beside(frame, side)
                if _is_inside(box, area) and not any(box.meets(other) for other in taken)
            ]
            others = [other for other in frames if other is not frame]
            best = [box for box in free if not any(box.meets(other) for other in others)]
            if box := next(iter(best or free), None):
                taken.append(box)
                self.put_letter(sheet, letter, box)

    def positions_beside(self, frame: Box, side: int) -> Iterator[Box]:
        """Positions for a letter, the best first; farther from a small frame, in case others are near."""
        near = 4 * self.edge
        for gap in (near, near + side) if _is_small(frame, side) else (0,):
            for y in (frame.top - side - gap, frame.bottom + gap, frame.top, frame.bottom - side):
                for x in (frame.left, frame.right - side, frame.left - side - gap, frame.right + gap):
                    yield Box(x, y, x + side, y + side, frame.colour)

    def put_letter(self, sheet: Sheet, letter: str, box: Box) -> None:
        size, side = 0.75 * self.size, box.right - box.left
        sheet.boxes.append(box)
        baseline = box.top + 0.5 * side + 0.37 * size
        sheet.texts.append(Text(box.left + side / 2, baseline, letter, size, DARK, True, "center"))


def _is_small(frame: Box, side: int) -> bool:
    return max(frame.right - frame.left, frame.bottom - frame.top) <= 2 * side


def _is_inside(box: Box, area: Box) -> bool:
    across = area.left <= box.left and box.right <= area.right
    return across and area.top <= box.top and box.bottom <= area.bottom
