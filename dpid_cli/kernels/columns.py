"""From the windows of a tile to its columns and back: `spread` repeats values, `fold` adds them up.

`tiles` explains tiles, planes and straddlers. Loops whose length is a constant vectorise; the code for
windows of one to five columns is therefore compiled for each width, and wider windows are handled as
multiples of these.
"""

from __future__ import annotations

from dpid_cli.kernels.flags import NO, YES, count, flag, helper, is_set
from dpid_cli.kernels.tiles import PLANE, TILE, copy, has_whole_windows

# The widest windows with loops of their own; the compiler interleaves no more.
MOST = 5
ONE, TWO, THREE, FOUR, FIVE = (flag(p) for p in range(1, MOST + 1))


@helper
def neighbours(xs, start, stop):
    """End, at most `stop`, of the windows from `start` on whose cut pixels are neighbours."""
    if xs.first[start + 1] - xs.first[start] == 1:
        return min(xs.run[start] + 1, stop)
    return start + 1


@helper
def divisor(p):
    """The largest divisor of p up to MOST."""
    for d in range(MOST, 1, -1):
        if p % d == 0:
            return d
    return 1


@helper
def spread(values, planes, buffer, xs, tile):
    """Give each column and straddler of a tile the value of its window: one row of values per plane."""
    first = xs.first
    i0, i1, c0, _, m = tile
    for j in range(len(values) if m > 0 else 0):
        copy(planes[j * PLANE + TILE :], values[j, i0:], m)
    if not has_whole_windows(xs, tile):
        for j in range(len(values)):
            spread_parts(values[j], planes[j * PLANE :], first, tile)
    elif len(xs.run) > 0:
        start = i0
        while start < i1:
            stop = min(xs.run[start], i1)
            p = first[start + 1] - first[start]
            for j in range(len(values)):
                spread_evenly(values[j, start:stop], planes[j * PLANE + first[start] - c0 :], buffer, p)
            start = stop
    else:
        shortest = first[-1] // (len(first) - 1)
        for j in range(len(values)):
            spread_unevenly(values[j, i0:i1], planes[j * PLANE :], first[i0:], c0, shortest)


@helper
def spread_parts(values, plane, first, tile):
    """`spread` for windows that may reach beyond the tile."""
    i0, i1, c0, c1, _ = tile
    for i in range(i0, i1):
        plane[max(first[i], c0) - c0 : min(first[i + 1], c1) - c0] = values[i]


