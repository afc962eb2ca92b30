"""One call of the sweeping kernel: its flags and its working memory."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.light import Light
from dpid_cli.downscaling.raster import Raster
from dpid_cli.kernels import finish as finishing
from dpid_cli.kernels import windows
from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.pixels import layout_of
from dpid_cli.kernels.rewards import BOX, RANGE, power_for, reward_of
from dpid_cli.kernels.tiles import TILE


class Workspace:
    """Arrays that one thread uses again for strip after strip.

    Fresh ones would be new pages of memory each time, which the system has to clear.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}
        self._views: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array of this shape, holding anything; the same memory at each call with `name`."""
        view = self._views.get(name)
        if view is not None and view.shape == shape and view.dtype == dtype:
            return view
        size = math.prod(shape)
        held = self._arrays.get(name)
        if held is None or held.size < size or held.dtype != dtype:
            held = self._arrays[name] = np.zeros(size, dtype)
        view = self._views[name] = held[:size].reshape(shape)
        return view


@dataclass(frozen=True)
class Strip:
    """The output rows start .. stop-1 of one image, a piece of work for one thread.

    Where there is `light`, what is averaged is light.
    """

    raster: Raster
    grid: Grid
    start: int
    stop: int
    workspace: Workspace
    light: Light | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, channels, columns): the shape of every array of one number a window."""
        return self.stop - self.start, self.raster.channels, self.grid.xs.target

    def with_neighbours(self) -> Strip:
        """The strip and the output rows above and below it, as far as they exist."""
        return replace(self, start=max(self.start - 1, 0), stop=min(self.stop + 1, self.grid.ys.target))

    def pixels(self, averages: NDArray[Any]) -> NDArray[Any]:
        """What was averaged, light or values on the scale of the pixels, as their type holds it."""
        return self.raster.levels(averages) if self.light is None else self.light.encode(averages)


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
    guide: NDArray[Any] | None = None,
    factor: NDArray[Any] | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """`total` and `weight` of `windows.sweep_rows`."""
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


def finish(
    out: NDArray[Any],
    strip: Strip,
    guide: NDArray[Any],
    means: NDArray[Any],
    total: NDArray[Any],
    weight: NDArray[Any],
    blend: NDArray[Any] | None = None,
) -> None:
    """Fill `out` with the pixels of `kernels.finish.finish_rows`."""
    raster = strip.raster
    finishing.finish_rows(
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
