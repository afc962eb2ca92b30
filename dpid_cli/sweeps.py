"""One call of the sweeping kernel: its flags and its working memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.grid import Grid
from dpid_cli.kernels import windows
from dpid_cli.kernels.jit import Flag, flag
from dpid_cli.raster import Raster


@dataclass(frozen=True)
class Strip:
    """The output rows start .. stop-1 of one image, a piece of work for one thread."""

    raster: Raster
    grid: Grid
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, channels, columns): the shape of every array of one number a window."""
        return self.stop - self.start, self.raster.channels, self.grid.xs.target

    def with_neighbours(self) -> Strip:
        """The strip and the output rows above and below it, as far as they exist."""
        return replace(self, start=max(self.start - 1, 0), stop=min(self.stop + 1, self.grid.ys.target))


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
    guide: NDArray[Any] | None = None,
    factor: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """The `sums` of `windows.sweep_rows`: (rows, 2, C, w)."""
    raster, grid, real = strip.raster, strip.grid, strip.raster.real
    rows, c, columns = strip.shape
    nothing = np.empty((0, c, 0), real)
    straddlers = windows.TILE * c if grid.xs.head.any() else 0
    sums = np.empty((rows, 2, c, columns), real)
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
        flag(c),
        flag(reward.joint),
        flag(reward.asymmetric),
        _power(2 * reward.exponent, raster),
        np.empty(windows.SCRATCH, real),
        np.empty(straddlers, raster.rows.dtype),
        sums,
    )
    return sums


def _power(lambda_: float, raster: Raster) -> Flag:
    """How the kernel computes u**(lambda / 2)."""
    if lambda_ == 1:
        return windows.ROOT
    if lambda_ in (0, 2):  # 0: no task without a reward takes a power
        return windows.LINEAR
    return windows.EXACT_POWER if raster.real is np.float64 else windows.FAST_POWER


def finish(
    out: NDArray[Any],
    raster: Raster,
    sums: NDArray[Any],
    guide: NDArray[Any],
    means: NDArray[Any],
    *,
    joint: bool = False,
    blend: NDArray[Any] | None = None,
) -> None:
    """Fill `out` with the pixels of `windows.finish_rows`."""
    windows.finish_rows(
        sums,
        guide,
        means,
        means if blend is None else blend,
        raster.real(raster.limit),
        flag(raster.channels),
        flag(joint),
        flag(blend is not None),
        out,
    )
