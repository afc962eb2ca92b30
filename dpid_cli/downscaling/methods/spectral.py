"""Spectral pooling: the lowest frequencies of the discrete Fourier transform."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.parameters import Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip

_ROWS = 256  # transformed at a time, so that spectra stay small


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with all rows at once."""
    raster, (columns, rows) = strip.raster, strip.grid.size
    c = raster.channels
    averages = np.empty(out.shape)
    for j in range(c):

        def channel(lines: Array, j: int = j) -> Array:
            return (lines if strip.light is None else strip.light.decoded(lines))[:, j::c]

        wide = _shrink_rows(raster.rows, columns, channel)
        averages[:, j::c] = _shrink_rows(wide.T, rows).T
    out[:] = strip.pixels(averages)


def _shrink_rows(
    lines: Array, target: int, of_rows: Callable[[Array], Array] = np.asarray
) -> NDArray[np.float64]:
    """Keep the lowest frequencies of ``of_rows(lines)``, as many as give `target` samples per row.

    Shrinking rows and then columns crops the two-dimensional spectrum. Sample k lies at the centre of
    window k. If `target` is even, the highest frequency and its negative coincide: `irfft` takes the real
    part, which is their average.
    """
    source = of_rows(lines[:1]).shape[1]
    frequencies = np.arange(target // 2 + 1)
    shift = np.exp(1j * np.pi * frequencies * (1 / target - 1 / source)) * (target / source)
    out = np.empty((len(lines), target))
    for start in range(0, len(lines), _ROWS):
        part = of_rows(lines[start : start + _ROWS]).astype(np.float64)
        spectrum = np.fft.rfft(part, axis=1)[:, : len(frequencies)]
        out[start : start + _ROWS] = np.fft.irfft(spectrum * shift, target, axis=1)
    return out
