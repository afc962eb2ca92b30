"""Bits per channel: more before an image is downscaled, fewer afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES: dict[str, tuple[type[np.uint8] | type[np.uint16], int]] = {
    "8": (np.uint8, 255),
    "16": (np.uint16, 65535),
}


def widened(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to compute with, so that the output has all levels of `depth`.

    Parameters
    ----------
    pixels : ndarray
        uint8, uint16 or float32.
    depth : {'8', '16', 'keep'}

    Returns
    -------
    ndarray
        uint16, v * 257, where 8 bits become 16; otherwise the same.
    """
    return pixels * np.uint16(257) if depth == "16" and pixels.dtype == np.uint8 else pixels


def narrowed(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to store in a file of `depth`, rounded to nearest, halves up.

    Parameters
    ----------
    pixels : ndarray
        uint8, uint16 or float32; floats are clipped to [0, 1] where they become integers.
    depth : {'8', '16', 'keep'}

    Returns
    -------
    ndarray
        uint8 or uint16, or the same if they have no more bits than requested.
    """
    if depth == "keep" or pixels.dtype == np.uint8:
        return pixels
    dtype, full = _TYPES[depth]
    if pixels.dtype == np.float32:
        levels: NDArray[Any] = np.clip(pixels, 0, 1).astype(np.float64) * full + 0.5
    elif depth == "8":
        levels = (pixels + np.uint32(128)) // np.uint32(257)
    else:
        return pixels
    return levels.astype(dtype)
