"""The detail-preserving family on a GPU: box filter, DPID and DPP, a team of threads for each window.

The formula is that of `dpid_cli.kernels.windows`, whose helpers compute it here too. Neighbouring threads
read neighbouring pixels, in rows of the window, two rows at a time, and keep their sums in registers. What a
window is compared with is computed by the kernel that uses it: the image is read once for the means and once
for the weights (with box guidance once from memory, and again from the cache).

All computing is in float32. Kernels fill a strip of the result, from the row `start` on; `pixels` holds the
image's rows from `top` on, as many as the strip needs.
"""

from __future__ import annotations

import math

import numpy as np

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
from dpid_cli.kernels.jit import flag, helper
from dpid_cli.kernels.windows import distances, sample, weights_and_products

# What pixels are compared with: the window's own mean, the means around it, or an array of values.
OWN, NEAR, GIVEN = (flag(value) for value in range(3))
# The exponent of two of the weight beside which no other counts.
_OCTAVES = np.float32(99.0)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


@helper
def pixel(pixels, y, x, layout):
    """The values of a pixel, four numbers of which only the first C matter."""
    c = len(layout.channels)
    line, k = pixels[np.uint32(y)], np.uint32(x)
    v0 = np.float32(sample(line, k, 0, layout))
    v1 = v2 = v3 = _ZERO
    if c > 1:
        v1 = np.float32(sample(line, k, 1, layout))
    if c > 2:
        v2 = np.float32(sample(line, k, 2, layout))
    if c > 3:
        v3 = np.float32(sample(line, k, 3, layout))
    return v0, v1, v2, v3


@helper
def minus(a, b):
    """a - b, number by number."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


@helper
def added(a, b, factor):
    """a + factor * b, number by number."""
    return a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2], a[3] + factor * b[3]


@helper
def largest(a, b):
    """The larger numbers."""
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


@device
def mean_of_window(pixels, ys, xs, team, layout):
    """Coverage-weighted mean of each channel, for all threads of the team."""
    column, row = my_place(team)
    sums = (_ZERO, _ZERO, _ZERO, _ZERO)
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


@helper
def value_at(plane, row, j, i):
    """One number of a (rows, C, w) array."""
    return plane[np.uint32(row), np.uint32(j), np.uint32(i)]


@helper
def values_at(plane, row, i, layout):
    """One number for each channel of a (rows, C, w) array."""
    c = len(layout.channels)
    v1 = v2 = v3 = _ZERO
    v0 = value_at(plane, row, 0, i)
    if c > 1:
        v1 = value_at(plane, row, 1, i)
    if c > 2:
        v2 = value_at(plane, row, 2, i)
    if c > 3:
        v3 = value_at(plane, row, 3, i)
    return v0, v1, v2, v3


@device
def mean_of_neighbours(means, row, i, kernels, bias, team, layout):
    """3 x 3 means around a window, filtered; the threads of a team take neighbours by turns."""
    height, width = np.int32(means.shape[0]), np.int32(means.shape[2])
    vertical, horizontal = existing(row, height), existing(i, width)
    sums = (_ZERO, _ZERO, _ZERO, _ZERO)
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
    return added(across_all(sums, team, SUM, layout.channels), values_of(bias, layout), _ONE)


@helper
def filter_at(kernels, vertical, horizontal, dy, dx, layout):
    """What each channel's filter has for one neighbour; (C, 4, 4, 3, 3) or, for all channels, (1, ...)."""
    c = len(layout.channels)
    a, b, p, q = np.uint32(vertical), np.uint32(horizontal), np.uint32(dy), np.uint32(dx)
    w0 = kernels[np.uint32(0), a, b, p, q]
    w1 = w2 = w3 = w0
    if kernels.shape[0] > 1:
        if c > 1:
            w1 = kernels[np.uint32(1), a, b, p, q]
        if c > 2:
            w2 = kernels[np.uint32(2), a, b, p, q]
        if c > 3:
            w3 = kernels[np.uint32(3), a, b, p, q]
    return w0, w1, w2, w3


