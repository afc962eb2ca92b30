"""The numbers of a reward, for the CPU and the GPU: finite at any lambda, alpha and epsilon."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dpid_cli.downscaling.choices import Normalize
from dpid_cli.downscaling.parameters import DetailParameters
from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.errors import ArgumentError
from dpid_cli.kernels.rewards import SAFE_FLOAT_LAMBDA, SAFE_LAMBDA

# From here on only the largest u counts, or no difference next to epsilon, in intensities.
_LARGEST_EXPONENT, _LARGEST_EPSILON = 1e30, 1e9
# Units in the last place by which u of one pixel may differ from kernel to kernel.
_ROUNDING = 8
# The part of a weight by which rounding may change it.
_NOTICED = 0.01


def exponent_of(parameters: DetailParameters) -> float:
    """The power of u: lambda / 2."""
    return min(parameters.lambda_ / 2, _LARGEST_EXPONENT)


def epsilon2_of(parameters: DetailParameters, unit: float) -> float:
    """Epsilon squared, where `unit` stands for intensity 1."""
    return float((min(parameters.epsilon, _LARGEST_EPSILON) * unit) ** 2)


def offset_and_floor(
    parameters: DetailParameters, raster: Raster, joint: bool
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The numbers in ``u = max(m**2 + offset, floor)`` of each distance, on the scale of the pixels.

    Noise of variance v in each of n channels makes m**2 larger by n v on average, and rarely by more than
    t n v with ``t = 2 + 4 / n``. So ``u = max(m**2 - t n v, 0) + n v + epsilon**2``: differences within the
    noise weigh the same, and those above it a little less. This is our own form.
    """
    epsilon2 = epsilon2_of(parameters, raster.unit)
    noise = parameters.noise if isinstance(parameters.noise, tuple) else (parameters.noise,) * raster.channels
    if len(noise) != raster.channels:
        raise ArgumentError(
            f"noise: has {len(noise)} numbers for {raster.channels} channels: give one for each, or only one"
        )
    variances = tuple((sigma * raster.unit) ** 2 for sigma in noise)
    together = raster.channels if joint else 1
    if joint:
        variances = (sum(variances),)
    beyond = 1 + 4 / together
    return tuple(epsilon2 - beyond * v for v in variances), tuple(epsilon2 + v for v in variances)


def is_normalised(parameters: DetailParameters) -> bool:
    """Whether u is divided by its mean; without alpha this changes nothing."""
    return parameters.normalize == Normalize.MEAN and parameters.alpha > 0


def is_scaled(parameters: DetailParameters, raster: Raster) -> bool:
    """Whether u is divided by its largest value in the window, as powers could leave the range."""
    safe = SAFE_FLOAT_LAMBDA if raster.dtype == np.float32 else SAFE_LAMBDA
    return parameters.lambda_ > safe or parameters.epsilon > 1 or is_normalised(parameters)


def slack_of(exponent: float, real: Any) -> float:
    """How much more than one over its largest value the factor of u is: usually 1, not more.

    At exponents so large that rounding decides, all u near the largest must be 1 after the division, for
    else none may be, and all weights vanish.
    """
    rounding = _ROUNDING * float(np.finfo(real).eps)
    return 1 + rounding if exponent * rounding > _NOTICED else 1


def octaves_of(alpha: float, area: float = 1) -> float:
    """Binary logarithm of alpha times the area of a window; alpha is above 0."""
    return math.log2(alpha) + math.log2(area)


def constant_of(octaves: float, base: Array, exponent: float, most: float) -> Array:
    """``2**octaves * base**exponent``, at most `most`, without overflow on the way."""
    logarithms = np.log2(np.maximum(base, np.finfo(np.float64).tiny, dtype=np.float64))
    return np.asarray(np.exp2(np.clip(octaves + exponent * logarithms, -1000, math.log2(most))))
