"""DPID for any number of channels, which share one distance: in encoded values or in linear light.

The kernels for up to four channels know their number, and keep the numbers of a pixel in registers. These
here add the squares of the differences channel by channel to a plane, turn that into weights, and go through
the channels again. Pixels lie in planes (see `light`). The working memory is that of `light`, and two more
arrays with a plane for each channel.
"""

from __future__ import annotations

from dpid_cli.kernels import tiles
from dpid_cli.kernels.flags import helper
from dpid_cli.kernels.jit import FAST, kernel
from dpid_cli.kernels.light import ALPHA, U, add_squares, add_weighted, add_weights
from dpid_cli.kernels.tiles import BUFFER, PLANE, SCALE, SHORT, SUM, TILE, WEIGHT, fold, fold_max, spread


@helper
def add_distances(scratch, guides, values, a, n, least, offset):
    """Fill n columns of the plane U with the joint distance of the pixels from index a of their planes on."""
    for k in range(n):
        scratch[U + k] = offset
    for j in range(len(values)):
        add_squares(scratch, guides[j * PLANE :], values[j, a:], least, n)


@helper
def add_pixels(
    scratch, guides, sums, values, light, a, n, cover, least, most, exponent, offset, floor, power
):  # fmt: skip
    """Add weights and weighted light of n pixels of a row, from index a of its planes on."""
    add_distances(scratch, guides, values, a, n, least, offset)
    add_weights(scratch, cover, most, exponent, floor, power, n)
    for j in range(len(light)):
        add_weighted(scratch, sums[j * PLANE :], light[j, a:], n)


@helper
def add_range(scratch, guides, values, a, n, cover, least, offset, floor):
    """Add u of n pixels to the plane SUM, and keep the largest in the plane WEIGHT."""
    add_distances(scratch, guides, values, a, n, least, offset)
    for k in range(n):
        u = max(scratch[U + k], floor)
        scratch[SUM + k] += cover * u
        scratch[WEIGHT + k] = max(scratch[WEIGHT + k], u)


@kernel(fastmath=FAST)
def weigh_rows(
    values, light, top, ys, xs, start, stop, guide, scale, alpha,
    least, most, exponent, offset, floor, power, scratch, guides, sums, total, weight,
):  # fmt: skip
    """Add some rows of the image to the sums over the windows of the output rows start .. stop-1.

    Parameters
    ----------
    values, light, top, ys, xs, start, stop, guide, scale, alpha, least, most, exponent, offset, floor, power
        As for `light.add_light`, for one distance.
    scratch : (light.SCRATCH,) ndarray
        Working memory.
    guides, sums : (C * PLANE,) ndarray
        Working memory.
    total : (stop - start, C, w) ndarray
        Added to: weighted light.
    weight : (stop - start, 1, w) ndarray
        Added to: weights.
    """
    channels, behind = total.shape[1], xs.first[-1]
    for row in range(start, stop):
        r = row - start
        begin = max(tiles.begin_of(ys, row), top)
        end = min(ys.first[row + 1], top + len(light))
        c0 = 0
        while c0 < behind:
            tile = tiles.tile_at(c0, xs, light.shape[2] > behind, SHORT)
            i0, _, _, c1, m = tile
            tiles.clear(sums, 0, channels, tile)
            tiles.clear(scratch, WEIGHT, 1, tile)
            spread(guide[r], guides, scratch[BUFFER:], xs, tile)
            spread(scale[r], scratch[SCALE:], scratch[BUFFER:], xs, tile)
            spread(alpha[r], scratch[ALPHA:], scratch[BUFFER:], xs, tile)
            for y in range(begin, end):
                cover = tiles.coverage(ys, row, y)
                for straddling in range(2 if m > 0 else 1):
                    a, n = (behind + i0, m) if straddling > 0 else (c0, c1 - c0)
                    shift = straddling * TILE
                    add_pixels(
                        scratch[shift:], guides[shift:], sums[shift:], values[y - top], light[y - top], a, n,
                        cover, least, most, exponent, offset[0], floor[0], power,
                    )  # fmt: skip
            fold(sums, scratch[BUFFER:], total[r], xs, tile)
            fold(scratch[WEIGHT:], scratch[BUFFER:], weight[r], xs, tile)
            c0 = c1


@kernel(fastmath=FAST)
def range_rows(
    values, top, ys, xs, start, stop, guide, least, offset, floor, scratch, guides, total, largest
):  # fmt: skip
    """Add u of some rows of the image to its sums over windows, and keep its largest value in each.

    Parameters
    ----------
    values, top, ys, xs, start, stop, guide, least, offset, floor, scratch, guides
        As for `weigh_rows`.
    total : (stop - start, 1, w) ndarray
        Added to: u, weighted by coverage.
    largest : (stop - start, 1, w) ndarray
        Replaced where there is a larger u.
    """
    behind = xs.first[-1]
    for row in range(start, stop):
        r = row - start
        begin = max(tiles.begin_of(ys, row), top)
        end = min(ys.first[row + 1], top + len(values))
        c0 = 0
        while c0 < behind:
            tile = tiles.tile_at(c0, xs, values.shape[2] > behind, SHORT)
            i0, _, _, c1, m = tile
            tiles.clear(scratch, SUM, 1, tile)
            tiles.clear(scratch, WEIGHT, 1, tile)
            spread(guide[r], guides, scratch[BUFFER:], xs, tile)
            for y in range(begin, end):
                cover = tiles.coverage(ys, row, y)
                for straddling in range(2 if m > 0 else 1):
                    a, n = (behind + i0, m) if straddling > 0 else (c0, c1 - c0)
                    shift = straddling * TILE
                    add_range(
                        scratch[shift:], guides[shift:], values[y - top], a, n, cover, least, offset[0],
                        floor[0],
                    )  # fmt: skip
            fold_max(scratch[WEIGHT:], largest[r, 0], xs, tile)
            fold(scratch[SUM:], scratch[BUFFER:], total[r], xs, tile)
            c0 = c1