@helper
def values_of(vector, layout):
    """One number for each channel."""
    c = len(layout.channels)
    v0 = vector[np.uint32(0)]
    v1 = vector[np.uint32(1)] if c > 1 else _ZERO
    v2 = vector[np.uint32(2)] if c > 2 else _ZERO
    v3 = vector[np.uint32(3)] if c > 3 else _ZERO
    return v0, v1, v2, v3


@device
def range_of_window(pixels, ys, xs, guide, epsilon2, team, layout, joint, asymmetric):
    """The mean of u and its largest value, of each distance."""
    column, row = my_place(team)
    zeros = (_ZERO, _ZERO, _ZERO, _ZERO)
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
    planes = (None,) if len(joint) == 1 else layout.channels
    total = across_all(total, team, SUM, planes)
    return added(zeros, total, _ONE / (extent(ys) * extent(xs))), across_all(most, team, LARGEST, planes)


@helper
def reciprocal(u):
    """1 / u, or 0 where it would overflow: then no reward counts beside alpha."""
    return _ONE / u if u > np.float32(1e-37) else _ZERO


@helper
def scaled(u, factors, joint):
    """u divided by its window's largest value."""
    u0 = min(u[0] * factors[0], _ONE)
    if len(joint) == 1:
        return u0, u0, u0, u0
    return u0, min(u[1] * factors[1], _ONE), min(u[2] * factors[2], _ONE), min(u[3] * factors[3], _ONE)


@helper
def weighed(x, cover, factors, exponent, epsilon2, task, layout, joint, asymmetric, power):
    """Weights and weighted differences of a pixel that differs by x."""
    u = distances(x, epsilon2, joint, asymmetric)
    if len(task) == 3:
        u = scaled(u, factors, joint)
    return weights_and_products(x, u, cover, exponent, layout, joint, power)


@device
def weigh_window(
    pixels, ys, xs, guide, factors, exponent, epsilon2, team, task, layout, joint, asymmetric, power
):
    """The sums of the weights and of the weighted differences."""
    column, row = my_place(team)
    weights = sums = (_ZERO, _ZERO, _ZERO, _ZERO)
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
            weights, sums = added(added(weights, f, _ONE), g, _ONE), added(added(sums, e, _ONE), d, _ONE)
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    if len(joint) == 1:
        weight = across(weights[0], team, SUM)
        weights = (weight, weight, weight, weight)
    else:
        weights = across_all(weights, team, SUM, layout.channels)
    return weights, across_all(sums, team, SUM, layout.channels)


@helper
def share(octaves, exponent, base, factor):
    """2**octaves * (base * factor)**exponent, but no more than what decides alone."""
    if factor > _ZERO:
        octaves += exponent * (math.log2(base) + math.log2(factor))
    return np.float32(math.exp2(min(np.float32(octaves), _OCTAVES)))


@helper
def blended(guide, mean, weight, excess, part):
    """The guidance and the weighted mean of what differs from it, the mean weighing `part`."""
    weight += part
    excess += part * (mean - guide)
    return guide + (excess / weight if weight > _ZERO else _ZERO)


@helper
def store(out, row, i, j, value, limit, channels):
    """Put a channel of a pixel in its place, rounded, halves up, where there is a `limit`."""
    place = np.uint32(np.uint32(len(channels)) * np.uint32(i) + np.uint32(j))
    if limit > _ZERO:
        out[np.uint32(row), place] = np.int32(min(max(value, _ZERO), limit) + _HALF)
    else:
        out[np.uint32(row), place] = value


@Kernel
def box_windows(pixels, ys, xs, start, top, team, layout, limit, out):
    """The mean of every window.

    Parameters
    ----------
    pixels : (H, W * C) or, packed, (H, W) array
    ys, xs : Spans
        All windows of the image, with int32 and float32.
    start, top : int
        The row of the result that comes first in `out`, and the row of the image that does in `pixels`.
    team : Team
    layout : Layout
    limit : float32
        Largest value of an integer type, to which the result is rounded; 0 for floats.
    out : (rows, w * C) array
        Filled.
    """
    crew = crew_of(team, cuda.shared.array(WARPS, np.float32))
    c = len(layout.channels)
    columns = len(xs.begin)
    row, i = my_window(crew)
    across_span = span_of(xs, min(i, np.int32(columns - 1)))
    column, line = my_place(crew)
    mean = mean_of_window(pixels, rows_of(ys, start + row, top), across_span, crew, layout)
    if i < columns and column == 0 and line == 0:
        store(out, row, i, 0, mean[0], limit, layout.channels)
        if c > 1:
            store(out, row, i, 1, mean[1], limit, layout.channels)
        if c > 2:
            store(out, row, i, 2, mean[2], limit, layout.channels)
        if c > 3:
            store(out, row, i, 3, mean[3], limit, layout.channels)


