"""Pillow's resampling filters, for reference: channel by channel, in Pillow's own precision."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.downscaling.parameters import Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.downscaling.transfer import Light

# Reach of the filters from the centre of a window, in windows.
_REACH = {"bilinear": 1, "hamming": 1, "bicubic": 2, "lanczos": 3}
LIGHT_BYTES = 1 << 20  # of light in memory at a time


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with all rows at once."""
    if strip.light is not None and name in _REACH:
        _fill_by_light(out, name, strip, strip.light)
        return
    raster = strip.raster
    for j in range(raster.channels):
        values = _resized(raster.rows[:, j :: raster.channels], strip.grid.size, name)
        out[:, j :: raster.channels] = raster.levels(values)


def _fill_by_light(out: Array, name: str, strip: Strip, light: Light) -> None:
    """Fill `out` with means of light, some rows at a time."""
    (columns, rows), height, c = strip.grid.size, strip.raster.size[1], strip.raster.channels
    patch = height / rows
    step = max(1, int(LIGHT_BYTES / (4 * c * columns * patch)))
    for start in range(0, rows, step):
        stop = min(start + step, rows)
        top = max(0, math.floor((start - _REACH[name]) * patch))
        bottom = min(height, math.ceil((stop + _REACH[name]) * patch))
        narrow = _narrowed(strip, light, name, top, bottom)
        averages = np.empty((stop - start, out.shape[1]), np.float32)
        bounds = (0, start * patch - top, columns, min(stop * patch, height) - top)
        for j in range(c):
            averages[:, j::c] = _resized(narrow[j], (columns, stop - start), name, bounds)
        out[start:stop] = light.encode(averages)


def _narrowed(strip: Strip, light: Light, name: str, top: int, bottom: int) -> NDArray[np.float32]:
    """Light of the rows top .. bottom-1, filtered along the rows as Pillow does first: (C, n, w)."""
    columns, c = strip.grid.xs.target, strip.raster.channels
    narrow = np.empty((c, bottom - top, columns), np.float32)
    step = max(1, LIGHT_BYTES // (4 * c * strip.grid.xs.source))
    for start in range(top, bottom, step):
        stop = min(start + step, bottom)
        lit = light.decoded(strip.raster.rows[start:stop])
        for j in range(c):
            narrow[j, start - top : stop - top] = _resized(lit[:, j::c], (columns, stop - start), name)
    return narrow


def _resized(
    plane: Array, size: tuple[int, int], name: str, bounds: tuple[float, float, float, float] | None = None
) -> Array:
    """Resize a plane with Pillow, or the part of it in (left, top, right, bottom)."""
    if plane.dtype != np.uint8:  # Pillow filters higher bit depths as float32 only
        plane = plane.astype(np.float32, copy=False)
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(image.resize(size, Image.Resampling[name.upper()], bounds))
