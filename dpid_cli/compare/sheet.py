"""The parts of a sheet: its style, and images, boxes and texts at their pixel positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpid_cli.compare.intensities import Bytes

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # name the regions
# By Okabe and Ito, distinct for every kind of colour vision. The letters say the same.
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#d55e00", "#cc79a7")


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
    font_size: int = 16  # in pixels
    theme: str = "light"  # one of THEMES


@dataclass(frozen=True)
class Image:
    """Pixels (H, W, 3) and the position of their top left corner."""

    left: int
    top: int
    pixels: Bytes


@dataclass(frozen=True)
class Text:
    """A line of text that starts at `left` and stands on `baseline`."""

    left: float
    baseline: float
    text: str
    size: float
    colour: str
    bold: bool = False


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


@dataclass
class Sheet:
    """A sheet of `width` x `height` pixels and its contents, in the order in which they are drawn."""

    width: int
    height: int
    theme: Theme
    images: list[Image] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
