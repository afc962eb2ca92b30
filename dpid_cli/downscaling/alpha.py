"""Alpha: premultiplied while colours are averaged, or composited onto a background before.

Without either, hidden colours of transparent pixels would bleed into visible edges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dpid_cli.downscaling.raster import full_scale
from dpid_cli.downscaling.transfer import Transfer

_ROWS = 256  # at a time, to keep the wide intermediate products small
_INVISIBLE = 2.0**-24  # smaller alpha vanishes in float32 when added to full alpha


def premultiply(pixels: NDArray[Any]) -> NDArray[Any]:
    """Multiply colours by straight alpha, the last of (H, W, C) channels, with enough digits to undo it.

    uint8 becomes uint16, and uint16 becomes float32 in [0, 1]. The alpha of float32 is clipped to [0, 1].
    """
    if pixels.dtype == np.uint8:
        return _premultiplied_bytes(pixels)
    result = np.empty(pixels.shape, np.float32)
    np.divide(pixels, np.float32(full_scale(pixels.dtype)), out=result)
    result[..., :-1] *= np.clip(result[..., -1:], 0, 1, out=result[..., -1:])
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
    """Undo `premultiply` for (H, W, C) pixels and return uint8, uint16 or float32.

    Fully transparent pixels become black. Alpha, which filters with negative weights may have moved out of
    [0, 1], and integer colours are clipped to their range; float colours may exceed 1.
    """
    result = np.empty(pixels.shape, dtype)
    full = np.float32(full_scale(result.dtype))
    integers = result.dtype.kind == "u"
    for start in range(0, len(pixels), _ROWS):
        part = pixels[start : start + _ROWS].astype(np.float32)
        if pixels.dtype == np.uint16:
            part /= np.float32(full_scale(np.uint16))
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


def composited(
    pixels: NDArray[Any], background: NDArray[Any], transfer: Transfer | None = None
) -> NDArray[Any]:
    """Composite straight alpha onto an opaque colour: c = alpha * colour + (1 - alpha) * background.

    Parameters
    ----------
    pixels : (H, W, C + 1) ndarray
        uint8, uint16, or float32 with alpha in [0, 1]; becomes (H, W, C) of the same type.
    background : (C,) ndarray
        Intensities in [0, 1].
    transfer : Transfer, optional
        Of the colours, to mix them in linear light; otherwise, encoded values are mixed.
    """
    full = np.float32(full_scale(pixels.dtype))
    result = pixels.copy()  # four bytes per pixel, of which three are used: the kernels run fastest on these
    empty = _levels(np.asarray(background, np.float32), full, pixels.dtype)
    for start in range(0, len(pixels), _ROWS):
        part = result[start : start + _ROWS]
        last = part[..., -1]
        part[last <= 0, :-1] = empty
        partial = (last > 0) & (last < full)
        values = part[partial].astype(np.float32) / full
        mixed = _mixed(values[:, :-1], background, values[:, -1:], transfer)
        part[partial, :-1] = _levels(mixed, full, pixels.dtype)
    return result[..., :-1]


def _mixed(
    colours: NDArray[Any], background: NDArray[Any], share: NDArray[Any], transfer: Transfer | None
) -> NDArray[Any]:
    behind = np.broadcast_to(np.asarray(background, colours.dtype), colours.shape)
    if transfer is not None:
        colours, behind = transfer.decode(colours), transfer.decode(behind)
    mixed: NDArray[Any] = colours * share + behind * (1 - share)
    return mixed if transfer is None else transfer.encode(mixed)


def _levels(intensities: NDArray[Any], full: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Intensities in [0, 1] as values of a type, rounded if these are integers."""
    if dtype.kind == "u":
        intensities = np.clip(intensities, 0, 1) * full + np.float32(0.5)
    return intensities.astype(dtype)


def premultiplied(transfer: Transfer) -> Transfer:
    """The transfer of premultiplied colours; alpha, which is linear already, stays as it is."""

    def through(convert: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[NDArray[Any]], NDArray[Any]]:
        def converted(values: NDArray[Any]) -> NDArray[Any]:
            share = values[:, -1:]
            straight = np.divide(
                values[:, :-1], share, out=np.zeros_like(values[:, :-1]), where=share >= _INVISIBLE
            )
            return np.concatenate((convert(straight) * share, share), axis=1)

        return converted

    return Transfer(through(transfer.decode), through(transfer.encode), separable=False)
