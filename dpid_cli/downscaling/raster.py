"""An array of pixels, checked, in the one form that all kernels read."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from dpid_cli.errors import ArgumentError

# Far outside [0, 1], yet small enough that no power of a kernel overflows.
FLOAT_LIMIT = 65536.0

_UNITS = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0, "float64": 1.0}


@dataclass(frozen=True)
class Raster:
    """Pixels as rows of interleaved channels.

    Attributes
    ----------
    rows : (H, W * C) ndarray, or (H, W) where packed
        Read-only, contiguous; uint8, uint16, float32 or float64; uint32 where packed.
    channels : int
        C, from 1 to 4.
    packed : bool
        Whether the bytes of a pixel are one number, the first channel in its lowest bits.
    """

    rows: NDArray[Any]
    channels: int
    packed: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.rows.shape[1] // self.samples, self.rows.shape[0]

    @property
    def samples(self) -> int:
        """Numbers a pixel in `rows`."""
        return 1 if self.packed else self.channels

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of a channel."""
        return np.dtype(np.uint8) if self.packed else self.rows.dtype

    @cached_property
    def unit(self) -> float:
        """The value that stands for intensity 1."""
        return _UNITS[self.dtype.name]

    @cached_property
    def limit(self) -> float:
        """Largest value of an integer type; 0 for floats, which are not rounded."""
        return self.unit if self.dtype.kind == "u" else 0.0

    @cached_property
    def real(self) -> type[np.float32] | type[np.float64]:
        """The type to compute in: float64 for float64, else float32."""
        return np.float64 if self.dtype == np.float64 else np.float32

    def unpacked(self) -> Raster:
        """The same pixels, not packed."""
        if not self.packed:
            return self
        width, height = self.size
        pixels = self.rows.view(np.uint8).reshape(height, width, 4)[..., : self.channels]
        return Raster(_read_only(pixels.reshape(height, -1)), self.channels)

    def part(self, top: int, bottom: int) -> Raster:
        """The rows top .. bottom-1."""
        return replace(self, rows=self.rows[top:bottom])

    def levels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values on the scale of the pixels as this type holds them: integers rounded, halves up."""
        return np.floor(np.clip(values, 0, self.limit) + 0.5) if self.limit else values

    @classmethod
    def of(cls, image: Any) -> Raster:
        """Check an image, (H, W) or (H, W, C), and lay it out, without a copy if it is contiguous or packed.

        Packed are the first three or all of four bytes a pixel.
        """
        array = np.asarray(image)
        channels = check_kind(array.shape, array.dtype)
        if array.dtype == np.uint8 and channels > 2 and (packed := _packed(array)) is not None:
            return cls(_read_only(packed), channels, packed=True)
        native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        rows = _read_only(native.reshape(array.shape[0], array.shape[1] * channels))
        if rows.dtype.kind == "f":
            _check_floats(rows)
        return cls(rows, channels)


def check_kind(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """How many channels an image of this shape and type has, or an `ArgumentError`."""
    if len(shape) not in (2, 3) or (len(shape) == 3 and not 1 <= shape[2] <= 4):
        raise ArgumentError(f"image: shape {shape} is not allowed: give (H, W) or (H, W, C), C from 1 to 4")
    if 0 in shape:
        raise ArgumentError(f"image: shape {shape} holds no pixel: give at least one")
    if dtype.name not in _UNITS:
        raise ArgumentError(
            f"image: dtype {dtype} is not allowed: give {', '.join(_UNITS)}, floats in [0, 1]"
        )
    return shape[2] if len(shape) == 3 else 1


def _read_only(rows: NDArray[Any]) -> NDArray[Any]:
    """A view that cannot be written: Numba compiles anew for writable arrays, and all callers share one."""
    view = rows.view()
    view.flags.writeable = False
    return view


def _packed(array: NDArray[np.uint8]) -> NDArray[np.uint32] | None:
    """The pixels of an image, (H, W, 3 or 4), as numbers in the same memory, or None."""
    height, width, _ = array.shape
    if array.strides != (4 * width, 4, 1) or array.ctypes.data % 4 != 0 or sys.byteorder != "little":
        return None
    owner = array if array.base is None else array.base
    if not isinstance(owner, np.ndarray) or not owner.flags.c_contiguous:
        return None
    if owner.ctypes.data + owner.nbytes < array.ctypes.data + 4 * width * height:
        return None  # the last byte is not ours to read
    four = as_strided(array, (height, width, 4), array.strides, writeable=False)
    return four.view(np.uint32)[..., 0]


def _check_floats(rows: NDArray[Any]) -> None:
    low, high = float(rows.min()), float(rows.max())  # NaN and infinity survive both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ArgumentError("image: it holds NaN or infinity: replace them by finite values in [0, 1]")
    if max(-low, high) > FLOAT_LIMIT:
        raise ArgumentError(
            f"image: float values from {low:g} to {high:g} are not allowed: scale them to [0, 1]"
        )
