"""Output sizes: every way to ask for one, as (width, height)."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Integral
from typing import TYPE_CHECKING, cast

from dpid_cli.downscaling.choices import Fit
from dpid_cli.errors import ArgumentError, SizeError

if TYPE_CHECKING:
    from fractions import Fraction

Size = tuple[int, int]
Sides = tuple["int | Fraction", "int | Fraction"]  # of parts of images


def shown(size: Sides) -> str:
    """A size for messages; that of a part of an image may have fractions.

    >>> shown((640, 427))
    '640x427'
    """
    return "x".join(f"{float(side):.10g}" for side in size)


def positive(name: str, value: object) -> float:
    """Return `value` as a float, or raise an `ArgumentError` if it is not a finite number above 0."""
    number = math.nan
    if not isinstance(value, bool | str | bytes) and getattr(value, "shape", ()) == ():  # no array of one
        with suppress(TypeError, ValueError, OverflowError):  # or an integer beyond all floats
            number = float(value)  # type: ignore[arg-type]
    if not 0 < number < math.inf:
        raise ArgumentError(f"{name} must be a finite number above 0 (got {value!r})")
    return number


def pixels(name: str, value: object) -> int:
    """Return `value` as a whole number of pixels, at least 1, or raise an `ArgumentError`."""
    number = positive(name, value)
    if number != int(number):
        raise ArgumentError(f"{name} must be a whole number of pixels (got {value!r})")
    return int(number)


def whole(name: str, value: object) -> int:
    """Return `value`, or raise an `ArgumentError` if it is not a whole number, 1 or more."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not 1 <= int(value) < 2**63:
        raise ArgumentError(f"{name} must be a whole number, 1 or more (got {value!r})")
    return int(value)


def half_up(value: float) -> int:
    """Round to the nearest whole number of pixels, halves up, at least 1."""
    return max(1, math.floor(value + 0.5))


def by_scale(source: Sides, scale: object) -> Size:
    """Divide both sides by `scale`.

    >>> by_scale((640, 427), 2)
    (320, 214)
    """
    factor = positive("scale", scale)
    if factor < 1:
        raise SizeError(
            f"scale: {factor:g} would enlarge the image: use 1 or more (4 makes it 4 times smaller)"
        )
    # A scale like 1/0.3 is rounded; sides that are exactly halves must not be rounded down for that.
    return half_up(source[0] / factor + 1e-9), half_up(source[1] / factor + 1e-9)


def by_percent(source: Sides, percent: object) -> Size:
    """Resize both sides to `percent` %."""
    share = positive("percent", percent)
    if share > 100:
        raise SizeError(f"percent: {share:g} would enlarge the image: use at most 100")
    return half_up(source[0] * share / 100), half_up(source[1] * share / 100)


def by_side(source: Sides, name: str, value: object, side: int) -> Size:
    """Resize one side (0 the width, 1 the height) to `value`, and the other to keep the aspect ratio."""
    length = pixels(name, value)
    if length > source[side]:
        raise SizeError(
            f"{name}: {length} would enlarge the image, which is {shown(source)}: "
            f"use at most {math.floor(source[side])}"
        )
    # Integers round half up without the error of a float ratio.
    other = max(1, (2 * source[1 - side] * length + source[side]) // (2 * source[side]))
    return (length, other) if side == 0 else (other, length)


def by_size(source: Sides, size: object) -> Size:
    """Check that `size` is a (width, height) no larger than `source`."""
    try:
        width, height = cast(tuple[object, object], size)
    except (TypeError, ValueError):
        raise ArgumentError(f"size must be (width, height) (got {size!r})") from None
    target = pixels("size: width", width), pixels("size: height", height)
    if target[0] > source[0] or target[1] > source[1]:
        raise SizeError(
            f"size: {target[0]}x{target[1]} would enlarge the image, which is "
            f"{shown(source)}: use at most its own size"
        )
    return target


def square(source: Size, resolution: tuple[float, float] | None) -> Size:
    """What is left of a size if pixels become square: the side with more pixels per unit gets fewer.

    >>> square((1728, 1075), (204, 98))  # of a fax
    (830, 1075)
    """
    across, down = resolution or (1.0, 1.0)
    return half_up(source[0] * min(1, down / across)), half_up(source[1] * min(1, across / down))


def requested(source: Sides, scale: object, size: object) -> Size:
    """Apply whichever of `scale` and `size` is not None; exactly one must be given."""
    if (scale is None) == (size is None):
        raise ArgumentError("size: give either scale or size, not both or neither")
    return by_size(source, size) if scale is None else by_scale(source, scale)


def by_box(source: Sides, size: Size, fit: str) -> Size:
    """Keep the aspect ratio: the largest size inside `size`, or the smallest that covers it."""
    by_width = (source[0] * size[1] >= source[1] * size[0]) == (fit == Fit.INSIDE)
    return by_side(source, "size", size[0], 0) if by_width else by_side(source, "size", size[1], 1)


@dataclass(frozen=True)
class SizeRequest:
    """A requested size, to be applied to each image.

    Attributes
    ----------
    kind : str
        ``scale``, ``percent``, ``width``, ``height``, ``longest``, ``shortest`` or ``size``.
    value : float, int or (int, int)
        The number, or width and height for ``size``.
    fit : Fit
        For ``size``.
    name : str
        What errors call it, if not by its kind.
    """

    kind: str
    value: object
    fit: str = Fit.EXACT
    name: str = field(default="", repr=False, compare=False)

    @property
    def scale(self) -> float | None:
        """The scale, if one was requested."""
        return float(self.value) if self.kind == "scale" else None  # type: ignore[arg-type]

    def check(self) -> None:
        """Raise an `ArgumentError` if no image could have this size."""
        Fit.named("fit", self.fit)
        match self.kind:
            case "scale":
                by_scale((1, 1), self.value)
            case "percent":
                by_percent((1, 1), self.value)
            case "size":
                by_size((2**62, 2**62), self.value)
            case side:
                pixels(self.name or side, self.value)

    def of(self, source: Sides) -> Size:
        """Return width and height of the output for an image of this width and height."""
        match self.kind:
            case "scale":
                return by_scale(source, self.value)
            case "percent":
                return by_percent(source, self.value)
            case "width" | "height":
                return by_side(source, self.name or self.kind, self.value, int(self.kind == "height"))
            case "longest":
                return by_side(source, self.name or "longest", self.value, int(source[1] > source[0]))
            case "shortest":
                return by_side(source, "shortest", self.value, int(source[1] < source[0]))
            case _ if self.fit in (Fit.EXACT, Fit.FILL):
                return by_size(source, self.value)
            case _:
                return by_box(source, self.value, self.fit)  # type: ignore[arg-type]
