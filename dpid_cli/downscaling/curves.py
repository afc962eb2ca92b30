"""Transfers whose curves are known by samples, as those of colour profiles are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.transfer import Transfer


def interpolated(curves: Sequence[NDArray[Any]]) -> Transfer:
    """A transfer by lines between samples, with a curve for each channel.

    Parameters
    ----------
    curves : sequence of (n,) ndarray
        Light at n intensities evenly from 0 to 1, rising from 0 to 1. Values below 0 mirror those above, and
        the last line goes on beyond 1.
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
    result = np.empty_like(values)
    for j, curve in enumerate(curves):
        result[:, j] = convert(np.abs(values[:, j]), curve)
    signed: NDArray[Any] = np.copysign(result, values)
    return signed


def _along(encoded: NDArray[Any], curve: NDArray[Any]) -> NDArray[Any]:
    position = encoded * encoded.dtype.type(len(curve) - 1)
    line = np.minimum(position, len(curve) - 2).astype(np.intp)
    light: NDArray[Any] = curve[line] + (position - line) * np.diff(curve)[line]
    return light


def _back_along(light: NDArray[Any], curve: NDArray[Any]) -> NDArray[Any]:
    step = 1 / (len(curve) - 1)
    beyond = np.maximum(light - 1, 0) * (step / (curve[-1] - curve[-2]))
    encoded: NDArray[Any] = np.interp(light, curve, np.arange(len(curve)) * step) + beyond
    return encoded
