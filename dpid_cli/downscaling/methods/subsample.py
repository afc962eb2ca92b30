"""Strided subsampling: one pixel of each window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.choices import Position
from dpid_cli.downscaling.grid import Axis
from dpid_cli.downscaling.parameters import SubsampleParameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip


def fill(out: Array, name: str, strip: Strip, parameters: SubsampleParameters) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    centre = parameters.position == Position.CENTRE
    ys, xs = _chosen(strip.grid.ys, centre)[strip.start : strip.stop], _chosen(strip.grid.xs, centre)
    rows, c = strip.raster.rows, strip.raster.channels
    for j in range(c):
        out[:, j::c] = rows[ys[:, np.newaxis], c * xs + j]


def _chosen(axis: Axis, centre: bool) -> NDArray[np.int64]:
    """The pixel that holds the lower bound or the centre of each window."""
    return (2 * np.arange(axis.target, dtype=np.int64) + centre) * axis.source // (2 * axis.target)
