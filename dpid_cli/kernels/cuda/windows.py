"""The box filter, DPID and DPP on a GPU: a team of threads for each window.

The formulas are those of `dpid_cli.kernels.rewards`. Neighbouring threads read neighbouring pixels, two rows
of the window at a time, and keep their sums in registers. Each kernel computes the guidance that it uses, so
the image is read once for the means and once for the weights (with box guidance, then from the cache).

All results are float32. Kernels fill a strip of the output, from row `start` on; `pixels` holds the rows of
the image from `top` on, as many as the strip needs.
"""

from __future__ import annotations

import math

import numpy as np

from dpid_cli.kernels.cuda.pixels import (
    ZERO,
    added,
    filter_at,
    largest,
    minus,
    pixel,
    store_pixel,
    values_at,
    values_of,
)
from dpid_cli.kernels.cuda.target import Kernel, cuda, device
from dpid_cli.kernels.cuda.teams import (
    LARGEST,
    SUM,
    WARPS,
    across,
    across_all,
    covered,
    crew_of,
    extent,
    my_place,
    my_window,
    rows_of,
    span_of,
)
from dpid_cli.kernels.filters import existing
from dpid_cli.kernels.flags import YES, choice, count, helper, is_set
from dpid_cli.kernels.rewards import SCALED_DETAIL, distances, weights_and_products

# The guidance: the window's own mean, the filtered means around it, or an array of values.
OWN, NEAR, GIVEN = range(3)
# Binary logarithm of the weight next to which no other counts.
_OCTAVES = np.float32(99.0)
ONE = np.float32(1)


@device
def mean_of_window(pixels, ys, xs, team, layout):
    """Coverage-weighted mean of each channel, for all threads of the team."""
    column, row = my_place(team)
    sums = (ZERO, ZERO, ZERO, ZERO)
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            upper, lower = pixel(pixels, y, x, layout), pixel(pixels, min(z, ys[1]), x, layout)
            sums = added(sums, upper, cover * covered(ys, y))
            sums = added(sums, lower, cover * covered(ys, z))
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    area = extent(ys) * extent(xs)
    m0, m1, m2, m3 = across_all(sums, team, SUM, layout.channels)
    return m0 / area, m1 / area, m2 / area, m3 / area


@device
def mean_of_neighbours(means, row, i, kernels, bias, team, layout):
    """Filter the 3 x 3 means around a window; the threads of a team take turns with the neighbours."""
    height, width = np.int32(means.shape[0]), np.int32(means.shape[2])
    vertical, horizontal = existing(row, height), existing(i, width)
    sums = (ZERO, ZERO, ZERO, ZERO)
    column, line = my_place(team)
    n = np.int32(column + line * team.columns)
    while n < 9:
        dy = np.int32(n * 11 >> 5)  # n // 3
        dx = np.int32(n - 3 * dy)
        y = min(max(np.int32(row + dy - 1), np.int32(0)), np.int32(height - 1))
        x = min(max(np.int32(i + dx - 1), np.int32(0)), np.int32(width - 1))
        near = values_at(means, y, x, layout)
        weights = filter_at(kernels, vertical, horizontal, dy, dx, layout)
        sums = (
            sums[0] + weights[0] * near[0],
            sums[1] + weights[1] * near[1],
            sums[2] + weights[2] * near[2],
            sums[3] + weights[3] * near[3],
        )
        n = np.int32(n + team.columns * team.rows)
    return added(across_all(sums, team, SUM, layout.channels), values_of(bias, layout), ONE)


@device
def range_of_window(pixels, ys, xs, guide, epsilon2, team, layout, joint, asymmetric):
    """The mean of u and its largest value, of each distance."""
    column, row = my_place(team)
    zeros = (ZERO, ZERO, ZERO, ZERO)
    total = most = zeros
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            upper, lower = pixel(pixels, y, x, layout), pixel(pixels, min(z, ys[1]), x, layout)
            u = distances(minus(upper, guide), epsilon2, joint, asymmetric)
            v = distances(minus(lower, guide), epsilon2, joint, asymmetric)
            total = added(added(total, u, cover * covered(ys, y)), v, cover * covered(ys, z))
            most = largest(largest(most, u), v)
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    planes = YES if is_set(joint) else layout.channels
    total = across_all(total, team, SUM, planes)
    return added(zeros, total, ONE / (extent(ys) * extent(xs))), across_all(most, team, LARGEST, planes)


@helper
def reciprocal(u):
    """1 / u, or 0 where it would overflow: then alpha decides alone."""
    return ONE / u if u > np.float32(1e-37) else ZERO


