"""Check an array of pixels and lay it out in the one form that all kernels read."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import DTypeLike, NDArray

from dpid_cli.errors import ArgumentError, one_line

# Of any type; docstrings name shapes.
Array = NDArray[Any]

# Far outside [0, 1], yet small enough that no power in a kernel overflows.
FLOAT_LIMIT = 65536.0

# The squares of the largest scalings, by bytes of a float, are within its range.
_MOST_OCTAVES = {4: 60, 8: 500}
KERNEL_TYPES = ("uint8", "uint16", "float32", "float64")
# Kernels that know the number of channels know up to so many.
MOST_CHANNELS = 4


def full_scale(dtype: DTypeLike) -> float:
    """The value of a type that stands for intensity 1.

    >>> full_scale("uint8"), full_scale("float32")
    (255.0, 1.0)
    """
    dtype = np.dtype(dtype)
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0


@dataclass(frozen=True)
class Raster:
    """Pixels as rows of interleaved channels.

    Attributes
    ----------
    rows : (H, W * C) ndarray, or (H, W) if packed
        Read-only, contiguous; uint8, uint16, float32 or float64; uint32 if packed.
    channels : int
        C.
    packed : bool
        Whether each pixel is one number, with the first channel in its lowest byte.
    scaling : float
        What the values of floats have been multiplied by.
    """

    rows: Array
    channels: int
    packed: bool = False
    scaling: float = 1.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.rows.shape[1] // self.samples, self.rows.shape[0]

    @property
    def samples(self) -> int:
        """Numbers per pixel in `rows`."""
        return 1 if self.packed else self.channels

    @property
    def packs(self) -> bool:
        """Whether kernels for packed pixels read a copy of these, which have three bytes each."""
        return self.channels == 3 and self.rows.dtype == np.uint8

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of a channel."""
        return np.dtype(np.uint8) if self.packed else self.rows.dtype

    @cached_property
    def unit(self) -> float:
        """The value that stands for intensity 1."""
        return full_scale(self.dtype) * self.scaling

    @cached_property
    def limit(self) -> float:
        """Largest value of an integer type; 0 for floats, which are not rounded."""
        return self.unit if self.dtype.kind == "u" else 0.0

    @cached_property
    def real(self) -> type[np.float32] | type[np.float64]:
        """The type to compute in: float64 for float64, else float32."""
        return np.float64 if self.dtype == np.float64 else np.float32

    @cached_property
    def extent(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return float(self.rows.min()), float(self.rows.max())

    def enlarged(self, least: float) -> Raster:
        """Multiply floats that are smaller than `least` by a power of two, so that the largest is about 1.

        Products of small differences then stay within the range of the type.
        """
        size = max(map(abs, self.extent)) if self.dtype.kind == "f" else 0
        if not 0 < size < least:
            return self
        octaves = min(-math.frexp(size)[1], _MOST_OCTAVES[self.rows.dtype.itemsize])
        scaling = 2.0**octaves
        rows = read_only(self.rows * self.rows.dtype.type(scaling))
        return replace(self, rows=rows, scaling=self.scaling * scaling)

    def unpacked(self) -> Raster:
        """Return the same pixels with a number per channel."""
        if not self.packed:
            return self
        width, height = self.size
        pixels = self.rows.view(np.uint8).reshape(height, width, 4)[..., : self.channels]
        return Raster(read_only(pixels.reshape(height, -1)), self.channels)

    @cached_property
    def groups(self) -> list[tuple[slice, Raster]]:
        """The channels in groups of at most four: which ones, and copies of their pixels."""
        pixels = self.rows.reshape(len(self.rows), -1, self.channels)
        chosen = [slice(j, j + MOST_CHANNELS) for j in range(0, self.channels, MOST_CHANNELS)]
        return [
            (group, replace(self, rows=read_only(part.reshape(len(part), -1)), channels=part.shape[2]))
            for group in chosen
            for part in [np.ascontiguousarray(pixels[..., group])]
        ]

    def part(self, top: int, bottom: int) -> Raster:
        """Return the rows top .. bottom-1."""
        return replace(self, rows=self.rows[top:bottom])

    def levels(self, values: Array) -> Array:
        """Round values on the scale of the pixels as their type stores them: to nearest, halves up."""
        return np.floor(np.clip(values, 0, self.limit) + 0.5) if self.limit else values

    @classmethod
    def of(cls, image: Any, *, most: int | None = None, last: bool = False) -> Raster:
        """Check an image, (H, W) or (H, W, C); copy it only if it is neither contiguous nor packed.

        Arrays with 3 or 4 channels and 4 bytes per pixel become packed. `most` and `last` are those of
        `check_kind`.
        """
        array = as_array(image)
        channels = check_kind(array.shape, array.dtype, most=most, last=last)
        if array.dtype == np.uint8 and channels in (3, 4):
            packed = _packed(array)
            if packed is None and channels == 4:
                packed = _packed(array.copy())
            if packed is not None:
                return cls(read_only(packed), channels, packed=True)
        native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        raster = cls(read_only(native.reshape(array.shape[0], array.shape[1] * channels)), channels)
        if raster.dtype.kind == "f":
            _check_floats(*raster.extent)
        return raster


def as_array(image: Any, name: str = "image") -> Array:
    """An argument as an array, or an `ArgumentError` that says why it is none."""
    check_source(image, name)
    try:
        return np.asarray(image)
    except Exception as error:  # other libraries raise whatever they like
        raise unreadable(error, name) from error


def channels_last(array: Array, axis: object) -> Array:
    """A view with the channels on the last axis; they are on `axis`, or there already if that is None."""
    if axis is None:
        return array
    if isinstance(axis, bool) or not isinstance(axis, Integral) or not -3 <= int(axis) <= 2:
        raise ArgumentError(f"channel_axis must be a whole number from -3 to 2, or None (got {axis!r})")
    if array.ndim != 3:
        raise ArgumentError(
            f"channel_axis: is for arrays with three axes (got shape {array.shape}): leave it out"
        )
    return np.moveaxis(array, int(axis), -1)


def channels_back(array: Array, axis: int | None) -> Array:
    """Undo `channels_last` for an output, whose pixels then lie side by side."""
    return array if axis is None else np.ascontiguousarray(np.moveaxis(array, -1, int(axis)))


def check_source(image: object, name: str = "image") -> None:
    """Raise an `ArgumentError` for paths, indices, masked values, and tensors that must be detached first."""
    if isinstance(image, str | bytes | os.PathLike):
        raise ArgumentError(
            f"{name}: {image!r} is a path, not pixels: read the file first, or use dpid_cli.batch for files"
        )
    if getattr(image, "mode", None) in ("P", "PA"):  # one of Pillow's
        clear = image.mode == "PA" or "transparency" in image.info  # type: ignore[attr-defined]
        raise ArgumentError(
            f"{name}: has a palette, and its values are indices: "
            f'give {name}.convert("{"RGBA" if clear else "RGB"}")'
        )
    if isinstance(image, np.ndarray) and type(image) is not np.ndarray and np.ma.is_masked(image):
        raise ArgumentError(f"{name}: has masked values: replace them first, such as by {name}.filled(0)")
    if getattr(image, "requires_grad", False) is True:
        raise ArgumentError(f"{name}: is a tensor that requires grad: give {name}.detach()")


def unreadable(error: Exception, name: str = "image") -> ArgumentError:
    """The error for an object whose library cannot give its values."""
    return ArgumentError(
        f"{name}: cannot be read as an array: {one_line(error)}: give uint8, uint16, float32 or float64"
    )


def check_kind(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    name: str = "image",
    *,
    most: int | None = None,
    last: bool = False,
) -> int:
    """Return the number of channels of an image, or raise an `ArgumentError` if its kind is not supported.

    `most` channels are allowed, if it is given. `last` says that the channels surely are on the last axis.
    """
    if not last and len(shape) == 3 and 1 <= shape[0] <= 4 < min(shape[1:]):
        raise ArgumentError(
            f"{name}: shape {shape} looks channels-first: transpose it to {(*shape[1:], shape[0])}, "
            "such as by transpose(1, 2, 0), or say which axis has the channels by channel_axis"
        )
    if len(shape) not in (2, 3):
        raise ArgumentError(f"{name} must have shape (H, W) or (H, W, C) (got {shape})")
    if 0 in shape:
        raise ArgumentError(f"{name} must have at least one pixel and one channel (got shape {shape})")
    channels = shape[2] if len(shape) == 3 else 1
    if most is not None and channels > most:
        raise ArgumentError(f"{name} must have at most {most} channels here (got {shape})")
    if dtype.name not in KERNEL_TYPES:
        raise ArgumentError(
            f"{name} dtype must be {', '.join(KERNEL_TYPES)}, floats in [0, 1] (got {dtype}): convert it"
        )
    return channels


def read_only(rows: Array) -> Array:
    """A read-only view: Numba would compile kernels again for writable arrays."""
    view = rows.view()
    view.flags.writeable = False
    return view


def _packed(array: NDArray[np.uint8]) -> NDArray[np.uint32] | None:
    """The pixels of an image, (H, W, 3 or 4), as numbers in the same memory; None if that cannot be."""
    height, width, _ = array.shape
    if array.strides != (4 * width, 4, 1) or array.ctypes.data % 4 != 0 or sys.byteorder != "little":
        return None
    owner = array if array.base is None else array.base
    if not isinstance(owner, np.ndarray) or not owner.flags.c_contiguous:
        return None
    if owner.ctypes.data + owner.nbytes < array.ctypes.data + 4 * width * height:
        return None  # the last byte lies outside the array's memory
    four = as_strided(array, (height, width, 4), array.strides, writeable=False)
    return four.view(np.uint32)[..., 0]


def _check_floats(low: float, high: float) -> None:
    if not (np.isfinite(low) and np.isfinite(high)):  # both survive the search for extremes
        raise ArgumentError("image: contains NaN or infinity: replace them by finite values in [0, 1]")
    if max(-low, high) > FLOAT_LIMIT:
        raise ArgumentError(f"image: has float values from {low:g} to {high:g}: scale them to [0, 1]")
