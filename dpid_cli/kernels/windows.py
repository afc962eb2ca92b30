"""Sums over windows, for the box filter, DPID and DPP: the loops over rows.

The output at a window is ``O = G + sum(c w (I - G)) / sum(c w)``: the mean of the pixels I with coverage c
and weight w (see `rewards`), written around the guidance G, because small differences round less than
values. The box filter is the case lambda = 0, in which all weights are equal.

`tiles` explains how a row is cut into tiles and where the sums are kept. `sweep_rows` does one of four tasks:
BOX adds up values, RANGE adds up u and keeps its largest value, and DETAIL and SCALED_DETAIL add up weights
and weighted differences. `finish_rows` turns the sums into pixels.
"""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels import tiles
from dpid_cli.kernels.flags import NO, YES, choice, count, helper, is_set
from dpid_cli.kernels.jit import FAST, kernel
from dpid_cli.kernels.pixels import sample, samples, sum_of_rows
from dpid_cli.kernels.rewards import BOX, RANGE, SCALED_DETAIL, distances, weights_and_products
from dpid_cli.kernels.tiles import BUFFER, GUIDE, PLANE, SCALE, SUM, TILE, WEIGHT, fold, spread

LAST = BUFFER + TILE
SCRATCH = LAST + 4


@helper
def value(row, scratch, k, j, layout):
    """Channel j of pixel k as a float; 0 if there is no such channel."""
    real = scratch.dtype.type
    return real(sample(row, k, j, layout)) if j < count(layout.channels) else real(0)


@helper
def difference(row, scratch, k, j, layout):
    """I - G of channel j of pixel k; 0 if there is no such channel."""
    real = scratch.dtype.type
    if j < count(layout.channels):
        return real(sample(row, k, j, layout)) - scratch[GUIDE + j * PLANE + k]
    return real(0)


@helper
def differences(row, scratch, k, layout):
    """I - G of pixel k: four numbers, of which the first C count."""
    x0, x1 = difference(row, scratch, k, 0, layout), difference(row, scratch, k, 1, layout)
    return x0, x1, difference(row, scratch, k, 2, layout), difference(row, scratch, k, 3, layout)


@helper
def add(scratch, at, numbers, planes):
    """Add the first of four numbers at an index of one plane, and at the same index of the planes behind it.

    Neither a loop nor a sum of more than one constant and `at` would vectorise.
    """
    scratch[at] += numbers[0]
    if planes > 1:
        scratch[at + PLANE] += numbers[1]
    if planes > 2:
        scratch[at + 2 * PLANE] += numbers[2]
    if planes > 3:
        scratch[at + 3 * PLANE] += numbers[3]


@helper
def add_box(row, scratch, n, cover, layout):
    """Add the values of n pixels of one row to the planes SUM."""
    for k in range(n):
        v0, v1 = value(row, scratch, k, 0, layout), value(row, scratch, k, 1, layout)
        v2, v3 = value(row, scratch, k, 2, layout), value(row, scratch, k, 3, layout)
        numbers = cover * v0, cover * v1, cover * v2, cover * v3
        add(scratch, SUM + k, numbers, count(layout.channels))


@helper
def add_box_of_rows(rows, scratch, n, layout):
    """`add_box` for two or four whole rows at once, which reads and writes the planes less often."""
    for k in range(n):
        add(scratch, SUM + k, sum_of_rows(rows, scratch, k, layout), count(layout.channels))


@helper
def add_box_rows(pixels, ys, row, tile, scratch, layout):
    """Add all source rows of one output row to the planes SUM."""
    one = scratch.dtype.type(1)
    c0, n = samples(layout) * tile[2], tile[3] - tile[2]
    y, stop = tiles.begin_of(ys, row), ys.first[row + 1]
    whole = stop if tiles.coverage(ys, row, stop - 1) == one else stop - 1
    while y < stop:
        line = pixels[y][c0:]
        if tiles.coverage(ys, row, y) < one or y + 1 >= whole:
            add_box(line, scratch, n, tiles.coverage(ys, row, y), layout)
            y += 1
        elif y + 3 >= whole:
            add_box_of_rows((line, pixels[y + 1][c0:]), scratch, n, layout)
            y += 2
        else:
            rows = (line, pixels[y + 1][c0:], pixels[y + 2][c0:], pixels[y + 3][c0:])
            add_box_of_rows(rows, scratch, n, layout)
            y += 4


