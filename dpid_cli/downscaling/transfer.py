"""Transfers: how encoded intensities stand for amounts of light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# IEC 61966-2-1: linear up to these, a power above.
_ENCODED_KNEE, _LIGHT_KNEE = 0.04045, 0.0031308
_SLOPE, _OFFSET, _GAMMA = 12.92, 0.055, 2.4


@dataclass(frozen=True)
class Transfer:
    """A pair of curves between encoded intensities and light, for ``downscale(..., linear=...)``.

    Parameters
    ----------
    decode : callable
        Maps encoded intensities, (n, C), in [0, 1] for integer images, to amounts of light of the same
        shape. It gets float32, or float64 for float64 images, and must not change its argument.
    encode : callable
        The inverse: ``encode(decode(x))`` is x. Filters may pass it light somewhat outside the range of
        `decode`.
    separable : bool, default True
        Whether each channel is decoded independently of the others. Integers then go through a table for
        each channel.

    Examples
    --------
    >>> import numpy as np, dpid_cli
    >>> square = dpid_cli.Transfer(decode=np.square, encode=np.sqrt)
    >>> image = np.tile(np.float32([[0, 1], [1, 0]]), (4, 4))
    >>> dpid_cli.downscale(image, scale=8, method="box", linear=square).item()  # the root of 0.5
    0.7071067690849304
    """

    decode: Callable[[NDArray[Any]], NDArray[Any]]
    encode: Callable[[NDArray[Any]], NDArray[Any]]
    separable: bool = True


def _srgb_to_light(encoded: NDArray[Any]) -> NDArray[Any]:
    size = np.abs(encoded)
    light = np.where(size <= _ENCODED_KNEE, size / _SLOPE, ((size + _OFFSET) / (1 + _OFFSET)) ** _GAMMA)
    return np.asarray(np.copysign(light, encoded))


def _light_to_srgb(light: NDArray[Any]) -> NDArray[Any]:
    size = np.abs(light)
    above = (1 + _OFFSET) * size ** (1 / _GAMMA) - _OFFSET
    return np.asarray(np.copysign(np.where(size <= _LIGHT_KNEE, size * _SLOPE, above), light))


# The curve of sRGB, continued above 1 and mirrored below 0.
SRGB = Transfer(_srgb_to_light, _light_to_srgb)


def interpolated(curves: Sequence[NDArray[Any]]) -> Transfer:
    """Make a transfer from sampled curves, one for each channel, as colour profiles have them.

    Parameters
    ----------
    curves : sequence of (n,) ndarray
        Light at n intensities evenly spaced from 0 to 1, rising from 0 to 1. Samples are joined by lines;
        the last line continues above 1, and values below 0 mirror those above.

    Examples
    --------
    >>> import numpy as np
    >>> interpolated([np.array([0, 0.25, 1])]).decode(np.array([[0.75], [-0.5]])).ravel()
    array([ 0.625, -0.25 ])
    """

    def decode(encoded: NDArray[Any]) -> NDArray[Any]:
        return _by_channel(encoded, curves, _along)

    def encode(light: NDArray[Any]) -> NDArray[Any]:
        return _by_channel(light, curves, _back_along)

    return Transfer(decode, encode)


def _by_channel(
    values: NDArray[Any],
    curves: Sequence[NDArray[Any]],
    convert: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]],
) -> NDArray[Any]:
    sizes = np.empty_like(values)
    for j, curve in enumerate(curves):
        sizes[:, j] = convert(np.abs(values[:, j]), curve)
    return np.asarray(np.copysign(sizes, values))


def _along(encoded: NDArray[Any], curve: NDArray[Any]) -> NDArray[Any]:
    position = encoded * encoded.dtype.type(len(curve) - 1)
    line = np.minimum(position, len(curve) - 2).astype(np.intp)
    return np.asarray(curve[line] + (position - line) * np.diff(curve)[line])


def _back_along(light: NDArray[Any], curve: NDArray[Any]) -> NDArray[Any]:
    step = 1 / (len(curve) - 1)
    beyond = np.maximum(light - 1, 0) * (step / (curve[-1] - curve[-2]))
    return np.asarray(np.interp(light, curve, np.arange(len(curve)) * step) + beyond)
