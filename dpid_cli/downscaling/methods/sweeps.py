"""Calls of the kernels of DPID and DPP: window means, guidance and weighted means, with flags and memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.grid import Axis
from dpid_cli.downscaling.raster import Array, Raster, read_only
from dpid_cli.downscaling.strips import Strip
from dpid_cli.downscaling.transfer import tables_of
from dpid_cli.kernels import filters, packing, rewards, rolling, windows
from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.pixels import layout_of
from dpid_cli.kernels.rewards import BOX, DETAIL, RANGE
from dpid_cli.kernels.tiles import TILE

_NO_TABLES = tables_of(np.zeros((0, 256), np.float32), np.zeros((0, 255), np.float32))


@dataclass(frozen=True)
class Reward:
    """The weight of a pixel, ``max(m**2 + offset, floor) ** exponent``, on the scale of the pixels."""

    exponent: float = 0.0
    offset: tuple[float, ...] = (0.0,)
    floor: tuple[float, ...] = (0.0,)
    joint: bool = False
    asymmetric: bool = False

    def of(self, task: int, real: type[np.floating], products: bool = False) -> rewards.Reward:
        """Return it as kernels read it, in numbers of a float type."""
        power = rewards.power_for(task, 2 * self.exponent, real, products)
        return rewards.reward_of(
            real(self.exponent), self.offset, self.floor, self.joint, self.asymmetric, power
        )


def sweep(
    strip: Strip,
    task: int,
    reward: Reward = Reward(),
    guide: Array | None = None,
    factor: Array | None = None,
) -> tuple[Array, Array]:
    """Return `total` and `weight` of `windows.sweep_rows`."""
    strip, ys = _packed(strip, strip)
    raster, grid, real = strip.raster, strip.grid, strip.raster.real
    rows, c, columns = strip.shape
    distances = 0 if task == BOX else 1 if reward.joint else c
    array = strip.workspace.array
    nothing = array("nothing", (rows, c, 0), real)
    name = "box" if task == BOX else "range" if task == RANGE else "detail"
    total = array(f"{name} total", strip.shape, real)
    weight = array(f"{name} weight", (rows, distances, columns), real)
    windows.sweep_rows(
        raster.rows, ys, grid.xs if task == RANGE else _columns(strip), strip.start, strip.stop,
        nothing if guide is None else guide, nothing if factor is None else factor,
        flag(task), layout_of(raster.channels, raster.packed), reward.of(task, real),
        *_memory(strip), total, weight,
    )  # fmt: skip
    return total, weight


def _columns(strip: Strip) -> Axis:
    """The columns of pixels; or of groups of pixels, which are single numbers or packed."""
    return strip.grid.grouped if strip.raster.samples == 1 else strip.grid.xs


def _memory(strip: Strip) -> tuple[Array, Array]:
    """The arguments `scratch` and `straddlers` of `windows.sweep_rows`."""
    raster, array = strip.raster, strip.workspace.array
    length = 2 * TILE * raster.samples if strip.grid.cuts_columns else 0
    scratch = array("scratch", (windows.SCRATCH,), raster.real)
    return scratch, array("straddlers", (length,), raster.rows.dtype)


def roll(
    out: Array, strip: Strip, reward: Reward | None, guidance: Filter | None = None, blend: float = 0.0
) -> None:
    """Fill `out`, (rows, w * C), by `rolling.roll_rows`: the box filter if there is no reward.

    Without a filter, the guidance is the window means. `blend` is the weight that alpha gives to these, or to
    each pixel in linear light.
    """
    strip, ys = _packed(
        strip, strip if guidance is None else strip.with_neighbours(), copies=reward is not None
    )
    raster, grid, real = strip.raster, strip.grid, strip.raster.real
    _, c, columns = strip.shape
    task, weighs = (BOX, Reward()) if reward is None else (DETAIL, reward)
    distances = 1 if reward is None or reward.joint else c
    array = strip.workspace.array
    sums, share = array("sums", (c + distances, columns), real), array("share", (distances, columns), real)
    sums[:], share[:] = 0, blend
    lit, common = strip.light is not None, raster.dtype == np.uint8 and raster.samples == 1
    tables = _NO_TABLES if strip.light is None else strip.light.tables
    rolling.roll_rows(
        raster.rows, ys, grid.xs if lit else _columns(strip), strip.start, strip.stop,
        *_kernels_and_bias(guidance, c, raster.unit, np.dtype(real)), share, real(raster.limit),
        flag(task), layout_of(c, raster.packed), weighs.of(task, real, products=common and not lit),
        flag(lit), tables,
        *_memory(strip), array("ring", (4, c, columns), real), sums, array("planes", (c, columns), out.dtype),
        out,
    )  # fmt: skip


def _packed(strip: Strip, needed: Strip, copies: bool = True) -> tuple[Strip, Axis]:
    """The strip with the bytes of each pixel of colour packed into a number, and the rows as they then count.

    Only the rows for the windows of `needed` are packed. Three bytes are copied, unless not `copies`: kernels
    that weigh pixels read numbers so much faster that this pays for itself. Means are the same without.
    """
    raster, ys = strip.raster, strip.grid.ys
    if raster.packed or raster.dtype != np.uint8 or raster.channels < 3 or (raster.packs and not copies):
        return strip, ys
    top = int(ys.first[needed.start] - (ys.head[needed.start] > 0))
    rows = raster.rows[top : int(ys.first[needed.stop])]
    if raster.channels == 4:
        packed = rows.view(np.uint32)
    else:
        packed = strip.workspace.array("packed", (len(rows), raster.size[0]), np.uint32)
        packing.pack_rows(rows, packed)
    counted = ys._replace(first=ys.first - top)
    return replace(strip, raster=Raster(read_only(packed), raster.channels, packed=True)), counted


def window_means(strip: Strip) -> Array:
    """Coverage-weighted mean of every window, (rows, C, w), on the scale of the pixels."""
    means, _ = sweep(strip, BOX)
    return means


def over_means(guidance: Filter, strip: Strip, means: Array, start: int, stop: int) -> Array:
    """The response of a filter on the output grid to window means, (rows, C, w).

    `means`, (n, C, w), are those of the strip, ``means[start:stop]``, and of the rows above and below it, if
    they exist.
    """
    guide = strip.workspace.array("guide", strip.shape, strip.raster.real)
    kernels, bias = _kernels_and_bias(guidance, strip.raster.channels, strip.raster.unit, means.dtype)
    filters.filter_means(means, start, stop, kernels, bias, guide)
    return guide


@lru_cache(maxsize=16)
def _kernels_and_bias(
    filter_: Filter | None, channels: int, unit: float, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """Arguments of `filters.filter_means`, cached because making them takes a good part of a strip's time."""
    if filter_ is None:
        return np.empty((0, 4, 4, 3, 3), dtype), np.zeros(channels, dtype)
    kernels = np.broadcast_to(filter_.at_borders, (channels, 4, 4, 3, 3)).astype(dtype, order="C")
    return kernels, (filter_.biases(channels) * unit).astype(dtype)


