"""Transparency outside the kernels: colours are weighted by alpha while they are averaged.

Without it, the hidden colour of transparent pixels would bleed into the edge of what is visible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_ROWS = 256  # at a time, so that the wide intermediate products stay small
_FULL = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
_INVISIBLE = 2.0**-24  # below what float32 can tell from none beside full alpha


def premultiply(pixels: NDArray[Any]) -> NDArray[Any]:
    """Straight alpha in the last channel to premultiplied, with enough digits to come back.

    Parameters
    ----------
    pixels : (H, W, C) ndarray
        uint8, uint16, or float32 with alpha in [0, 1].

    Returns
    -------
    (H, W, C) ndarray
        uint16 for uint8; float32, where integers have become intensities in [0, 1], for the others.
    """
    if pixels.dtype == np.uint8:
        return _premultiplied_bytes(pixels)
    result = np.empty(pixels.shape, np.float32)
    np.divide(pixels, np.float32(_FULL[pixels.dtype.name]), out=result)
    result[..., :-1] *= result[..., -1:]
    return result


def _premultiplied_bytes(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    result = np.empty(pixels.shape, np.uint16)
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS].astype(np.uint32)
        alpha = part[..., -1:]
        target = result[start : start + _ROWS]
        # v / 255 * a / 255 * 65535, rounded
        target[..., :-1] = (part[..., :-1] * alpha * 257 + 127) // 255
        target[..., -1:] = alpha * 257
    return result


def unpremultiply(pixels: NDArray[Any], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """The reverse of `premultiply`; fully transparent pixels become black.

    Parameters
    ----------
    pixels : (H, W, C) ndarray
        As `premultiply` returns them; alpha may have left [0, 1], as filters with negative weights make it.
    dtype : dtype
        uint8, uint16 or float32: of the result, whose alpha is clipped to its range. Colours of
        integers are too, those of floats may be brighter than 1.

    Returns
    -------
    (H, W, C) ndarray
    """
    result = np.empty(pixels.shape, dtype)
    full = np.float32(_FULL[result.dtype.name])
    integers = result.dtype.kind == "u"
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS].astype(np.float32)
        if pixels.dtype == np.uint16:
            part /= np.float32(65535)
        alpha = part[..., -1:]
        visible = alpha >= _INVISIBLE
        np.divide(part[..., :-1], alpha, out=part[..., :-1], where=visible)
        part *= visible
        np.clip(alpha, 0, 1, out=alpha)
        if integers:
            np.clip(part, 0, 1, out=part)
            part = part * full + np.float32(0.5)
        result[start : start + _ROWS] = part
    return result
