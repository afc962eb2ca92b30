"""How much a pixel counts: its distance from the guidance, raised to a power.

A pixel I weighs ``w = alpha + u**(lambda / 2)``, where ``u = m**2 + epsilon**2`` and m is the difference
I - G from the guidance G, or only its positive part (asymmetric reward). DPID adds up m**2 over the channels
(Weber et al. 2016); DPP does not (Saeedan et al. 2018). Kernels for the CPU and the GPU share the formulas.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from dpid_cli.kernels.flags import Flag, choice, count, flag, helper, is_set

# What a sweep adds up: values, u and its largest value, or weights and weighted differences, where
# SCALED_DETAIL multiplies u by a factor of its window.
BOX, RANGE, DETAIL, SCALED_DETAIL = range(4)
# How u**(lambda / 2) is computed.
ROOT, LINEAR, FAST_POWER, EXACT_POWER = range(4)
# Up to this lambda, u**(lambda / 2) neither overflows nor underflows where it matters, in float32: for
# integers, and for floats, whose differences may be small in one window and large in the next.
SAFE_LAMBDA, SAFE_FLOAT_LAMBDA = 4.0, 1.99

# Polynomials fitted at Chebyshev nodes: log2(1 + z) / z on [sqrt(1/2) - 1, sqrt(2) - 1], and 2**f on
# [-1/2, 1/2]. tests/kernels/test_power.py bounds their errors.
_L = tuple(
    np.float32(c)
    for c in (
        1.4426949, -0.72135276, 0.48092404, -0.36024198, 0.28707561, -0.24882181, 0.23420985, -0.14620353,
    )
)  # fmt: skip
_E = tuple(np.float32(c) for c in (1.0, 0.69314718, 0.24022107, 0.05550327, 0.009676037, 0.0013400433))
_ONE, _SMALLEST = np.float32(1), np.float32(-126)
_SQRT_HALF = np.int32(0x3F3504F3)
_MANTISSA_BITS, _BIAS, _HALF_ABOVE_BIAS = np.int32(23), np.int32(127), np.float32(127.5)


class Reward(NamedTuple):
    """How a kernel weighs pixels.

    Attributes
    ----------
    exponent, epsilon2 : float
        lambda / 2, and epsilon squared on the scale of the pixels.
    joint, asymmetric, power : flag
        Whether the channels share one distance; whether only what exceeds the guidance counts; how to raise
        u to the exponent.
    """

    exponent: Any
    epsilon2: Any
    joint: Flag
    asymmetric: Flag
    power: Flag


@functools.lru_cache(maxsize=64, typed=True)
def reward_of(exponent: Any, epsilon2: Any, joint: bool, asymmetric: bool, power: int) -> Reward:
    """The reward: always the same tuple for the same numbers, so that calls can remember its type."""
    return Reward(exponent, epsilon2, flag(joint), flag(asymmetric), flag(power))


def power_for(task: int, lambda_: float, real: type[np.floating]) -> int:
    """How to compute u**(lambda / 2) in the float type `real`."""
    if lambda_ == 2 or task in (BOX, RANGE):  # these two raise to no power
        return LINEAR
    if lambda_ == 1:
        return ROOT
    return EXACT_POWER if real is np.float64 else FAST_POWER


@helper
def fast_power(u, exponent):
    """u**exponent in float32 by two polynomials, for 0 <= u and results above 2**-126."""
    bits = np.float32(u).view(np.int32)
    octave = np.int32((bits - _SQRT_HALF) >> _MANTISSA_BITS)
    z = np.int32(bits - (octave << _MANTISSA_BITS)).view(np.float32) - _ONE
    log = _L[4] + z * (_L[5] + z * (_L[6] + z * _L[7]))
    log = z * (_L[0] + z * (_L[1] + z * (_L[2] + z * (_L[3] + z * log)))) + np.float32(octave)
    power = max(np.float32(exponent) * log, _SMALLEST)
    biased = np.int32(power + _HALF_ABOVE_BIAS)  # positive, so truncation rounds down
    f = power - (np.float32(biased) - np.float32(_BIAS))
    mantissa = _E[0] + f * (_E[1] + f * (_E[2] + f * (_E[3] + f * (_E[4] + f * _E[5]))))
    scale = np.int32(biased << _MANTISSA_BITS).view(np.float32)
    return mantissa * scale if u > np.float32(0) else np.float32(0)


@helper
def raised(u, exponent, power):
    """u**exponent, in the form that the flag `power` names."""
    if choice(power) == ROOT:
        return math.sqrt(u)  # np.sqrt is unknown on GPUs
    if choice(power) == LINEAR:
        return u
    if choice(power) == FAST_POWER:
        return fast_power(u, exponent)
    return u**exponent


@helper
def distances(x, reward):
    """u of each channel for the differences x; a joint distance is the same in all of them."""
    m0, m1, m2, m3 = x
    e = reward.epsilon2
    if is_set(reward.asymmetric):
        zero = e - e
        m0, m1, m2, m3 = max(m0, zero), max(m1, zero), max(m2, zero), max(m3, zero)
    if is_set(reward.joint):
        u = m0 * m0 + m1 * m1 + m2 * m2 + m3 * m3 + e
        return u, u, u, u
    return m0 * m0 + e, m1 * m1 + e, m2 * m2 + e, m3 * m3 + e


@helper
def weights_and_products(x, u, cover, reward, channels):
    """Weights f, the cover times the reward of u, and f * x of one pixel: four numbers, of which C count."""
    c = count(channels)
    f0 = f1 = f2 = f3 = cover * raised(u[0], reward.exponent, reward.power)
    if not is_set(reward.joint):
        if c > 1:
            f1 = cover * raised(u[1], reward.exponent, reward.power)
        if c > 2:
            f2 = cover * raised(u[2], reward.exponent, reward.power)
        if c > 3:
            f3 = cover * raised(u[3], reward.exponent, reward.power)
    return (f0, f1, f2, f3), (f0 * x[0], f1 * x[1], f2 * x[2], f3 * x[3])
