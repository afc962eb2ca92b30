"""How much a pixel counts: its distance from the guidance, raised to a power.

A pixel I weighs ``w = alpha + u**(lambda / 2)``, where ``u = m**2 + epsilon**2`` and m is the difference
I - G from the guidance G, or only its positive part (asymmetric reward). DPID adds up m**2 over the channels
(Weber et al. 2016); DPP does not (Saeedan et al. 2018). Kernels for the CPU and the GPU share the formulas.

Where the noise of an image is known, ``u = max(m**2 + offset, floor)`` instead (`downscaling.rewards`):
differences within the noise then weigh the same. Without noise, offset and floor are epsilon**2.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from dpid_cli.kernels.flags import Flag, choice, count, flag, formula, is_set

# What a sweep adds up: values, u and its largest value, or weights and weighted differences, where
# SCALED_DETAIL multiplies u by a factor of its window.
BOX, RANGE, DETAIL, SCALED_DETAIL = range(4)
# How u**(lambda / 2) is computed. The last ones are products of roots: with lambda = 0.25, 0.5, 0.75, ...
ROOT, LINEAR, FAST_POWER, EXACT_POWER, EIGHTH, FOURTH, THREE_EIGHTHS, THREE_FOURTHS, CUBE, SQUARE = range(10)
_PRODUCTS = {0.25: EIGHTH, 0.5: FOURTH, 0.75: THREE_EIGHTHS, 1.5: THREE_FOURTHS, 3: CUBE, 4: SQUARE}
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
_MANTISSA_BITS, _MANTISSA = np.int32(23), np.int32(0x7FFFFF)
_WHOLE = np.float32(1.5 * 2**23)  # floats around it are whole numbers


class Reward(NamedTuple):
    """How a kernel weighs pixels.

    Attributes
    ----------
    exponent : float
        lambda / 2.
    offset, floor : tuple of four floats
        Of each channel, or of all in the first, on the scale of the pixels.
    joint, asymmetric, power : flag
        Whether the channels share one distance; whether only what exceeds the guidance counts; how to raise
        u to the exponent.
    """

    exponent: Any
    offset: tuple[Any, Any, Any, Any]
    floor: tuple[Any, Any, Any, Any]
    joint: Flag
    asymmetric: Flag
    power: Flag


@functools.lru_cache(maxsize=64, typed=True)
def reward_of(
    exponent: Any,
    offset: tuple[float, ...],
    floor: tuple[float, ...],
    joint: bool,
    asymmetric: bool,
    power: int,
) -> Reward:
    """The reward: always the same tuple for the same numbers, so that calls can remember its type.

    `offset` and `floor` have up to four numbers, and become of the type of `exponent`.
    """
    real = type(exponent)
    e0, e1, e2, e3 = (real(number) for number in (*offset, 0.0, 0.0, 0.0)[:4])
    f0, f1, f2, f3 = (real(number) for number in (*floor, 0.0, 0.0, 0.0)[:4])
    return Reward(exponent, (e0, e1, e2, e3), (f0, f1, f2, f3), flag(joint), flag(asymmetric), flag(power))


def power_for(task: int, lambda_: float, real: type[np.floating], products: bool = False) -> int:
    """How to compute u**(lambda / 2) in the float type `real`; perhaps by products of roots.

    Those are faster, but each takes a kernel of its own.
    """
    if lambda_ == 2 or task in (BOX, RANGE):  # these two raise to no power
        return LINEAR
    if lambda_ == 1:
        return ROOT
    if products and lambda_ in _PRODUCTS:
        return _PRODUCTS[lambda_]
    return EXACT_POWER if real is np.float64 else FAST_POWER


@formula
def fast_power(u, exponent):
    """u**exponent in float32 by two polynomials, for 0 <= u and results above 2**-126."""
    bits = np.float32(u).view(np.int32)
    above = np.int32(bits - _SQRT_HALF)
    octave = np.int32(above >> _MANTISSA_BITS)
    z = np.int32((above & _MANTISSA) + _SQRT_HALF).view(np.float32) - _ONE
    z2 = z * z
    low = _L[0] + z * _L[1] + z2 * (_L[2] + z * _L[3])
    high = _L[4] + z * _L[5] + z2 * (_L[6] + z * _L[7])
    log = z * (low + z2 * z2 * high) + np.float32(octave)
    power = max(np.float32(exponent) * log, _SMALLEST)
    shifted = power + _WHOLE  # its last bits are the nearest whole number
    f = power - (shifted - _WHOLE)
    f2 = f * f
    mantissa = _E[0] + f * _E[1] + f2 * (_E[2] + f * _E[3] + f2 * (_E[4] + f * _E[5]))
    octaves = np.int32(np.float32(shifted).view(np.int32) << _MANTISSA_BITS)
    result = np.int32(np.float32(mantissa).view(np.int32) + octaves).view(np.float32)
    return result if u > np.float32(0) else np.float32(0)


@formula
def product_of_roots(u, power):
    """u**n for n = 1/8, 1/4, 3/8, 3/4 and 3/2."""
    half = math.sqrt(u)
    if choice(power) == CUBE:
        return u * half
    fourth = math.sqrt(half)
    if choice(power) == FOURTH:
        return fourth
    if choice(power) == THREE_FOURTHS:
        return half * fourth
    eighth = math.sqrt(fourth)
    return eighth if choice(power) == EIGHTH else fourth * eighth


@formula
def raised(u, exponent, power):
    """u**exponent, in the form that the flag `power` names."""
    if choice(power) == ROOT:
        return math.sqrt(u)  # np.sqrt is unknown on GPUs
    if choice(power) == LINEAR:
        return u
    if choice(power) == FAST_POWER:
        return fast_power(u, exponent)
    if choice(power) == EXACT_POWER:
        return u**exponent
    if choice(power) == SQUARE:
        return u * u
    return product_of_roots(u, power)


@formula
def distances(x, reward):
    """u of each channel for the differences x; a joint distance is the same in all of them."""
    m0, m1, m2, m3 = x
    e, f = reward.offset, reward.floor
    if is_set(reward.asymmetric):
        zero = f[0] - f[0]
        m0, m1, m2, m3 = max(m0, zero), max(m1, zero), max(m2, zero), max(m3, zero)
    if is_set(reward.joint):
        u = max(e[0] + m0 * m0 + m1 * m1 + m2 * m2 + m3 * m3, f[0])
        return u, u, u, u
    u0, u1 = max(e[0] + m0 * m0, f[0]), max(e[1] + m1 * m1, f[1])
    return u0, u1, max(e[2] + m2 * m2, f[2]), max(e[3] + m3 * m3, f[3])


@formula
def weights(u, cover, reward, channels):
    """The cover times the reward of u: four numbers, of which the first C count."""
    c = count(channels)
    f0 = f1 = f2 = f3 = cover * raised(u[0], reward.exponent, reward.power)
    if not is_set(reward.joint):
        if c > 1:
            f1 = cover * raised(u[1], reward.exponent, reward.power)
        if c > 2:
            f2 = cover * raised(u[2], reward.exponent, reward.power)
        if c > 3:
            f3 = cover * raised(u[3], reward.exponent, reward.power)
    return f0, f1, f2, f3


@formula
def products(f, x):
    """Products of four numbers each."""
    return f[0] * x[0], f[1] * x[1], f[2] * x[2], f[3] * x[3]
