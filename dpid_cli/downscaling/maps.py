"""Maps that belong to an image: the importance of its pixels, and a guidance for its windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import (
    FLOAT_LIMIT,
    Array,
    Raster,
    as_array,
    check_kind,
    full_scale,
    read_only,
)
from dpid_cli.downscaling.registry import METHODS, Method
from dpid_cli.downscaling.rewards import is_scaled
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError


@dataclass(frozen=True)
class Maps:
    """What the user gives in addition to an image.

    Attributes
    ----------
    importance : (H, W) ndarray or None
        By what the coverage of each pixel is multiplied; read-only, and of the type that kernels compute in.
    guidance : (h, C, w) ndarray or None
        What the pixels of each window are compared with, on the scale of the pixels.
    """

    importance: Array | None = None
    guidance: Array | None = None

    def __bool__(self) -> bool:
        return self.importance is not None or self.guidance is not None

    @classmethod
    def of(cls, importance: Any, guidance: Any, raster: Raster, target: Size) -> Maps:
        """Check arrays, or None; raises an `ArgumentError` if they do not fit the image or the output."""
        return cls(
            None if importance is None else _importance(importance, raster),
            None if guidance is None else _guidance(guidance, raster, target),
        )

    def check(self, method: Method, parameters: Parameters, raster: Raster) -> None:
        """Raise an `ArgumentError` if a method cannot use them."""
        if not self:
            return
        if method.family != "detail":
            able = ", ".join(m.name for m in METHODS.values() if m.family == "detail")
            raise ArgumentError(f"importance: method {method.name} takes none: use {able}")
        if getattr(parameters, "window", None) is not None:
            raise ArgumentError("importance: works without window only: omit one of them")
        scaled = isinstance(parameters, DetailParameters) and is_scaled(parameters, raster)
        if scaled and self.importance is not None:
            raise ArgumentError(
                "importance: works with lambda up to 4 (floats 1.9), epsilon up to 1, no normalize, "
                "and so do parts of pixels in a crop: change it"
            )


NONE = Maps()


def _importance(values: Any, raster: Raster) -> Array:
    array = as_array(values, "importance")
    width, height = raster.size
    if array.shape not in ((height, width), (height, width, 1)):
        raise ArgumentError(
            f"importance must have the shape of the image, {(height, width)} (got {array.shape})"
        )
    values = _intensities(array.reshape(height, width), "importance", np.float64)
    if values.min() < 0:
        raise ArgumentError("importance must have finite values, 0 or more")
    largest = values.max()  # so that no product overflows
    return read_only(np.ascontiguousarray(values / (largest if largest > 0 else 1), raster.real))


def _guidance(values: Any, raster: Raster, target: Size) -> Array:
    array = as_array(values, "guidance")
    width, height = target
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.shape[:2] != (height, width) or array.ndim > 3 or channels not in (1, raster.channels):
        shape = (height, width, raster.channels) if raster.channels > 1 else (height, width)
        raise ArgumentError(f"guidance must have the shape of the output, {shape} (got {array.shape})")
    planes = array.reshape(height, width, channels).transpose(0, 2, 1)
    intensities = _intensities(planes, "guidance", raster.real)
    low, high = float(intensities.min()), float(intensities.max())
    if max(-low, high) > (2 if raster.limit else FLOAT_LIMIT):
        raise ArgumentError(f"guidance: has values from {low:g} to {high:g}: scale them to [0, 1]")
    scaled = intensities * raster.real(raster.unit)
    return np.ascontiguousarray(np.broadcast_to(scaled, (height, raster.channels, width)))


def _intensities(array: Array, name: str, real: type[np.floating[Any]]) -> Array:
    """Finite floats; integers are divided by their largest value."""
    if array.dtype.name == "bool":
        array = array.astype(np.uint8) * np.uint8(255)
    check_kind((1, 1), array.dtype, name)
    with np.errstate(over="ignore"):  # beyond a smaller type, numbers become infinite
        result = np.asarray(array / np.float64(full_scale(array.dtype)), real)
    if not np.isfinite(result).all():
        raise ArgumentError(f"{name} must have finite values")
    return result
