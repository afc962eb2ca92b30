"""Find where an image has structure, so that flat noise is not shown as a telling detail."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dpid_cli.downscaling.sizes import Size

Array = NDArray[np.float64]

_CELLS = 8  # along each side of a block, of the largest size that is looked at
_LEVELS = 5  # at most: cells of up to 32 x 32 pixels
_SAFETY = 2.0  # noise that cameras have smoothed has less diagonal detail than white noise of its strength
_OF_MEDIAN = 0.6745  # the median of the absolute values of a normal distribution of deviation 1


def structured(rows_of: Callable[[int, int], Array], source: Size, size: Size) -> Array:
    """How much of the variation within windows is structure: a map (h, w) in [0, 1] for the output's pixels.

    ``rows_of(top, bottom)`` are rows (H, W, C) of the input, whose size is `source`.

    Noise is what a block of the image has everywhere: the median of the absolute diagonal details
    ``(a - b - c + d) / 2`` of 2 x 2 cells, for cells of 1, 2, 4, ... pixels up to half a window. Edges, lines
    and stars touch few of these cells or are not diagonal, so that they hardly raise the median.
    """
    width, height = source
    scale = max(1.0, min(width / size[0], height / size[1]))
    levels = min(_LEVELS, max(1, round(math.log2(scale))), int(math.log2(max(1, min(width, height)))))
    if levels == 0:
        return np.ones(size[::-1])
    cell = 2**levels
    side = cell * max(1, min(_CELLS, width // cell, height // cell))
    rows = [
        _shares(rows_of(top, top + side).mean(axis=2), side, levels)
        for top in range(0, height - side + 1, side)
    ]
    shares = np.stack(rows)
    y, x = ((np.arange(n) + 0.5) * m / n // side for n, m in zip(size[::-1], (height, width), strict=True))
    blocks = np.ix_(
        np.minimum(y.astype(int), shares.shape[0] - 1), np.minimum(x.astype(int), shares.shape[1] - 1)
    )
    chosen: Array = shares[blocks]
    return chosen


def _shares(rows: Array, side: int, levels: int) -> Array:
    """The share of structure in each block of `side` pixels in rows as high as a block."""
    count = rows.shape[1] // side
    plane = rows[:, : count * side].reshape(side, count, side).swapaxes(0, 1)
    energy, noise = (plane**2).mean(axis=(1, 2)), np.zeros(count)
    for _ in range(levels):
        a, b, c, d = (plane[:, i::2, j::2] for i in (0, 1) for j in (0, 1))
        diagonal = np.abs(a - b - c + d).reshape(count, -1) / 2
        deviation = np.median(diagonal, axis=1) / _OF_MEDIAN
        noise += 0.75 * deviation**2  # three kinds of detail, each in one of four pixels
        plane = (a + b + c + d) / 4
    variance = energy - (plane**2).mean(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share: Array = np.where(variance > 1e-12, 1 - _SAFETY * noise / variance, 0)
    return np.clip(share, 0, 1)
