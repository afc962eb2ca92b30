"""Max, min and extremum of windows on a GPU; `dpid_cli.kernels.order` has the rule for ties."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.cuda import teams
from dpid_cli.kernels.cuda.target import Kernel, cuda, device
from dpid_cli.kernels.cuda.teams import LARGEST, SMALLEST, SUM, WARPS
from dpid_cli.kernels.flags import choice, count, helper
from dpid_cli.kernels.order import MAX, MIN, farther
from dpid_cli.kernels.pixels import sample

_BEYOND = np.float32(3e38)


@device
def order_of_window(pixels, ys, xs, j, tie, team, layout, rule, rounding):
    """One channel's statistic, for all threads of the team."""
    column, row = teams.my_place(team)
    total, most, least = np.float32(0), -_BEYOND, _BEYOND
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = teams.covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            upper = np.float32(sample(pixels[np.uint32(y)], np.uint32(x), j, layout))
            lower = np.float32(sample(pixels[np.uint32(min(z, ys[1]))], np.uint32(x), j, layout))
            total += cover * (teams.covered(ys, y) * upper + teams.covered(ys, z) * lower)
            most, least = max(most, upper, lower), min(least, upper, lower)
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    if choice(rule) == MAX:
        return teams.across(most, team, LARGEST)
    least = teams.across(least, team, SMALLEST)
    if choice(rule) == MIN:
        return least
    mean = teams.across(total, team, SUM) / (teams.extent(ys) * teams.extent(xs))
    return np.float32(farther(teams.across(most, team, LARGEST), least, mean, tie, np.float32(0), rounding))


@Kernel
def order_windows(pixels, ys, xs, start, top, team, layout, rule, tie, rounding, out):
    """Fill in the order statistic of every window.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, layout
        As for `windows.box_windows`.
    rule : flag
        MAX, MIN or EXTREMUM.
    tie : float32
        Relative difference up to which two distances from the mean are equal.
    rounding : float32
        Added to the mean of two values that are equally far: 0.5 for integers, which truncate it.
    out : (rows, w * C) array
        Filled.
    """
    crew = teams.crew_of(team, cuda.shared.array(WARPS, np.float32))
    columns = len(xs.begin)
    row, i = teams.my_window(crew)
    across_span = teams.span_of(xs, min(i, np.int32(columns - 1)))
    column, line = teams.my_place(crew)
    span = teams.rows_of(ys, start + row, top)
    for j in range(count(layout.channels)):
        value = order_of_window(pixels, span, across_span, j, tie, crew, layout, rule, rounding)
        if i < columns and column == 0 and line == 0:
            place(out, row, np.uint32(count(layout.channels)) * np.uint32(i) + np.uint32(j), value)


@helper
def place(out, row, k, value):
    """Write a value as the type of `out` holds it."""
    out[np.uint32(row), np.uint32(k)] = value
