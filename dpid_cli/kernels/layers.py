"""Detail-preserving pooling of feature maps in float32, and its derivatives, for layers of networks.

An input is divided into tiles of equal size, without parts of pixels. With the guide G of a tile,
``O = sum(w I) / sum(w)`` and ``w = alpha + (u / N)**(lambda / 2)``, where ``u = m**2 + epsilon**2``, m is
I - G or its positive part, and N is 1, or the mean or sum of u over the tile (Saeedan et al. 2018). Weights
are computed relative to the largest reward of their tile.

Pixels of some tiles are first sorted: the first pixel of every tile, the second, and so on. All further loops
run over tiles, so that the compiler can compute several at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dpid_cli.kernels.flags import Flag, formula, helper, is_set
from dpid_cli.kernels.jit import FAST, kernel
from dpid_cli.kernels.rewards import (
    _E,
    _L,
    _MANTISSA,
    _MANTISSA_BITS,
    _ONE,
    _SMALLEST,
    _SQRT_HALF,
    _WHOLE,
)

# Lines of working memory: what is known of each tile.
GUIDE, SCALE, LARGEST, CONSTANT, WEIGHT, RESULT, SHARE, SUM, BY_GUIDE, BY_ALPHA, BY_HALF, LINES = range(12)
_ZERO, _LOWEST = np.float32(0), np.float32(-3e38)
_LN_2, _MOST = np.float32(0.6931472), np.float32(86)  # the factor of alpha stays below 2 to this


@formula
def log2(u):
    """The logarithm to base 2 of u > 0, by the polynomial of `rewards.fast_power`."""
    bits = np.float32(u).view(np.int32)
    above = np.int32(bits - _SQRT_HALF)
    octave = np.int32(above >> _MANTISSA_BITS)
    z = np.int32((above & _MANTISSA) + _SQRT_HALF).view(np.float32) - _ONE
    z2 = z * z
    low = _L[0] + z * _L[1] + z2 * (_L[2] + z * _L[3])
    high = _L[4] + z * _L[5] + z2 * (_L[6] + z * _L[7])
    return z * (low + z2 * z2 * high) + np.float32(octave)


@formula
def exp2(power):
    """2 to a power of at most 126, by the polynomial of `rewards.fast_power`."""
    power = max(np.float32(power), _SMALLEST)
    shifted = power + _WHOLE
    f = power - (shifted - _WHOLE)
    f2 = f * f
    mantissa = _E[0] + f * _E[1] + f2 * (_E[2] + f * _E[3] + f2 * (_E[4] + f * _E[5]))
    octaves = np.int32(np.float32(shifted).view(np.int32) << _MANTISSA_BITS)
    return np.int32(np.float32(mantissa).view(np.int32) + octaves).view(np.float32)


@helper
def sort_pixels(plane, row, rows, columns, side, pixels):
    """Copy some rows of tiles: `pixels` has a line for each place in a tile. `side` is its columns."""
    height = len(pixels) // side
    for k in range(len(pixels)):
        down, across = k // side, k % side
        for i in range(rows):
            for j in range(columns):
                pixels[k, i * columns + j] = plane[(row + i) * height + down, j * side + across]


@helper
def put_back(pixels, row, rows, columns, side, plane):
    """The reverse of `sort_pixels`."""
    height = len(pixels) // side
    for k in range(len(pixels)):
        down, across = k // side, k % side
        for i in range(rows):
            for j in range(columns):
                plane[(row + i) * height + down, j * side + across] = pixels[k, i * columns + j]


@helper
def add_up(pixels, n, total):
    """The sum over the pixels of each of n tiles."""
    for i in range(n):
        total[i] = _ZERO
    for k in range(len(pixels)):
        for i in range(n):
            total[i] += pixels[k, i]


@helper
def measure(pixels, n, half, offset, divisor, asymmetric, logs, lines):
    """Turn n tiles of pixels into differences, and fill `logs` with log2(u / N), and SCALE and LARGEST."""
    for k in range(len(pixels)):
        for i in range(n):
            difference = pixels[k, i] - lines[GUIDE, i]
            pixels[k, i] = difference
            m = max(difference, _ZERO) if is_set(asymmetric) else difference
            logs[k, i] = m * m + offset
    if divisor > _ZERO:
        add_up(logs, n, lines[SCALE])
        for i in range(n):
            lines[SCALE, i] = divisor / lines[SCALE, i]
    else:
        for i in range(n):
            lines[SCALE, i] = _ONE
    for i in range(n):
        lines[LARGEST, i] = _LOWEST
    for k in range(len(pixels)):
        for i in range(n):
            log = log2(logs[k, i] * lines[SCALE, i])
            logs[k, i] = log
            lines[LARGEST, i] = max(lines[LARGEST, i], half * log)


@helper
def weigh(pixels, n, half, alpha, logs, rewards, lines):
    """Fill `rewards`, and of each of n tiles CONSTANT, WEIGHT and RESULT, the mean difference."""
    for i in range(n):
        lines[CONSTANT, i] = exp2(-max(lines[LARGEST, i], -_MOST))
        lines[WEIGHT, i] = _ZERO
        lines[RESULT, i] = _ZERO
    for k in range(len(pixels)):
        for i in range(n):
            reward = exp2(half * logs[k, i] - lines[LARGEST, i])
            weight = reward + alpha * lines[CONSTANT, i]
            rewards[k, i] = reward
            lines[WEIGHT, i] += weight
            lines[RESULT, i] += weight * pixels[k, i]
    for i in range(n):
        lines[RESULT, i] /= lines[WEIGHT, i]


@helper
def compare(plane, guide, row, rows, columns, side, half, alpha, rule, pixels, logs, rewards, lines):
    """Everything that some rows of tiles need to be pooled; returns the number of tiles."""
    n = rows * columns
    sort_pixels(plane, row, rows, columns, side, pixels)
    if is_set(rule.boxed):
        add_up(pixels, n, lines[GUIDE])
        for i in range(n):
            lines[GUIDE, i] /= np.float32(len(pixels))
    else:
        for i in range(n):
            lines[GUIDE, i] = guide[row * columns + i]
    measure(pixels, n, half, rule.offset, rule.divisor, rule.asymmetric, logs, lines)
    weigh(pixels, n, half, alpha, logs, rewards, lines)
    return n


class Rule(NamedTuple):
    """How tiles are pooled.

    Attributes
    ----------
    offset, divisor : float32
        Epsilon squared; N is the sum of u over `divisor`, or 1 if that is 0.
    asymmetric, boxed : flag
        Whether only what exceeds the guide counts; whether the guide is the mean of the tile.
    """

    offset: Any
    divisor: Any
    asymmetric: Flag
    boxed: Flag


@kernel(fastmath=FAST)
def pool_tiles(
    images, guides, half, alpha, rule, columns, side, start, stop, pixels, logs, rewards, lines, output
):  # fmt: skip
    """Pool the planes start .. stop-1.

    Parameters
    ----------
    images : (P, H, W) float32 ndarray
        A plane for each channel of each image.
    guides : (P, h * w) float32 ndarray
        Not read if ``rule.boxed``.
    half, alpha : (C,) float32 ndarray
        Half of lambda, and alpha, of each channel.
    rule : Rule
    columns, side : int
        w, and the columns of a tile.
    start, stop : int
    pixels, logs, rewards : (K, n) float32 ndarray
        Working memory with a line for each place in a tile, for n tiles, w or more.
    lines : (LINES, n) float32 ndarray
        Working memory.
    output : (P, h * w) float32 ndarray
        Filled.
    """
    height = output.shape[1] // columns
    step = pixels.shape[1] // columns
    for p in range(start, stop):
        c = p % len(half)
        for row in range(0, height, step):
            rows = min(step, height - row)
            n = compare(
                images[p], guides[p], row, rows, columns, side, half[c], alpha[c], rule,
                pixels, logs, rewards, lines,
            )  # fmt: skip
            for i in range(n):
                output[p, row * columns + i] = lines[GUIDE, i] + lines[RESULT, i]


@helper
def differentiate(pixels, n, half, alpha, rule, logs, rewards, lines):
    """Turn differences of n tiles into derivatives by the pixels with the guide held; fill BY_GUIDE.

    Adds to BY_ALPHA and BY_HALF. SHARE has the upstream derivatives over WEIGHT.
    """
    places = len(pixels)
    for i in range(n):
        lines[SUM, i] = _ZERO
        lines[BY_GUIDE, i] = _ZERO
    for k in range(places):
        for i in range(n):
            by_weight = (pixels[k, i] - lines[RESULT, i]) * lines[SHARE, i]
            by_reward = by_weight * rewards[k, i]
            lines[BY_ALPHA, i] += by_weight * lines[CONSTANT, i]
            lines[BY_HALF, i] += by_reward * logs[k, i]
            lines[SUM, i] += by_reward
    mean = _ONE / rule.divisor if rule.divisor > _ZERO else _ZERO
    for k in range(places):
        for i in range(n):
            difference = pixels[k, i]
            m = max(difference, _ZERO) if is_set(rule.asymmetric) else difference
            by_reward = (difference - lines[RESULT, i]) * lines[SHARE, i] * rewards[k, i]
            ratio = (m * m + rule.offset) * lines[SCALE, i]
            by_square = half * lines[SCALE, i] * (by_reward / ratio - mean * lines[SUM, i])
            by_counted = (by_square + by_square) * m
            lines[BY_GUIDE, i] -= by_counted
            weight = rewards[k, i] + alpha * lines[CONSTANT, i]
            pixels[k, i] = weight * lines[SHARE, i] + by_counted


@kernel(fastmath=FAST)
def tile_gradients(
    images, guides, half, alpha, rule, columns, side, start, stop, pixels, logs, rewards, lines,
    upstream, image_gradients, guide_gradients, numbers,
):  # fmt: skip
    """Derivatives of `pool_tiles` for the planes start .. stop-1.

    Parameters
    ----------
    images, guides, half, alpha, rule, columns, side, start, stop, pixels, logs, rewards, lines
        As for `pool_tiles`.
    upstream : (P, h * w) float32 ndarray
        Derivatives by the output.
    image_gradients : (P, H, W) float32 ndarray
        Filled.
    guide_gradients : (P, h * w) float32 ndarray
        Filled, unless ``rule.boxed``.
    numbers : (P, 2) float64 ndarray
        Filled: by half of lambda, and by alpha.
    """
    height = upstream.shape[1] // columns
    step = pixels.shape[1] // columns
    for p in range(start, stop):
        c = p % len(half)
        for i in range(pixels.shape[1]):
            lines[BY_ALPHA, i] = _ZERO
            lines[BY_HALF, i] = _ZERO
        for row in range(0, height, step):
            rows = min(step, height - row)
            n = compare(
                images[p], guides[p], row, rows, columns, side, half[c], alpha[c], rule,
                pixels, logs, rewards, lines,
            )  # fmt: skip
            for i in range(n):
                lines[SHARE, i] = upstream[p, row * columns + i] / lines[WEIGHT, i]
            differentiate(pixels, n, half[c], alpha[c], rule, logs, rewards, lines)
            if is_set(rule.boxed):
                for k in range(len(pixels)):
                    for i in range(n):
                        pixels[k, i] += lines[BY_GUIDE, i] / np.float32(len(pixels))
            else:
                for i in range(n):
                    guide_gradients[p, row * columns + i] = lines[BY_GUIDE, i]
            put_back(pixels, row, rows, columns, side, image_gradients[p])
        by_half, by_alpha = 0.0, 0.0
        for i in range(pixels.shape[1]):
            by_half += lines[BY_HALF, i]
            by_alpha += lines[BY_ALPHA, i]
        numbers[p, 0] = by_half * _LN_2
        numbers[p, 1] = by_alpha
