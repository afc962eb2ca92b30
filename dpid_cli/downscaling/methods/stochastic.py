"""Stochastic pooling: draw a pixel of each window with a probability proportional to its value."""

from __future__ import annotations

import numpy as np

from dpid_cli.downscaling import splitmix
from dpid_cli.downscaling.choices import Form
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.parameters import StochasticParameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels import order, pooling


def fill(out: Array, name: str, strip: Strip, parameters: StochasticParameters) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    expected = parameters.form == Form.EXPECTED
    pool = Pool.of(strip).lighted(strip.light if expected else None).counting()
    if strip.raster.rows.dtype.kind == "f":
        pool = pool.mapped(lambda values: np.maximum(values, 0))  # no probability is negative
    if expected:
        out[:] = strip.pixels(pool.weighted(pooling.OWN, pool.extremes(order.MAX)))
        return
    columns = strip.grid.xs.target
    positions = np.arange(strip.start * columns, strip.stop * columns).reshape(-1, columns)
    pooling.pick_rows(
        pool.values,
        pool.ys,
        pool.xs,
        splitmix.uniform(parameters.seed, positions),
        pool.channels,
        strip.workspace.array("columns", (pool.values.shape[1],), np.float64),
        out,
    )
