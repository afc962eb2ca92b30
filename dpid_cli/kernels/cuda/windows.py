"""The box filter, DPID and DPP on a GPU, with their guidance: a team of threads for each window.

The formulas are those of `dpid_cli.kernels.rewards`. Neighbouring threads read neighbouring pixels, two rows
of the window at a time, and keep their sums in registers. Each kernel computes the guidance that it uses, so
the image is read once for the means and once for the weights (with box guidance, then from the cache).

All results are float32. Kernels fill a strip of the output, from row `start` on; `pixels` holds the rows of
the image from `top` on, as many as the strip needs.
"""

from __future__ import annotations

import math

import numpy as np

from dpid_cli.kernels.cuda import teams
from dpid_cli.kernels.cuda.pixels import (
    VALUES,
    ZERO,
    added,
    averaged,
    bias_of,
    largest,
    minus,
    pixel,
    store_light,
    store_pixel,
    times,
    values_at,
    weights_at,
)
from dpid_cli.kernels.cuda.target import Kernel, cuda, device
from dpid_cli.kernels.cuda.teams import LARGEST, SUM, WARPS
from dpid_cli.kernels.filters import existing
from dpid_cli.kernels.flags import choice, count, flag, helper, is_set
from dpid_cli.kernels.rewards import SCALED_DETAIL, distances, products, weights

# The guidance: the window's own mean, the filtered means around it, or an array of values.
OWN, NEAR, GIVEN = range(3)
# Binary logarithm of the weight next to which no other counts.
_OCTAVES = np.float32(99.0)
ONE = np.float32(1)
_VALUES = flag(VALUES)
FOUR = flag(4)  # channels: those that an image lacks have no differences


@device
def mean_of_window(pixels, light, ys, xs, team, layout, lit):
    """Coverage-weighted mean of each channel, of values or of light, for all threads of the team."""
    column, row = teams.my_place(team)
    sums = (ZERO, ZERO, ZERO, ZERO)
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = teams.covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            below = min(z, ys[1])
            upper = averaged(pixel(pixels, y, x, layout), light, y, x, layout, lit)
            lower = averaged(pixel(pixels, below, x, layout), light, below, x, layout, lit)
            sums = added(sums, upper, cover * teams.covered(ys, y))
            sums = added(sums, lower, cover * teams.covered(ys, z))
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    area = teams.extent(ys) * teams.extent(xs)
    m0, m1, m2, m3 = teams.across_all(sums, team, SUM, count(layout.channels))
    return m0 / area, m1 / area, m2 / area, m3 / area


@device
def mean_of_neighbours(means, row, i, kernels, bias, team, layout):
    """Filter the 3 x 3 means around a window; the threads of a team take turns with the neighbours."""
    height, width = np.int32(means.shape[0]), np.int32(means.shape[2])
    vertical, horizontal = existing(row, height), existing(i, width)
    sums = (ZERO, ZERO, ZERO, ZERO)
    column, line = teams.my_place(team)
    n = np.int32(column + line * team.columns)
    while n < 9:
        dy = np.int32(n * 11 >> 5)  # n // 3
        dx = np.int32(n - 3 * dy)
        y = min(max(np.int32(row + dy - 1), np.int32(0)), np.int32(height - 1))
        x = min(max(np.int32(i + dx - 1), np.int32(0)), np.int32(width - 1))
        near = values_at(means, y, x, layout)
        sums = added(sums, times(weights_at(kernels, vertical, horizontal, dy, dx), near), ONE)
        n = np.int32(n + team.columns * team.rows)
    s0, s1, s2, s3 = teams.across_all(sums, team, SUM, count(layout.channels))
    return s0 + bias_of(bias, 0), s1 + bias_of(bias, 1), s2 + bias_of(bias, 2), s3 + bias_of(bias, 3)


