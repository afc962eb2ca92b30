"""Sub-images: squares of one side that cover an image in steps."""

from __future__ import annotations

from dataclasses import dataclass

from dpid_cli.downscaling.sizes import Sides, Size
from dpid_cli.errors import ArgumentError


@dataclass(frozen=True)
class Patches:
    """Squares of `side` pixels, `step` pixels apart, row by row from the top left corner.

    If more than `threshold` pixels remain at the right or at the bottom, a last column or row of squares ends
    with the image.

    >>> Patches(480, 240).positions((1000, 480))
    ((0, 0), (240, 0), (480, 0), (520, 0))
    """

    side: int
    step: int
    threshold: float = 0

    def positions(self, size: Sides) -> tuple[Size, ...]:
        """Left and top of every square; one for an image that is smaller than a square."""
        lefts, tops = map(self._along, size)
        return tuple((left, top) for top in tops for left in lefts)

    def position(self, size: Sides, number: int) -> Size:
        """Left and top of one square."""
        lefts, tops = map(self._along, size)
        return lefts[number % len(lefts)], tops[number // len(lefts)]

    def _along(self, length: object) -> list[int]:
        last = int(length) - self.side  # type: ignore[call-overload]
        starts = list(range(0, max(last, 0) + 1, self.step))
        return [*starts, last] if last - starts[-1] > self.threshold else starts

    def shrunk(self, scale: int) -> Patches:
        """The same squares of the image that is smaller by a scale, which must divide side and step."""
        for name, value in ("--patches", self.side), ("--step", self.step):
            if value % scale:
                raise ArgumentError(f"{name}: {value} pixels are no multiple of the scale {scale}: change it")
        return Patches(self.side // scale, self.step // scale, self.threshold / scale)


@dataclass(frozen=True)
class Patch:
    """One of the squares of an image, by its number from 0; `scale` says how much smaller the image is."""

    patches: Patches
    number: int
    scale: int = 1

    def square(self, size: Size) -> tuple[int, int, int, int]:
        """Left, top, width and height in an image of this size."""
        return *self.patches.position(size, self.number), self.patches.side, self.patches.side

    def rectangle(self, size: Size) -> tuple[float, ...]:
        """Left, top, width and height in the original, for an image of this size."""
        return tuple(float(self.scale * each) for each in self.square(size))
