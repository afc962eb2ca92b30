"""Sums over windows, for the box filter, DPID and DPP: the loops over the pixels of one output row.

`tiles` explains how a row is cut into tiles and where the sums are kept. If windows are whole pixels wide,
the columns of a tile are *groups* of up to four pixels, the largest divisor of that width: the pixels of a
group are summed up in registers, and the sums of a group are one number of a plane.

`mean_row` adds up values. `weigh_row` does one of three tasks: RANGE adds up u and keeps its largest value,
and DETAIL and SCALED_DETAIL add up weights and weighted differences. `rolling` turns them into pixels row by
row; `sweep_rows` stores them for what needs the numbers of many rows at a time.
"""

from __future__ import annotations

from dpid_cli.kernels import tiles
from dpid_cli.kernels.flags import NO, choice, count, formula, helper, inlined, is_set
from dpid_cli.kernels.jit import FAST, kernel
from dpid_cli.kernels.pixels import sample, samples, sum_of_pixels
from dpid_cli.kernels.rewards import BOX, FAST_POWER, RANGE, SCALED_DETAIL, distances, products, weights
from dpid_cli.kernels.tiles import (
    BUFFER,
    GUIDE,
    LAST,
    LIGHT,
    PLANE,
    SCALE,
    SHORT,
    SUM,
    TILE,
    WEIGHT,
    add,
    fold,
    spread,
)

SCRATCH = LIGHT + 8 * PLANE
PAIR, SECOND = SCALE, SCALE + PLANE  # of `narrow`, which has no factors


@formula
def difference(row, scratch, k, at, j, layout):
    """I - G of channel j of pixel k, with G at an index of the planes; 0 if there is no such channel."""
    real = scratch.dtype.type
    if j < count(layout.channels):
        return real(sample(row, k, j, layout)) - scratch[GUIDE + j * PLANE + at]
    return real(0)


@formula
def differences(row, scratch, k, at, layout):
    """I - G of pixel k: four numbers, of which the first C count."""
    x0, x1 = difference(row, scratch, k, at, 0, layout), difference(row, scratch, k, at, 1, layout)
    return x0, x1, difference(row, scratch, k, at, 2, layout), difference(row, scratch, k, at, 3, layout)


@inlined
def add_box(rows, scratch, n, cover, layout, d):
    """Add the values of n groups of d pixels in a tuple of rows to the planes SUM."""
    for k in range(n):
        v0, v1, v2, v3 = sum_of_pixels(rows, scratch, k, layout, d)
        numbers = cover * v0, cover * v1, cover * v2, cover * v3
        add(scratch, SUM + k, numbers, count(layout.channels))


@helper
def add_groups(rows, scratch, n, cover, layout, d):
    """`add_box` for groups of d pixels, 1 to GROUP."""
    if d == 1:
        add_box(rows, scratch, n, cover, layout, 1)
    elif is_set(layout.packed) or count(layout.channels) == 1:
        if d == 2:
            add_box(rows, scratch, n, cover, layout, 2)
        elif d == 3:
            add_box(rows, scratch, n, cover, layout, 3)
        else:
            add_box(rows, scratch, n, cover, layout, 4)


@helper
def add_box_rows(pixels, ys, row, tile, d, scratch, layout):
    """Add all source rows of one output row to the planes SUM, whole rows four or two at a time."""
    one = scratch.dtype.type(1)
    c0, n = samples(layout) * d * tile[2], tile[3] - tile[2]
    y, stop = tiles.begin_of(ys, row), ys.first[row + 1]
    whole = stop if tiles.coverage(ys, row, stop - 1) == one else stop - 1
    while y < stop:
        line = pixels[y][c0:]
        if tiles.coverage(ys, row, y) < one or y + 1 >= whole:
            add_groups((line,), scratch, n, tiles.coverage(ys, row, y), layout, d)
            y += 1
        elif y + 3 >= whole:
            add_groups((line, pixels[y + 1][c0:]), scratch, n, one, layout, d)
            y += 2
        else:
            rows = (line, pixels[y + 1][c0:], pixels[y + 2][c0:], pixels[y + 3][c0:])
            add_groups(rows, scratch, n, one, layout, d)
            y += 4


