"""Types of pixels that kernels do not read: converted before, and back after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import KERNEL_TYPES, Array, full_scale
from dpid_cli.errors import ArgumentError

# Larger integers are not exact in float64; larger ones are not as exact in float32 as those of 16 bits.
_LARGEST, _LARGEST_SINGLE = 2**53, 2**16


@dataclass(frozen=True)
class PixelType:
    """How the pixels of an image are computed, and stored again.

    float16 is computed in float32, bool as black and white of uint8, and integers whose white is not known as
    floats.

    Attributes
    ----------
    dtype : dtype
        Of the image, and of the output.
    real : type or None
        Of floats to compute integers in whose white is not known.
    unit : float
        What these are divided by: a power of two, so that no digit is lost.
    extent : (int, int) or None
        Smallest and largest of these integers, unless the range of values is given.

    Examples
    --------
    >>> kind = PixelType.of(np.array([[0, 200]]))
    >>> kind.converted(np.array([[0, 200]])), kind.restored(np.array([[0.5]]))
    (array([[0.     , 0.78125]], dtype=float32), array([[128]]))
    """

    dtype: np.dtype[Any]
    real: type[np.floating[Any]] | None = None
    unit: float = 1.0
    extent: tuple[int, int] | None = None

    @classmethod
    def of(cls, pixels: Array, ranged: bool = False) -> PixelType:
        """The type of an image; raises an `ArgumentError` if it cannot be downscaled.

        Integers keep their values if the range of values is given (`ranged`), and are brought to at most 1 in
        size otherwise.
        """
        dtype = pixels.dtype
        if dtype.kind == "c":
            raise ArgumentError(f"image: has complex numbers ({dtype}): give np.abs(image) or image.real")
        if dtype.kind == "f" and dtype.itemsize > 8:
            raise ArgumentError(f"image: has too many bits ({dtype}): give image.astype(np.float64)")
        if dtype.kind not in "iu" or dtype.name in KERNEL_TYPES or pixels.size == 0:
            return cls(dtype)
        low, high = int(pixels.min()), int(pixels.max())
        size = max(-low, high)
        if size > _LARGEST:
            raise ArgumentError("image: has integers beyond 2**53: give image.astype(np.float64)")
        real = np.float32 if size <= _LARGEST_SINGLE else np.float64
        if ranged:
            return cls(dtype, real)
        return cls(dtype, real, 2.0 ** max(size - 1, 0).bit_length(), (low, high))

    def converted(self, pixels: Array) -> Array:
        """Pixels of this type as kernels read them; pixels of other types unchanged."""
        if pixels.dtype != self.dtype:
            return pixels
        if self.dtype.kind == "b":
            return np.multiply(pixels, 255, dtype=np.uint8)
        if self.dtype == np.float16:
            return pixels.astype(np.float32)
        if self.real is not None:
            return np.asarray(pixels.astype(self.real) / self.real(self.unit))
        return pixels

    def guiding(self, values: Array) -> Array:
        """An image of the size of the output, in the type of the image or in its units, like `converted`."""
        if values.dtype == self.dtype or self.real is None:
            return self.converted(values) if values.dtype == self.dtype else values
        return np.asarray(values / self.real(self.unit))

    def restored(self, output: Array) -> Array:
        """Computed pixels in the type of the image: rounded to nearest, halves up."""
        if self.dtype.kind == "b":
            return np.asarray(output >= full_scale(np.uint8) / 2)
        if self.dtype == np.float16:
            return output.astype(np.float16)
        if self.real is None:
            return output
        bounds = np.iinfo(self.dtype)
        levels = np.floor(output.astype(np.float64) * self.unit + 0.5)
        # No float lies between 2**53 and the largest integers of 64 bits.
        return levels.clip(max(bounds.min, -_LARGEST), min(bounds.max, _LARGEST)).astype(self.dtype)

    def check_range(self) -> None:
        """Raise an `ArgumentError` if these are integers whose black and white are not known."""
        if self.extent is None:
            return
        low, high = self.extent
        fitting = next((name for name in ("uint8", "uint16") if low >= 0 and high <= full_scale(name)), None)
        convert = f", or image.astype(np.{fitting}) if these are {fitting}" if fitting else ""
        raise ArgumentError(
            f"image: values of {self.dtype} from {low} to {high}: which are black and white is not known: "
            f"give value_range=(black, white){convert}"
        )
