"""DPID, DPP and the box filter in linear light: weights of encoded values, sums of light.

The output at a window is ``sum(c w L) / sum(c w)``, encoded again, where L is the light of a pixel. Its
coverage c and its weight w are those of encoded values (see `rewards`).

`split_rows` first lays out the pixels in planes of floats, one per channel, so that one compiled version
serves all types and numbers of channels. As in `tiles`, a plane holds the columns of the image and then
the straddlers: the cut pixel before each window once more.
"""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels import tiles
from dpid_cli.kernels.flags import helper, is_set
from dpid_cli.kernels.jit import FAST, kernel
from dpid_cli.kernels.rewards import raised
from dpid_cli.kernels.tiles import BUFFER, GUIDE, PLANE, SCALE, SHORT, SUM, TILE, WEIGHT, fold, spread

ALPHA = BUFFER + TILE
U = ALPHA + PLANE
SCRATCH = U + PLANE


@helper
def sample(row, k, j, channels, packed):
    """Channel j of pixel k."""
    if is_set(packed):
        return (np.uint32(row[k]) >> np.uint32(8 * j)) & np.uint32(0xFF)
    return row[channels * k + j]


@kernel()
def split_rows(rows, channels, packed, first, table, looked_up, planes):
    """Lay out pixels as planes, as they are or looked up in a table.

    Parameters
    ----------
    rows : (n, W * C) or, packed, (n, W) ndarray
        Read-only.
    channels : int
        C.
    packed : flag
    first : (w + 1,) int64 ndarray
        As in `Axis`.
    table : (C, levels) float ndarray
        Read if `looked_up`.
    looked_up : flag
    planes : (n, C, W) or (n, C, W + w) float ndarray
        Filled; longer than a row where there are straddlers.
    """
    width = first[-1]
    for y in range(len(rows)):
        row = rows[y]
        for j in range(channels):
            plane = planes[y, j]
            if is_set(looked_up):
                entries = table[j]
                for k in range(width):
                    plane[k] = entries[sample(row, k, j, channels, packed)]
            else:
                for k in range(width):
                    plane[k] = sample(row, k, j, channels, packed)
            for i in range(len(plane) - width):  # no pixel lies before the first window: any will do
                plane[width + i] = plane[max(first[i] - 1, 0)]


@helper
def add_box(sums, light, cover, n):
    """Add the light of n pixels."""
    for k in range(n):
        sums[k] += cover * light[k]


@helper
def add_alone(scratch, values, light, cover, least, most, exponent, offset, floor, power, n):
    """Add weights and weighted light of n pixels of a channel that has its own distance."""
    for k in range(n):
        m = max(values[k] - scratch[GUIDE + k], least)
        u = min(max(m * m + offset, floor) * scratch[SCALE + k], most)
        w = cover * (scratch[ALPHA + k] + raised(u, exponent, power))
        scratch[WEIGHT + k] += w
        scratch[SUM + k] += w * light[k]


@helper
def add_squares(scratch, near, values, least, n):
    """Add m**2 of n pixels of a channel to u; m is I - G, or `least` if that is more."""
    for k in range(n):
        m = max(values[k] - near[k], least)
        scratch[U + k] += m * m


@helper
def add_weights(scratch, cover, most, exponent, floor, power, n):
    """Turn u of n pixels into weights, and add them up."""
    for k in range(n):
        u = min(max(scratch[U + k], floor) * scratch[SCALE + k], most)
        w = cover * (scratch[ALPHA + k] + raised(u, exponent, power))
        scratch[U + k] = w
        scratch[WEIGHT + k] += w


@helper
def add_weighted(scratch, sums, light, n):
    """Add the light of n pixels of a channel, multiplied by the weights of `add_weights`."""
    for k in range(n):
        sums[k] += scratch[U + k] * light[k]


