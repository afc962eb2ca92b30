"""Pillow's resampling filters, for reference: each channel by itself, in Pillow's own precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.sweeps import Strip


def fill(out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any]) -> None:
    """Fill `out`, (rows, w * C), with all rows at once."""
    raster = strip.raster
    for j in range(raster.channels):
        plane = raster.rows[:, j :: raster.channels]
        if plane.dtype != np.uint8:  # Pillow filters deeper pixels as float32 only.
            plane = plane.astype(np.float32)
        image = Image.fromarray(np.ascontiguousarray(plane))
        values = np.asarray(image.resize(strip.grid.size, Image.Resampling[name.upper()]))
        out[:, j :: raster.channels] = raster.levels(values)
