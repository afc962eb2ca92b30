"""From sums to pixels: the last step of the box filter, DPID and DPP."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.flags import count, helper, is_set
from dpid_cli.kernels.jit import kernel


@helper
def finish_plane(total, weight, guide, mean, blend, limit, blended, plane):
    """One channel of one row of `finish_rows`."""
    half = total.dtype.type(0.5)
    zero = half - half
    for i in range(len(plane)):
        weights, excess = weight[i], total[i]
        value = guide[i]
        if is_set(blended):
            weights += blend[i]
            excess += blend[i] * (mean[i] - value)
        value += excess / weights if weights > zero else zero
        if limit > zero:
            value = min(max(np.floor(value + half), zero), limit)
        plane[i] = value


@helper
def interleave(planes, line, channels):
    """Channels next to each other, all of a pixel in one turn: strides that are constants vectorise."""
    c = count(channels)
    for i in range(planes.shape[1]):
        line[c * i] = planes[0, i]
        if c > 1:
            line[c * i + 1] = planes[1, i]
        if c > 2:
            line[c * i + 2] = planes[2, i]
        if c > 3:
            line[c * i + 3] = planes[3, i]


@kernel()
def finish_rows(total, weight, guide, mean, blend, limit, channels, blended, planes, out):
    """Turn the sums of DETAIL into pixels.

    Parameters
    ----------
    total, weight, guide, mean : ndarray
        As for `sweep_rows`; `mean`, the box means, shaped like `guide`.
    blend : (rows, P, w) ndarray
        Weight that alpha gives to the box mean in each window; read if `blended`.
    limit : float
        Largest value of an integer type, to which the result is rounded; 0 for floats.
    channels, blended : flag
    planes : (C, w) ndarray
        Working memory of the type of `out`.
    out : (rows, w * C) ndarray
        Filled.
    """
    c = count(channels)
    for row in range(len(total)):
        for j in range(c):
            p = min(j, weight.shape[1] - 1)
            finish_plane(
                total[row, j], weight[row, p], guide[row, j], mean[row, j], blend[row, p],
                limit, blended, planes[j],
            )  # fmt: skip
        interleave(planes, out[row], channels)