@helper
def spread_evenly(values, plane, buffer, p):
    """Repeat each value p times."""
    n = len(values)
    d = p if p <= MOST else divisor(p)
    if p > MOST * d:
        for i in range(n):
            plane[i * p : (i + 1) * p] = values[i]
        return
    if p > d:
        regroup(values, buffer, n, p // d, NO)
        values, n = buffer, n * (p // d)
    regroup(values, plane, n, d, NO)


@helper
def regroup(values, target, n, p, adding):
    """Repeat each of n values p times, 1 to MOST; or, if `adding`, add each p values to one of n numbers."""
    if p == 1:
        regroup_constant(values, target, n, ONE, adding)
    elif p == 2:
        regroup_constant(values, target, n, TWO, adding)
    elif p == 3:
        regroup_constant(values, target, n, THREE, adding)
    elif p == 4:
        regroup_constant(values, target, n, FOUR, adding)
    else:
        regroup_constant(values, target, n, FIVE, adding)


@helper
def regroup_constant(values, target, n, each, adding):
    """`regroup` by a number that the compiler knows: only then the loop vectorises."""
    p = count(each)
    for i in range(n):
        if is_set(adding):
            value = values[p * i]
            for k in range(1, p):
                value += values[p * i + k]
            target[i] += value
        else:
            for k in range(p):
                target[p * i + k] = values[i]


@helper
def spread_unevenly(values, plane, first, c0, shortest):
    """Repeat each value `shortest` times or once more, four at a time."""
    m = len(values)
    for i in range(m):
        plane[first[i + 1] - 1 - c0] = values[i]
    k = 0
    while k + 4 <= shortest:
        for i in range(m):
            a = first[i] - c0 + k
            plane[a] = plane[a + 1] = plane[a + 2] = plane[a + 3] = values[i]
        k += 4
    for j in range(k, shortest):
        for i in range(m):
            plane[first[i] - c0 + j] = values[i]


@helper
def fold(planes, buffer, total, xs, tile):
    """Add the sums of the windows, weighted by coverage, to `total`, one row per plane; spoils the planes."""
    first, head = xs.first, xs.head
    i0, i1, c0, _, m = tile
    if not has_whole_windows(xs, tile):
        for j in range(len(total)):
            fold_parts(planes[j * PLANE :], total[j], xs, tile)
        return
    for j in range(len(total) if m > 0 else 0):
        add_products(total[j, i0:], head[i0:], planes[j * PLANE + TILE :], m)
    if len(xs.run) > 0:
        start = i0
        while start < i1:
            stop = min(xs.run[start], i1)
            p = first[start + 1] - first[start]
            for j in range(len(total)):
                part = planes[j * PLANE + first[start] - c0 :]
                if m > 0:
                    keep_tails(part, head[start + 1 :], stop - start, p)
                fold_evenly(part, buffer, total[j, start:stop], p)
            start = stop
    else:
        shortest = first[-1] // (len(first) - 1)
        for j in range(len(total)):
            fold_unevenly(planes[j * PLANE :], total[j, i0:i1], first[i0:], head[i0:], c0, shortest)


@helper
def add_products(total, a, b, n):
    """Add n products; slices from 0 on, because only then the loop vectorises."""
    for k in range(n):
        total[k] += a[k] * b[k]


@helper
def keep_tails(plane, next_head, m, p):
    """Scale the last pixel of each window of p pixels by what the next one leaves of it."""
    one = plane.dtype.type(1)
    if p == 1:
        for i in range(m):
            plane[i] *= one - next_head[i]
    else:
        for i in range(m):
            plane[i * p + p - 1] *= one - next_head[i]


@helper
def fold_evenly(plane, buffer, total, p):
    """Add the sum of each p values."""
    m, d = len(total), divisor(p) if p > MOST else 1
    while p > MOST and d > 1:
        p //= d
        buffer[: m * p] = 0
        regroup(plane, buffer, m * p, d, YES)
        plane, buffer = buffer, plane
        d = divisor(p)
    if p <= MOST:
        regroup(plane, total, m, p, YES)
        return
    for i in range(m):
        value = plane[i * p]
        for k in range(1, p):
            value += plane[i * p + k]
        total[i] += value


@helper
def fold_unevenly(plane, total, first, head, c0, shortest):
    """Sum up `shortest` values or one more for each window, four at a time."""
    m = len(total)
    one = plane.dtype.type(1)
    for i in range(m):
        tail = first[i + 1] - 1
        last = plane[tail - c0] * (one - head[i + 1])
        plane[tail - c0] = last
        total[i] += last if tail - first[i] == shortest else one - one
    k = 0
    while k + 4 <= shortest:
        for i in range(m):
            a = first[i] - c0 + k
            total[i] += (plane[a] + plane[a + 1]) + (plane[a + 2] + plane[a + 3])
        k += 4
    for j in range(k, shortest):
        for i in range(m):
            total[i] += plane[first[i] - c0 + j]


@helper
def fold_parts(plane, total, xs, tile):
    """`fold` for windows that may reach beyond the tile."""
    first, head = xs.first, xs.head
    i0, i1, c0, c1, _ = tile
    for i in range(i0, i1):
        a, b = max(first[i], c0) - c0, min(first[i + 1], c1) - c0
        value = plane[a]
        for k in range(a + 1, b):
            value += plane[k]
        if first[i + 1] <= c1:
            value -= head[i + 1] * plane[b - 1]
        if first[i] >= c0 and head[i] > 0:
            value += head[i] * plane[TILE + i - i0]
        total[i] += value


@helper
def fold_max(plane, largest, xs, tile):
    """Like `fold_parts`, for the largest value; every pixel with positive coverage takes part."""
    first, head = xs.first, xs.head
    i0, i1, c0, c1, _ = tile
    for i in range(i0, i1):
        value = largest[i]
        for k in range(max(first[i], c0) - c0, min(first[i + 1], c1) - c0):
            value = max(value, plane[k])
        if first[i] >= c0 and head[i] > 0:
            value = max(value, plane[TILE + i - i0])
        largest[i] = value


@helper
def straddlers_of_sums(plane, before, xs, tile):
    """Fill the straddlers of a plane of column sums; `before` is the sum of the column before the tile."""
    i0, i1, c0, _, _ = tile
    straddlers = plane[TILE:]
    straddlers[0] = before
    start = i0 + 1
    if len(xs.run) == 0:
        for i in range(start, i1):
            straddlers[i - i0] = plane[xs.first[i] - 1 - c0]
        return
    while start < i1:
        stop = neighbours(xs, start, i1)
        copy(straddlers[start - i0 :], plane[xs.first[start] - 1 - c0 :], stop - start)
        start = stop
