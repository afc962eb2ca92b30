"""What each pixel is compared with: the guidance, one value per window and channel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.filters import GAUSSIAN, Filter
from dpid_cli.downscaling.footprint import footprint
from dpid_cli.downscaling.methods.sweeps import Strip, sweep
from dpid_cli.kernels import filters
from dpid_cli.kernels.rewards import BOX


def window_means(strip: Strip) -> NDArray[Any]:
    """Coverage-weighted mean of every window: (rows, C, w), on the scale of the pixels."""
    means, _ = sweep(strip, BOX)
    return means


def means_and_guide(guidance: str | Filter, strip: Strip) -> tuple[NDArray[Any], NDArray[Any]]:
    """Box means and guidance of a strip, each (rows, C, w).

    `guidance` is ``box`` (the means themselves), ``gaussian`` (the means smoothed with [1 2 1] along
    both axes, where neighbours beyond the border are dropped) or a filter.
    """
    if guidance == "box":
        means = window_means(strip)
        return means, means
    guide = strip.workspace.array("guide", strip.shape, strip.raster.real)
    if isinstance(guidance, Filter) and guidance.grid == "input":
        _filter_pixels(guidance, strip, guide)
        return window_means(strip), guide
    wider = strip.with_neighbours()
    means = window_means(wider)
    start, stop = strip.start - wider.start, strip.stop - wider.start
    filter_ = guidance if isinstance(guidance, Filter) else GAUSSIAN
    kernels, bias = _kernels_and_bias(filter_, strip.raster.channels, strip.raster.unit, means.dtype)
    filters.filter_means(means, start, stop, kernels, bias, guide)
    return means[start:stop], guide


@lru_cache(maxsize=16)
def _kernels_and_bias(
    filter_: Filter, channels: int, unit: float, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Arguments of `filters.filter_means`, made once: to make them takes a good part of a strip's time."""
    kernels = np.broadcast_to(filter_.at_borders, (channels, 4, 4, 3, 3)).astype(dtype, order="C")
    return kernels, (filter_.biases(channels) * unit).astype(dtype)


def _filter_pixels(guidance: Filter, strip: Strip, guide: NDArray[Any]) -> None:
    """Fill `guide` with the response of a filter on the input grid."""
    raster = strip.raster
    row_of, column_of = footprint(guidance, strip.grid.size)
    filters.filter_pixels(
        raster.rows,
        strip.start,
        strip.stop,
        guidance.step,
        guidance.planes(raster.channels).astype(raster.real),
        (guidance.biases(raster.channels) * raster.unit).astype(raster.real),
        row_of,
        column_of,
        strip.workspace.array("planes", (guidance.step, len(column_of)), raster.real),
        guide,
    )
