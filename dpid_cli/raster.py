"""An array of pixels, checked, in the one form that all kernels read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
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
    rows : (H, W * C) ndarray
        Read-only, contiguous; uint8, uint16, float32 or float64.
    channels : int
        C, from 1 to 4.
    """

    rows: NDArray[Any]
    channels: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.rows.shape[1] // self.channels, self.rows.shape[0]

    @property
    def unit(self) -> float:
        """The value that stands for intensity 1."""
        return _UNITS[self.rows.dtype.name]

    @property
    def limit(self) -> float:
        """Largest value of an integer type; 0 for floats, which are not rounded."""
        return self.unit if self.rows.dtype.kind == "u" else 0.0

    @property
    def real(self) -> type[np.float32] | type[np.float64]:
        """The type to compute in: float64 for float64, else float32."""
        return np.float64 if self.rows.dtype == np.float64 else np.float32

    def levels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values on the scale of the pixels as this type holds them: integers rounded, halves up."""
        return np.floor(np.clip(values, 0, self.limit) + 0.5) if self.limit else values

    @classmethod
    def of(cls, image: Any) -> Raster:
        """Check an image, (H, W) or (H, W, C), and lay it out; copies only what is not contiguous."""
        array = np.asarray(image)
        if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
            raise ArgumentError(
                f"image: shape {array.shape} is not allowed: give (H, W) or (H, W, C), C from 1 to 4"
            )
        if 0 in array.shape:
            raise ArgumentError(f"image: shape {array.shape} holds no pixel: give at least one")
        if array.dtype.name not in _UNITS:
            raise ArgumentError(
                f"image: dtype {array.dtype} is not allowed: give {', '.join(_UNITS)}, floats in [0, 1]"
            )
        channels = array.shape[2] if array.ndim == 3 else 1
        native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        rows = native.reshape(array.shape[0], array.shape[1] * channels).view()
        # Numba compiles anew for writable arrays; all callers share one version.
        rows.flags.writeable = False
        if rows.dtype.kind == "f":
            _check_floats(rows)
        return cls(rows, channels)


def _check_floats(rows: NDArray[Any]) -> None:
    low, high = float(rows.min()), float(rows.max())  # NaN and infinity survive both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ArgumentError("image: it holds NaN or infinity: replace them by finite values in [0, 1]")
    if max(-low, high) > FLOAT_LIMIT:
        raise ArgumentError(
            f"image: float values from {low:g} to {high:g} are not allowed: scale them to [0, 1]"
        )
