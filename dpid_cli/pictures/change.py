"""How the pixels of an output came from those that a file stores."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Change:
    """An image that was turned upright, then cropped, then scaled.

    Attributes
    ----------
    upright : (int, int)
        Width and height of the whole image, upright.
    cropped : (int, int)
        The part that was scaled; of both sides, as of `offset`, there may be fractions.
    output : (int, int)
    orientation : int
        How the file stores the image, 1 to 8 as in EXIF.
    offset : (int, int)
        Where the part begins, from the left and the top of the upright image.
    """

    upright: tuple[int, int]
    cropped: tuple[int | Fraction, int | Fraction]
    output: tuple[int, int]
    orientation: int = 1
    offset: tuple[int | Fraction, int | Fraction] = (0, 0)

    @property
    def swaps_sides(self) -> bool:
        """Whether turning it upright exchanged width and height."""
        return self.orientation > 4

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height as the file stores the image."""
        width, height = self.upright
        return (height, width) if self.swaps_sides else self.upright

    @property
    def is_cropped(self) -> bool:
        """Whether a part is missing."""
        return self.cropped != self.upright

    @property
    def scale(self) -> tuple[Fraction, Fraction]:
        """Pixels of the output per pixel of the upright image, horizontally and vertically."""
        across, down = (Fraction(new, old) for new, old in zip(self.output, self.cropped, strict=True))
        return across, down

    def turned(self, x: float, y: float) -> tuple[float, float]:
        """A point of the upright image; points are shares of width and height, here and in `placed`."""
        if self.swaps_sides:
            x, y = y, x
        # 2 mirrors columns, 4 rows, 3 both; 5 to 8 do the same to what is exchanged.
        across, down = self.orientation in (2, 3, 6, 7), self.orientation in (3, 4, 7, 8)
        return 1 - x if across else x, 1 - y if down else y

    def placed(self, x: float, y: float) -> tuple[float, float]:
        """A point of the output, outside of 0 to 1 where it was cropped away, for one of the stored image."""
        x, y = self.turned(x, y)
        across, down = (
            (at * length - float(start)) / float(side)
            for at, length, start, side in zip((x, y), self.upright, self.offset, self.cropped, strict=True)
        )
        return across, down
