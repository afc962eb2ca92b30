"""The values that stand for black and white in images of floats, and of integers without a known white."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.errors import ArgumentError

# Floats beyond these are no intensities: values from 0 to 255, elevations, or normalised to mean 0.
_LEAST, _MOST = -1.0, 2.0


@dataclass(frozen=True)
class ValueRange:
    """The values of black, `low`, and white, `high`.

    >>> ValueRange(0, 200).intensities(np.array([50.0]))
    array([0.25])
    """

    low: float
    high: float

    @classmethod
    def of(cls, value: object, dtype: np.dtype[Any] | None) -> ValueRange | None:
        """The range for the argument `value_range`, or an `ArgumentError`; None if it is not given.

        `dtype` is that in which the image is computed; None if it is in GPU memory.
        """
        if value is None:
            return None
        if dtype is None or dtype.kind != "f":
            raise ArgumentError(
                "value_range: is for images in the memory of the CPU, of floats or of integers other than "
                "uint8 and uint16: leave it out"
            )
        is_list = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim == 1)
        numbers: list[Any] = list(value) if is_list else []  # type: ignore[call-overload]
        is_range = len(numbers) == 2 and all(
            isinstance(number, Real) and not isinstance(number, bool) and math.isfinite(number)
            for number in numbers
        )
        if not is_range or not 0 < float(numbers[1]) - float(numbers[0]) < math.inf:
            raise ArgumentError(
                f"value_range must be (black, white), two finite numbers, the smaller first (got {value!r})"
            )
        return cls(float(numbers[0]), float(numbers[1]))

    def intensities(self, values: Array) -> Array:
        """Values as intensities, black 0 and white 1, in the same type of floats."""
        if self == UNIT:
            return values
        with np.errstate(over="ignore"):  # infinity is refused like other values far beyond the range
            wide = np.subtract(values, self.low, dtype=np.float64)
            wide /= self.high - self.low
            return wide.astype(values.dtype)

    def values(self, intensities: Array) -> Array:
        """The inverse of `intensities`."""
        if self == UNIT:
            return intensities
        wide = np.multiply(intensities, self.high - self.low, dtype=np.float64)
        wide += self.low
        return wide.astype(intensities.dtype)


UNIT = ValueRange(0, 1)


def check_intensities(raster: Raster) -> None:
    """Raise an `ArgumentError` if floats are clearly no intensities."""
    low, high = raster.extent if raster.dtype.kind == "f" else (0, 0)
    if low < _LEAST or high > _MOST:
        raise ArgumentError(
            f"image: float values should be intensities in [0, 1], but range from {low:g} to {high:g}: "
            "give value_range=(black, white), such as (0, 255); in commands, --value-range 0,255"
        )
