"""Guidance by a filter on the input grid, on a GPU; `dpid_cli.kernels.filters` has the equation."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.cuda.target import Kernel, cuda
from dpid_cli.kernels.cuda.teams import SUM, WARPS, across, crew_of, my_place, my_window


@Kernel
def filter_pixels(pixels, scale, kernels, bias, row_of, column_of, team, out):
    """Filter K x K pixels at each window, in steps of `scale`.

    Parameters
    ----------
    pixels : (H, W * C) array
    scale : int
    kernels : (C, K, K) float32 array
    bias : (C,) float32 array
    row_of, column_of : (scale * (rows - 1) + K,), (scale * (w - 1) + K,) int32 array
        The row and column of `pixels` at each position of the filter; -1 for a zero outside.
    team : Team
    out : (rows, C, w) float32 array
        Filled.
    """
    crew = crew_of(team, cuda.shared.array(WARPS, np.float32))
    _, channels, width = out.shape
    side = kernels.shape[1]
    row, window = my_window(crew)
    i = min(window, np.int32(width - 1))
    column, line = my_place(crew)
    for j in range(channels):
        total = np.float32(0)
        dy = line
        while dy < side:
            y = row_of[np.uint32(row * scale + dy)]
            dx = column
            while dx < side:
                x = column_of[np.uint32(i * scale + dx)]
                if y >= 0 and x >= 0:
                    value = np.float32(pixels[np.uint32(y), np.uint32(x * channels + j)])
                    total += kernels[np.uint32(j), np.uint32(dy), np.uint32(dx)] * value
                dx = np.int32(dx + team.columns)
            dy = np.int32(dy + team.rows)
        total = across(total, crew, SUM)
        if window < width and column == 0 and line == 0:
            out[np.uint32(row), np.uint32(j), np.uint32(i)] = total + bias[np.uint32(j)]
