"""From encoded intensities to light and back: the transfer of a colour space, as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# IEC 61966-2-1: linear up to these, a power above.
_ENCODED_KNEE, _LIGHT_KNEE = 0.04045, 0.0031308
_SLOPE, _OFFSET, _GAMMA = 12.92, 0.055, 2.4


@dataclass(frozen=True)
class Transfer:
    """How the values of an image stand for light, for ``downscale(..., linear=...)``.

    Parameters
    ----------
    decode : callable
        From encoded intensities, (n, C), of which [0, 1] is the range of the integer types, to amounts
        of light of the same shape. It gets float32 or, of images in float64, float64 and must not change
        its argument.
    encode : callable
        The reverse, so that ``encode(decode(x))`` is x. It also gets what filters make of light, which
        may lie somewhat outside the range of `decode`.
    separable : bool, default True
        Whether each channel is decoded by itself, whatever the others hold. Integers then go through a
        table for each channel.

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
    result: NDArray[Any] = np.copysign(light, encoded)
    return result


def _light_to_srgb(light: NDArray[Any]) -> NDArray[Any]:
    size = np.abs(light)
    above = (1 + _OFFSET) * size ** (1 / _GAMMA) - _OFFSET
    result: NDArray[Any] = np.copysign(np.where(size <= _LIGHT_KNEE, size * _SLOPE, above), light)
    return result


# The curve of sRGB; outside [0, 1] it goes on, and values below 0 mirror those above.
SRGB = Transfer(_srgb_to_light, _light_to_srgb)
