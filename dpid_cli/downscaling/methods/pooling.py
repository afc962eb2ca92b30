"""Poolings that compute, per channel, a value between the smallest and the largest of a window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.parameters import GateParameters, Parameters
from dpid_cli.downscaling.raster import Array, Raster, as_array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.errors import ArgumentError
from dpid_cli.kernels import order, pooling

# Of a power mean, which is the maximum there; and of a gate, whose products with pixels stay finite.
_LARGEST_POWER, _LARGEST_GATE = 1e30, 1e30


def prepare(raster: Raster, grid: Grid, parameters: Parameters) -> Parameters:
    """Convert the gate to an array, or raise an `ArgumentError` if it does not fit the image."""
    if not isinstance(parameters, GateParameters) or parameters.gate is None:
        return parameters
    return replace(parameters, gate=_fitting(_kernel(parameters.gate), raster, grid))


def _kernel(gate: Any) -> NDArray[np.float64]:
    """The numbers of a gate, (s, s) or (C, s, s)."""
    values = gate.kernel if isinstance(gate, Filter) else as_array(gate, "gate")
    if values.dtype.kind not in "fiu":
        raise ArgumentError(f"gate must be an array of numbers or a filter (got a {type(gate).__name__})")
    return values.astype(np.float64)


def _fitting(kernel: NDArray[np.float64], raster: Raster, grid: Grid) -> NDArray[np.float64]:
    """(sy, sx, 1) or (sy, sx, C), for windows of that many pixels."""
    sides, channels = grid.whole, raster.channels
    if kernel.shape == sides:
        kernel = kernel[np.newaxis]
    if sides is None or kernel.shape not in ((1, *sides), (channels, *sides)):
        height, width = (axis.source / axis.target for axis in (grid.ys, grid.xs))
        raise ArgumentError(
            f"gate: a filter of {'x'.join(map(str, kernel.shape)) or 1} does not fit {channels} channels and "
            f"windows of {height:.4g}x{width:.4g} pixels: use a size for which it does, or another filter"
        )
    if not (np.abs(kernel) <= _LARGEST_GATE).all():
        raise ArgumentError(
            f"gate: contains NaN or larger values than {_LARGEST_GATE:g}: give smaller numbers"
        )
    return kernel.transpose(1, 2, 0)


def fill(out: Array, name: str, strip: Strip, parameters: Any) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    pool, unit = Pool.of(strip).lighted(strip.light), strip.raster.unit
    match name:
        case "mixed":
            values = _between(pool.averaged(), parameters.beta)
        case "gated" if parameters.gate is None:
            values = _between(pool.averaged(), 0.5)
        case "gated":
            values = _between(pool.averaged(), _openness(pool, parameters.gate / unit))
        case "lp":
            values = _power_mean(pool.averaged(), parameters.power)
        case "softpool":
            values = _soft(pool, unit)
        case "edscw":
            values = pool.weighted(pooling.SIMILAR, pool.means())
        case "idw":
            values = pool.weighted(pooling.INVERSE, pool.means())
        case _:
            beta = parameters.beta
            similar = pool.weighted(pooling.SIMILAR, pool.means())
            values = beta * similar + (1 - beta) * _soft(pool, unit)
    out[:] = strip.pixels(values)


def _between(pool: Pool, share: Any) -> Array:
    """Mix max and mean: ``share`` of the one, the rest of the other."""
    means, largest = pool.means(), pool.extremes(order.MAX)
    means += share * (largest - means)
    return means


def _openness(pool: Pool, gate: NDArray[np.float64]) -> Array:
    """Logistic function of each window's scalar product with the gate."""
    height, width, _ = gate.shape
    pixels = pool.values.reshape(len(pool.values), -1, pool.channels)
    products = np.zeros((len(pixels) // height, pixels.shape[1] // width, pool.channels))
    for y in range(height):
        for x in range(width):
            products += gate[y, x] * pixels[y::height, x::width]
    openness = 0.5 + 0.5 * np.tanh(products / 2)  # which cannot overflow
    return openness.reshape(pool.shape).astype(pool.values.dtype)


def _power_mean(pool: Pool, power: float) -> Array:
    """``(mean |a|**p)**(1/p)``, computed relative to the largest |a| so that nothing overflows."""
    if pool.values.size and pool.values.min() < 0:
        pool = pool.mapped(np.abs)
    if power == 1:
        return pool.means()
    largest = pool.extremes(order.MAX)
    if power == 2:
        finite = largest > np.finfo(largest.dtype).tiny
        inverse = np.divide(1, largest, out=np.zeros_like(largest), where=finite)
        total, _ = pool.sums(pooling.SQUARE, inverse)
    else:
        total, _ = pool.mapped(_logarithm).sums(
            pooling.POWER, _logarithm(largest), min(power, _LARGEST_POWER)
        )
    total /= pool.areas
    total **= 1 / power
    total *= largest
    return total


def _logarithm(values: Array) -> Array:
    """Natural logarithms; for 0, a number below that of any other value."""
    smallest = np.finfo(values.dtype).tiny
    return np.asarray(np.log(np.maximum(values, smallest)))


def _soft(pool: Pool, unit: float) -> Array:
    """Weights ``e**a`` for intensities a in [0, 1]."""
    return pool.weighted(pooling.SOFT, pool.extremes(order.MAX), 1 / unit)
