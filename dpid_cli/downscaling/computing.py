"""From a checked image and parameters to the output: on the CPU strip by strip, or on a GPU."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np

from dpid_cli.downscaling import strips
from dpid_cli.downscaling.automatic import is_automatic
from dpid_cli.downscaling.choices import FilterGrid
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.maps import Maps
from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import MOST_CHANNELS, Array, Raster
from dpid_cli.downscaling.registry import METHODS, Method, equivalent
from dpid_cli.downscaling.rewards import is_scaled
from dpid_cli.downscaling.sizes import Size, requested
from dpid_cli.downscaling.transfer import Light, Transfer
from dpid_cli.errors import ArgumentError

# Squares of differences between smaller floats could leave the range of float32.
_DARK = 2.0**-8


def grid_of(raster: Raster, target: Size, parameters: Parameters) -> Grid:
    """The windows of the output, which a filter may not fit."""
    if parameters.filter is not None:
        parameters.filter.check_fit(raster.size, target, raster.channels)
    return Grid.of(raster.size, target, raster.real, getattr(parameters, "window", None))


def _reads_pixels(parameters: Parameters) -> bool:
    """Whether the guidance is a filter over single channels of pixels."""
    return parameters.filter is not None and parameters.filter.grid == FilterGrid.INPUT


def resident(
    image: Any,
    method: Method,
    parameters: Parameters,
    scale: float | None,
    size: tuple[int, int] | None,
    stream: Any,
) -> Any:
    """`downscale` for an image in GPU memory."""
    from dpid_cli.downscaling.gpu import arrays, launch

    if is_automatic(parameters.as_dict()):
        raise ArgumentError("auto: needs an image in CPU memory: copy it, or give a number")
    stream = arrays.stream_for(image, stream)
    raster = arrays.resident(image, stream, not _reads_pixels(parameters))
    grid = grid_of(raster, requested(raster.size, scale, size), parameters)
    shape = (*grid.size[::-1], *image.shape[2:])
    method, parameters = equivalent(method, parameters)
    return launch.downscale_resident(raster, grid, method.name, parameters, shape, stream)


def computed(
    raster: Raster,
    grid: Grid,
    method: Method,
    parameters: Parameters,
    transfer: Transfer | None,
    given: tuple[Any, Any],
    threads: int,
    on_gpu: bool,
) -> Array:
    """The output, (h, w * C); `given` are importance and guidance, or None."""
    knows_channels = method.by_channels or method.family == "spatial"
    if raster.channels > MOST_CHANNELS and knows_channels and method.name != "dpid":
        return _by_groups(raster, grid, method, parameters, transfer, given, threads)
    if method.family == "detail" and getattr(parameters, "epsilon", _DARK) < _DARK:
        raster = raster.enlarged(_DARK)
    if _reads_pixels(parameters) or not (on_gpu or (method.packed and grid.window is None)):
        raster = raster.unpacked()
    output = np.empty((grid.ys.target, grid.xs.target * raster.channels), raster.dtype)
    light = None if transfer is None else Light(transfer, raster)
    if on_gpu:
        from dpid_cli.downscaling.gpu import launch

        launch.downscale(output, raster, grid, method.name, parameters, light)
    else:
        maps = Maps.of(*given, raster, grid.size)
        _check_maps(maps, method, parameters, raster)
        _on_cpu(output, raster, grid, method, parameters, light, maps, threads)
    if raster.scaling != 1:
        output /= raster.dtype.type(raster.scaling)
    return output


def _check_maps(maps: Maps, method: Method, parameters: Parameters, raster: Raster) -> None:
    """Raise an `ArgumentError` if a method cannot use the given maps."""
    if not maps:
        return
    if method.family != "detail":
        able = ", ".join(m.name for m in METHODS.values() if m.family == "detail")
        raise ArgumentError(f"importance: method {method.name} takes none: use {able}")
    if getattr(parameters, "window", None) is not None:
        raise ArgumentError("importance: works without window only: omit one of them")
    scaled = isinstance(parameters, DetailParameters) and is_scaled(parameters, raster)
    if scaled and maps.importance is not None:
        raise ArgumentError(
            "importance: works with lambda up to 4 (floats 1.9), epsilon up to 1, no normalize, "
            "and so do parts of pixels in a crop: change it"
        )


def _by_groups(
    raster: Raster,
    grid: Grid,
    method: Method,
    parameters: Parameters,
    transfer: Transfer | None,
    given: tuple[Any, Any],
    threads: int,
) -> Array:
    """`computed` for any number of channels, which do not depend on each other, some at a time."""
    if transfer is not None and not transfer.separable:
        raise ArgumentError(
            f"linear: is a Transfer for all channels together: use at most {MOST_CHANNELS} channels, or dpid"
        )
    importance, guidance = given
    Maps.of(importance, guidance, raster, grid.size)
    output = np.empty((grid.ys.target, grid.xs.target, raster.channels), raster.dtype)
    for group, part in raster.groups:
        maps = importance, None if guidance is None else _of_group(guidance, group, raster.channels)
        light = None if transfer is None else transfer.part(group, raster.channels)
        chosen = _parameters_of_group(parameters, group)
        values = computed(part, grid, method, chosen, light, maps, threads, False)
        output[..., group] = values.reshape(grid.ys.target, grid.xs.target, -1)
    return output.reshape(len(output), -1)


def _of_group(values: Any, group: slice, channels: int) -> Any:
    """The entries along the last axis that belong to some channels; unchanged if there is one for all."""
    return values[..., group] if np.ndim(values) == 3 and np.shape(values)[2] == channels else values


def _parameters_of_group(parameters: Parameters, group: slice) -> Parameters:
    """The parameters of some channels."""
    changed: dict[str, Any] = {}
    if isinstance(noise := getattr(parameters, "noise", None), tuple):
        changed["noise"] = noise[group]
    if parameters.filter is not None:
        changed["guidance"] = parameters.filter.part(group)
    return replace(parameters, **changed)


def _on_cpu(
    output: Array,
    raster: Raster,
    grid: Grid,
    method: Method,
    parameters: Parameters,
    light: Light | None,
    maps: Maps,
    threads: int,
) -> None:
    """Fill `output`, (h, w * C), strip by strip."""
    family = method.load()
    if hasattr(family, "prepare"):
        parameters = family.prepare(raster, grid, parameters)
    of_thread = threading.local()

    def render(start: int, stop: int) -> None:
        if not hasattr(of_thread, "workspace"):
            of_thread.workspace = strips.Workspace()
        strip = strips.Strip(raster, grid, start, stop, of_thread.workspace, light, maps)
        family.fill(output[start:stop], method.name, strip, parameters)

    rows, threads = grid.ys.target, strips.worthwhile(threads, raster.rows.nbytes)
    parts = [(0, rows)]
    bytes_per_row = raster.rows.nbytes / rows
    if method.family == "detail" and family.rolls(raster, grid, parameters, light, maps):
        parts = strips.shares(rows, bytes_per_row, threads, copied=raster.packs)
    elif method.divisible:
        parts = strips.strips(rows, bytes_per_row, threads, method.neighbours)
    strips.run(render, parts, threads)
