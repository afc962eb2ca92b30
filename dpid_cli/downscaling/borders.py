"""Learned filters at the edges of the image, where a part of what they would read does not exist."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.choices import Padding

_EXISTING = np.array([[0, 1, 0], [0, 1, 1], [1, 1, 0], [1, 1, 1]])
# Adds the weights of missing neighbours to those of the outermost ones.
_REPLICATED = np.array(
    [
        [[0, 0, 0], [1, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [1, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ]
)


def at_borders(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernels that a filter uses on the output grid, borders included: (C or 1, 4, 4, 3, 3).

    The second and third axis say which neighbours exist along rows and columns: 0 neither, 1 the next,
    2 the previous, 3 both. Weights of missing neighbours are 0.
    """
    kernels = [
        [[_bordered(plane, v, h) for h in range(4)] for v in range(4)] for plane in kernel.reshape(-1, 3, 3)
    ]
    return np.array(kernels)


def from_borders(kernel: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply the adjoint of the derivative of `at_borders`: (C, 4, 4, 3, 3) to the shape of the kernel."""
    planes = kernel.reshape(-1, 3, 3)
    by_plane = gradient if kernel.ndim == 3 else gradient.sum(0, keepdims=True)
    total = np.zeros(planes.shape)
    for j, plane in enumerate(planes):
        for v, h in product(range(4), repeat=2):
            total[j] += _bordered_adjoint(plane, v, h, by_plane[j, v, h])
    return total.reshape(kernel.shape)


def padded(first: int, count: int, source: int, padding: str | None) -> NDArray[np.int64]:
    """Which of `source` pixels a filter reads at `count` positions from `first` on; -1 stands for zeros.

    >>> padded(-2, 7, 4, "reflect")
    array([2, 1, 0, 1, 2, 3, 2])
    """
    index = np.arange(first, first + count)
    if padding == Padding.ZERO:
        index[(index < 0) | (index >= source)] = -1
        return index
    if padding == Padding.REFLECT and source > 1:
        index %= 2 * (source - 1)
        index = np.minimum(index, 2 * (source - 1) - index)
    return np.clip(index, 0, source - 1)


def _gain(plane: NDArray[np.float64], used: NDArray[Any]) -> float | None:
    """``sum(F) / sum(F used)``, or None if the outermost means are repeated instead."""
    whole, part = plane.sum(), (plane * used).sum()
    gain = whole / part if part != 0 else math.inf
    return float(gain) if 1 / 16 <= gain <= 16 else None


def _bordered(plane: NDArray[np.float64], v: int, h: int) -> NDArray[np.float64]:
    used = np.outer(_EXISTING[v], _EXISTING[h])
    gain = _gain(plane, used)
    if gain is None:
        return np.asarray(_REPLICATED[v] @ plane @ _REPLICATED[h].T)
    return np.asarray(plane * used * gain)


def _bordered_adjoint(
    plane: NDArray[np.float64], v: int, h: int, gradient: NDArray[np.float64]
) -> NDArray[np.float64]:
    used = np.outer(_EXISTING[v], _EXISTING[h])
    gain = _gain(plane, used)
    if gain is None:
        return np.asarray(_REPLICATED[v].T @ gradient @ _REPLICATED[h])
    of_gain = (gradient * plane * used).sum() / (plane * used).sum()
    return np.asarray(gradient * used * gain + of_gain * (1 - gain * used))