@helper
def add_pixels(
    scratch, values, light, a, n, weighted, cover, least, most, exponent, offset, floor, power
):  # fmt: skip
    """Add n pixels of a row, from index a of its planes on; channels with weights share them."""
    channels = len(light)
    if not weighted:
        for j in range(channels):
            add_box(scratch[SUM + j * PLANE :], light[j][a:], cover, n)
    elif channels == 1:
        add_alone(scratch, values[0][a:], light[0][a:], cover, least, most, exponent, offset, floor, power, n)
    else:
        for k in range(n):
            scratch[U + k] = offset
        for j in range(channels):
            add_squares(scratch, scratch[GUIDE + j * PLANE :], values[j][a:], least, n)
        add_weights(scratch, cover, most, exponent, floor, power, n)
        for j in range(channels):
            add_weighted(scratch, scratch[SUM + j * PLANE :], light[j][a:], n)


@helper
def prepare(scratch, guide, scale, alpha, xs, tile, weighted):
    """Clear the sums of a tile and give each column what its weight depends on."""
    tiles.clear(scratch, SUM, len(guide), tile)
    tiles.clear(scratch, WEIGHT, 1, tile)
    if weighted:
        spread(guide, scratch[GUIDE:], scratch[BUFFER:], xs, tile)
        spread(scale, scratch[SCALE:], scratch[BUFFER:], xs, tile)
        spread(alpha, scratch[ALPHA:], scratch[BUFFER:], xs, tile)


@kernel(fastmath=FAST)
def add_light(
    values, light, top, ys, xs, start, stop, guide, scale, alpha,
    least, most, exponent, offset, floor, power, scratch, total, weight,
):  # fmt: skip
    """Add some rows of the image to the sums over the windows of the output rows start .. stop-1.

    Parameters
    ----------
    values, light : (n, C, W[ + w]) ndarray
        Encoded values and light of the rows from `top` on, from `split_rows`; `values` is read if there are
        weights.
    top : int
    ys, xs : Axis
    start, stop : int
        Rows of the image outside of their windows are skipped.
    guide : (stop - start, C, w) ndarray
        Guidance of each window, on the scale of `values`; read if there are weights.
    scale, alpha : (stop - start, P, w) ndarray
        Factor of u, and constant added to the reward, in each window.
    least, most : float
        0 if only what exceeds the guidance counts, else less than any difference; the largest u times its
        factor. The straddler of a window that does not reach it may be larger: its coverage is 0, but
        infinity times 0 is not.
    exponent : float
        lambda / 2.
    offset, floor : tuple of four floats
        Of each distance, as in `rewards.Reward`, on the scale of `values`.
    power : flag
        As for `windows.sweep_rows`.
    scratch : (SCRATCH,) ndarray
        Working memory.
    total : (stop - start, C, w) ndarray
        Added to: weighted light.
    weight : (stop - start, P, w) ndarray
        Added to: weights. P is 1 if the channels share one distance, C if each has its own, and 0 for the
        box filter, whose weights are all 1.
    """
    channels, groups = total.shape[1], weight.shape[1]
    together = 1 if groups > 1 else channels
    behind = xs.first[-1]
    for row in range(start, stop):
        r = row - start
        begin = max(tiles.begin_of(ys, row), top)
        end = min(ys.first[row + 1], top + len(light))
        c0 = 0
        while c0 < behind:
            tile = tiles.tile_at(c0, xs, light.shape[2] > behind, SHORT)
            i0, _, _, c1, m = tile
            for first in range(0, channels, together):
                p, part = 0 if groups == 0 else min(first, groups - 1), slice(first, first + together)
                group = slice(p, p + 1)
                prepare(scratch, guide[r, part], scale[r, group], alpha[r, group], xs, tile, groups > 0)
                for y in range(begin, end):
                    cover = tiles.coverage(ys, row, y)
                    for straddling in range(2 if m > 0 else 1):
                        a, n = (behind + i0, m) if straddling > 0 else (c0, c1 - c0)
                        add_pixels(
                            scratch[straddling * TILE :], values[y - top, part], light[y - top, part], a, n,
                            groups > 0, cover, least, most, exponent, offset[p], floor[p], power,
                        )  # fmt: skip
                fold(scratch[SUM:], scratch[BUFFER:], total[r, part], xs, tile)
                fold(scratch[WEIGHT:], scratch[BUFFER:], weight[r, group], xs, tile)
            c0 = c1
