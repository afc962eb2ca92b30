"""Sums over windows near 1:1, of which most have one column of pixels of their own, and a part of another.

The planes of `windows`, with a number for each column and one for each straddler, would be filled and
folded for two pixels a window. Here planes have a number for each window. The *pair* of a window, its
straddler and its first column, is added in one turn. The few windows with two columns of their own take a
second turn::

    pixels    |  a  |  b  |  c  |  d  |  e  |  f  |
    windows   |  i0   |  i0+1 |  i0+2  |  i0+3  |
    pairs       a b?     a b     b c      c d         e: second turn of i0+3
"""

from __future__ import annotations

from dpid_cli.kernels import tiles
from dpid_cli.kernels.flags import YES, choice, count, helper
from dpid_cli.kernels.pixels import sample, samples
from dpid_cli.kernels.rewards import BOX, FAST_POWER
from dpid_cli.kernels.tiles import GUIDE, PLANE, SHORT, SUM, WEIGHT, add, copy
from dpid_cli.kernels.windows import PAIR, SECOND, add_detail

FEW = 16  # at most one of so many windows has two columns


@helper
def is_narrow(xs):
    """Whether these loops are the faster ones for the windows of an axis."""
    windows = len(xs.first) - 1
    return len(xs.run) > 0 and 0 < FEW * (xs.first[-1] - windows) <= windows


@helper
def cover_pairs(scratch, xs, i0, n):
    """Fill the planes PAIR and SECOND: how much of each pixel of its pair belongs to each window."""
    one = scratch.dtype.type(1)
    head = xs.head[i0:]
    for k in range(n):
        scratch[PAIR + k] = head[k]
        scratch[SECOND + k] = one - head[k + 1]
    if i0 == 0:  # has no pixel before it: its pair is its first pixel and any other
        scratch[PAIR], scratch[SECOND] = scratch[SECOND], one - one


@helper
def columns_of(xs, i):
    """How many columns begin in window i."""
    return xs.first[i + 1] - xs.first[i]


@helper
def stretch(xs, start, stop):
    """End, at most `stop`, of the windows from `start` on whose pairs lie side by side."""
    return tiles.neighbours(xs, start, stop) if start > 0 else 1


@helper
def turn(scratch, xs, start, last, second, i0):
    """Set the coverage in the last window of a stretch; returns its first window and pixel in this turn."""
    one = scratch.dtype.type(1)
    k = last - i0
    if second:
        scratch[PAIR + k], scratch[SECOND + k] = one - one, one - xs.head[last + 1]
        return last, xs.first[last]
    if columns_of(xs, last) > 1:
        scratch[(SECOND if last > 0 else PAIR) + k] = one
    return start, max(xs.first[start] - 1, 0)


@helper
def add_pairs(rows, scratch, n, covers, layout):
    """Add the values of n pairs, in a tuple of rows, to the planes SUM."""
    c = count(layout.channels)
    real = scratch.dtype.type
    for k in range(n):
        v0 = v1 = v2 = v3 = real(0)
        for r in range(len(rows)):
            for i in range(2):
                cover = covers[r] * (scratch[SECOND + k] if i > 0 else scratch[PAIR + k])
                v0 += cover * real(sample(rows[r], k + i, 0, layout))
                if c > 1:
                    v1 += cover * real(sample(rows[r], k + i, 1, layout))
                if c > 2:
                    v2 += cover * real(sample(rows[r], k + i, 2, layout))
                if c > 3:
                    v3 += cover * real(sample(rows[r], k + i, 3, layout))
        add(scratch, SUM + k, (v0, v1, v2, v3), c)


@helper
def add_pair_rows(pixels, ys, row, at, scratch, n, task, layout, reward):
    """Add n pairs in all source rows of one output row, from the index `at` of the rows on."""
    zero = scratch.dtype.type(0)
    y, stop = tiles.begin_of(ys, row), ys.first[row + 1]
    while y < stop:
        z = min(y + 1, stop - 1)
        covers = tiles.coverage(ys, row, y), tiles.coverage(ys, row, z) if z > y else zero
        rows = pixels[y][at:], pixels[z][at:]
        if choice(task) == BOX:
            add_pairs(rows, scratch, n, covers, layout)
        elif choice(reward.power) == FAST_POWER:  # so long that LLVM unrolls no loop over two rows
            add_detail(rows[:1], scratch, n, covers[:1], task, layout, reward, 2, 2, YES)
            if z > y:
                add_detail(rows[1:], scratch, n, covers[1:], task, layout, reward, 2, 2, YES)
        else:
            add_detail(rows, scratch, n, covers, task, layout, reward, 2, 2, YES)
        y += 2


@helper
def sum_narrow_row(pixels, ys, row, xs, guide, task, layout, reward, scratch, total, weight):
    """Sum up the windows of one output row, as `windows.weigh_row` for DETAIL; for BOX, into `total` only."""
    windows = len(xs.first) - 1
    for i0 in range(0, windows, SHORT):
        i1 = min(i0 + SHORT, windows)
        n = i1 - i0
        tiles.clear(scratch, SUM, len(total), (i0, i1, 0, n, 0))
        if choice(task) != BOX:
            tiles.clear(scratch, WEIGHT, len(weight), (i0, i1, 0, n, 0))
            for j in range(len(total)):
                copy(scratch[GUIDE + j * PLANE :], guide[j, i0:], n)
        cover_pairs(scratch, xs, i0, n)
        start = i0
        while start < i1:
            stop = stretch(xs, start, i1)
            for number in range(columns_of(xs, stop - 1)):
                first, pixel = turn(scratch, xs, start, stop - 1, number > 0, i0)
                part = scratch[first - i0 :]
                add_pair_rows(
                    pixels, ys, row, samples(layout) * pixel, part, stop - first, task, layout, reward
                )
            start = stop
        for j in range(len(total)):
            copy(total[j, i0:], scratch[SUM + j * PLANE :], n)
        for j in range(len(weight) if choice(task) != BOX else 0):
            copy(weight[j, i0:], scratch[WEIGHT + j * PLANE :], n)
