"""Parts of an image: rectangles whose edges may lie within pixels.

Kernels know windows that lie side by side from the first pixel on. For other edges, each window gets its own
copy of the pixels that it touches, all windows equally many, and their coverages become their importance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.choices import Device, FilterGrid
from dpid_cli.downscaling.devices import lies_on_gpu
from dpid_cli.downscaling.filters import resolved
from dpid_cli.downscaling.parameters import PARAMETERS, Parameters
from dpid_cli.downscaling.raster import Raster, as_array, channels_last
from dpid_cli.downscaling.registry import Method, method_named
from dpid_cli.downscaling.sizes import requested
from dpid_cli.errors import ArgumentError

_FINEST = 10**6  # parts of a pixel
# Those of windows that pixels with a coverage of 0 do not change, if they are copies of others.
_PICKING = ("max", "min")


class Crop(NamedTuple):
    """Left and top edge, width and height, in pixels."""

    left: Fraction
    top: Fraction
    width: Fraction
    height: Fraction

    @classmethod
    def of(cls, value: Any) -> Crop:
        """Check four numbers; decimals are meant as they are written, so that 0.1 is a tenth."""
        try:
            numbers = tuple(Fraction(str(number)).limit_denominator(_FINEST) for number in value)
            crop = cls(*numbers)
        except (TypeError, ValueError, ZeroDivisionError):
            raise ArgumentError(
                f"crop must be left, top, width and height, such as (10, 20.5, 640, 480) (got {value!r})"
            ) from None
        if min(crop.left, crop.top) < 0 or min(crop.width, crop.height) <= 0:
            raise ArgumentError(f"crop must have a corner inside the image and a size above 0 (got {crop})")
        return crop

    def __str__(self) -> str:
        return ",".join(f"{float(number):.12g}" for number in self)

    @property
    def size(self) -> tuple[Fraction, Fraction]:
        """Width and height."""
        return self.width, self.height

    @property
    def numbers(self) -> tuple[int | float, ...]:
        """The same, without fractions."""
        return tuple(int(one) if one.denominator == 1 else float(one) for one in self)

    @property
    def is_whole(self) -> bool:
        """Whether it consists of whole pixels."""
        return all(number.denominator == 1 for number in self)

    @property
    def outer(self) -> tuple[slice, slice]:
        """Rows and columns of all pixels that it touches."""
        rows = slice(int(self.top), -int(-(self.top + self.height) // 1))
        return rows, slice(int(self.left), -int(-(self.left + self.width) // 1))

    @property
    def inner(self) -> Crop:
        """The same within the pixels of `outer`."""
        return self._replace(left=self.left % 1, top=self.top % 1)

    def check_inside(self, size: tuple[int, int]) -> None:
        """Raise an `ArgumentError` if an image of this width and height does not contain it."""
        width, height = size
        if self.left + self.width > width or self.top + self.height > height:
            raise ArgumentError(
                f"crop: {self} exceeds the image, which is {width}x{height}: use a part inside it"
            )


def applied(arguments: Mapping[str, Any], automatic: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """The arguments of `downscale` for an image that is the crop alone, with its channels on the last axis.

    `automatic` finds the numbers that "auto" stands for.
    """
    axis = arguments["channel_axis"]
    result = dict(arguments) | {"crop": None, "scale": None, "channel_axis": None if axis is None else -1}
    if lies_on_gpu(arguments["image"]):
        raise ArgumentError("crop: needs an image in CPU memory: copy it, or slice it first")
    pixels = channels_last(as_array(arguments["image"]), axis)
    if pixels.ndim not in (2, 3):
        Raster.of(pixels)  # says what is wrong
    crop, shape = Crop.of(arguments["crop"]), pixels.shape[:2]
    crop.check_inside((shape[1], shape[0]))
    target = requested(crop.size, arguments["scale"], arguments["size"])
    importance = arguments["importance"]
    if importance is not None:
        importance = as_array(importance, "importance")
        if importance.shape not in (shape, (*shape, 1)):
            raise ArgumentError(
                f"importance must have the shape of the image, {shape} (got {importance.shape})"
            )
        importance = importance.reshape(shape)[crop.outer]
    pixels = pixels[crop.outer]
    if crop.is_whole:
        return result | {"image": pixels, "importance": importance, "size": target}
    method = method_named(arguments["method"])
    own = {name: value for name, value in arguments.items() if name in PARAMETERS}
    check_parts(method, method.parameters(resolved(method, own)), arguments["device"])
    more = {name: arguments[name] for name in ("linear", "value_range")}
    result |= automatic(pixels, size=target, method=method.name, **more, **own)
    pixels, shares = _expanded(pixels, importance, crop.inner, target)
    picking = method.name in _PICKING
    return result | {"image": pixels, "importance": None if picking else shares, "size": target}


def check_parts(method: Method, parameters: Parameters, device: str) -> None:
    """Raise an `ArgumentError` for what needs windows of whole pixels."""
    able = method.family == "detail" or method.name in _PICKING
    if not able or getattr(parameters, "window", None) is not None:
        raise ArgumentError(
            "crop: parts of pixels work for dpid, dpp, box, max and min without window: use whole numbers"
        )
    if parameters.filter is not None and parameters.filter.grid == FilterGrid.INPUT:
        raise ArgumentError("crop: a filter over pixels needs whole ones: use whole numbers")
    if device == Device.CUDA:
        raise ArgumentError("crop: parts of pixels work on the CPU only: use device cpu")


def _expanded(
    pixels: NDArray[Any], importance: NDArray[Any] | None, crop: Crop, target: tuple[int, int]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The pixels of every window side by side, and the share of each that lies in its window.

    `target` is the width and height of the output. An importance of pixels is multiplied by these shares.
    """
    rows, row_shares = _windows(crop.top, crop.height, target[1])
    columns, column_shares = _windows(crop.left, crop.width, target[0])
    shares = np.outer(row_shares, column_shares)
    if importance is not None:
        shares *= importance[np.ix_(rows, columns)]
    return pixels[rows][:, columns], shares


def _windows(start: Fraction, length: Fraction, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The pixels of windows between edges, as many for each, and how much of each belongs to its window."""
    part = Fraction(length) / count
    # In whole units, so that no share is off by more than its rounding.
    unit = part.denominator * start.denominator
    edges = [int((start + k * part) * unit) for k in range(count + 1)]
    lows, highs = np.array(edges[:-1]), np.array(edges[1:])
    first, last = lows // unit, (highs - 1) // unit
    most = int((last - first).max()) + 1
    pixels = np.minimum(first[:, np.newaxis] + np.arange(most), last[:, np.newaxis])
    behind = first[:, np.newaxis] + np.arange(most) > last[:, np.newaxis]
    covered = np.minimum(highs[:, np.newaxis], (pixels + 1) * unit) - np.maximum(
        lows[:, np.newaxis], pixels * unit
    )
    return pixels.ravel(), (np.where(behind, 0, covered) / unit).ravel()