@device
def range_of_window(pixels, ys, xs, guide, team, layout, reward):
    """The mean of u and its largest value, of each distance."""
    column, row = teams.my_place(team)
    zeros = (ZERO, ZERO, ZERO, ZERO)
    total = most = zeros
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = teams.covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            upper, lower = pixel(pixels, y, x, layout), pixel(pixels, min(z, ys[1]), x, layout)
            u = distances(minus(upper, guide), reward)
            v = distances(minus(lower, guide), reward)
            total = added(added(total, u, cover * teams.covered(ys, y)), v, cover * teams.covered(ys, z))
            most = largest(largest(most, u), v)
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    planes = 1 if is_set(reward.joint) else count(layout.channels)
    total = teams.across_all(total, team, SUM, planes)
    most = teams.across_all(most, team, LARGEST, planes)
    return added(zeros, total, ONE / (teams.extent(ys) * teams.extent(xs))), most


@helper
def reciprocal(u, slack):
    """1 / u, more by `slack`, or 0 where it would overflow: then alpha decides alone."""
    return slack / u if u > np.float32(1e-37) else ZERO


@helper
def scaled(u, factors, reward):
    """u divided by the largest u of its window, at most 1."""
    u0 = min(u[0] * factors[0], ONE)
    if is_set(reward.joint):
        return u0, u0, u0, u0
    return u0, min(u[1] * factors[1], ONE), min(u[2] * factors[2], ONE), min(u[3] * factors[3], ONE)


@helper
def weighed(x, mixed, cover, factors, task, reward):
    """Weights of a pixel with the differences x, and their products with what is mixed by them."""
    u = distances(x, reward)
    if choice(task) == SCALED_DETAIL:
        u = scaled(u, factors, reward)
    f = weights(u, cover, reward, FOUR)
    return f, products(f, mixed)


@device
def weighed_pixel(pixels, light, y, x, guide, cover, factors, task, layout, reward, lit):
    """`weighed` for one pixel: its differences, or its light."""
    values = pixel(pixels, y, x, layout)
    differences = minus(values, guide)
    if choice(lit) == VALUES:
        return weighed(differences, differences, cover, factors, task, reward)
    return weighed(differences, averaged(values, light, y, x, layout, lit), cover, factors, task, reward)


@device
def weigh_window(pixels, light, ys, xs, guide, factors, team, task, layout, reward, lit):
    """The sums of the weights, and of the weighted differences or light."""
    column, row = teams.my_place(team)
    weights = sums = (ZERO, ZERO, ZERO, ZERO)
    x = np.int32(xs[0] + column)
    while x <= xs[1]:
        cover = teams.covered(xs, x)
        y = np.int32(ys[0] + row)
        while y <= ys[1]:
            z = np.int32(y + team.rows)
            below, c0, c1 = min(z, ys[1]), cover * teams.covered(ys, y), cover * teams.covered(ys, z)
            f, e = weighed_pixel(pixels, light, y, x, guide, c0, factors, task, layout, reward, lit)
            g, d = weighed_pixel(pixels, light, below, x, guide, c1, factors, task, layout, reward, lit)
            weights, sums = added(added(weights, f, ONE), g, ONE), added(added(sums, e, ONE), d, ONE)
            y = np.int32(z + team.rows)
        x = np.int32(x + team.columns)
    if is_set(reward.joint):
        weight = teams.across(weights[0], team, SUM)
        weights = (weight, weight, weight, weight)
    else:
        weights = teams.across_all(weights, team, SUM, count(layout.channels))
    return weights, teams.across_all(sums, team, SUM, count(layout.channels))


@device
def compared(pixels, light, ys, xs, near, row, i, kernels, bias, team, guidance, blend, layout):
    """Mean and guidance of a window; without a blend, the mean is not used."""
    if choice(guidance) == OWN:
        mean = mean_of_window(pixels, light, ys, xs, team, layout, _VALUES)
        return mean, mean
    if choice(guidance) == NEAR:
        guide = mean_of_neighbours(near, row, i, kernels, bias, team, layout)
        return values_at(near, row, i, layout) if is_set(blend) else guide, guide
    guide = values_at(near, row, i, layout)
    if is_set(blend):
        return mean_of_window(pixels, light, ys, xs, team, layout, _VALUES), guide
    return guide, guide


@helper
def share(octaves, base, factor, reward):
    """2**octaves * (base * factor)**exponent, up to a limit at which it decides alone."""
    if factor > ZERO:
        octaves += reward.exponent * (math.log2(base) + math.log2(factor))
    return np.float32(math.exp2(min(np.float32(octaves), _OCTAVES)))


