"""What each pixel is compared with: the guidance, one value per window and channel."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from dpid_cli.kernels import smooth, windows
from dpid_cli.sweeps import Strip, sweep


def window_means(strip: Strip) -> NDArray[Any]:
    """Coverage-weighted mean of every window: (rows, C, w), on the scale of the pixels."""
    means, _ = sweep(strip, windows.BOX)
    return means


def means_and_guide(name: str, strip: Strip) -> tuple[NDArray[Any], NDArray[Any]]:
    """Box means and guidance of a strip, each (rows, C, w).

    `name` is ``box`` (the means themselves) or ``gaussian`` (the means smoothed with [1 2 1] along
    both axes, where neighbours beyond the border are dropped).
    """
    if name == "box":
        means = window_means(strip)
        return means, means
    wider = strip.with_neighbours()
    means = window_means(wider)
    start, stop = strip.start - wider.start, strip.stop - wider.start
    guide = strip.workspace.array("guide", strip.shape, means.dtype)
    column_sums = strip.workspace.array("column sums", (means.shape[2],), means.dtype)
    smooth.smooth_rows(means, start, stop, column_sums, guide)
    return means[start:stop], guide
