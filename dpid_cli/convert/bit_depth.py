"""Bits per channel: more before an image is downscaled, fewer afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.choices import Depth
from dpid_cli.downscaling.raster import full_scale

_TYPES = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16}


def widened(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to compute with, so that the output has all levels of `depth`, which is '8', '16' or 'keep'.

    uint8 becomes uint16, v * 257, for 16 bits; anything else stays.
    """
    return pixels * np.uint16(257) if depth == Depth.SIXTEEN and pixels.dtype == np.uint8 else pixels


def narrowed(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to store in a file of `depth`, rounded to nearest, halves up.

    uint16 and float32 become uint8 or uint16; floats are clipped to [0, 1]. Pixels that have no more bits
    than requested stay.
    """
    if depth == Depth.KEEP or pixels.dtype == np.uint8:
        return pixels
    dtype = _TYPES[Depth(depth)]
    if pixels.dtype == np.float32:
        levels: NDArray[Any] = np.clip(pixels, 0, 1).astype(np.float64) * full_scale(dtype) + 0.5
    elif depth == Depth.EIGHT:
        levels = (pixels + np.uint32(128)) // np.uint32(257)
    else:
        return pixels
    return levels.astype(dtype)