@Kernel
def mean_windows(pixels, ys, xs, start, top, team, layout, means):
    """The mean of every window, as it is.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, layout
        As for `box_windows`.
    means : (rows, C, w) float32 array
        Filled.
    """
    crew = crew_of(team, cuda.shared.array(WARPS, np.float32))
    c = len(layout.channels)
    columns = len(xs.begin)
    row, i = my_window(crew)
    across_span = span_of(xs, min(i, np.int32(columns - 1)))
    column, line = my_place(crew)
    mean = mean_of_window(pixels, rows_of(ys, start + row, top), across_span, crew, layout)
    if i < columns and column == 0 and line == 0:
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
    """Weighted mean of every window, from guidance to pixel.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, layout, limit
        As for `box_windows`.
    near : (more rows, C, w) float32 array
        NEAR: means of these windows, and of those in the rows above and below. GIVEN: the guidance.
    above : int
        Where the first row of the result is in `near`.
    kernels, bias : float32 arrays
        NEAR: the filter over the means, as for `filters.filter_means`, (1 or C, 4, 4, 3, 3) and (C,).
    exponent, epsilon2 : float32
        lambda / 2, and epsilon squared on the scale of the pixels.
    octaves : float32
        log2 of alpha times the pixels of a window; read if `blend`.
    base : float32
        The square of the largest intensity on the scale of the pixels; read if `blend`.
    guidance : flag
        OWN, NEAR or GIVEN.
    task : flag
        DETAIL or SCALED_DETAIL, as for the processor.
    normalised, blend : flag
        Whether u is divided by its mean; whether alpha is above 0.
    joint, asymmetric, power : flag
        As for the processor.
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
    scale = mean_u = (_ONE, _ONE, _ONE, _ONE)
    if len(task) == 3:
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


@device
def compared(pixels, ys, xs, near, row, i, kernels, bias, team, guidance, blend, layout):
    """Mean and guidance of a window; without a blend, the mean is not looked at."""
    if len(guidance) == 0:
        mean = mean_of_window(pixels, ys, xs, team, layout)
        return mean, mean
    if len(guidance) == 1:
        guide = mean_of_neighbours(near, row, i, kernels, bias, team, layout)
        return values_at(near, row, i, layout) if len(blend) == 1 else guide, guide
    guide = values_at(near, row, i, layout)
    return mean_of_window(pixels, ys, xs, team, layout) if len(blend) == 1 else guide, guide


@helper
def finish(
    out, row, i, guide, mean, weights, sums, scale, mean_u, octaves, exponent, base, limit,
    normalised, blend, layout, joint,
):  # fmt: skip
    """The pixel of a window, of which one thread takes care."""
    c = len(layout.channels)
    channels = layout.channels
    p0 = p1 = p2 = p3 = _ZERO
    if len(blend) == 1:
        bases = mean_u if len(normalised) == 1 else (base, base, base, base)
        p0 = share(octaves, exponent, bases[0], scale[0])
        p1 = p2 = p3 = p0
        if len(joint) == 0:
            p1 = share(octaves, exponent, bases[1], scale[1])
            p2 = share(octaves, exponent, bases[2], scale[2])
            p3 = share(octaves, exponent, bases[3], scale[3])
    store(out, row, i, 0, blended(guide[0], mean[0], weights[0], sums[0], p0), limit, channels)
    if c > 1:
        store(out, row, i, 1, blended(guide[1], mean[1], weights[1], sums[1], p1), limit, channels)
    if c > 2:
        store(out, row, i, 2, blended(guide[2], mean[2], weights[2], sums[2], p2), limit, channels)
    if c > 3:
        store(out, row, i, 3, blended(guide[3], mean[3], weights[3], sums[3], p3), limit, channels)
