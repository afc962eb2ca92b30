"""Where everything lies on a sheet, in whole pixels: nothing is drawn here."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

import numpy as np

from dpid_cli.compare.intensities import Bytes, channels, enlarged
from dpid_cli.compare.regions import Region
from dpid_cli.compare.study import Result, Study
from dpid_cli.compare.table import HEADINGS, cells_of
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.sizes import Size
from dpid_cli.pictures import Picture

T = TypeVar("T")
Measure = Callable[[str, float, bool], float]  # the width of a text of this size, bold or not, in pixels

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Okabe and Ito's colours, told apart with every kind of colour vision; letters say the same.
_MARKS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7")

_GAP = 12  # between panels, and around all
_FRAME = 2  # width of the frames of regions
_LINE = 1.3  # height of a line of text in font sizes
_ASCENT = 0.97  # from the top of a line to its baseline
_WHOLE, _LARGEST_WHOLE, _OVERVIEW, _CROP = 240, 420, 480, 192  # sides that panels shall have, in pixels
_ASPECT = 1.5  # that sheets shall have, about
_SQUARE = 8  # of the checkerboard behind what is transparent


@dataclass(frozen=True)
class Theme:
    """Colours of a sheet."""

    paper: str
    ink: str
    faint: str
    line: str
    squares: tuple[int, int]


THEMES = {
    "light": Theme("#ffffff", "#1b1f24", "#57606a", "#d0d7de", (255, 225)),
    "dark": Theme("#24282e", "#f0f3f6", "#b0b8c1", "#4b535d", (60, 84)),
}


@dataclass(frozen=True)
class Style:
    """What a sheet looks like; None leaves a choice to the layout.

    Attributes
    ----------
    columns : int or None
        Panels side by side.
    zoom : int or None
        How often pixels of crops are repeated; those of whole results, where there are no crops.
    title : str
    font_size : int
        In pixels.
    theme : {'light', 'dark'}
    """

    columns: int | None = None
    zoom: int | None = None
    title: str = ""
    font_size: int = 16
    theme: str = "light"


@dataclass(frozen=True)
class Image:
    """Pixels (H, W, 3) with their top left corner."""

    left: int
    top: int
    pixels: Bytes


@dataclass(frozen=True)
class Text:
    """A line of text that begins at `left` and stands on `baseline`."""

    left: float
    baseline: float
    text: str
    size: float
    colour: str
    bold: bool = False


@dataclass(frozen=True)
class Box:
    """A rectangle, filled, or only its border of so many pixels, which lies inside."""

    left: int
    top: int
    right: int
    bottom: int
    colour: str
    border: int | None = None


@dataclass
class Sheet:
    """A sheet of so many pixels and what lies on it, in the order of drawing."""

    width: int
    height: int
    theme: Theme
    images: list[Image] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


@dataclass(frozen=True)
class _Panel:
    """Pixels with a caption above them and, where it shows a region, the colour of its frame."""

    pixels: Bytes
    caption: str = ""
    mark: str | None = None
    regions: tuple[Region, ...] = ()  # marked on it


@dataclass(frozen=True)
class _Cell:
    """One column of panels under a label; cells of one group are laid out as a grid so many wide."""

    name: str
    detail: str
    panels: tuple[_Panel, ...]
    group: int = 0
    across: int | None = None

    @property
    def width(self) -> int:
        return max((panel.pixels.shape[1] for panel in self.panels), default=0)


def sheet_of(study: Study, style: Style, measure: Measure) -> Sheet:
    """Lay a study out: its input and results as panels, and the numbers below, where there are any."""
    return _Setter(study, style, measure).sheet()


class _Setter:
    """Everything that the parts of one sheet share."""

    def __init__(self, study: Study, style: Style, measure: Measure) -> None:
        self.study, self.style, self.measure = study, style, measure
        self.theme = THEMES[style.theme]
        self.size = style.font_size
        self.line = math.ceil(_LINE * self.size)
        longest = max(study.size)
        self.whole = longest <= _LARGEST_WHOLE or not study.regions
        chosen = style.zoom if not study.regions else None
        self.whole_zoom = chosen or max(1, _WHOLE // longest)
        self.crop_zoom = style.zoom or self._crop_zoom()

    def _crop_zoom(self) -> int:
        """About the size that crops shall have, near a multiple of the scale, so that the input matches."""
        longest = max((max(region.size) for region in self.study.regions), default=_CROP)
        wanted = max(2, _CROP // longest)
        scale = self.study.picture.size[0] / self.study.size[0]
        near = range(max(2, math.ceil(0.75 * wanted)), 5 * wanted // 4 + 1)
        return max(near, key=lambda zoom: (zoom // scale * scale / zoom, -abs(zoom - wanted)))

    # What is shown

    def flattened(self, pixels: Bytes) -> Bytes:
        """Pixels of a panel as they are seen over a checkerboard."""
        if pixels.shape[2] == 3:
            return pixels
        rows, columns = np.indices(pixels.shape[:2]) // _SQUARE
        ground = np.array(self.theme.squares)[(rows + columns) % 2, None]
        share = pixels[..., 3:].astype(np.uint32)
        seen: Bytes = ((pixels[..., :3] * share + ground * (255 - share) + 127) // 255).astype(np.uint8)
        return seen

    def fitted(self, pixels: Bytes, size: Size) -> Bytes:
        """Pixels of the input at most so large: repeated where they are fewer, else box-filtered."""
        height, width = pixels.shape[:2]
        if width <= size[0] and height <= size[1]:
            return enlarged(pixels, min(size[0] // width, size[1] // height))
        target = min(size[0], width), min(size[1], height)
        return downscale_picture(Picture(pixels, pixels.shape[2] == 4, None), target, method="box").pixels

    def overview(self) -> _Panel:
        """The input with the regions marked, as large as the results, or fitted into a square."""
        width, height = self.study.size
        if self.whole:
            size = width * self.whole_zoom, height * self.whole_zoom
        else:
            part = _OVERVIEW / max(width, height)
            size = max(1, round(width * part)), max(1, round(height * part))
        shown = self.flattened(self.fitted(channels(self.study.picture), size))
        return _Panel(shown, regions=self.study.regions)

    def input_cell(self) -> _Cell:
        whole, result = self.study.picture.size, self.study.size
        detail = f"{whole[0]}×{whole[1]} to {result[0]}×{result[1]}"
        pixels = channels(self.study.picture)
        crops = []
        for region in self.study.regions:
            size = region.size[0] * self.crop_zoom, region.size[1] * self.crop_zoom
            part = region.on(result, whole).cut(pixels)
            crops.append(self._crop(region, self.fitted(part, size), part.shape[1]))
        return _Cell("input", detail, (*((self.overview(),) if self.whole else ()), *crops))

    def _crop(self, region: Region, shown: Bytes, width: int) -> _Panel:
        index = self.study.regions.index(region)
        factor = shown.shape[1] / width
        told = f"×{factor:.3g}" if factor >= 1 else f"÷{1 / factor:.3g}"
        return _Panel(self.flattened(shown), f"{LETTERS[index]} {told}", _MARKS[index % len(_MARKS)])

    def result_cell(self, result: Result, across: int | None) -> _Cell:
        pixels = channels(result.picture)
        whole = (_Panel(self.flattened(enlarged(pixels, self.whole_zoom))),) if self.whole else ()
        crops = tuple(
            self._crop(region, enlarged(region.cut(pixels), self.crop_zoom), region.size[0])
            for region in self.study.regions
        )
        variant = result.variant
        group = variant.family + 1 if across else 0
        return _Cell(variant.method, variant.detail, whole + crops, group, across)

    def cells(self) -> list[_Cell]:
        """The input and all results; those of two sweeps know how many values the second has."""
        cells = [self.input_cell()]
        for result in self.study.results:
            names = list(result.variant.swept)
            across = None
            if len(names) == 2:
                across = len(
                    {
                        other.variant.swept[names[1]]
                        for other in self.study.results
                        if other.variant.family == result.variant.family
                    }
                )
            cells.append(self.result_cell(result, across))
        return sorted(cells, key=lambda cell: cell.group)  # first those to compare the grids with

    # Where it lies

    def sheet(self) -> Sheet:
        cells = self.cells()
        width = max(*(cell.width for cell in cells), 7 * self.size) + 2 * _FRAME
        columns = self.columns(cells, width)
        rows = list(self.rows(cells, columns))
        table = _Table(self) if self.study.results[0].numbers else None
        across = max(map(len, rows)) * (width + _GAP) + _GAP
        overview = None if self.whole else self.overview()
        if overview is not None:
            across = max(across, overview.pixels.shape[1] + 2 * _GAP)
        across = max(across, table.width + 2 * _GAP if table else 0)
        sheet = Sheet(across, 0, self.theme)
        top = self.put_title(sheet, _GAP)
        if overview is not None:
            top = self.put_panel(sheet, overview, _GAP, top) + _GAP
        for row in rows:
            top = self.put_row(sheet, row, top, width) + _GAP
        if table:
            top = table.put(sheet, _GAP, top + _GAP // 2) + _GAP
        sheet.height = top
        return sheet

    def columns(self, cells: Sequence[_Cell], width: int) -> int:
        """As asked for, or such that the sheet comes near its usual shape with few places left free."""
        if self.style.columns:
            return self.style.columns
        height = self.row_height(cells[:1], width)
        flowing = len([cell for cell in cells if not cell.across])

        def misshape(columns: int) -> float:
            rows = -(-flowing // columns)
            shape = columns * (width + _GAP) / (rows * (height + _GAP))
            return abs(math.log(shape / _ASPECT)) + (rows * columns - flowing) / flowing

        return min(range(1, flowing + 1), key=misshape)

    def rows(self, cells: Sequence[_Cell], columns: int) -> Iterator[Sequence[_Cell]]:
        """Cells divided into rows; every grid of two sweeps begins a new one."""
        for _, group in groupby(cells, key=lambda cell: cell.group):
            run = list(group)
            count = columns if self.style.columns else run[0].across or columns
            yield from (run[i : i + count] for i in range(0, len(run), count))

    def labels(self, cell: _Cell, width: int) -> list[tuple[str, bool]]:
        """The lines of a label, and whether they are bold."""
        names = wrapped(cell.name, width, lambda text: self.measure(text, self.size, True))
        details = wrapped(cell.detail, width, lambda text: self.measure(text, self.size, False))
        return [(line, True) for line in names] + [(line, False) for line in details]

    def label_height(self, row: Sequence[_Cell], width: int) -> int:
        return max(len(self.labels(cell, width)) for cell in row) * self.line + _GAP // 3

    def row_height(self, row: Sequence[_Cell], width: int) -> int:
        panels = max(sum(self.panel_height(panel) + _GAP for panel in cell.panels) for cell in row)
        return self.label_height(row, width) + panels

    def panel_height(self, panel: _Panel) -> int:
        height: int = panel.pixels.shape[0]
        return height + (self.line if panel.caption else 0) + (2 * _FRAME if panel.mark else 0)

    def put_title(self, sheet: Sheet, top: int) -> int:
        size = 1.35 * self.size
        lines = wrapped(self.style.title, sheet.width - 2 * _GAP, lambda text: self.measure(text, size, True))
        for line in lines:
            sheet.texts.append(Text(_GAP, top + _ASCENT * size, line, size, self.theme.ink, True))
            top += math.ceil(_LINE * size)
        return top + (_GAP if lines else 0)

    def put_row(self, sheet: Sheet, row: Sequence[_Cell], top: int, width: int) -> int:
        bottom = top
        below = top + self.label_height(row, width)
        heights = [
            max(self.panel_height(cell.panels[i]) for cell in row if i < len(cell.panels))
            for i in range(max(len(cell.panels) for cell in row))
        ]
        for k, cell in enumerate(row):
            left = _GAP + k * (width + _GAP)
            for i, (line, bold) in enumerate(self.labels(cell, width)):
                colour = self.theme.ink if bold else self.theme.faint
                baseline = top + i * self.line + _ASCENT * self.size
                sheet.texts.append(Text(left, baseline, line, self.size, colour, bold))
            at = below
            for panel, height in zip(cell.panels, heights, strict=False):
                self.put_panel(sheet, panel, left, at)
                at += height + _GAP
            bottom = max(bottom, at - _GAP)
        return bottom

    def put_panel(self, sheet: Sheet, panel: _Panel, left: int, top: int) -> int:
        if panel.caption:
            baseline = top + _ASCENT * self.size
            sheet.texts.append(Text(left, baseline, panel.caption, self.size, self.theme.faint))
            top += self.line
        height: int = panel.pixels.shape[0]
        width: int = panel.pixels.shape[1]
        border = _FRAME if panel.mark else 0
        if panel.mark:
            box = Box(left, top, left + width + 2 * border, top + height + 2 * border, panel.mark, border)
            sheet.boxes.append(box)
        sheet.images.append(Image(left + border, top + border, panel.pixels))
        self.put_marks(sheet, panel, left, top)
        return top + height + 2 * border

    def put_marks(self, sheet: Sheet, panel: _Panel, left: int, top: int) -> None:
        """Frames of the regions on the overview, and their letters where these hide nothing."""
        height, width = panel.pixels.shape[:2]
        side = math.ceil(0.9 * self.size)
        frames = []
        for index, region in enumerate(panel.regions):
            at = region.on(self.study.size, (width, height))
            right, bottom = left + min(at.right + _FRAME, width), top + min(at.bottom + _FRAME, height)
            first, upper = left + max(0, at.left - _FRAME), top + max(0, at.top - _FRAME)
            frames.append(Box(first, upper, right, bottom, _MARKS[index % len(_MARKS)], _FRAME))
        sheet.boxes += frames
        # A letter would hide a small frame, or look like one spot with it.
        taken = [frame for frame in frames if _is_small(frame, side)]
        for letter, frame in zip(LETTERS, frames, strict=False):
            inside = [
                (x, y)
                for x, y in _beside(frame, side)
                if left <= x <= left + width - side and top <= y <= top + height - side
            ]
            boxes = (Box(x, y, x + side, y + side, frame.colour) for x, y in inside)
            box = next((box for box in boxes if not any(_meet(box, other) for other in taken)), None)
            if box is None:
                continue
            x, y, size = box.left, box.top, 0.75 * self.size
            taken.append(box)
            sheet.boxes.append(box)
            start = x + (side - self.measure(letter, size, True)) / 2
            sheet.texts.append(Text(start, y + 0.5 * side + 0.37 * size, letter, size, "#000000", True))


def _is_small(frame: Box, side: int) -> bool:
    return max(frame.right - frame.left, frame.bottom - frame.top) <= 2 * side


def _beside(frame: Box, side: int) -> list[tuple[int, int]]:
    """Where a letter may stand, the best first; away from a small frame, farther in a crowd."""
    gaps = (2 * _FRAME, 2 * _FRAME + side) if _is_small(frame, side) else (0,)
    return [
        (x, y)
        for gap in gaps
        for y in (frame.top - side - gap, frame.bottom + gap, frame.top, frame.bottom - side)
        for x in (frame.left, frame.right - side, frame.left - side - gap, frame.right + gap)
    ]


def _meet(box: Box, other: Box) -> bool:
    return (
        box.left < other.right
        and other.left < box.right
        and box.top < other.bottom
        and other.top < box.bottom
    )


class _Table:
    """The numbers of all results, in columns as wide as they need."""

    def __init__(self, setter: _Setter) -> None:
        self.setter, self.size, self.line = setter, 0.85 * setter.size, math.ceil(1.5 * 0.85 * setter.size)
        results = setter.study.results
        labels = [wrapped(result.variant.label, 22 * self.size, self._measure) for result in results]
        numbers = [cells_of(result.numbers) for result in results if result.numbers]
        used = [i for i in range(len(HEADINGS)) if any(row[i] for row in numbers)]
        self.headings = [HEADINGS[i] for i in used]
        self.rows = [(label, [row[i] for i in used]) for label, row in zip(labels, numbers, strict=True)]
        texts = [label for label, _ in self.rows]
        self.first = max(self._measure(line) for label in texts for line in label)
        self.widths = [
            max(*map(self._measure, heading), *(self._measure(row[i]) for _, row in self.rows))
            for i, heading in enumerate(self.headings)
        ]
        self.width = math.ceil(self.first + sum(self.widths) + 1.5 * self.size * len(self.widths))

    def _measure(self, text: str) -> float:
        return self.setter.measure(text, self.size, False)

    def put(self, sheet: Sheet, left: int, top: int) -> int:
        theme = sheet.theme
        for i in range(2):
            self._put_line(sheet, left, top, "", [heading[i] for heading in self.headings], theme.faint)
            top += self.line
        for label, values in self.rows:
            sheet.boxes.append(Box(left, top - 1, left + self.width, top, theme.line))
            for i, line in enumerate(label):
                self._put_line(sheet, left, top, line, values if i == 0 else [], theme.ink)
                top += self.line
        return top

    def _put_line(
        self, sheet: Sheet, left: float, top: int, label: str, values: Sequence[str], colour: str
    ) -> None:
        baseline = top + 1.08 * self.size
        right = left + self.first
        entries = [(float(left), label)]
        for value, width in zip(values, self.widths, strict=False):
            right += 1.5 * self.size + width
            entries.append((right - self._measure(value), value))
        sheet.texts += [Text(at, baseline, text, self.size, colour) for at, text in entries if text]


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """`text` in lines no wider than `width`, broken at spaces not beside =.

    What is too long is broken after = or a comma, and between letters only where that is not enough.
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
            ends = [found.end() for found in re.finditer("[=,]", line[:fitting])]
            end = ends[-1] if ends else fitting
            lines.append(line[:end].rstrip())
            line = line[end:].lstrip()
    return [*lines, line] if line else lines


def _fitting(word: str, width: float, measure: Callable[[str], float]) -> int:
    """How many letters of a word fit, at least one."""
    return max(1, bisect_right(range(1, len(word)), width, key=lambda n: measure(word[:n])))
