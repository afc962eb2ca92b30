"""Transparency outside the kernels: colours are weighted by alpha while they are averaged.

Without it, the hidden colour of transparent pixels would bleed into the edge of what is visible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 256  # at a time, so that the wide intermediate products stay small


def premultiply(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Straight alpha in the last channel, 8 bits, to premultiplied, 16 bits; (H, W, C)."""
    result = np.empty(pixels.shape, np.uint16)
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS].astype(np.uint32)
        alpha = part[..., -1:]
        target = result[start : start + _ROWS]
        # v / 255 * a / 255 * 65535, rounded
        target[..., :-1] = (part[..., :-1] * alpha * 257 + 127) // 255
        target[..., -1:] = alpha * 257
    return result


def unpremultiply(pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The reverse of `premultiply`; fully transparent pixels become black."""
    alpha = pixels[..., -1:].astype(np.float32)
    result = np.empty(pixels.shape, np.uint8)
    colours: NDArray[Any] = pixels[..., :-1] * np.divide(
        255, alpha, out=np.zeros_like(alpha), where=alpha > 0
    )
    result[..., :-1] = np.minimum(colours, 255) + 0.5
    result[..., -1:] = alpha / 257 + 0.5
    return result
