"""Learned guidance on the input grid, on a GPU; `dpid_cli.kernels.filters` has the equation."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.cuda.target import Kernel, cuda
from dpid_cli.kernels.cuda.teams import SUM, across, my_place, my_window


@Kernel
def filter_pixels(pixels, scale, kernels, bias, row_of, column_of, team, out):
    """K x K pixels at each window, in steps of `scale`.

    Parameters
    ----------
    pixels : (H, W * C) array
    scale : int
    kernels : (C, K, K) float32 array
    bias : (C,) float32 array
    row_of, column_of : (scale * (rows - 1) + K,), (scale * (w - 1) + K,) int32 array
        The row and column of `pixels` at each place that the filter meets; -1 for a zero outside.
    team : Team
    out : (rows, C, w) float32 array
        Filled.
    """
    rows, channels, columns = out.shape
    side = kernels.shape[1]
    window = my_window(team)
    i = min(window, columns - 1)
    column, line = my_place(team)
    for row in range(cuda.blockIdx.y, rows, cuda.gridDim.y):
        for j in range(channels):
            total = np.float32(0)
            for dy in range(line, side, 1 << team.row_bits):
                y = row_of[np.uint32(row * scale + dy)]
                for dx in range(column, side, 1 << team.column_bits):
                    x = column_of[np.uint32(i * scale + dx)]
                    if y >= 0 and x >= 0:
                        value = np.float32(pixels[np.uint32(y), np.uint32(x * channels + j)])
                        total += kernels[np.uint32(j), np.uint32(dy), np.uint32(dx)] * value
            total = across(total, team, SUM)
            if window < columns and column == 0 and line == 0:
                out[np.uint32(row), np.uint32(j), np.uint32(i)] = total + bias[np.uint32(j)]
