"""Max, min and extremum pooling."""

from __future__ import annotations

from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.parameters import Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels import order


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    pool = Pool.of(strip)
    if name == "extremum":
        out[:] = pool.extremes(order.EXTREMUM, pool.real().means())
    else:
        out[:] = pool.extremes(order.MAX if name == "max" else order.MIN)