@helper
def scaled(u, factors, joint):
    """u divided by the largest u of its window, at most 1."""
    u0 = min(u[0] * factors[0], ONE)
    if is_set(joint):
        return u0, u0, u0, u0
    return u0, min(u[1] * factors[1], ONE), min(u[2] * factors[2], ONE), min(u[3] * factors[3], ONE)


@helper
def weighed(x, cover, factors, exponent, epsilon2, task, layout, joint, asymmetric, power):
    """Weights and weighted differences of a pixel with the differences x."""
    u = distances(x, epsilon2, joint, asymmetric)
    if choice(task) == SCALED_DETAIL:
        u = scaled(u, factors, joint)
    return weights_and_products(x, u, cover, exponent, layout, joint, power)


@device
def weigh_window(
    pixels, ys, xs, guide, factors, exponent, epsilon2, team, task, layout, joint, asymmetric, power
):
    """The sums of the weights and of the weighted differences."""
    column, row = my_place(team)
    weights = sums = (ZERO, ZERO, ZERO, ZERO)
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            upper, lower = pixel(pixels, y, x, layout), pixel(pixels, min(z, ys[1]), x, layout)
            f, e = weighed(
                minus(upper, guide), cover * covered(ys, y), factors, exponent, epsilon2,
                task, layout, joint, asymmetric, power,
            )  # fmt: skip
            g, d = weighed(
                minus(lower, guide), cover * covered(ys, z), factors, exponent, epsilon2,
                task, layout, joint, asymmetric, power,
            )  # fmt: skip
            weights, sums = added(added(weights, f, ONE), g, ONE), added(added(sums, e, ONE), d, ONE)
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    if is_set(joint):
        weight = across(weights[0], team, SUM)
        weights = (weight, weight, weight, weight)
    else:
        weights = across_all(weights, team, SUM, layout.channels)
    return weights, across_all(sums, team, SUM, layout.channels)


@device
def compared(pixels, ys, xs, near, row, i, kernels, bias, team, guidance, blend, layout):
    """Mean and guidance of a window; without a blend, the mean is not used."""
    if choice(guidance) == OWN:
        mean = mean_of_window(pixels, ys, xs, team, layout)
        return mean, mean
    if choice(guidance) == NEAR:
        guide = mean_of_neighbours(near, row, i, kernels, bias, team, layout)
        return values_at(near, row, i, layout) if is_set(blend) else guide, guide
    guide = values_at(near, row, i, layout)
    return mean_of_window(pixels, ys, xs, team, layout) if is_set(blend) else guide, guide


@helper
def share(octaves, exponent, base, factor):
    """2**octaves * (base * factor)**exponent, up to a limit at which it decides alone."""
    if factor > ZERO:
        octaves += exponent * (math.log2(base) + math.log2(factor))
    return np.float32(math.exp2(min(np.float32(octaves), _OCTAVES)))


@helper
def blended(guide, mean, weight, excess, part):
    """The guidance plus the weighted mean of the differences from it; the window's mean weighs `part`."""
    weight += part
    excess += part * (mean - guide)
    return guide + (excess / weight if weight > ZERO else ZERO)


@helper
def finish(
    out, row, i, guide, mean, weights, sums, scale, mean_u, octaves, exponent, base, limit,
    normalised, blend, layout, joint,
):  # fmt: skip
    """Compute and store the pixel of a window, in one thread."""
    p0 = p1 = p2 = p3 = ZERO
    if is_set(blend):
        bases = mean_u if is_set(normalised) else (base, base, base, base)
        p0 = share(octaves, exponent, bases[0], scale[0])
        p1 = p2 = p3 = p0
        if not is_set(joint):
            p1 = share(octaves, exponent, bases[1], scale[1])
            p2 = share(octaves, exponent, bases[2], scale[2])
            p3 = share(octaves, exponent, bases[3], scale[3])
    pixel = (
        blended(guide[0], mean[0], weights[0], sums[0], p0),
        blended(guide[1], mean[1], weights[1], sums[1], p1),
        blended(guide[2], mean[2], weights[2], sums[2], p2),
        blended(guide[3], mean[3], weights[3], sums[3], p3),
    )
    store_pixel(out, row, i, pixel, limit, layout.channels)


@device
def my_mean(pixels, ys, xs, start, top, crew, layout):
    """The mean of this thread's window, its row and column, and whether this thread stores it."""
    columns = len(xs.begin)
    row, i = my_window(crew)
    across_span = span_of(xs, min(i, np.int32(columns - 1)))
    column, line = my_place(crew)
    mean = mean_of_window(pixels, rows_of(ys, start + row, top), across_span, crew, layout)
    return mean, row, i, i < columns and column == 0 and line == 0


