"""Max, min and extremum of the windows on a GPU; the rule of ties is that of `dpid_cli.kernels.order`."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.cuda.target import Kernel, cuda, device
from dpid_cli.kernels.cuda.teams import LARGEST, SMALLEST, SUM, across, covered, extent, my_place, my_window, rows_of, span_of
from dpid_cli.kernels.jit import helper
from dpid_cli.kernels.order import farther
from dpid_cli.kernels.windows import sample

_BEYOND = np.float32(3e38)


@device
def order_of_window(pixels, ys, xs, j, tie, team, layout, rule, rounding):
    """One channel's statistic, for all threads of the team."""
    column, row = my_place(team)
    total, most, least = np.float32(0), -_BEYOND, _BEYOND
    for x in range(xs[0] + column, xs[1], 1 << team.column_bits):
        cover = covered(xs, x)
        for y in range(ys[0] + row, ys[1], 1 << team.row_bits):
            value = np.float32(sample(pixels[np.uint32(y)], np.uint32(x), j, layout))
            total += cover * covered(ys, y) * value
            most, least = max(most, value), min(least, value)
    if len(rule) == 0:
        return across(most, team, LARGEST)
    least = across(least, team, SMALLEST)
    if len(rule) == 1:
        return least
    mean = across(total, team, SUM) / (extent(ys) * extent(xs))
    return np.float32(farther(across(most, team, LARGEST), least, mean, tie, rounding))


@Kernel
def order_windows(pixels, ys, xs, start, top, team, layout, rule, tie, rounding, out):
    """Order statistic of every window.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, layout
        As for `windows.box_windows`.
    rule : flag
        MAX, MIN or EXTREMUM.
    tie : float32
        Relative difference of two distances from the mean that still counts as none.
    rounding : float32
        What is added to the mean of two that are equally far: 0.5 for types of integers, which cut it off.
    out : (rows, w * C) array
        Filled.
    """
    columns = len(xs.begin)
    i = my_window(team)
    across_span = span_of(xs, min(i, columns - 1))
    column, line = my_place(team)
    for row in range(cuda.blockIdx.y, out.shape[0], cuda.gridDim.y):
        span = rows_of(ys, start + row, top)
        for j in range(len(layout.channels)):
            value = order_of_window(pixels, span, across_span, j, tie, team, layout, rule, rounding)
            if i < columns and column == 0 and line == 0:
                place(out, row, np.uint32(len(layout.channels)) * np.uint32(i) + np.uint32(j), value)


@helper
def place(out, row, k, value):
    """Write a value as the type of `out` holds it."""
    out[np.uint32(row), np.uint32(k)] = value
