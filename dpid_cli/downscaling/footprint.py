"""Which pixels a filter on the input grid meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dpid_cli.downscaling.filters import Filter


def footprint(filter_: Filter, size: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and column of the image at each position of a filter on the input grid.

    Parameters
    ----------
    filter_ : Filter
    size : (int, int)
        (width, height) of the output.

    Returns
    -------
    row_of, column_of : (scale * (h - 1) + K,), (scale * (w - 1) + K,) int64 ndarray
        As for `kernels.filters.filter_pixels`: -1 for a zero outside of the image.
    """
    scale, side = filter_.step, filter_.kernel.shape[-1]
    along = []
    for target, first in zip(size[::-1], filter_.offset or (0, 0), strict=True):
        source, place = target * scale, np.arange(first, first + scale * (target - 1) + side)
        outside = (place < 0) | (place >= source)
        if filter_.padding == "zero":
            place[outside] = -1
        elif filter_.padding == "reflect" and source > 1:
            place %= 2 * (source - 1)
            place = np.minimum(place, 2 * (source - 1) - place)
        along.append(np.clip(place, -1 if filter_.padding == "zero" else 0, source - 1))
    return along[0], along[1]
