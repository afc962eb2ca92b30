"""How kernels cut a row of pixels into tiles and lay out their working memory in planes.

A kernel sweeps the source rows of one output row tile by tile. A *tile* is a piece of at most TILE columns
that ends with a whole window where it can. Means are taken over long tiles, because memory is read faster
without jumps; weights over short ones, because their planes are read and written more often. A *plane* holds
one number per column of the tile (a sum, a weight, or the guidance of the column's window). Down the rows,
kernels add pixels to planes: these inner loops run over contiguous memory and vectorise. At the end they add
up the columns of each window.

A window boundary may cut a pixel, as those below cut c and h. Such a pixel belongs to two windows, which
compare it with different guidance. So it appears twice in a plane: among the columns, for the window in which
it starts, and as a *straddler*, for the next window::

    pixels    |  a  |  b  |  c  |  d  |  e  |  f  |  g  |  h  |  i  |  j  |
    windows   |     i0       |     i0+1     |     i0+2     |     i0+3     |

    plane     a  b  c  d  e  f  g  h  i  j  ...   -  c  e  h  ...
              0: the columns of the tile          TILE: the pixel before each window

A sum over a window counts whole pixels fully, its last column by ``1 - head`` of the next window, and its
straddler by its own ``head``, which is 0 where no pixel is cut, as for e.

All planes lie in one array, `scratch`, at distances that the compiler knows. It needs no proof that they do
not overlap.

`spread` gives each column the value of its window, and `fold` adds the columns of each window up. Loops whose
length is a constant vectorise; the code for windows of one to five columns is therefore compiled for each
width, and wider windows are handled as multiples of these.
"""

from __future__ import annotations

from dpid_cli.kernels.flags import NO, YES, helper, inlined, is_set

TILE = 8192
SHORT = 512  # columns of a tile whose planes stay in the fastest cache
PLANE = 2 * TILE + 32  # not a power of two: planes would share cache sets
# Where the planes begin in `scratch`: guidance, sums, weights and factors, of up to four channels each.
GUIDE, SUM, WEIGHT, SCALE = 0, 4 * PLANE, 8 * PLANE, 12 * PLANE
BUFFER = 16 * PLANE
LAST = BUFFER + TILE  # of the column before a tile, up to four channels
LIGHT = LAST + 4  # of two rows, up to four channels each
# The widest windows with loops of their own; the compiler interleaves no more.
MOST = 5
GROUP = 4  # the most pixels side by side that are summed up before they are added to a plane


@helper
def window_of(column, xs):
    """The window in which a column starts."""
    return column * (len(xs.first) - 1) // xs.first[-1]


@helper
def tile_at(c0, xs, cut, length):
    """The tile ``(i0, i1, c0, c1, m)`` that begins at column c0, and ends with a whole window if one fits.

    It has at most `length` columns, up to TILE: the windows i0 .. i1-1, the columns c0 .. c1-1 and m
    straddlers, one per window if windows are cut.
    """
    c1 = min(c0 + length, xs.first[-1])
    if c1 < xs.first[-1]:
        whole = xs.first[window_of(c1, xs)]
        c1 = whole if whole > c0 else c1
    i0, i1 = window_of(c0, xs), window_of(c1 - 1, xs) + 1
    return i0, i1, c0, c1, (i1 - i0 if cut else 0)


@helper
def has_whole_windows(xs, tile):
    """Whether a tile consists of whole windows."""
    i0, i1, c0, c1, _ = tile
    return xs.first[i0] == c0 and xs.first[i1] == c1


@helper
def begin_of(axis, i):
    """First pixel of window i along an axis."""
    return axis.first[i] - (1 if axis.head[i] > 0 else 0)


@helper
def coverage(axis, i, k):
    """How much of pixel k belongs to window i along an axis, from 0 to 1."""
    one = axis.head.dtype.type(1)
    if k < axis.first[i]:
        return axis.head[i]
    if k == axis.first[i + 1] - 1:
        return one - axis.head[i + 1]
    return one


@helper
def clear(scratch, plane, planes, tile):
    """Zero the columns and straddlers of a tile in some planes."""
    _, _, c0, c1, m = tile
    for p in range(planes):
        scratch[plane + p * PLANE :][: c1 - c0] = 0
        scratch[plane + p * PLANE + TILE :][:m] = 0


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
def copy(target, source, n):
    """Copy n values."""
    for k in range(n):
        target[k] = source[k]


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
        regroup_constant(values, target, n, 1, adding)
    elif p == 2:
        regroup_constant(values, target, n, 2, adding)
    elif p == 3:
        regroup_constant(values, target, n, 3, adding)
    elif p == 4:
        regroup_constant(values, target, n, 4, adding)
    else:
        regroup_constant(values, target, n, 5, adding)


@inlined
def regroup_constant(values, target, n, p, adding):
    """`regroup` by a number that the compiler knows: only then the loop vectorises."""
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
