"""How large the result becomes: every way to ask for a size, as (width, height)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from dpid_cli.errors import ArgumentError, SizeError

Size = tuple[int, int]
FITS = ("inside", "cover", "exact")


def positive(name: str, value: object) -> float:
    """`value` as a finite float above zero, or an error that names it."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ArgumentError(f"{name}: {value!r} is not a number: give one above 0") from None
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not math.isfinite(number) or number <= 0 or isinstance(value, bool | str | bytes):
        raise ArgumentError(f"{name}: {value!r} is not allowed: give a finite number above 0")
    return number


def pixels(name: str, value: object) -> int:
    """`value` as a whole number of pixels, at least 1, or an error that names it."""
    number = positive(name, value)
    if number != int(number):
        raise ArgumentError(f"{name}: {value!r} is not allowed: give a whole number of pixels")
    return int(number)


def half_up(value: float) -> int:
    """Round to the nearest whole number of pixels, halves up, at least 1."""
    return max(1, math.floor(value + 0.5))


def by_scale(source: Size, scale: object) -> Size:
    """Both sides `scale` times smaller."""
    factor = positive("scale", scale)
    if factor < 1:
        raise SizeError(
            f"scale: {factor:g} would enlarge the image: give 1 or more (4 makes it 4 times smaller)"
        )
    return half_up(source[0] / factor), half_up(source[1] / factor)


def by_percent(source: Size, percent: object) -> Size:
    """Both sides at `percent` per cent."""
    share = positive("percent", percent)
    if share > 100:
        raise SizeError(f"percent: {share:g} would enlarge the image: give at most 100")
    return half_up(source[0] * share / 100), half_up(source[1] * share / 100)


def by_side(source: Size, name: str, value: object, side: int) -> Size:
    """One side given (0 the width, 1 the height), the other by the aspect ratio."""
    length = pixels(name, value)
    if length > source[side]:
        raise SizeError(
            f"{name}: {length} would enlarge the image, which is {source[0]}x{source[1]}: "
            f"give at most {source[side]}"
        )
    # In integers, half up without the error of a float ratio.
    other = max(1, (2 * source[1 - side] * length + source[side]) // (2 * source[side]))
    return (length, other) if side == 0 else (other, length)


def by_size(source: Size, size: object) -> Size:
    """Exactly `size`."""
    try:
        width, height = cast(tuple[object, object], size)
    except (TypeError, ValueError):
        raise ArgumentError(f"size: {size!r} is not allowed: give (width, height)") from None
    target = pixels("size: width", width), pixels("size: height", height)
    if target[0] > source[0] or target[1] > source[1]:
        raise SizeError(
            f"size: {target[0]}x{target[1]} would enlarge the image, which is "
            f"{source[0]}x{source[1]}: give at most its own size"
        )
    return target


def by_box(source: Size, size: Size, fit: str) -> Size:
    """The aspect ratio kept, as large as lies inside `size`, or as small as covers it."""
    by_width = (source[0] * size[1] >= source[1] * size[0]) == (fit == "inside")
    return by_side(source, "size", size[0], 0) if by_width else by_side(source, "size", size[1], 1)


@dataclass(frozen=True)
class SizeRequest:
    """What was asked for, applied to each image anew.

    Attributes
    ----------
    kind : str
        ``scale``, ``percent``, ``width``, ``height``, ``longest``, ``shortest`` or ``size``.
    value : float, int or (int, int)
        The number, or width and height for ``size``.
    fit : str
        For ``size``: ``inside``, ``cover`` or ``exact``.
    """

    kind: str
    value: object
    fit: str = "exact"

    @property
    def scale(self) -> float | None:
        """The scale, where one was asked for."""
        return float(self.value) if self.kind == "scale" else None  # type: ignore[arg-type]

    def check(self) -> None:
        """Raise an `ArgumentError` if no image could have this size."""
        match self.kind:
            case "scale":
                by_scale((1, 1), self.value)
            case "percent":
                by_percent((1, 1), self.value)
            case "size":
                by_size((2**62, 2**62), self.value)
            case side:
                pixels(side, self.value)

    def of(self, source: Size) -> Size:
        """Width and height of the result for an image of this width and height."""
        match self.kind:
            case "scale":
                return by_scale(source, self.value)
            case "percent":
                return by_percent(source, self.value)
            case "width" | "height":
                return by_side(source, self.kind, self.value, int(self.kind == "height"))
            case "longest":
                return by_side(source, "longest", self.value, int(source[1] > source[0]))
            case "shortest":
                return by_side(source, "shortest", self.value, int(source[1] < source[0]))
            case _ if self.fit == "exact":
                return by_size(source, self.value)
            case _:
                return by_box(source, self.value, self.fit)  # type: ignore[arg-type]
