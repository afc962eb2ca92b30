"""Plot the detail that outputs keep against the noise that they add. Nothing is drawn here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from dpid_cli.compare.sheet import POINT, THEMES, Box, Line, Sheet, Style, Text
from dpid_cli.compare.variants import named
from dpid_cli.compare.wrapping import Measure, wrapped
from dpid_cli.errors import FileError
from dpid_cli.files.streams import called

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison, VariantResult

_WIDTH, _RATIO = 720, 0.68  # in pixels, and height to width of the area of the plot
_TICKS = 6  # about so many along an axis
# By Okabe and Ito, those that are visible as lines on white and on black.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


@dataclass(frozen=True)
class _Dot:
    """An output: its noise and detail as the axes show them, its label, and how it is marked."""

    x: float
    y: float
    label: str
    colour: str
    is_automatic: bool = False  # gets a ring
    is_named: bool = True  # gets a label in any case


def plot_of(comparison: Comparison, style: Style, measure: Measure) -> Sheet:
    """A plot with a curve for each sweep, a dot for each output, and a ring around automatic parameters."""
    points = style.width.points if style.width else _WIDTH * POINT
    width = round(points / POINT)
    sheet = _Plot(width, comparison, style, measure).sheet()
    sheet.point, sheet.length = points / width, style.width
    return sheet


def ticks(low: float, high: float) -> list[float]:
    """About six round numbers that enclose two others, in steps of 1, 2 or 5 times a power of ten.

    >>> ticks(0.0, 2.3)
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    """
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / _TICKS))
    step = next(power * times for times in (1, 2, 5, 10) if power * times * _TICKS >= span)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]


class _Plot:
    """Fills one sheet with a plot."""

    def __init__(self, width: int, comparison: Comparison, style: Style, measure: Measure) -> None:
        self.style, self.measure, self.theme = style, measure, THEMES[style.theme]
        self.size, self.width = style.font_size, width
        self.curves = list(_curves(comparison.results))
        self.dots = [dot for curve in self.curves for dot in curve]
        if not self.dots:
            name = called(comparison.source)
            raise FileError(f"{name}: has no contrast, so there is nothing to plot: leave --plot out")
        self.x_ticks = ticks(min(0.0, *(dot.x for dot in self.dots)), max(dot.x for dot in self.dots))
        self.y_ticks = ticks(min(dot.y for dot in self.dots), max(dot.y for dot in self.dots))
        widest = max(measure(_number(y), self.size, False) for y in self.y_ticks)
        self.left, self.right = round(widest + 1.6 * self.size), width - round(1.5 * self.size)
        self.top = self.bottom = 0
        self.taken = list[Box]()

    def sheet(self) -> Sheet:
        sheet = Sheet(self.width, 0, self.theme, note="Detail kept (%) against noise added (levels of 255).")
        top = self.put_title(sheet, round(0.8 * self.size))
        self.put(sheet, 0.8 * self.size, top + self.size, "detail kept (%)")
        self.top = top + round(2 * self.size)
        self.bottom = self.top + round(_RATIO * (self.right - self.left))
        self.put_axes(sheet)
        for curve in self.curves:
            swept = [self.place(dot) for dot in curve if not dot.is_automatic]
            if len(swept) > 1:
                sheet.lines.append(Line(tuple(swept), 2.5, curve[0].colour))
                self.taken += [_around(place, 2) for ends in pairwise(swept) for place in _between(*ends)]
        self.taken += [_around(self.place(dot), 0.45 * self.size) for dot in self.dots]
        for dot in sorted(self.dots, key=lambda dot: (not dot.is_automatic, not dot.is_named)):
            self.put_dot(sheet, dot)
        sheet.height = self.bottom + round(3.4 * self.size)
        return sheet

    def put_title(self, sheet: Sheet, top: int) -> int:
        size, most = 1.35 * self.size, self.width - 2 * self.size
        for line in wrapped(self.style.title, most, lambda text: self.measure(text, size, True)):
            sheet.texts.append(Text(0.8 * self.size, top + size, line, size, self.theme.ink, True))
            top += math.ceil(1.3 * size)
        return top

    def put(self, sheet: Sheet, x: float, baseline: float, text: str, align: str = "left") -> None:
        """Put a text of an axis."""
        sheet.texts.append(Text(x, baseline, text, self.size, self.theme.faint, align=align))

    def place(self, dot: _Dot) -> tuple[float, float]:
        """Where a dot lies, in pixels of the sheet."""
        return self.across(dot.x), self.down(dot.y)

    def across(self, x: float) -> float:
        part = (x - self.x_ticks[0]) / (self.x_ticks[-1] - self.x_ticks[0])
        return self.left + part * (self.right - self.left)

    def down(self, y: float) -> float:
        part = (y - self.y_ticks[0]) / (self.y_ticks[-1] - self.y_ticks[0])
        return self.bottom - part * (self.bottom - self.top)

    def put_axes(self, sheet: Sheet) -> None:
        line = self.theme.line
        for x in self.x_ticks:
            at = round(self.across(x))
            sheet.boxes.append(Box(at, self.top, at + 1, self.bottom + 1, line))
            self.put(sheet, at, self.bottom + 1.4 * self.size, _number(x), "center")
        for y in self.y_ticks:
            at = round(self.down(y))
            sheet.boxes.append(Box(self.left, at, self.right + 1, at + 1, line))
            self.put(sheet, self.left - 0.5 * self.size, at + 0.36 * self.size, _number(y), "right")
        middle = (self.left + self.right) / 2
        self.put(sheet, middle, self.bottom + 2.9 * self.size, "noise added (levels of 255)", "center")

    def put_dot(self, sheet: Sheet, dot: _Dot) -> None:
        """Put a dot, and its label where it covers nothing."""
        place = self.place(dot)
        if dot.is_automatic:
            sheet.lines += [Line((place,), 17, dot.colour), Line((place,), 12, self.theme.paper)]
        sheet.lines.append(Line((place,), 7, dot.colour))
        size, bold = 0.85 * self.size, dot.is_automatic
        boxes = list(_boxes_beside(place, self.measure(dot.label, size, bold), size))
        free = [
            box for box in boxes if self.is_inside(box) and not any(box.meets(other) for other in self.taken)
        ]
        is_hidden = any(other.is_named and self.place(other) == place for other in self.dots)
        if dot.is_named or (free and not is_hidden):
            box = (free or boxes)[0]
            self.taken.append(box)
            baseline = box.bottom - 0.26 * size
            sheet.texts.append(Text(box.left, baseline, dot.label, size, self.theme.ink, bold))

    def is_inside(self, box: Box) -> bool:
        across = box.left >= self.left and box.right <= self.width
        return across and self.top <= box.top and box.bottom <= self.bottom


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _around(place: tuple[float, float], radius: float) -> Box:
    x, y = place
    return Box(round(x - radius), round(y - radius), round(x + radius), round(y + radius), "")


def _between(start: tuple[float, float], end: tuple[float, float]) -> Iterator[tuple[float, float]]:
    """Places along a line, a few pixels apart."""
    (x, y), (right, lower) = start, end
    count = max(1, int(math.hypot(right - x, lower - y) / 4))
    for i in range(count + 1):
        yield x + (right - x) * i / count, y + (lower - y) * i / count


def _boxes_beside(place: tuple[float, float], width: float, size: float) -> Iterator[Box]:
    """Where a label may stand, the best first."""
    x, y = place
    wide, high, gap = math.ceil(width), math.ceil(1.1 * size), math.ceil(0.75 * size)
    for distance in (gap, 2 * gap, 3 * gap, 5 * gap):
        for left, top in (
            (x + distance, y - high / 2),
            (x - distance - wide, y - high / 2),
            (x - wide / 2, y + distance),
            (x - wide / 2, y - distance - high),
            (x + distance / 2, y + distance / 2),
            (x - distance / 2 - wide, y - distance / 2 - high),
            (x + distance / 2, y - distance / 2 - high),
            (x - distance / 2 - wide, y + distance / 2),
        ):
            yield Box(round(left), round(top), round(left) + wide, round(top) + high, "")


def _curves(results: Sequence[VariantResult]) -> Iterator[list[_Dot]]:
    """The dots of each sweep, with the automatic one of the same method; other outputs stand alone."""
    groups: dict[tuple[object, ...], list[VariantResult]] = {}
    for result in results:
        variant = result.variant
        if result.numbers is None or result.numbers.detail_kept is None:
            continue
        moving = {*list(variant.swept)[:1], *variant.found}
        fixed = tuple((name, value) for name, value in variant.given.items() if name not in moving)
        key = (variant.method, fixed) if moving else (variant.word,)
        groups.setdefault(key, []).append(result)
    for index, group in enumerate(groups.values()):
        last = next((result for result in reversed(group) if result.variant.swept), None)
        yield [_dot(result, _COLOURS[index % len(_COLOURS)], result is last) for result in group]


def _dot(result: VariantResult, colour: str, is_last: bool) -> _Dot:
    numbers, variant = result.numbers, result.variant
    assert numbers is not None and numbers.detail_kept is not None  # noqa: S101 - left out before
    label = variant.label
    if variant.swept and not is_last:  # which names the curve, because all may begin at box
        name, value = next(iter(variant.swept.items()))
        label = named(name, value)
    is_automatic = bool(variant.found)
    is_named = is_automatic or is_last or not variant.swept
    return _Dot(255 * numbers.noise_added, 100 * numbers.detail_kept, label, colour, is_automatic, is_named)
