"""Calls of the kernels for linear light: means of light, with weights from encoded values.

They also serve for images with an importance q of each pixel, whose means are ``sum(c w q L) / sum(c w q)``,
and for more than four channels that share a distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import MOST_CHANNELS, Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.downscaling.transfer import Light
from dpid_cli.kernels import joint
from dpid_cli.kernels import light as kernels
from dpid_cli.kernels.flags import Flag, flag
from dpid_cli.kernels.rewards import LINEAR
from dpid_cli.kernels.tiles import PLANE

# Arguments of `kernels.add_light`: `least`, `most`, `exponent`, `offset`, `floor`, `power`.
Four = tuple[Any, Any, Any, Any]
Scalars = tuple[Any, Any, Any, Four, Four, Flag]
# From the first and last row, and the length of a plane, to planes of what is averaged.
Averaged = Callable[[int, int, int], Array]

# Bytes of pixels, as planes, to sum at a time.
_PLANES = 1 << 21


def box(strip: Strip, light: Light | None) -> Array:
    """Mean of every window of a strip, (rows, C, w): of light, or of values on the scale of the pixels.

    NaN where no pixel is important.
    """
    real, (rows, c, _) = strip.raster.real, strip.shape
    guide, factor = np.empty((rows, c, 0), real), np.empty((rows, 0, 0), real)
    zero = real(0)
    nothing = zero, zero, zero, zero
    weighing = (zero, zero, zero, nothing, nothing, flag(LINEAR)), guide, factor, factor
    total, _ = _sums(strip, _averaged(strip, light), *weighing)
    if strip.maps.importance is None:
        return total / real(strip.grid.window_area)
    weight, _ = _sums(strip, partial(_importance, strip, strip.maps.importance), *weighing, name="important")
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def detail(
    strip: Strip, light: Light | None, scalars: Scalars, guide: Array, factor: Array, alpha: Array
) -> Array:
    """Light, or values, of ``dpid`` and ``dpp``, (rows, w * C); those of the guidance if all weights are 0.

    `guide`, (rows, C, w), is on the scale of the pixels. `factor` of u and `alpha`, added to the reward, are
    (rows, P, w); P is 1 for a joint distance, else C.
    """
    weighing = scalars, guide, factor.astype(guide.dtype, copy=False), alpha.astype(guide.dtype)
    total, weight = _sums(strip, _averaged(strip, light), *weighing)
    if strip.maps.importance is not None:
        weight, _ = _sums(
            strip, partial(_importance, strip, strip.maps.importance), *weighing, name="important"
        )
    unweighted = weight == 0
    if unweighted.any():
        weight[unweighted] = 1
        fallback = guide
        if light is not None:
            lit = light.decode(interleaved(guide) / guide.dtype.type(strip.raster.unit))
            fallback = _planar(lit, strip)
        total += np.where(unweighted, fallback, 0)
    total /= weight
    return interleaved(total)


def interleaved(planes: Array) -> Array:
    """(rows, C, w) to (rows, w * C)."""
    return planes.transpose(0, 2, 1).reshape(len(planes), -1)


def _planar(lines: Array, strip: Strip) -> Array:
    """(rows, w * C) to (rows, C, w)."""
    rows, c, columns = strip.shape
    return lines.reshape(rows, columns, c).transpose(0, 2, 1)


def _sums(
    strip: Strip,
    averaged: Averaged,
    scalars: Scalars,
    guide: Array,
    factor: Array,
    alpha: Array,
    name: str = "light",
) -> tuple[Array, Array]:
    """Return `total` and `weight` of `kernels.add_light`, in workspace arrays with this `name`."""
    ys, xs, real = strip.grid.ys, strip.grid.xs, strip.raster.real
    (rows, c, columns), weights = strip.shape, factor.shape[1]
    length = xs.source + (xs.target if strip.grid.cuts_columns else 0)
    array = strip.workspace.array
    total = array(f"{name} total", strip.shape, real)
    weight = array(f"{name} weight", (rows, weights, columns), real)
    total[:] = weight[:] = 0
    scratch = array("light scratch", (kernels.SCRATCH,), real)
    shared = weights == 1 and c > MOST_CHANNELS
    own = (_planes_of_sums(strip, "guides"), _planes_of_sums(strip, "sums")) if shared else ()
    add: Any = joint.weigh_rows if shared else kernels.add_light
    for top, bottom, first, last in _chunks(strip, max(1, _PLANES // (2 * c * length * scratch.itemsize))):
        of_windows = slice(first - strip.start, last - strip.start)
        lit = averaged(top, bottom, length)
        add(
            _planes(strip, strip.raster.rows[top:bottom], "values", length) if weights else lit,
            lit, top, ys, xs, first, last, guide[of_windows], factor[of_windows], alpha[of_windows],
            *scalars, scratch, *own, total[of_windows], weight[of_windows],
        )  # fmt: skip
    return total, weight


def joint_range(strip: Strip, least: Any, offset: Four, floor: Four, guide: Array) -> tuple[Array, Array]:
    """Sum and largest value of u in every window, (rows, 1, w) each, for channels that share a distance.

    The scalars are those of `joint.range_rows`.
    """
    ys, xs, real = strip.grid.ys, strip.grid.xs, strip.raster.real
    rows, c, columns = strip.shape
    length = xs.source + (xs.target if strip.grid.cuts_columns else 0)
    scratch = strip.workspace.array("light scratch", (kernels.SCRATCH,), real)
    guides = _planes_of_sums(strip, "guides")
    total, largest = np.zeros((2, rows, 1, columns), real)
    for top, bottom, first, last in _chunks(strip, max(1, _PLANES // (c * length * scratch.itemsize))):
        of_windows = slice(first - strip.start, last - strip.start)
        joint.range_rows(
            _planes(strip, strip.raster.rows[top:bottom], "values", length), top, ys, xs, first, last,
            guide[of_windows], least, offset, floor, scratch, guides, total[of_windows], largest[of_windows],
        )  # fmt: skip
    return total, largest


def _planes_of_sums(strip: Strip, name: str) -> Array:
    """Working memory of kernels: a plane for each channel."""
    return strip.workspace.array(name, (strip.raster.channels * PLANE,), strip.raster.real)


def _chunks(strip: Strip, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Divide a strip: rows of the image, at most `height`, and the output rows that they contribute to.

    Only windows higher than `height` are cut, always at the same rows, so that sums do not depend on the
    strips.
    """
    ys = strip.grid.ys
    begins, ends = ys.first[:-1] - (ys.head[:-1] > 0), ys.first[1:]
    first = strip.start
    while first < strip.stop:
        begin = int(begins[first])
        last = min(max(int(np.searchsorted(ends, begin + height, "right")), first + 1), strip.stop)
        end = int(ends[last - 1])
        for top in range(begin, end, height):
            yield top, min(top + height, end), first, last
        first = last


