"""Downscale an image on a GPU: cut it into strips, copy them there and launch the CUDA kernels.

An image in the memory of the computer is copied in strips. While one strip is copied, the previous one is
computed and copied back, on a stream of its own. Each thread has its own streams and buffers, so that the
copies and kernels of several threads overlap.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import rewards
from dpid_cli.downscaling.filters import GAUSSIAN, Filter
from dpid_cli.downscaling.gpu.arrays import address_of, check_type, explained
from dpid_cli.downscaling.gpu.memory import Workspace, copied, device_number, filter_over_means, windows_along
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import Raster
from dpid_cli.downscaling.transfer import Light
from dpid_cli.kernels.cuda import order, windows
from dpid_cli.kernels.cuda.pixels import LIGHT, TABLE, VALUES
from dpid_cli.kernels.cuda.target import Kernel, cuda
from dpid_cli.kernels.cuda.teams import Team
from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.order import EXTREMUM, MAX, MIN, TIE
from dpid_cli.kernels.pixels import Layout, layout_of
from dpid_cli.kernels.rewards import DETAIL, SCALED_DETAIL, power_for, reward_of

# Source bytes per strip: few enough that copies and kernels overlap, enough to keep the GPU busy. And the
# most rows of blocks that a kernel can be launched with, less the neighbours of a strip.
STRIP_BYTES, STRIP_ROWS = 32 << 20, 65000
_ORDERS = {"max": MAX, "min": MIN, "extremum": EXTREMUM}


@dataclass(frozen=True)
class Strip:
    """The output rows start .. stop-1 of an image; `pixels` on the GPU holds its rows from `top` on.

    With `light`, means are taken in linear light, and `decoded` on the GPU is the light of all levels, or
    that of the rows.
    """

    raster: Raster
    grid: Grid
    start: int
    stop: int
    pixels: Any
    top: int
    stream: Any
    workspace: Workspace
    light: Light | None = None
    decoded: Any = None

    @property
    def limit(self) -> np.float32:
        """Largest value of an integer type that is the output; 0 for floats."""
        return np.float32(self.raster.limit if self.light is None else 0)

    @property
    def lit(self) -> tuple[Any, Any]:
        """The arguments `light` and `lit` of kernels."""
        if self.light is None:
            return self.workspace.on_device("nothing", (1, 1), np.dtype(np.float32)), flag(VALUES)
        return self.decoded, flag(TABLE if self.light.by_table else LIGHT)

    @property
    def layout(self) -> Layout:
        """How kernels read the pixels."""
        return layout_of(self.raster.channels, self.raster.packed)

    @property
    def team(self) -> Team:
        """The threads for each window: the same for all strips, so that strips change no result."""
        ys, xs = self.grid.spans
        height, width = (int((axis.end - axis.begin).max()) for axis in (ys, xs))
        return Team.of(len(ys.begin) * len(xs.begin), width, height)

    def launch(self, kernel: Any, *arguments: Any) -> None:
        """Queue a kernel with one team of threads for each window of the strip."""
        grid, block = self.team.launch(self.stop - self.start, self.grid.xs.target)
        kernel.launch(grid, block, self.stream, *arguments)

    def windows(self) -> tuple[Any, ...]:
        """The first arguments of all kernels that visit windows."""
        ys, xs = (windows_along(axis, self.grid.window) for axis in (self.grid.ys, self.grid.xs))
        return self.pixels, ys, xs, np.int32(self.start), np.int32(self.top), self.team

    def with_neighbours(self) -> Strip:
        """The strip and the output rows above and below it, as far as they exist."""
        return replace(self, start=max(self.start - 1, 0), stop=min(self.stop + 1, self.grid.ys.target))

    def array(self, name: str, rows: int) -> Any:
        """Working memory: one float per channel and window, for some rows of windows."""
        shape = rows, self.raster.channels, self.grid.xs.target
        return self.workspace.on_device(name, shape, np.dtype(np.float32))


@dataclass
class Lane:
    """A stream, and the strip whose output it computes."""

    stream: Any
    workspace: Workspace = field(default_factory=Workspace)
    collect: Callable[[], None] | None = None

    def finish(self) -> None:
        """Wait for the current strip, if any, and copy its output to its place."""
        collect, self.collect = self.collect, None
        if collect is not None:
            self.stream.synchronize()
            collect()

    def abandon(self) -> None:
        """Forget the current strip, but wait until nothing uses its buffers any more."""
        self.collect = None
        with suppress(Exception):  # the error that led here is raised
            self.stream.synchronize()

    def begin(self, strip: Strip, method: str, parameters: Parameters, out: NDArray[Any]) -> None:
        """Queue a strip whose pixels are still in the memory of the computer; its output goes to `out`."""
        rows = strip.pixels
        staged = self.workspace.pinned("in", rows.shape, rows.dtype)
        np.copyto(staged, rows)
        pixels = self.workspace.on_device("in", rows.shape, rows.dtype)
        pixels.copy_to_device(staged, stream=self.stream)
        light, dtype, decoded = strip.light, out.dtype, None
        if light is not None:
            dtype = np.dtype(np.float32)
            decoded = copied(_decoded(light, strip.raster, strip.top, len(rows)), self.stream)
        result = self.workspace.on_device("out", out.shape, dtype)
        fill(result, method, replace(strip, pixels=pixels, decoded=decoded), parameters)
        arrived = self.workspace.pinned("out", out.shape, dtype)
        result.copy_to_host(arrived, stream=self.stream)
        if light is None:
            self.collect = lambda: np.copyto(out, arrived)
        else:
            guide = self.workspace.on_device("unweighted", out.shape, dtype)
            self.collect = lambda: _encode(arrived, light, guide, out)


def _decoded(light: Light, raster: Raster, top: int, rows: int) -> NDArray[np.float32]:
    """The light of all levels, (C, levels), or of some rows of an image, (rows, W * C)."""
    found = light.table if light.by_table else light.decoded(raster.part(top, top + rows).unpacked().rows)
    return np.asarray(found, np.float32)


def _encode(means: NDArray[Any], light: Light, guide: Any, out: NDArray[Any]) -> None:
    """Fill `out` with pixels for means of light; where these are NaN, with the guidance, on the GPU."""
    lacking = np.isnan(means)
    if lacking.any():
        intensities = guide.copy_to_host() / np.float32(light.like.unit)
        means = np.where(lacking, light.decode(intensities), means)
    out[:] = light.encode(means)


class _OfThread(threading.local):
    """The streams and buffers of each thread."""

    def __init__(self) -> None:
        self.lanes: dict[int, list[Lane]] = {}
        self.workspaces: dict[tuple[int, int], Workspace] = {}


_of_thread = _OfThread()


def downscale(
    out: NDArray[Any],
    raster: Raster,
    grid: Grid,
    method: str,
    parameters: Parameters,
    light: Light | None = None,
) -> None:
    """Fill `out`, (h, w * C), for an image in the memory of the computer; means are of light, if given."""
    check_type(raster.dtype)
    light = None if method in _ORDERS else light  # these pick pixels
    rows = grid.ys.target
    lanes = _of_thread.lanes.setdefault(device_number(), [])
    while len(lanes) < 2:
        lanes.append(Lane(cuda.stream()))
    height = min(max(1, int(STRIP_BYTES / (raster.rows.nbytes / rows))), STRIP_ROWS)
    with explained():
        try:
            for turn, start in enumerate(range(0, rows, height)):
                lane, stop = lanes[turn % 2], min(start + height, rows)
                top, bottom = source_rows(raster, grid, start, stop, parameters)
                lane.finish()
                part = raster.rows[top:bottom]
                strip = Strip(raster, grid, start, stop, part, top, lane.stream, lane.workspace, light)
                lane.begin(strip, method, parameters, out[start:stop])
            for lane in lanes:
                lane.finish()
        except BaseException:
            for lane in lanes:
                lane.abandon()
            raise


def downscale_resident(
    raster: Raster, grid: Grid, method: str, parameters: Parameters, shape: tuple[int, ...], stream: Any
) -> Any:
    """The output, of this shape and on the GPU, for an image there; queued on the stream, not waited for."""
    check_type(raster.dtype)
    workspace = _of_thread.workspaces.setdefault((device_number(), address_of(stream)), Workspace())
    with explained():
        result = cuda.device_array(shape, raster.dtype, stream=stream)  # which its interface names
        out = result.reshape(grid.ys.target, grid.xs.target * raster.channels)
        if grid.size == raster.size and grid.window is None:
            out.view(raster.rows.dtype).copy_to_device(raster.rows, stream=stream)
            return result
        for start in range(0, grid.ys.target, STRIP_ROWS):
            stop = min(start + STRIP_ROWS, grid.ys.target)
            strip = Strip(raster, grid, start, stop, raster.rows, 0, stream, workspace)
            fill(out[start:stop], method, strip, parameters)
    return result


def fill(out: Any, method: str, strip: Strip, parameters: Parameters) -> None:
    """Queue the kernels that fill `out`, (rows, w * C) on the GPU, for one strip."""
    if isinstance(parameters, DetailParameters):
        _fill_detail(out, method == "dpid", strip, parameters)
    elif method in _ORDERS:
        tie = np.float32(TIE * np.finfo(np.float32).eps)
        rounding = np.float32(0.5 if strip.raster.limit else 0)
        rule = flag(_ORDERS[method])
        strip.launch(order.order_windows, *strip.windows(), strip.layout, rule, tie, rounding, out)
    else:
        strip.launch(windows.box_windows, *strip.windows(), *strip.lit, strip.layout, strip.limit, out)


def _fill_detail(out: Any, joint: bool, strip: Strip, parameters: DetailParameters) -> None:
    """`fill` for DPID and DPP; `downscaling.methods.detail` does the same on the CPU."""
    alpha, unit, exponent = parameters.alpha, strip.raster.unit, rewards.exponent_of(parameters)
    octaves = rewards.octaves_of(alpha, strip.grid.window_area) if alpha > 0 else 0.0
    reward = reward_of(
        np.float32(exponent),
        *rewards.offset_and_floor(parameters, strip.raster, joint),
        joint,
        parameters.variant == "asym",
        power_for(DETAIL, parameters.lambda_, np.float32),
    )
    kind, guidance = _guidance(strip, parameters.guidance)
    task = SCALED_DETAIL if rewards.is_scaled(parameters, strip.raster) else DETAIL
    slack = np.float32(rewards.slack_of(exponent, np.float32))
    shape = (1, 1) if strip.light is None else out.shape
    unweighted = strip.workspace.on_device("unweighted", shape, np.dtype(np.float32))
    strip.launch(
        windows.reward_windows,
        *strip.windows(), *strip.lit, *guidance, np.float32(octaves), np.float32(unit**2), slack, strip.limit,
        flag(kind), flag(task), flag(rewards.is_normalised(parameters)), flag(alpha > 0), strip.layout,
        reward, unweighted, out,
    )  # fmt: skip


def _guidance(strip: Strip, guidance: str | Filter) -> tuple[int, tuple[Any, Any, Any, Any]]:
    """The kind of guidance, and the arguments `near` to `bias` of `windows.reward_windows`."""
    over_pixels = isinstance(guidance, Filter) and guidance.grid == "input"
    filter_ = guidance if isinstance(guidance, Filter) and not over_pixels else GAUSSIAN
    kernels, bias = filter_over_means(filter_, strip.raster.channels, strip.raster.unit)
    if guidance == "box":
        return windows.OWN, (strip.array("nothing", 1), np.int32(0), kernels, bias)
    if isinstance(guidance, Filter) and over_pixels:
        return windows.GIVEN, (_filtered_pixels(strip, guidance), np.int32(0), kernels, bias)
    wider = strip.with_neighbours()
    means = strip.array("means", wider.stop - wider.start)
    wider.launch(windows.mean_windows, *wider.windows(), wider.lit[0], wider.layout, means)
    return windows.NEAR, (means, np.int32(strip.start - wider.start), kernels, bias)


def _filtered_pixels(strip: Strip, guidance: Filter) -> Any:
    """The response of a filter on the input grid at each window."""
    channels, columns, side = strip.raster.channels, strip.grid.xs.target, guidance.kernel.shape[-1]
    rows, stream = strip.stop - strip.start, strip.stream
    row_of, column_of = guidance.positions(strip.grid.size)
    first = strip.start * guidance.step
    met = row_of[first : first + (rows - 1) * guidance.step + side]
    out = strip.array("guide", rows)
    team = Team.of(strip.grid.ys.target * columns, side, side)
    grid, block = team.launch(rows, columns)
    kernel, bias = guidance.planes(channels), guidance.biases(channels) * strip.raster.unit
    windows.filter_pixels.launch(
        grid, block, stream, strip.pixels, np.int32(guidance.step),
        copied(kernel.astype(np.float32), stream), copied(bias.astype(np.float32), stream),
        copied(np.where(met < 0, -1, met - strip.top).astype(np.int32), stream),
        copied(column_of.astype(np.int32), stream), team, out,
    )  # fmt: skip
    return out


def source_rows(raster: Raster, grid: Grid, start: int, stop: int, parameters: Parameters) -> tuple[int, int]:
    """First row and end of the source rows that the output rows start .. stop-1 need."""
    guidance = getattr(parameters, "guidance", "box")
    ys, _ = grid.spans
    near = 0 if guidance == "box" else 1
    top = int(ys.begin[max(start - near, 0)])
    bottom = int(ys.end[min(stop + near, grid.ys.target) - 1])
    if isinstance(guidance, Filter) and guidance.grid == "input":
        row_of, _ = guidance.positions(grid.size)
        side = guidance.kernel.shape[-1]
        met = row_of[start * guidance.step : (stop - 1) * guidance.step + side]
        met = met[met >= 0]
        top, bottom = min([top, *met[:1], met.min(initial=top)]), max(bottom, met.max(initial=0) + 1)
    return int(top), int(bottom)


def cache_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has found in the cache."""
    kernels = [value for module in (windows, order) for value in vars(module).values()]
    counts = [kernel.counts() for kernel in kernels if isinstance(kernel, Kernel)]
    return sum(compiled for compiled, _ in counts), sum(found for _, found in counts)
