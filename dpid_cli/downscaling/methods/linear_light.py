"""Calls of the kernels for linear light: means of light, with weights from encoded values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.downscaling.transfer import Light
from dpid_cli.kernels import light as kernels
from dpid_cli.kernels.flags import Flag, flag
from dpid_cli.kernels.rewards import LINEAR

# Arguments of `kernels.add_light`: `least`, `most`, `exponent`, `epsilon2`, `power`.
Scalars = tuple[Any, Any, Any, Any, Flag]

# Bytes of pixels, as planes, to sum at a time.
_PLANES = 1 << 21


def box(strip: Strip, light: Light) -> Array:
    """Mean light of every window of a strip, (rows, w * C)."""
    real, (rows, c, _) = strip.raster.real, strip.shape
    guide, factor = np.empty((rows, c, 0), real), np.empty((rows, 0, 0), real)
    total, _ = _sums(strip, light, (real(0), real(0), real(0), real(0), flag(LINEAR)), guide, factor, factor)
    return _interleaved(total / strip.raster.real(strip.grid.window_area))


def detail(strip: Strip, light: Light, scalars: Scalars, guide: Array, factor: Array, alpha: Array) -> Array:
    """Light of ``dpid`` and ``dpp``, (rows, w * C); light of the guidance where all weights are 0.

    `guide`, (rows, C, w), is on the scale of the pixels. `factor` of u and `alpha`, added to the reward, are
    (rows, P, w); P is 1 for a joint distance, else C.
    """
    factor, alpha = factor.astype(guide.dtype, copy=False), alpha.astype(guide.dtype)
    total, weight = _sums(strip, light, scalars, guide, factor, alpha)
    unweighted = weight == 0
    if unweighted.any():
        weight[unweighted] = 1
        fallback = light.decode(_interleaved(guide) / guide.dtype.type(strip.raster.unit))
        total += np.where(unweighted, _planar(fallback, strip), 0)
    total /= weight
    return _interleaved(total)


def _interleaved(planes: Array) -> Array:
    """(rows, C, w) to (rows, w * C)."""
    return planes.transpose(0, 2, 1).reshape(len(planes), -1)


def _planar(lines: Array, strip: Strip) -> Array:
    """(rows, w * C) to (rows, C, w)."""
    rows, c, columns = strip.shape
    return lines.reshape(rows, columns, c).transpose(0, 2, 1)


def _sums(
    strip: Strip, light: Light, scalars: Scalars, guide: Array, factor: Array, alpha: Array
) -> tuple[Array, Array]:
    """Return `total` and `weight` of `kernels.add_light`."""
    ys, xs, real = strip.grid.ys, strip.grid.xs, strip.raster.real
    (rows, c, columns), weights = strip.shape, factor.shape[1]
    length = xs.source + (xs.target if strip.grid.cuts_columns else 0)
    array = strip.workspace.array
    total = array("light total", strip.shape, real)
    weight = array("light weight", (rows, weights, columns), real)
    total[:] = weight[:] = 0
    scratch = array("light scratch", (kernels.SCRATCH,), real)
    for top, bottom, first, last in _chunks(strip, max(1, _PLANES // (2 * c * length * scratch.itemsize))):
        of_windows = slice(first - strip.start, last - strip.start)
        lit = _light_planes(strip, light, top, bottom, length)
        kernels.add_light(
            _planes(strip, strip.raster.rows[top:bottom], "values", length) if weights else lit,
            lit, top, ys, xs, first, last, guide[of_windows], factor[of_windows], alpha[of_windows],
            *scalars, scratch, total[of_windows], weight[of_windows],
        )  # fmt: skip
    return total, weight


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


def _light_planes(strip: Strip, light: Light, top: int, bottom: int, length: int) -> Array:
    """Rows of the image, decoded to light, as planes."""
    rows = strip.raster.rows[top:bottom]
    if light.by_table:
        return _planes(strip, rows, "light", length, light.table)
    decoded = light.decoded(strip.raster.part(top, bottom).unpacked().rows)
    decoded.flags.writeable = False  # as those of a raster
    return _planes(strip, decoded, "light", length)


def _planes(strip: Strip, rows: Array, name: str, length: int, table: Array | None = None) -> Array:
    """Rows of pixels as planes, (n, C, length), in the workspace array `name`."""
    raster, first = strip.raster, strip.grid.xs.first
    planes = strip.workspace.array(f"{name} planes", (len(rows), raster.channels, length), raster.real)
    packed, looked_up = flag(rows.dtype == np.uint32), flag(table is not None)
    entries = np.empty((0, 0), raster.real) if table is None else table
    kernels.split_rows(rows, raster.channels, packed, first, entries, looked_up, planes)
    return planes
