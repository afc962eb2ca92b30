"""Bits a channel, outside the kernels: deeper before an image is computed, shallower afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.choices import Depth
from dpid_cli.downscaling.raster import full_scale

_TYPES = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16}


def widened(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to compute with, so that the result has all levels of `depth`.

    Parameters
    ----------
    pixels : ndarray
        uint8, uint16 or float32.
    depth : {'8', '16', 'keep'}

    Returns
    -------
    ndarray
        uint16, v * 257, where 8 bits shall become 16; else the same.
    """
    return pixels * np.uint16(257) if depth == Depth.SIXTEEN and pixels.dtype == np.uint8 else pixels


def narrowed(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels as a file of `depth` has them, rounded to nearest, halves up.

    Parameters
    ----------
    pixels : ndarray
        uint8, uint16 or float32; what floats have outside of [0, 1] is clipped where they become integers.
    depth : {'8', '16', 'keep'}

    Returns
    -------
    ndarray
        uint8 or uint16, or the same if it has no more bits than asked for.
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
