"""The box filter, DPID and DPP in one pass: from the rows of an image to those of the output.

The output at a window is ``O = G + sum(c w (I - G)) / sum(c w)``: the mean of the pixels I with coverage c
and weight w (see `rewards`), written around the guidance G, because small differences round less than
values. The box filter is the case lambda = 0, in which all weights are equal.

`roll_rows` reads the image from memory once. As soon as the means of output row i + 1 are known, it filters
the guidance of row i from the means of the rows i - 1, i and i + 1, weighs the pixels of row i, which are
still in the cache, and stores the row. So it keeps the means of three rows, in a ring::

    output row    i - 1    i        i + 1
    means         known    known    computed now        ring[row % 3]
    pixels        stored   stored   in the cache
                           now
"""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.filters import existing, filter_row
from dpid_cli.kernels.flags import choice, count, flag, helper, is_set
from dpid_cli.kernels.jit import FAST, kernel
from dpid_cli.kernels.lit import divide_light, encode_plane, light_row
from dpid_cli.kernels.narrow import is_narrow, sum_narrow_row
from dpid_cli.kernels.rewards import BOX
from dpid_cli.kernels.windows import divide_by_area, mean_row, weigh_row

MEANS = flag(BOX)


@helper
def finish_plane(total, weight, guide, mean, blend, limit, plane):
    """One channel of `finish_row`."""
    half = total.dtype.type(0.5)
    zero = half - half
    for i in range(len(plane)):
        value = guide[i]
        weights = weight[i] + blend[i]
        excess = total[i] + blend[i] * (mean[i] - value)
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


@helper
def finish_row(total, weight, guide, mean, blend, limit, channels, planes, line):
    """Turn the sums of one output row into pixels: `finish_rows` for arrays without the axis of rows."""
    for j in range(count(channels)):
        p = min(j, len(weight) - 1)
        finish_plane(total[j], weight[p], guide[j], mean[j], blend[p], limit, planes[j])
    interleave(planes, line, channels)


@kernel()
def finish_rows(total, weight, guide, mean, blend, limit, channels, planes, out):
    """Turn the sums of DETAIL into pixels.

    Parameters
    ----------
    total, weight, guide, mean : ndarray
        As for `windows.sweep_rows`; `mean`, the box means, shaped like `guide`.
    blend : (rows, P, w) ndarray
        Weight that alpha gives to the box mean in each window.
    limit : float
        Largest value of an integer type, to which the result is rounded; 0 for floats.
    channels : flag
    planes : (C, w) ndarray
        Working memory of the type of `out`.
    out : (rows, w * C) ndarray
        Filled.
    """
    for r in range(len(total)):
        finish_row(total[r], weight[r], guide[r], mean[r], blend[r], limit, channels, planes, out[r])


@helper
def finish_light(total, weight, guide, tables, channels, planes, line):
    """Turn the sums of one output row in linear light into pixels."""
    for j in range(count(channels)):
        p = min(j, len(weight) - 1)
        divide_light(total[j], weight[p], guide[j], tables.light[j])
        encode_plane(total[j], tables, j, planes[j])
    interleave(planes, line, channels)


@kernel(fastmath=FAST)
def roll_rows(
    pixels, ys, xs, start, stop, kernels, bias, blend, limit, task, layout, reward, lit, tables,
    scratch, straddlers, ring, sums, planes, out,
):  # fmt: skip
    """Fill in the pixels of the output rows start .. stop-1.

    Parameters
    ----------
    pixels, ys, xs, start, stop, layout, reward, scratch, straddlers
        As for `windows.sweep_rows`.
    kernels, bias : ndarray
        The guidance: a filter over the means, as for `filters.filter_means`; the means themselves if
        `kernels` is (0, 4, 4, 3, 3).
    blend : (P, w) ndarray
        Weight that alpha gives to the box mean in each window; if `lit`, to each pixel.
    limit : float
        Largest value of an integer type, to which the result is rounded; 0 for floats.
    task : flag
        BOX or DETAIL.
    lit : flag
        Whether means are those of light: of bytes, in one or three channels, with a symmetric reward.
    tables : Tables
        Read if `lit`.
    ring : (4, C, w) ndarray
        Working memory: the means of three rows, and the guidance of one.
    sums : (C + P, w) ndarray
        Working memory: weighted differences and weights; zeros for BOX.
    planes : (C, w) ndarray
        Working memory of the type of `out`.
    out : (stop - start, w * C) ndarray
        Filled.
    """
    c, rows, filtered = count(layout.channels), len(ys.first) - 1, len(kernels) > 0
    total, weight, guide = sums[:c], sums[c:], ring[3]
    known, narrow = max(start - 1, 0) if filtered else start, is_narrow(xs)
    for row in range(start, stop):
        while known < (min(row + 2, rows) if filtered else row + 1):
            means = ring[known % 3]
            if narrow:
                sum_narrow_row(pixels, ys, known, xs, guide, MEANS, layout, reward, scratch, means, weight)
                divide_by_area(means, ys, xs, xs.first[-1])
            else:
                mean_row(pixels, ys, known, xs, layout, scratch, straddlers, means)
            known += 1
        means = ring[row % 3]
        if filtered:
            upper, lower = ring[max(row - 1, 0) % 3], ring[min(row + 1, rows - 1) % 3]
            filter_row(upper, means, lower, existing(row, rows), kernels, bias, guide)
        else:
            guide = means
        if is_set(lit):
            light_row(
                pixels, ys, row, xs, guide, task, layout, reward, blend[0, 0], tables, scratch, straddlers,
                total, weight,
            )  # fmt: skip
            finish_light(total, weight, guide, tables, layout.channels, planes, out[row - start])
            continue
        if choice(task) != BOX and narrow:
            sum_narrow_row(pixels, ys, row, xs, guide, task, layout, reward, scratch, total, weight)
        elif choice(task) != BOX:
            weigh_row(
                pixels, ys, row, xs, guide, guide, task, layout, reward, scratch, straddlers, total, weight
            )
        finish_row(total, weight, guide, means, blend, limit, layout.channels, planes, out[row - start])
