"""Calls of the sweeping kernel: window means and weighted means, with their flags and working memory."""

from __future__ import annotations

from dataclasses import dataclass

from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels import windows
from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.pixels import layout_of
from dpid_cli.kernels.rewards import BOX, RANGE, power_for, reward_of
from dpid_cli.kernels.tiles import TILE


@dataclass(frozen=True)
class Reward:
    """The weight of a pixel, ``(m**2 + epsilon2) ** exponent``, on the scale of the pixels."""

    exponent: float = 0.0
    epsilon2: float = 0.0
    joint: bool = False
    asymmetric: bool = False


def sweep(
    strip: Strip,
    task: int,
    reward: Reward = Reward(),
    guide: Array | None = None,
    factor: Array | None = None,
) -> tuple[Array, Array]:
    """Return `total` and `weight` of `windows.sweep_rows`."""
    raster, grid, real = strip.raster, strip.grid, strip.raster.real
    rows, c, columns = strip.shape
    straddlers = 2 * TILE * raster.samples if grid.cuts_columns else 0
    distances = 0 if task == BOX else 1 if reward.joint else c
    array = strip.workspace.array
    nothing = array("nothing", (rows, c, 0), real)
    name = "box" if task == BOX else "range" if task == RANGE else "detail"
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
        flag(task),
        layout_of(raster.channels, raster.packed),
        reward_of(
            real(reward.exponent),
            real(reward.epsilon2),
            reward.joint,
            reward.asymmetric,
            power_for(task, 2 * reward.exponent, real),
        ),
        array("scratch", (windows.SCRATCH,), real),
        array("straddlers", (straddlers,), raster.rows.dtype),
        total,
        weight,
    )
    return total, weight


def window_means(strip: Strip) -> Array:
    """Coverage-weighted mean of every window, (rows, C, w), on the scale of the pixels."""
    means, _ = sweep(strip, BOX)
    return means


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
