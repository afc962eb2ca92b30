"""What each pixel is compared with: the guidance, one value per window and channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.methods.sweeps import Strip, sweep
from dpid_cli.kernels import filters, smooth, windows


def window_means(strip: Strip) -> NDArray[Any]:
    """Coverage-weighted mean of every window: (rows, C, w), on the scale of the pixels."""
    means, _ = sweep(strip, windows.BOX)
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
    if isinstance(guidance, Filter):
        real, channels = means.dtype, strip.raster.channels
        kernels = np.broadcast_to(guidance.at_borders, (channels, 4, 4, 3, 3)).astype(real, order="C")
        bias = (guidance.biases(channels) * strip.raster.unit).astype(real)
        filters.filter_means(means, start, stop, kernels, bias, guide)
    else:
        column_sums = strip.workspace.array("column sums", (means.shape[2],), means.dtype)
        smooth.smooth_rows(means, start, stop, column_sums, guide)
    return means[start:stop], guide


def _filter_pixels(guidance: Filter, strip: Strip, guide: NDArray[Any]) -> None:
    """Fill `guide` with the response of a filter on the input grid."""
    raster = strip.raster
    row_of, column_of = places(guidance, strip.grid.size)
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


def places(guidance: Filter, size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and column of the image that a filter on the input grid meets at each of its places.

    Parameters
    ----------
    guidance : Filter
    size : (int, int)
        (width, height) of the result.

    Returns
    -------
    row_of, column_of : int64 ndarray
        As for `filters.filter_pixels`.
    """
    scale, side = guidance.step, guidance.kernel.shape[-1]
    found = []
    for target, first in zip(size[::-1], guidance.offset or (0, 0), strict=True):
        source, place = target * scale, np.arange(first, first + scale * (target - 1) + side)
        outside = (place < 0) | (place >= source)
        if guidance.padding == "zero":
            place[outside] = -1
        elif guidance.padding == "reflect" and source > 1:
            place %= 2 * (source - 1)
            place = np.minimum(place, 2 * (source - 1) - place)
        found.append(np.clip(place, -1 if guidance.padding == "zero" else 0, source - 1))
    return found[0], found[1]