@Kernel
def box_windows(pixels, ys, xs, start, top, team, layout, limit, out):
    """Fill in the mean of every window, as pixels.

    Parameters
    ----------
    pixels : (H, W * C) or, packed, (H, W) array
    ys, xs : Spans
        All windows of the image, with int32 and float32.
    start, top : int
        The output row of the first row of `out`, and the image row of the first row of `pixels`.
    team : Team
    layout : Layout
    limit : float32
        Largest value of an integer type, whose values are rounded; 0 for floats.
    out : (rows, w * C) array
        Filled.
    """
    crew = crew_of(team, cuda.shared.array(WARPS, np.float32))
    mean, row, i, leads = my_mean(pixels, ys, xs, start, top, crew, layout)
    if leads:
        store_pixel(out, row, i, mean, limit, layout.channels)


@Kernel
def mean_windows(pixels, ys, xs, start, top, team, layout, means):
    """Fill in the mean of every window, as floats.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, layout
        As for `box_windows`.
    means : (rows, C, w) float32 array
        Filled.
    """
    crew = crew_of(team, cuda.shared.array(WARPS, np.float32))
    c = count(layout.channels)
    mean, row, i, leads = my_mean(pixels, ys, xs, start, top, crew, layout)
    if leads:
        k, p = np.uint32(row), np.uint32(i)
        means[k, np.uint32(0), p] = mean[0]
        if c > 1:
            means[k, np.uint32(1), p] = mean[1]
        if c > 2:
            means[k, np.uint32(2), p] = mean[2]
        if c > 3:
            means[k, np.uint32(3), p] = mean[3]


@Kernel
def reward_windows(
    pixels, ys, xs, start, top, team, near, above, kernels, bias, exponent, epsilon2, octaves, base, limit,
    guidance, task, normalised, blend, layout, joint, asymmetric, power, out,
):  # fmt: skip
    """Fill in the weighted mean of every window, from guidance to pixel.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, layout, limit
        As for `box_windows`.
    near : (more rows, C, w) float32 array
        NEAR: the means of these windows and of those in the rows above and below. GIVEN: the guidance.
    above : int
        The row of `near` that belongs to the first row of `out`.
    kernels, bias : float32 arrays
        NEAR: the filter over the means, as for `filters.filter_means`, (1 or C, 4, 4, 3, 3) and (C,).
    exponent, epsilon2 : float32
        lambda / 2, and epsilon squared on the scale of the pixels.
    octaves : float32
        log2 of alpha times the area of a window; read if `blend`.
    base : float32
        The square of the largest intensity on the scale of the pixels; read if `blend`.
    guidance : flag
        OWN, NEAR or GIVEN.
    task : flag
        DETAIL or SCALED_DETAIL, as on the CPU.
    normalised, blend : flag
        Whether u is divided by its mean; whether alpha is above 0.
    joint, asymmetric, power : flag
        As for `dpid_cli.kernels.windows.sweep_rows`.
    out : (rows, w * C) array
        Filled.
    """
    crew = crew_of(team, cuda.shared.array(WARPS, np.float32))
    columns = len(xs.begin)
    row, window = my_window(crew)
    i = min(window, np.int32(columns - 1))
    across_span = span_of(xs, i)
    column, line = my_place(crew)
    span = rows_of(ys, start + row, top)
    mean, guide = compared(
        pixels,
        span,
        across_span,
        near,
        np.int32(row + above),
        i,
        kernels,
        bias,
        crew,
        guidance,
        blend,
        layout,
    )
    scale = mean_u = (ONE, ONE, ONE, ONE)
    if choice(task) == SCALED_DETAIL:
        mean_u, most = range_of_window(
            pixels, span, across_span, guide, epsilon2, crew, layout, joint, asymmetric
        )
        scale = reciprocal(most[0]), reciprocal(most[1]), reciprocal(most[2]), reciprocal(most[3])
    weights, sums = weigh_window(
        pixels, span, across_span, guide, scale, exponent, epsilon2,
        crew, task, layout, joint, asymmetric, power,
    )  # fmt: skip
    if window < columns and column == 0 and line == 0:
        finish(
            out, row, i, guide, mean, weights, sums, scale, mean_u, octaves, exponent, base, limit,
            normalised, blend, layout, joint,
        )  # fmt: skip