@helper
def add_range(row, scratch, n, cover, layout, reward):
    """Add u of n pixels to the planes SUM, and keep the largest u in the planes WEIGHT."""
    planes = 1 if is_set(reward.joint) else count(layout.channels)
    for k in range(n):
        u0, u1, u2, u3 = distances(differences(row, scratch, k, k, layout), reward)
        add(scratch, SUM + k, (cover * u0, cover * u1, cover * u2, cover * u3), planes)
        scratch[WEIGHT + k] = max(scratch[WEIGHT + k], u0)
        if planes > 1:
            scratch[WEIGHT + PLANE + k] = max(scratch[WEIGHT + PLANE + k], u1)
        if planes > 2:
            scratch[WEIGHT + 2 * PLANE + k] = max(scratch[WEIGHT + 2 * PLANE + k], u2)
        if planes > 3:
            scratch[WEIGHT + 3 * PLANE + k] = max(scratch[WEIGHT + 3 * PLANE + k], u3)


@formula
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


@formula
def weighed(row, scratch, k, at, cover, task, layout, reward):
    """Weights and weighted differences of pixel k: four numbers each, of which the first C count."""
    x = differences(row, scratch, k, at, layout)
    u = distances(x, reward)
    if choice(task) == SCALED_DETAIL:
        u = scaled(u, scratch, at, reward)
    f = weights(u, cover, reward, layout.channels)
    return f, products(f, x)


@inlined
def add_detail(rows, scratch, n, covers, task, layout, reward, d, each, paired):
    """Add weights and weighted differences to WEIGHT and SUM: the first `each` of every d pixels, n times.

    `rows` and `covers` are tuples. The pixels of a group, in all rows, are summed up before the planes are
    read and written. If `paired`, groups are the pairs of `narrow`, further covered by PAIR and SECOND.
    """
    c = count(layout.channels)
    zero = scratch.dtype.type(0)
    for k in range(n):
        f0 = f1 = f2 = f3 = e0 = e1 = e2 = e3 = zero
        for r in range(len(rows)):
            for i in range(each):
                at, cover = d * k + i, covers[r]
                if is_set(paired):
                    at, cover = k + i, cover * (scratch[SECOND + k] if i > 0 else scratch[PAIR + k])
                f, e = weighed(rows[r], scratch, at, k, cover, task, layout, reward)
                f0, f1, f2, f3 = f0 + f[0], f1 + f[1], f2 + f[2], f3 + f[3]
                e0, e1, e2, e3 = e0 + e[0], e1 + e[1], e2 + e[2], e3 + e[3]
        add(scratch, WEIGHT + k, (f0, f1, f2, f3), 1 if is_set(reward.joint) else c)
        add(scratch, SUM + k, (e0, e1, e2, e3), c)


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
def add_grouped(rows, scratch, n, covers, d, task, layout, reward):
    """Add n groups of d pixels, from two rows or from the first; returns the number of rows."""
    line, other = rows
    if choice(reward.power) == FAST_POWER and not is_set(reward.joint):
        for i in range(d):  # so long that LLVM unrolls no loop over a group
            each = line[i * samples(layout) :], other[i * samples(layout) :]
            if d == 2:
                add_detail(each, scratch, n, covers, task, layout, reward, 2, 1, NO)
            elif d == 3:
                add_detail(each, scratch, n, covers, task, layout, reward, 3, 1, NO)
            else:
                add_detail(each, scratch, n, covers, task, layout, reward, 4, 1, NO)
        return 2
    if d == 2:
        add_detail(rows, scratch, n, covers, task, layout, reward, 2, 2, NO)
        return 2
    if d == 3:
        add_detail((line,), scratch, n, covers[:1], task, layout, reward, 3, 3, NO)
    elif choice(reward.power) == FAST_POWER:  # so long that LLVM unrolls two
        both, halves = (covers[0], covers[0]), (line, line[2 * samples(layout) :])
        add_detail(halves, scratch, n, both, task, layout, reward, 4, 2, NO)
    else:
        add_detail((line,), scratch, n, covers[:1], task, layout, reward, 4, 4, NO)
    return 1


