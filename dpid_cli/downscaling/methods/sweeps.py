"""Calls of the sweeping kernel: window means and weighted means, with their flags and working memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels import windows
from dpid_cli.kernels.columns import TILE
from dpid_cli.kernels.jit import Flag, flag

# Up to here u**(lambda / 2) neither underflows where it matters nor overflows, in float32.
SAFE_LAMBDA = 4.0


@dataclass(frozen=True)
class Reward:
    """The weight of a pixel, ``(m**2 + epsilon2) ** exponent``, on the scale of the pixels."""

    exponent: float = 0.0
    epsilon2: float = 0.0
    joint: bool = False
    asymmetric: bool = False


def sweep(
    strip: Strip,
    task: Flag,
    reward: Reward = Reward(),
    guide: Array | None = None,
    factor: Array | None = None,
) -> tuple[Array, Array]:
    """Return `total` and `weight` of `windows.sweep_rows`."""
    raster, grid, real = strip.raster, strip.grid, strip.raster.real
    rows, c, columns = strip.shape
    straddlers = 2 * TILE * raster.samples if grid.cuts_columns else 0
    distances = 0 if task == windows.BOX else 1 if reward.joint else c
    array = strip.workspace.array
    nothing = array("nothing", (rows, c, 0), real)
    name = "box" if task == windows.BOX else "range" if task == windows.RANGE else "detail"
    total = array(f"{name} total", strip.shape, real)
    weight = array(f"{name} weight", (rows, distances, columns), real)
    windows.sweep_rows(
        raster.rows,
        grid.ys,
        grid.xs,
        strip.start,
        strip.stop,
        nothing if guide is None else guide,
        nothing if factor is None else factor,
        real(reward.exponent),
        real(reward.epsilon2),
        task,
        layout_of(raster),
        flag(reward.joint),
        flag(reward.asymmetric),
        power_flag(task, 2 * reward.exponent, real),
        array("scratch", (windows.SCRATCH,), real),
        array("straddlers", (straddlers,), raster.rows.dtype),
        total,
        weight,
    )
    return total, weight


def window_means(strip: Strip) -> Array:
    """Coverage-weighted mean of every window, (rows, C, w), on the scale of the pixels."""
    means, _ = sweep(strip, windows.BOX)
    return means


def layout_of(raster: Raster) -> windows.Layout:
    """How the kernels of `windows` read the pixels."""
    return _layout(raster.channels, raster.packed)


@cache
def _layout(channels: int, packed: bool) -> windows.Layout:
    """Always the same tuple, because kernels cache its type."""
    return windows.Layout(flag(channels), flag(packed))


def power_flag(task: Flag, lambda_: float, real: type[np.floating[Any]]) -> Flag:
    """How a kernel computes u**(lambda / 2)."""
    if lambda_ == 2 or task in (windows.BOX, windows.RANGE):  # these two take no power
        return windows.LINEAR
    if lambda_ == 1:
        return windows.ROOT
    return windows.EXACT_POWER if real is np.float64 else windows.FAST_POWER


def finish(
    out: Array,
    strip: Strip,
    guide: Array,
    means: Array,
    total: Array,
    weight: Array,
    blend: Array | None = None,
) -> None:
    """Fill `out` with the pixels of `windows.finish_rows`."""
    raster = strip.raster
    windows.finish_rows(
        total,
        weight,
        guide,
        means,
        means if blend is None else blend,
        raster.real(raster.limit),
        flag(raster.channels),
        flag(blend is not None),
        strip.workspace.array("planes", guide.shape[1:], out.dtype),
        out,
    )
