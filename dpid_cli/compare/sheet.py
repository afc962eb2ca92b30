"""The parts of a sheet: its style, and images, boxes, lines and texts at their pixel positions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dpid_cli.errors import ArgumentError

if TYPE_CHECKING:
    from dpid_cli.compare.intensities import Bytes

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # name the regions
# By Okabe and Ito, distinct for every kind of colour vision. The letters say the same.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7")
# Around a coloured line, so that a frame is visible on any ground.
DARK, LIGHT = "#000000", "#ffffff"
STYLES = ("panels", "inset")
GROUNDS = ("checker", "white", "black")
POINT = 0.5  # size of a pixel in points, unless a width says otherwise: text of 16 pixels has 8 points

_POINTS = {"pt": 1.0, "mm": 72 / 25.4, "cm": 720 / 25.4, "in": 72.0, "px": POINT}
_NARROWEST, _WIDEST = 36.0, 7200.0  # of a sheet, in points


@dataclass(frozen=True)
class Length:
    """The width of a sheet, with its unit: pt, mm, cm, in, or px for pixels."""

    value: float
    unit: str

    @property
    def points(self) -> float:
        """The length in points, 72 of which are an inch."""
        return self.value * _POINTS[self.unit]


def length_of(text: str) -> Length:
    """Parse ``252pt``; raise an `ArgumentError` if it is malformed, or no sheet can be so wide."""
    match = re.fullmatch(rf"\s*(\d+\.?\d*|\.\d+)\s*({'|'.join(_POINTS)})\s*", text)
    if match is None:
        raise ArgumentError(f"--width: {text!r} is no width: give a number and one of {', '.join(_POINTS)}")
    length = Length(float(match[1]), match[2])
    if not _NARROWEST <= length.points <= _WIDEST:
        raise ArgumentError(f"--width: {text}: no figure can have this width: give 36pt to 7200pt")
    if length.unit == "px" and length.value != int(length.value):
        raise ArgumentError(f"--width: {text}: must be whole pixels: give {round(length.value)}px")
    return length


@dataclass(frozen=True)
class Theme:
    """The colours of a sheet; `squares` are the two grays of the checkerboard behind transparent pixels."""

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
    """How a sheet looks; None lets the layout choose."""

    columns: int | None = None
    zoom: int | None = None  # of the crops; of whole outputs if there are no crops
    title: str = ""
    font_size: float = 16  # in pixels of half a point
    theme: str = "light"  # one of THEMES
    style: str = "panels"  # one of STYLES
    ground: str = "checker"  # one of GROUNDS, behind transparent pixels
    font: str | None = None  # a family
    width: Length | None = None
    plot: bool = False  # whether to plot numbers instead of showing panels


@dataclass(frozen=True)
class Space:
    """How much space panels have."""

    unit: float = 1.0  # pixels of the sheet in half a point
    cell: int | None = None  # preferred width of a cell in pixels
    strict: bool = False  # whether cells must not be wider
    gap: int = 12  # between insets, in pixels
    frame: int = 4  # width of the frames of crops, in pixels


@dataclass(frozen=True)
class Image:
    """Pixels (H, W, 3) and the position of their top left corner."""

    left: int
    top: int
    pixels: Bytes


@dataclass(frozen=True)
class Text:
    """A line of text that stands on `baseline` and starts at `x`, or ends there, or has its middle there."""

    x: float
    baseline: float
    text: str
    size: float
    colour: str
    bold: bool = False
    align: str = "left"  # left, right or center


@dataclass(frozen=True)
class Box:
    """A filled rectangle, or only its border, `border` pixels wide and inside the rectangle."""

    left: int
    top: int
    right: int
    bottom: int
    colour: str
    border: int | None = None

    def meets(self, other: Box) -> bool:
        """Whether the two rectangles overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True)
class Line:
    """A line through points (x, y), with round ends; one point is a dot."""

    points: tuple[tuple[float, float], ...]
    width: float
    colour: str


def framed(left: int, top: int, right: int, bottom: int, colour: str, edge: int) -> Iterator[Box]:
    """A frame of 4 edges: dark outside, coloured, light inside. One of them is visible on any ground."""
    for line, start, width in ((DARK, 0, edge), (colour, edge, 2 * edge), (LIGHT, 3 * edge, edge)):
        yield Box(left + start, top + start, right - start, bottom - start, line, width)


@dataclass
class Sheet:
    """A sheet of `width` x `height` pixels and its contents, in the order in which they are drawn."""

    width: int
    height: int
    theme: Theme
    point: float = POINT  # size of a pixel in points
    length: Length | None = None  # the width that was requested
    note: str = ""  # a sentence for a caption
    images: list[Image] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