def over_pixels(guidance: Filter, strip: Strip) -> Array:
    """The response of a filter on the input grid to the pixels of the image, (rows, C, w)."""
    raster = strip.raster
    row_of, column_of = guidance.positions(strip.grid.size)
    guide = strip.workspace.array("guide", strip.shape, raster.real)
    kernel = guidance.planes(raster.channels).astype(raster.real)
    bias = (guidance.biases(raster.channels) * raster.unit).astype(raster.real)
    planes = strip.workspace.array("planes", (guidance.step, len(column_of)), raster.real)
    filters.filter_pixels(
        raster.rows, strip.start, strip.stop, guidance.step, kernel, bias, row_of, column_of, planes, guide
    )
    return guide


def finish(
    out: Array,
    strip: Strip,
    guide: Array,
    means: Array,
    total: Array,
    weight: Array,
    blend: Array | None = None,
) -> None:
    """Fill `out` with the pixels of `rolling.finish_rows`."""
    channels, limit = strip.raster.channels, strip.raster.real(strip.raster.limit)
    planes = strip.workspace.array("planes", guide.shape[1:], out.dtype)
    if blend is None:
        blend = strip.workspace.array("no blend", weight.shape, weight.dtype)
        blend[:] = 0
    rolling.finish_rows(total, weight, guide, means, blend, limit, flag(channels), planes, out)