@helper
def add_detail_rows(pixels, ys, row, xs, tile, d, task, layout, reward, scratch, straddlers):
    """Add all source rows of one output row to the planes of DETAIL, with their straddlers.

    If there is no second row, the first replaces it with coverage 0.
    """
    _, _, c0, c1, m = tile
    y, stop, n = tiles.begin_of(ys, row), ys.first[row + 1], c1 - c0
    zero = scratch.dtype.type(0)
    at, others = samples(layout) * d * c0, straddlers[len(straddlers) // 2 :]
    while y < stop:
        z = min(y + 1, stop - 1)
        covers = tiles.coverage(ys, row, y), tiles.coverage(ys, row, z) if z > y else zero
        rows = pixels[y][at:], pixels[z][at:]
        if d == 1:
            add_detail(rows, scratch, n, covers, task, layout, reward, 1, 1, NO)
            if m > 0:
                gather(pixels[y], straddlers, xs, tile, layout)
                gather(pixels[z], others, xs, tile, layout)
                add_detail((straddlers, others), scratch[TILE:], m, covers, task, layout, reward, 1, 1, NO)
            y += 2
        elif is_set(layout.packed) or count(layout.channels) == 1:
            y += add_grouped(rows, scratch, n, covers, d, task, layout, reward)


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


@helper
def area_of(ys, xs, width, zero):
    """Pixels of a window, as a number of the type of `zero`, in an image `width` pixels wide."""
    real = type(zero)
    height = real(ys.first[-1] - ys.first[0]) / real(len(ys.first) - 1)
    return height * (real(width) / real(len(xs.first) - 1))


@helper
def divide_by_area(means, ys, xs, width):
    """Divide sums over whole windows by the area of one, in an image `width` pixels wide."""
    area = area_of(ys, xs, width, means.dtype.type(0))
    for j in range(len(means)):
        divide(means[j], area)


@helper
def mean_row(pixels, ys, row, xs, layout, scratch, straddlers, means):
    """Fill `means`, (C, w), with the means of the windows of one output row."""
    c, width = count(layout.channels), pixels.shape[1] // samples(layout)
    last, d = scratch[LAST:], width // xs.first[-1]
    means[:] = 0
    c0 = 0
    while c0 < xs.first[-1]:
        tile = tiles.tile_at(c0, xs, len(straddlers) > 0, TILE)
        tiles.clear(scratch, SUM, c, tile)
        add_box_rows(pixels, ys, row, tile, d, scratch, layout)
        for j in range(c if tile[4] > 0 else 0):
            plane = scratch[SUM + j * PLANE :]
            before, last[j] = last[j], plane[tile[3] - c0 - 1]
            tiles.straddlers_of_sums(plane, before, xs, tile)
        fold(scratch[SUM:], scratch[BUFFER:], means, xs, tile)
        c0 = tile[3]
    divide_by_area(means, ys, xs, width)


@helper
def weigh_row(
    pixels, ys, row, xs, guide, scale, task, layout, reward, scratch, straddlers, total, weight
):  # fmt: skip
    """Sum up the windows of one output row: `sweep_rows` without BOX, for arrays without the axis of rows."""
    d = pixels.shape[1] // samples(layout) // xs.first[-1]
    total[:] = 0
    weight[:] = 0
    c0 = 0
    while c0 < xs.first[-1]:
        tile = tiles.tile_at(c0, xs, len(straddlers) > 0, SHORT)
        prepare(scratch, guide, scale, xs, tile, task, layout, len(weight))
        if choice(task) == RANGE:
            add_range_rows(pixels, ys, row, xs, tile, layout, reward, scratch, straddlers)
        else:
            add_detail_rows(pixels, ys, row, xs, tile, d, task, layout, reward, scratch, straddlers)
        collect(scratch, total, weight, xs, tile, task)
        c0 = tile[3]


@kernel(fastmath=FAST)
def sweep_rows(
    pixels, ys, xs, start, stop, guide, scale, task, layout, reward, scratch, straddlers, total, weight
):
    """Sum up every window of the output rows start .. stop-1.

    Parameters
    ----------
    pixels : (n, W * C) or, packed, (n, W) ndarray
        Read-only: the image, or some of its rows.
    ys, xs : Axis
        If `pixels` begin with row t of the image, ``ys.first`` counts rows from there: ``ys.first[0]`` is -t.
        The columns of `xs` may be groups of up to GROUP pixels, but not for RANGE.
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
        Filled: the largest u for RANGE, the weights for the others; not for BOX. P is the number of
        distances, 1 or C.
    """
    for row in range(start, stop):
        r = row - start
        if choice(task) == BOX:
            mean_row(pixels, ys, row, xs, layout, scratch, straddlers, total[r])
        else:
            weigh_row(
                pixels, ys, row, xs, guide[r], scale[r], task, layout, reward, scratch, straddlers,
                total[r], weight[r],
            )  # fmt: skip