@helper
def add_range(row, scratch, n, cover, layout, reward):
    """Add u of n pixels to the planes SUM, and keep the largest u in the planes WEIGHT."""
    planes = 1 if is_set(reward.joint) else count(layout.channels)
    for k in range(n):
        u0, u1, u2, u3 = distances(differences(row, scratch, k, layout), reward)
        add(scratch, SUM + k, (cover * u0, cover * u1, cover * u2, cover * u3), planes)
        scratch[WEIGHT + k] = max(scratch[WEIGHT + k], u0)
        if planes > 1:
            scratch[WEIGHT + PLANE + k] = max(scratch[WEIGHT + PLANE + k], u1)
        if planes > 2:
            scratch[WEIGHT + 2 * PLANE + k] = max(scratch[WEIGHT + 2 * PLANE + k], u2)
        if planes > 3:
            scratch[WEIGHT + 3 * PLANE + k] = max(scratch[WEIGHT + 3 * PLANE + k], u3)


@helper
def scaled(u, scratch, k, reward):
    """u divided by the largest u of its window, at most 1.

    A straddler that its window does not reach may be larger: its coverage is 0, but infinity times 0 is not.
    """
    one = scratch.dtype.type(1)
    u0 = min(u[0] * scratch[SCALE + k], one)
    if is_set(reward.joint):
        return u0, u0, u0, u0
    u1 = min(u[1] * scratch[SCALE + PLANE + k], one)
    u2 = min(u[2] * scratch[SCALE + 2 * PLANE + k], one)
    return u0, u1, u2, min(u[3] * scratch[SCALE + 3 * PLANE + k], one)


@helper
def weighed(row, scratch, k, cover, task, layout, reward):
    """Weights and weighted differences of pixel k: four numbers each, of which the first C count."""
    x = differences(row, scratch, k, layout)
    u = distances(x, reward)
    if choice(task) == SCALED_DETAIL:
        u = scaled(u, scratch, k, reward)
    return weights_and_products(x, u, cover, reward, layout.channels)


@helper
def add_detail(row, other, scratch, n, cover, other_cover, task, layout, reward, two):
    """Add the weights and the weighted differences of n pixels to the planes WEIGHT and SUM.

    If `two` is set, add the pixels of the `other` row too: the planes are read and written half as often.
    """
    c = count(layout.channels)
    for k in range(n):
        f, e = weighed(row, scratch, k, cover, task, layout, reward)
        if is_set(two):
            g, d = weighed(other, scratch, k, other_cover, task, layout, reward)
            f = f[0] + g[0], f[1] + g[1], f[2] + g[2], f[3] + g[3]
            e = e[0] + d[0], e[1] + d[1], e[2] + d[2], e[3] + d[3]
        add(scratch, WEIGHT + k, f, 1 if is_set(reward.joint) else c)
        add(scratch, SUM + k, e, c)


@helper
def add_range_rows(pixels, ys, row, xs, tile, layout, reward, scratch, straddlers):
    """Add all source rows of one output row to the planes of RANGE, with their straddlers."""
    _, _, c0, c1, m = tile
    for y in range(tiles.begin_of(ys, row), ys.first[row + 1]):
        cover = tiles.coverage(ys, row, y)
        add_range(pixels[y][samples(layout) * c0 :], scratch, c1 - c0, cover, layout, reward)
        if m > 0:
            gather(pixels[y], straddlers, xs, tile, layout)
            add_range(straddlers, scratch[TILE:], m, cover, layout, reward)


