"""From the windows of a row to its columns, and back: the values of windows spread, those of columns folded.

A tile, ``(i0, i1, c0, c1)``, is the part of a row that kernels work on at a time: the windows i0 .. i1-1 and
the columns c0 .. c1-1. A plane holds one number for each of its columns and, from TILE on, one for each of
its straddlers: of the window i0 + k the cut pixel before it.
"""

from __future__ import annotations

from dpid_cli.kernels.jit import helper

TILE = 1024


@helper
def window_of(column, xs):
    """The window in which a column starts."""
    return column * (len(xs.first) - 1) // xs.first[-1]


@helper
def tile_end(c0, xs):
    """End of the tile that begins at column c0: behind whole windows, where at least one fits."""
    end = c0 + TILE
    if end >= xs.first[-1]:
        return xs.first[-1]
    whole = xs.first[window_of(end, xs)]
    return whole if whole > c0 else end


@helper
def whole_windows(xs, tile):
    """Whether a tile consists of whole windows."""
    i0, i1, c0, c1 = tile
    return xs.first[i0] == c0 and xs.first[i1] == c1


@helper
def neighbours(xs, start, stop):
    """End, at most `stop`, of the windows from `start` on before which pixels lie that are neighbours."""
    if xs.first[start + 1] - xs.first[start] == 1:
        return min(xs.run[start] + 1, stop)
    return start + 1


@helper
def copy(target, source, n):
    """Copy n values."""
    for k in range(n):
        target[k] = source[k]


@helper
def halves(length):
    """How often `length` can be halved."""
    count = 0
    while length % 2 == 0:
        length //= 2
        count += 1
    return count


@helper
def spread(values, plane, buffer, xs, tile):
    """Give each column of a tile, and each straddler, its window's value."""
    first = xs.first
    i0, i1, c0, c1 = tile
    copy(plane[TILE:], values[i0:], i1 - i0)
    if not whole_windows(xs, tile):
        for i in range(i0, i1):
            plane[max(first[i], c0) - c0 : min(first[i + 1], c1) - c0] = values[i]
    elif len(xs.run) > 0:
        start = i0
        while start < i1:
            stop = min(xs.run[start], i1)
            p = first[start + 1] - first[start]
            spread_evenly(values[start:stop], plane[first[start] - c0 :], buffer, p)
            start = stop
    else:
        spread_unevenly(values[i0:i1], plane, first[i0:], c0, first[-1] // (len(first) - 1))


@helper
def spread_evenly(values, plane, buffer, p):
    """Repeat each value p times: by the odd part of p, then by doubling, which vectorises."""
    m = len(values)
    doublings = halves(p)
    odd = p >> doublings
    near, far = (plane, buffer) if doublings % 2 == 0 else (buffer, plane)
    spare = near
    if odd > 1 or doublings == 0:
        for k in range(odd):
            for i in range(m):
                near[i * odd + k] = values[i]
    else:
        near = values
    n = m * odd
    for _ in range(doublings):
        for k in range(n):
            far[2 * k] = near[k]
            far[2 * k + 1] = near[k]
        near, far, spare = far, spare, far
        n *= 2


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
def fold(plane, buffer, total, xs, tile, m):
    """Add the coverage-weighted sum of each window's part of a tile to `total`; spoils the plane.

    m is the number of straddlers: one per window, or 0 where no boundary cuts a column.
    """
    first, head = xs.first, xs.head
    i0, i1, c0, _ = tile
    if not whole_windows(xs, tile):
        fold_parts(plane, total, xs, tile)
        return
    add_products(total[i0:], head[i0:], plane[TILE:], m)
    if len(xs.run) > 0:
        start = i0
        while start < i1:
            stop = min(xs.run[start], i1)
            p = first[start + 1] - first[start]
            part = plane[first[start] - c0 :]
            if m > 0:
                keep_tails(part, head[start + 1 :], stop - start, p)
            fold_evenly(part, buffer, total[start:stop], p)
            start = stop
    else:
        fold_unevenly(plane, total[i0:i1], first[i0:], head[i0:], c0, first[-1] // (len(first) - 1))


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
    """Sum up each p values: halving, which vectorises, down to the odd part of p."""
    m = len(total)
    near, far = plane, buffer
    while p % 2 == 0 and p > 2:
        p //= 2
        for k in range(m * p):
            far[k] = near[2 * k] + near[2 * k + 1]
        near, far = far, near
    if p == 1:
        for i in range(m):
            total[i] += near[i]
    elif p == 2:
        for i in range(m):
            total[i] += near[2 * i] + near[2 * i + 1]
    elif p == 3:
        for i in range(m):
            total[i] += near[3 * i] + near[3 * i + 1] + near[3 * i + 2]
    else:
        for i in range(m):
            value = near[i * p]
            for k in range(1, p):
                value += near[i * p + k]
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
    i0, i1, c0, c1 = tile
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
    i0, i1, c0, c1 = tile
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
    i0, i1, c0, _ = tile
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