@helper
def blended(guide, mean, weight, excess, part):
    """The guidance plus the weighted mean of the differences from it; the window's mean weighs `part`."""
    weight += part
    excess += part * (mean - guide)
    return guide + (excess / weight if weight > ZERO else ZERO)


@helper
def shares(scale, mean_u, octaves, base, normalised, blend, reward):
    """Weight that alpha gives to the mean of a window, for each channel."""
    if not is_set(blend):
        return ZERO, ZERO, ZERO, ZERO
    bases = mean_u if is_set(normalised) else (base, base, base, base)
    p0 = p1 = p2 = p3 = share(octaves, bases[0], scale[0], reward)
    if not is_set(reward.joint):
        p1 = share(octaves, bases[1], scale[1], reward)
        p2 = share(octaves, bases[2], scale[2], reward)
        p3 = share(octaves, bases[3], scale[3], reward)
    return p0, p1, p2, p3


@helper
def finish(out, row, i, guide, mean, weights, sums, parts, limit, layout):
    """Compute and store the pixel of a window, in one thread."""
    pixel = (
        blended(guide[0], mean[0], weights[0], sums[0], parts[0]),
        blended(guide[1], mean[1], weights[1], sums[1], parts[1]),
        blended(guide[2], mean[2], weights[2], sums[2], parts[2]),
        blended(guide[3], mean[3], weights[3], sums[3], parts[3]),
    )
    store_pixel(out, row, i, pixel, limit, layout.channels)


@device
def my_mean(pixels, light, ys, xs, start, top, crew, layout, lit):
    """The mean of this thread's window, its row and column, and whether this thread stores it."""
    columns = len(xs.begin)
    row, i = teams.my_window(crew)
    across_span = teams.span_of(xs, min(i, np.int32(columns - 1)))
    column, line = teams.my_place(crew)
    span = teams.rows_of(ys, start + row, top)
    mean = mean_of_window(pixels, light, span, across_span, crew, layout, lit)
    return mean, row, i, i < columns and column == 0 and line == 0


@Kernel
def box_windows(pixels, ys, xs, start, top, team, light, lit, layout, limit, out):
    """Fill in the mean of every window, as pixels, or as light if that is averaged.

    Parameters
    ----------
    pixels : (H, W * C) or, packed, (H, W) array
    ys, xs : Spans
        All windows of the image, with int32 and float32.
    start, top : int
        The output row of the first row of `out`, and the image row of the first row of `pixels`.
    team : Team
    light : (C, levels) or (H, W * C) float32 array
        TABLE: light of all levels. LIGHT: that of the pixels, with the rows of `pixels`.
    lit : flag
        VALUES, TABLE or LIGHT.
    layout : Layout
    limit : float32
        Largest value of an integer type, whose values are rounded; 0 for floats and for light.
    out : (rows, w * C) array
        Filled.
    """
    crew = teams.crew_of(team, cuda.shared.array(WARPS, np.float32))
    mean, row, i, leads = my_mean(pixels, light, ys, xs, start, top, crew, layout, lit)
    if leads:
        store_pixel(out, row, i, mean, limit, layout.channels)


