"""Max, min and extremum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.guidance import window_means
from dpid_cli.kernels import order
from dpid_cli.kernels.jit import flag
from dpid_cli.sweeps import Strip

# Rounding errors, in units of the last place, that distances from the mean may differ by.
_TIE = 16
_RULES = {"max": order.MAX, "min": order.MIN, "extremum": order.EXTREMUM}


def fill(out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any]) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    raster, grid = strip.raster, strip.grid
    means = window_means(strip) if name == "extremum" else np.empty((0, 0, 0), raster.real)
    high, low = np.empty((2, raster.rows.shape[1]), raster.rows.dtype)
    order.order_rows(
        raster.rows,
        grid.ys,
        grid.xs,
        strip.start,
        strip.stop,
        means,
        raster.real(_TIE * np.finfo(raster.real).eps),
        flag(raster.channels),
        _RULES[name],
        high,
        low,
        out,
    )
