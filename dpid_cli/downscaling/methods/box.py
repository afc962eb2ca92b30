"""The box filter: the mean of each window."""

from __future__ import annotations

from dpid_cli.downscaling.methods import linear_light
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.methods.sweeps import finish, window_means
from dpid_cli.downscaling.parameters import Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    if strip.grid.window is not None:
        out[:] = strip.pixels(Pool.of(strip).lighted(strip.light).averaged().means())
        return
    if strip.light is not None:
        out[:] = strip.light.encode(linear_light.box(strip, strip.light))
        return
    means = window_means(strip)
    weight = strip.workspace.array("no weight", (len(means), 1, means.shape[2]), means.dtype)
    weight[:] = 0
    finish(out, strip, means, means, means, weight)