@Kernel
def mean_windows(pixels, ys, xs, start, top, team, light, layout, means):
    """Fill in the mean of every window, as floats.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, light, layout
        As for `box_windows`; `light` is not read.
    means : (rows, C, w) float32 array
        Filled.
    """
    crew = teams.crew_of(team, cuda.shared.array(WARPS, np.float32))
    c = count(layout.channels)
    mean, row, i, leads = my_mean(pixels, light, ys, xs, start, top, crew, layout, _VALUES)
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
def filter_pixels(pixels, scale, kernels, bias, row_of, column_of, team, out):
    """Filter K x K pixels at each window, in steps of `scale`; `dpid_cli.kernels.filters` has the equation.

    Parameters
    ----------
    pixels : (H, W * C) array
    scale : int
    kernels : (C, K, K) float32 array
    bias : (C,) float32 array
    row_of, column_of : (scale * (rows - 1) + K,), (scale * (w - 1) + K,) int32 array
        The row and column of `pixels` at each position of the filter; -1 for a zero outside.
    team : Team
    out : (rows, C, w) float32 array
        Filled.
    """
    crew = teams.crew_of(team, cuda.shared.array(WARPS, np.float32))
    _, channels, width = out.shape
    side = kernels.shape[1]
    row, window = teams.my_window(crew)
    i = min(window, np.int32(width - 1))
    column, line = teams.my_place(crew)
    for j in range(channels):
        total = np.float32(0)
        dy = line
        while dy < side:
            y = row_of[np.uint32(row * scale + dy)]
            dx = column
            while dx < side:
                x = column_of[np.uint32(i * scale + dx)]
                if y >= 0 and x >= 0:
                    value = np.float32(pixels[np.uint32(y), np.uint32(x * channels + j)])
                    total += kernels[np.uint32(j), np.uint32(dy), np.uint32(dx)] * value
                dx = np.int32(dx + team.columns)
            dy = np.int32(dy + team.rows)
        total = teams.across(total, crew, SUM)
        if window < width and column == 0 and line == 0:
            out[np.uint32(row), np.uint32(j), np.uint32(i)] = total + bias[np.uint32(j)]


@Kernel
def reward_windows(
    pixels, ys, xs, start, top, team, light, lit, near, above, kernels, bias, octaves, base, slack, limit,
    guidance, task, normalised, blend, layout, reward, unweighted, out,
):  # fmt: skip
    """Fill in the weighted mean of every window, from guidance to pixel, or to light if that is averaged.

    Parameters
    ----------
    pixels, ys, xs, start, top, team, light, lit, layout, limit
        As for `box_windows`.
    near : (more rows, C, w) float32 array
        NEAR: the means of these windows and of those in the rows above and below. GIVEN: the guidance.
    above : int
        The row of `near` that belongs to the first row of `out`.
    kernels, bias : float32 arrays
        NEAR: the filter over the means, as for `filters.filter_means`, (1 or C, 4, 4, 3, 3) and (C,).
    octaves : float32
        log2 of alpha times the area of a window; read if `blend`.
    base : float32
        The square of the largest intensity on the scale of the pixels; read if `blend`.
    slack : float32
        1 or a little more, by which the factor of u exceeds one over its largest value.
    guidance : flag
        OWN, NEAR or GIVEN.
    task : flag
        DETAIL or SCALED_DETAIL, as on the CPU.
    normalised, blend : flag
        Whether u is divided by its mean; whether alpha is above 0.
    reward : Reward
    unweighted : (rows, w * C) float32 array
        Filled with the guidance, if light is averaged.
    out : (rows, w * C) array
        Filled; light is NaN where no pixel has a weight.
    """
    crew = teams.crew_of(team, cuda.shared.array(WARPS, np.float32))
    columns = len(xs.begin)
    row, window = teams.my_window(crew)
    i = min(window, np.int32(columns - 1))
    across_span = teams.span_of(xs, i)
    column, line = teams.my_place(crew)
    span = teams.rows_of(ys, start + row, top)
    near_row = np.int32(row + above)
    mean, guide = compared(
        pixels, light, span, across_span, near, near_row, i, kernels, bias, crew, guidance, blend, layout
    )
    scale = mean_u = (ONE, ONE, ONE, ONE)
    if choice(task) == SCALED_DETAIL:
        mean_u, most = range_of_window(pixels, span, across_span, guide, crew, layout, reward)
        r0, r1 = reciprocal(most[0], slack), reciprocal(most[1], slack)
        scale = r0, r1, reciprocal(most[2], slack), reciprocal(most[3], slack)
    weights, sums = weigh_window(
        pixels, light, span, across_span, guide, scale, crew, task, layout, reward, lit
    )
    if choice(lit) != VALUES and is_set(blend):
        mean = mean_of_window(pixels, light, span, across_span, crew, layout, lit)
    if window < columns and column == 0 and line == 0:
        parts = shares(scale, mean_u, octaves, base, normalised, blend, reward)
        if choice(lit) == VALUES:
            finish(out, row, i, guide, mean, weights, sums, parts, limit, layout)
        else:
            total, weight = added(sums, times(parts, mean), ONE), added(weights, parts, ONE)
            store_light(out, unweighted, row, i, total, weight, guide, layout.channels)
