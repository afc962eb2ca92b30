"""Images on a GPU: its memory, streams, and the calls of the CUDA kernels. Imported only when one is used.

An image in the memory of the computer goes there in strips: while one is copied, the one before it is
computed and copied back, on a stream of its own. Each thread has its own streams and buffers, so that the
copies and kernels of threads that read, downscale and write images overlap.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.grid import Grid, Spans, spans
from dpid_cli.downscaling.methods.pools import TIE
from dpid_cli.downscaling.methods.sweeps import SAFE_LAMBDA, layout_of, power_flag
from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import Raster, check_kind
from dpid_cli.errors import ArgumentError, DpidError
from dpid_cli.kernels import order
from dpid_cli.kernels.cuda import filters, windows
from dpid_cli.kernels.cuda import order as cuda_order
from dpid_cli.kernels.cuda.target import SIMULATED, Kernel, cuda, from_dlpack
from dpid_cli.kernels.cuda.teams import Team
from dpid_cli.kernels.jit import flag
from dpid_cli.kernels.windows import DETAIL, SCALED_DETAIL

# Source bytes a strip: some, so that copies and kernels overlap; large, so that the GPU has enough to do.
# And the most rows of blocks that a kernel can be launched with, less the neighbours of a strip.
STRIP_BYTES, STRIP_ROWS = 32 << 20, 65000
_LARGEST_EXPONENT = 1e30
_THREE = np.array([1, 2, 1]) / 4
GAUSSIAN = Filter(np.outer(_THREE, _THREE), name="gaussian")


@dataclass(frozen=True)
class Strip:
    """The output rows start .. stop-1 of one image, whose rows from `top` on lie on the GPU as `pixels`."""

    raster: Raster
    grid: Grid
    start: int
    stop: int
    pixels: Any
    top: int
    stream: Any
    workspace: Workspace

    @property
    def limit(self) -> np.float32:
        """Largest value of an integer type; 0 for floats."""
        return np.float32(self.raster.limit)

    @property
    def team(self) -> Team:
        """The threads for each window; the same for all strips, and so are the results."""
        ys, xs = self.grid.spans
        height, width = (int((axis.end - axis.begin).max()) for axis in (ys, xs))
        return Team.of(len(ys.begin) * len(xs.begin), width, height)

    def launch(self, kernel: Any, *arguments: Any) -> None:
        """Queue one thread team for each window of the strip."""
        grid, block = self.team.launch(self.stop - self.start, self.grid.xs.target)
        kernel.launch(grid, block, self.stream, *arguments)

    def windows(self) -> tuple[Any, ...]:
        """What kernels that visit windows take first."""
        ys, xs = (on_device(axis, self.grid.window) for axis in self._axes())
        return self.pixels, ys, xs, np.int32(self.start), np.int32(self.top), self.team

    def _axes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        ys, xs = self.grid.ys, self.grid.xs
        return (ys.source, ys.target), (xs.source, xs.target)

    def array(self, name: str, rows: int) -> Any:
        """Working memory of one float for each channel of `rows` rows of windows."""
        shape = rows, self.raster.channels, self.grid.xs.target
        return self.workspace.on_device(name, shape, np.dtype(np.float32))


class Workspace:
    """Memory of the GPU, and pinned memory, that the work on one stream uses again and again."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Any] = {}

    def on_device(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """An array on the GPU, holding anything."""
        return self._array("device", cuda.device_array, name, shape, dtype)

    def pinned(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        """An array in memory that copies reach without the processor."""
        return self._array("pinned", cuda.pinned_array, name, shape, dtype)

    def _array(
        self, where: str, make: Callable[..., Any], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Any:
        size = math.prod(shape) * dtype.itemsize
        held = self._held.get((where, name))
        if held is None or held.size < size:
            self._held.pop((where, name), None)  # given back before more is asked for
            held = self._held[where, name] = make(size, np.uint8)
        return held[:size].view(dtype).reshape(*shape)


@dataclass
class Lane:
    """A stream, and the strip whose result it will hold next."""

    stream: Any
    workspace: Workspace = field(default_factory=Workspace)
    collect: Callable[[], None] | None = None

    def finish(self) -> None:
        """Wait for the strip under way, if there is one, and put its result where it belongs."""
        collect, self.collect = self.collect, None
        if collect is not None:
            self.stream.synchronize()
            collect()

    def abandon(self) -> None:
        """Forget the strip under way, but wait until nothing uses its buffers any more."""
        self.collect = None
        with suppress(Exception):  # the error that led here is told
            self.stream.synchronize()

    def begin(self, strip: Strip, method: str, parameters: Parameters, out: NDArray[Any]) -> None:
        """Queue a strip whose pixels are still in the memory of the computer; its result goes to `out`."""
        rows = strip.pixels
        staged = self.workspace.pinned("in", rows.shape, rows.dtype)
        np.copyto(staged, rows)
        pixels = self.workspace.on_device("in", rows.shape, rows.dtype)
        pixels.copy_to_device(staged, stream=self.stream)
        result = self.workspace.on_device("out", out.shape, out.dtype)
        fill(result, method, replace(strip, pixels=pixels), parameters)
        arrived = self.workspace.pinned("out", out.shape, out.dtype)
        result.copy_to_host(arrived, stream=self.stream)
        self.collect = lambda: np.copyto(out, arrived)


class _OfThread(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.lanes: dict[int, list[Lane]] = {}
        self.workspaces: dict[tuple[int, int], Workspace] = {}


_of_thread = _OfThread()


def downscale(out: NDArray[Any], raster: Raster, grid: Grid, method: str, parameters: Parameters) -> None:
    """Fill `out`, (h, w * C), for an image in the memory of the computer."""
    check_type(raster.dtype)
    rows = grid.ys.target
    lanes = _of_thread.lanes.setdefault(device_number(), [])
    while len(lanes) < 2:
        lanes.append(Lane(cuda.stream()))
    height = min(max(1, int(STRIP_BYTES / (raster.rows.nbytes / rows))), STRIP_ROWS)
    with _told():
        try:
            for turn, start in enumerate(range(0, rows, height)):
                lane, stop = lanes[turn % 2], min(start + height, rows)
                top, bottom = source_rows(raster, grid, start, stop, parameters)
                lane.finish()
                part = raster.rows[top:bottom]
                strip = Strip(raster, grid, start, stop, part, top, lane.stream, lane.workspace)
                lane.begin(strip, method, parameters, out[start:stop])
            for lane in lanes:
                lane.finish()
        except BaseException:
            for lane in lanes:
                lane.abandon()
            raise


def downscale_resident(
    raster: Raster,
    grid: Grid,
    method: str,
    parameters: Parameters,
    shape: tuple[int, ...],
    stream: Any,
) -> Any:
    """The result, of this shape and on the GPU, for an image there; queued on the stream, not waited for."""
    check_type(raster.dtype)
    workspace = _of_thread.workspaces.setdefault((device_number(), address_of(stream)), Workspace())
    with _told():
        result = cuda.device_array(shape, raster.dtype, stream=stream)  # and tells others of the stream
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
    """Queue what fills `out`, (rows, w * C) on the GPU, with a strip."""
    if isinstance(parameters, DetailParameters):
        _reward(out, method == "dpid", strip, parameters)
    elif method in ("max", "min", "extremum"):
        _order(out, method, strip)
    else:
        strip.launch(windows.box_windows, *strip.windows(), layout_of(strip.raster), strip.limit, out)


def _order(out: Any, method: str, strip: Strip) -> None:
    rule = {"max": order.MAX, "min": order.MIN, "extremum": order.EXTREMUM}[method]
    tie = np.float32(TIE * np.finfo(np.float32).eps)
    rounding = np.float32(0.5 if strip.raster.limit else 0)
    strip.launch(
        cuda_order.order_windows, *strip.windows(), layout_of(strip.raster), rule, tie, rounding, out
    )


def _reward(out: Any, joint: bool, strip: Strip, parameters: DetailParameters) -> None:
    """DPID and DPP; `dpid_cli.downscaling.methods.detail` has the same for the processor."""
    lambda_, alpha = parameters.lambda_, parameters.alpha
    unit = strip.raster.unit
    normalised = parameters.normalize == "mean" and alpha > 0
    octaves = math.log2(alpha) + math.log2(strip.grid.window_area) if alpha > 0 else 0.0
    strip.launch(
        windows.reward_windows,
        *strip.windows(),
        *_guidance(strip, parameters.guidance),
        np.float32(min(lambda_ / 2, _LARGEST_EXPONENT)),
        np.float32((parameters.epsilon * unit) ** 2),
        np.float32(octaves),
        np.float32(unit**2),
        strip.limit,
        _guidance_flag(parameters.guidance),
        SCALED_DETAIL if lambda_ > SAFE_LAMBDA or normalised else DETAIL,
        flag(normalised),
        flag(alpha > 0),
        layout_of(strip.raster),
        flag(joint),
        flag(parameters.variant == "asym"),
        power_flag(DETAIL, lambda_, np.float32),
        out,
    )


def _guidance_flag(guidance: str | Filter) -> Any:
    if guidance == "box":
        return windows.OWN
    return windows.GIVEN if isinstance(guidance, Filter) and guidance.grid == "input" else windows.NEAR


def _guidance(strip: Strip, guidance: str | Filter) -> tuple[Any, Any, Any, Any]:
    """The arguments from `near` to `bias` of `windows.reward_windows`, computed if need be."""
    if guidance == "box":
        return strip.array("nothing", 1), np.int32(0), *_filter_on_device(GAUSSIAN, 1, 1.0, device_number())
    if isinstance(guidance, Filter) and guidance.grid == "input":
        return (
            _filtered_pixels(strip, guidance),
            np.int32(0),
            *_filter_on_device(GAUSSIAN, 1, 1.0, device_number()),
        )
    wider = with_neighbours(strip)
    means = strip.array("means", wider.stop - wider.start)
    wider.launch(windows.mean_windows, *wider.windows(), layout_of(wider.raster), means)
    filter_ = guidance if isinstance(guidance, Filter) else GAUSSIAN
    channels, unit = strip.raster.channels, strip.raster.unit
    return (
        means,
        np.int32(strip.start - wider.start),
        *_filter_on_device(filter_, channels, unit, device_number()),
    )


def _filtered_pixels(strip: Strip, guidance: Filter) -> Any:
    """What a filter on the input grid makes of the pixels around each window."""
    channels, columns, side = strip.raster.channels, strip.grid.xs.target, guidance.kernel.shape[-1]
    rows = strip.stop - strip.start
    row_of, column_of = guidance.positions(strip.grid.size)
    first = strip.start * guidance.step
    met = row_of[first : first + (rows - 1) * guidance.step + side]
    out = strip.array("guide", rows)
    team = Team.of(strip.grid.ys.target * columns, side, side)
    grid, block = team.launch(rows, columns)
    filters.filter_pixels.launch(
        grid,
        block,
        strip.stream,
        strip.pixels,
        np.int32(guidance.step),
        _sent(guidance.planes(channels).astype(np.float32), strip.stream),
        _sent((guidance.biases(channels) * strip.raster.unit).astype(np.float32), strip.stream),
        _sent(np.where(met < 0, -1, met - strip.top).astype(np.int32), strip.stream),
        _sent(column_of.astype(np.int32), strip.stream),
        team,
        out,
    )
    return out


def _sent(array: NDArray[Any], stream: Any) -> Any:
    return cuda.to_device(np.ascontiguousarray(array), stream=stream)


def with_neighbours(strip: Strip) -> Strip:
    """The strip and the output rows above and below it, as far as they exist."""
    return replace(strip, start=max(strip.start - 1, 0), stop=min(strip.stop + 1, strip.grid.ys.target))


def source_rows(raster: Raster, grid: Grid, start: int, stop: int, parameters: Parameters) -> tuple[int, int]:
    """First row, and end, of the image's rows that the output rows start .. stop-1 need."""
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


def on_device(axis: tuple[int, int], window: int | None) -> Spans:
    """The windows along an axis, (source, target), in the memory of the GPU that is current."""
    return _spans_on_device(*axis, window, device_number())


@lru_cache(maxsize=64)
def _spans_on_device(source: int, target: int, window: int | None, device: int) -> Spans:
    begin, end, head, tail = spans(source, target, window, np.float32)
    arrays = (begin.astype(np.int32), end.astype(np.int32), head, tail)
    sent = Spans(*map(cuda.to_device, arrays))
    cuda.synchronize()  # it may be used on any stream from now on
    return sent


@lru_cache(maxsize=16)
def _filter_on_device(filter_: Filter, channels: int, unit: float, device: int) -> tuple[Any, Any]:
    bias = filter_.biases(channels) * unit
    sent = tuple(cuda.to_device(values.astype(np.float32)) for values in (filter_.at_borders, bias))
    cuda.synchronize()
    return sent


def device_number() -> int:
    """Which GPU is current in this thread."""
    return getattr(cuda.get_current_device(), "id", 0)


def resident(image: Any, stream: Any, channels_together: bool = True) -> Raster:
    """The pixels of an array on the GPU as kernels read them, without a copy.

    Parameters
    ----------
    image : object with ``__cuda_array_interface__`` or ``__dlpack__``
        (H, W) or (H, W, C), contiguous.
    stream : stream of Numba, or 0
        Where it will be used.
    channels_together : bool
        Whether the four bytes of a pixel may be read as one number.

    Raises
    ------
    ArgumentError
        If its shape or type is none that kernels know.
    """
    array = _view(image, stream)
    channels = check_kind(array.shape, array.dtype)
    if not array.is_c_contiguous():
        raise ArgumentError("image: its pixels lie apart in the memory of the GPU: give a contiguous copy")
    rows = array.reshape(array.shape[0], array.shape[1] * channels)
    together = channels_together and channels == 4 and array.dtype == np.uint8 and _address(array) % 4 == 0
    return Raster(rows.view(np.dtype(np.uint32)) if together else rows, channels, packed=together)


def _address(array: Any) -> int:
    return 0 if SIMULATED else int(array.__cuda_array_interface__["data"][0])


def _view(image: Any, stream: Any) -> Any:
    """An array of Numba over the memory of any library's array."""
    if getattr(image, "__cuda_ndarray__", False):
        return image
    if hasattr(image, "__cuda_array_interface__"):
        return cuda.as_cuda_array(image, sync=False)  # `stream_for` keeps the order
    return from_dlpack(image, address_of(stream) or 1)


def stream_for(image: Any, stream: Any) -> Any:
    """The stream to work on: the one given, else the one on which the image is made, else the default.

    Work on a stream other than the image's own begins when the image is there.
    """
    own = (getattr(image, "__cuda_array_interface__", None) or {}).get("stream")
    if stream is None:
        return 0 if own is None else cuda.external_stream(own)
    if own is not None:
        cuda.external_stream(own).synchronize()
    if hasattr(stream, "__cuda_stream__"):
        stream = stream.__cuda_stream__()[1]
    return cuda.external_stream(stream) if isinstance(stream, int) and stream else stream


def address_of(stream: Any) -> int:
    """The address of a stream; 0 for the default one."""
    return int(getattr(stream, "handle", stream) or 0)


def check_type(dtype: np.dtype[Any]) -> None:
    """Raise an `ArgumentError` for numbers that are not computed on a GPU."""
    if dtype == np.float64:
        raise ArgumentError("device: float64 is computed by the processor only: give float32, or device cpu")


class _told:  # noqa: N801  # a context manager
    """Turn errors of CUDA into such that say what to do."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, DpidError):
            return
        text = str(error)
        if "OUT_OF_MEMORY" in text or isinstance(error, MemoryError):
            raise DpidError(
                "device: the GPU has not enough memory: give a smaller image, or device cpu"
            ) from error
        if kind.__module__.startswith(("numba.cuda.cudadrv", "cuda.")):
            told = " ".join(text.split()) or kind.__name__
            raise DpidError(
                f"device: the GPU cannot be used: {told}: repair it, or give device cpu"
            ) from error


def cache_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has found compiled."""
    kernels = [value for module in (windows, filters, cuda_order) for value in vars(module).values()]
    found = [kernel.counts() for kernel in kernels if isinstance(kernel, Kernel)]
    return sum(compiled for compiled, _ in found), sum(held for _, held in found)


@cache
def description() -> str:
    """The GPU, its compute capability, and what drives it."""
    if SIMULATED:
        return "simulated by Numba (NUMBA_ENABLE_CUDASIM)"
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else device.name
    major, minor = device.compute_capability
    return f"{name}, compute capability {major}.{minor}"