def _averaged(strip: Strip, light: Light | None) -> Averaged:
    """The planes of what is averaged: light or values, multiplied by their importance if there is one."""

    def planes(top: int, bottom: int, length: int) -> Array:
        rows = strip.raster.rows[top:bottom]
        if light is None:
            found = _planes(strip, rows, "light", length)
        elif light.by_table:
            found = _planes(strip, rows, "light", length, light.table)
        else:
            decoded = light.decoded(strip.raster.part(top, bottom).unpacked().rows)
            decoded.flags.writeable = False  # as those of a raster
            found = _planes(strip, decoded, "light", length)
        if strip.maps.importance is not None:
            found *= _importance(strip, strip.maps.importance, top, bottom, length)
        return found

    return planes


def _importance(strip: Strip, importance: Array, top: int, bottom: int, length: int) -> Array:
    """The importance of pixels as planes, the same for all channels."""
    array, real, rows = strip.workspace.array, strip.raster.real, bottom - top
    one = array("importance", (rows, 1, length), real)
    entries = np.empty((0, 0), real)
    kernels.split_rows(importance[top:bottom], 1, flag(False), strip.grid.xs.first, entries, flag(False), one)
    planes = array("importances", (rows, strip.raster.channels, length), real)
    planes[:] = one
    return planes


def _planes(strip: Strip, rows: Array, name: str, length: int, table: Array | None = None) -> Array:
    """Rows of pixels as planes, (n, C, length), in the workspace array `name`."""
    raster, first = strip.raster, strip.grid.xs.first
    planes = strip.workspace.array(f"{name} planes", (len(rows), raster.channels, length), raster.real)
    packed, looked_up = flag(rows.dtype == np.uint32), flag(table is not None)
    entries = np.empty((0, 0), raster.real) if table is None else table
    kernels.split_rows(rows, raster.channels, packed, first, entries, looked_up, planes)
    return planes
