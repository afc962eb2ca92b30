"""How kernels cut a row of pixels into tiles and lay out their working memory in planes.

A kernel sweeps the source rows of one output row tile by tile. A *tile* is a piece of at most TILE columns
that ends with a whole window where it can. A *plane* holds one number per column of the tile (a sum, a
weight, or the guidance of the column's window). Down the rows, kernels add pixels to planes: these inner
loops run over contiguous memory and vectorise. At the end they add up the columns of each window.

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
"""

from __future__ import annotations

from dpid_cli.kernels.flags import helper

TILE = 1024
PLANE = 2 * TILE + 32  # not a power of two: planes would share cache sets
# Where the planes begin in `scratch`: guidance, sums, weights and factors, of up to four channels each.
GUIDE, SUM, WEIGHT, SCALE = 0, 4 * PLANE, 8 * PLANE, 12 * PLANE
BUFFER = 16 * PLANE


@helper
def window_of(column, xs):
    """The window in which a column starts."""
    return column * (len(xs.first) - 1) // xs.first[-1]


@helper
def tile_at(c0, xs, cut):
    """The tile ``(i0, i1, c0, c1, m)`` that begins at column c0, and ends with a whole window if one fits.

    It has the windows i0 .. i1-1, the columns c0 .. c1-1 and m straddlers: one per window if windows are cut.
    """
    c1 = min(c0 + TILE, xs.first[-1])
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
def copy(target, source, n):
    """Copy n values."""
    for k in range(n):
        target[k] = source[k]
