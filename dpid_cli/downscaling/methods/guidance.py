"""What each pixel is compared with: the guidance, one value per window and channel, (rows, C, w)."""

from __future__ import annotations

import numpy as np

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels import filters


def over_means(guidance: Filter, strip: Strip, means: Array, start: int, stop: int) -> Array:
    """The response to window means.

    Parameters
    ----------
    guidance : Filter
        On the output grid.
    strip : Strip
    means : (n, C, w) ndarray
        Of the rows of the strip, ``means[start:stop]``, and of the rows above and below it, if they exist.
    """
    guide = strip.workspace.array("guide", strip.shape, strip.raster.real)
    real, channels = means.dtype, strip.raster.channels
    kernels = np.broadcast_to(guidance.at_borders, (channels, 4, 4, 3, 3)).astype(real, order="C")
    bias = (guidance.biases(channels) * strip.raster.unit).astype(real)
    filters.filter_means(means, start, stop, kernels, bias, guide)
    return guide


def over_pixels(guidance: Filter, strip: Strip) -> Array:
    """The response of a filter on the input grid to the pixels of the image."""
    raster = strip.raster
    row_of, column_of = guidance.positions(strip.grid.size)
    guide = strip.workspace.array("guide", strip.shape, raster.real)
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
    return guide