@helper
def add_detail_rows(pixels, ys, row, xs, tile, task, layout, reward, scratch, straddlers):
    """Add all source rows of one output row to the planes of DETAIL, two at a time, with their straddlers."""
    _, _, c0, c1, m = tile
    y, stop = tiles.begin_of(ys, row), ys.first[row + 1]
    others = straddlers[len(straddlers) // 2 :]
    while y < stop:
        z = min(y + 1, stop - 1)
        a, b = tiles.coverage(ys, row, y), tiles.coverage(ys, row, z)
        line, other = pixels[y][samples(layout) * c0 :], pixels[z][samples(layout) * c0 :]
        if z > y:
            add_detail(line, other, scratch, c1 - c0, a, b, task, layout, reward, YES)
        else:
            add_detail(line, other, scratch, c1 - c0, a, b, task, layout, reward, NO)
            b -= b
        if m > 0:
            gather(pixels[y], straddlers, xs, tile, layout)
            gather(pixels[z], others, xs, tile, layout)
            add_detail(straddlers, others, scratch[TILE:], m, a, b, task, layout, reward, YES)
        y = z + 1


@helper
def gather(row, straddlers, xs, tile, layout):
    """Copy the pixel before each window of a tile, side by side."""
    i0, i1, _, _, _ = tile
    c = samples(layout)
    for j in range(c):  # no pixel lies before the first window of the image: any will do
        straddlers[j] = row[c * max(xs.first[i0] - 1, 0) + j]
    start = i0 + 1
    if len(xs.run) == 0:
        for i in range(start, i1):
            for j in range(c):
                straddlers[c * (i - i0) + j] = row[c * (xs.first[i] - 1) + j]
        return
    while start < i1:
        stop = tiles.neighbours(xs, start, i1)
        tiles.copy(straddlers[c * (start - i0) :], row[c * (xs.first[start] - 1) :], c * (stop - start))
        start = stop


@helper
def prepare(scratch, guide, scale, xs, tile, task, layout, planes):
    """Clear the sums of a tile and give each column what it needs of its window."""
    buffer = scratch[BUFFER:]
    tiles.clear(scratch, SUM, count(layout.channels), tile)
    if choice(task) != BOX:
        tiles.clear(scratch, WEIGHT, planes, tile)
        spread(guide, scratch[GUIDE:], buffer, xs, tile)
    if choice(task) == SCALED_DETAIL:
        spread(scale, scratch[SCALE:], buffer, xs, tile)


@helper
def collect(scratch, total, weight, xs, tile, task):
    """Add the sums of a tile to those of its windows."""
    buffer = scratch[BUFFER:]
    if choice(task) == RANGE:
        fold(scratch[SUM:], buffer, total[: len(weight)], xs, tile)
        for j in range(len(weight)):
            tiles.fold_max(scratch[WEIGHT + j * PLANE :], weight[j], xs, tile)
    else:
        fold(scratch[SUM:], buffer, total, xs, tile)
        if choice(task) != BOX:
            fold(scratch[WEIGHT:], buffer, weight, xs, tile)


@helper
def divide(line, divisor):
    """Divide all values of a line; by a power of two it is a multiplication, as exact and faster."""
    one = line.dtype.type(1)
    odd = divisor
    while odd > one:
        odd /= one + one
    if odd == one:
        factor = one / divisor
        for i in range(len(line)):
            line[i] *= factor
    else:
        for i in range(len(line)):
            line[i] /= divisor


@kernel(fastmath=FAST)
def sweep_rows(
    pixels, ys, xs, start, stop, guide, scale, task, layout, reward, scratch, straddlers, total, weight
):
    """Sum up every window of the output rows start .. stop-1.

    Parameters
    ----------
    pixels : (H, W * C) or, packed, (H, W) ndarray
        Read-only.
    ys, xs : Axis
    start, stop : int
    guide : (stop - start, C, w) ndarray
        Guidance of each window, on the scale of the pixels; not read by BOX.
    scale : (stop - start, P, w) ndarray
        Factor of u in each window; read by SCALED_DETAIL only.
    task : flag
        What to add up: BOX, RANGE, DETAIL, SCALED_DETAIL.
    layout : Layout
    reward : Reward
    scratch : (SCRATCH,) ndarray
        Working memory: float32 or float64, the precision of all results.
    straddlers : (2 * TILE * C,), packed (2 * TILE,), or (0,) ndarray
        Like `pixels`; empty where no window boundary cuts a column.
    total : (stop - start, C, w) ndarray
        Filled: the means for BOX, the sum of u for RANGE, the weighted differences for the others.
    weight : (stop - start, P, w) ndarray
        Filled: the largest u for RANGE, the weights for the others. P is the number of distances,
        1 or C, or 0 for BOX.
    """
    c = count(layout.channels)
    planes = weight.shape[1]
    real = scratch.dtype.type
    area = real(ys.first[-1]) / real(len(ys.first) - 1) * (real(xs.first[-1]) / real(len(xs.first) - 1))
    last = scratch[LAST:]
    for row in range(start, stop):
        r = row - start
        total[r] = 0
        weight[r] = 0
        c0 = 0
        while c0 < xs.first[-1]:
            tile = tiles.tile_at(c0, xs, len(straddlers) > 0)
            prepare(scratch, guide[r], scale[r], xs, tile, task, layout, planes)
            if choice(task) == BOX:
                add_box_rows(pixels, ys, row, tile, scratch, layout)
                for j in range(c if tile[4] > 0 else 0):
                    plane = scratch[SUM + j * PLANE :]
                    before, last[j] = last[j], plane[tile[3] - c0 - 1]
                    tiles.straddlers_of_sums(plane, before, xs, tile)
            elif choice(task) == RANGE:
                add_range_rows(pixels, ys, row, xs, tile, layout, reward, scratch, straddlers)
            else:
                add_detail_rows(pixels, ys, row, xs, tile, task, layout, reward, scratch, straddlers)
            collect(scratch, total[r], weight[r], xs, tile, task)
            c0 = tile[3]
        for j in range(c if choice(task) == BOX else 0):
            divide(total[r, j], area)


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
