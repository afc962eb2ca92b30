"""Make a sheet of panels, as wide as requested."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dpid_cli.compare.layout import EDGE, GAP, Layout
from dpid_cli.compare.sheet import POINT, Length, Sheet, Space, Style
from dpid_cli.compare.wrapping import Measure
from dpid_cli.errors import ArgumentError

if TYPE_CHECKING:
    from dpid_cli.compare.panels import Content

_PER_INCH = 300  # pixels of a sheet whose width is a length, nearly
_NARROWEST_CELL = 40.0  # in points, unless the number of columns is given
_ROUNDS, _ALIKE = 8, 1e-4


def sheet_of(content_for: Callable[[Space], Content], style: Style, measure: Measure) -> Sheet:
    """The sheet of the content that fits a space; raise an `ArgumentError` if none is narrow enough."""
    space = Space()
    usual = Layout(content_for(space), style, space, measure, style.columns)
    if style.width is None:
        return usual.sheet()
    if usual.content.grids:
        columns = max(len(grid.columns) for grid in usual.content.grids)
    else:
        columns = style.columns or usual.best_columns(_most_columns(style.width, usual))
    fit = _in_pixels if style.width.unit == "px" else _in_points
    return fit(content_for, style, measure, style.width, columns, usual.heading)


def _most_columns(length: Length, usual: Layout) -> int:
    """How many columns have enough space for labels, and for crops whose input is not reduced."""
    if length.unit != "px":
        return max(1, int(length.points // _NARROWEST_CELL))
    return max(1, int(length.value - GAP) // (usual.content.painter.exact_width() + GAP))


def _in_points(
    content_for: Callable[[Space], Content],
    style: Style,
    measure: Measure,
    length: Length,
    columns: int,
    heading: float,
) -> Sheet:
    """A sheet of about 300 pixels in an inch. The size of its pixels makes its width exact."""
    unit = _PER_INCH * POINT / 72
    gap, edge = round(GAP * unit), max(1, round(EDGE * unit / 2))
    width = length.points * _PER_INCH / 72 - heading * unit
    space = Space(unit, max(8, int((width - gap * (columns + 1)) / columns)), gap=gap, frame=4 * edge)
    content = content_for(space)
    point = 72 / _PER_INCH
    for _ in range(_ROUNDS):  # texts have a size in points, and headings take some of the width
        sheet = Layout(content, style, space, measure, columns, POINT / point).sheet()
        before, point = point, length.points / sheet.width
        if abs(point / before - 1) < _ALIKE:
            break
    sheet.point, sheet.length = point, length
    return sheet


def _in_pixels(
    content_for: Callable[[Space], Content],
    style: Style,
    measure: Measure,
    length: Length,
    columns: int,
    heading: float,
) -> Sheet:
    """A sheet of exactly so many pixels."""
    width = int(length.value)
    cell = int(width - heading - GAP * (columns + 1)) // columns
    if cell > 8 * EDGE:
        space = Space(cell=cell, strict=True)
        layout = Layout(content_for(space), style, space, measure, columns)
        sheet = layout.sheet()
        if sheet.width <= width:
            sheet.width, sheet.length = width, length
            return sheet
    raise ArgumentError(
        f"--width: {width}px is too narrow for {columns} columns: use a larger width, fewer --columns, or a "
        "smaller --zoom"
    )
