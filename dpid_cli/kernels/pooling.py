"""Weighted means of windows, where a pixel's weight depends on its value and on its window.

The output is ``O = G + sum(c w (a - G)) / sum(c w)``, where c is the coverage of the pixel a and G is the
window's guide, its mean or its largest value. Differences round less than values. The weights w are

- MEAN: 1, and G = 0;
- SOFT: exp((a - G) e), G the largest value (Stergiou, Poppe & Kalliatakis 2021);
- SIMILAR: exp(2 |a G| / (a**2 + G**2)), G the mean (Stergiou & Poppe 2022);
- INVERSE: 1 / |a - G|, G the mean;
- OWN: a, the expectation of a pixel picked with probability a / sum(a) (Zeiler & Fergus 2013).

With the light L of the pixels, the weights stay those of the values, and the sum is ``sum(c w L)``.

SQUARE sums up c (a G)**2, where G is one over the largest value. POWER sums up c exp((a - G) e), where a are
logarithms and G is the largest. Neither can overflow.

Channels stay interleaved. The rows of a window are added to a row of sums, in loops over contiguous memory
that vectorise, and the columns of each window are added up at the end. Where windows overlap, every n-th is
computed in turn, so that those of one turn lie apart and each column has one guide.
"""

from __future__ import annotations

import math

import numpy as np

from dpid_cli.kernels.flags import choice, helper, is_set
from dpid_cli.kernels.jit import FUSED, kernel

MEAN, POWER, SQUARE, SOFT, SIMILAR, INVERSE, OWN = range(7)  # from SOFT on, there are weights

_LN2, _LOG2_E = np.float32(math.log(2)), np.float32(1 / math.log(2))
_SMALLEST, _HALF = np.float32(-126), np.float32(0.5)
_MANTISSA_BITS, _BIAS = np.int32(23), np.int32(127)
_T = tuple(np.float32(1 / math.factorial(k)) for k in range(8))


@helper
def exponential(x, exact):
    """e**x. Unless `exact`, in float32 for x up to 1, by 2**n times a Taylor series, which vectorises."""
    if is_set(exact):
        return np.exp(x)
    n = max(np.floor(x * _LOG2_E + _HALF), _SMALLEST)
    f = max(x - n * _LN2, -_HALF)
    series = _T[4] + f * (_T[5] + f * (_T[6] + f * _T[7]))
    series = _T[0] + f * (_T[1] + f * (_T[2] + f * (_T[3] + f * series)))
    return series * np.int32((np.int32(n) + _BIAS) << _MANTISSA_BITS).view(np.float32)


@helper
def add_row(line, light, guide, total, weight, cover, exponent, rule, lit, exact):
    """Add one row of pixels to the sums."""
    zero = cover - cover
    for k in range(len(line)):
        a = line[k]
        if choice(rule) == MEAN:
            total[k] += cover * a
        elif choice(rule) == INVERSE and is_set(lit):
            w = cover / abs(a - guide[k])
            weight[k] += w
            total[k] += w * light[k]
        elif choice(rule) == INVERSE:
            difference = a - guide[k]
            weight[k] += cover / abs(difference)  # infinite if they are equal: the output is the mean
            total[k] += cover if difference > zero else -cover
        elif choice(rule) == POWER:
            total[k] += cover * exponential((a - guide[k]) * exponent, exact)
        elif choice(rule) == SQUARE:
            ratio = a * guide[k]
            total[k] += cover * (ratio * ratio)
        else:
            w = cover * affinity(a, guide[k], exponent, rule, exact)
            weight[k] += w
            total[k] += w * (light[k] if is_set(lit) else a - guide[k])


@helper
def affinity(a, guide, exponent, rule, exact):
    """Weight of a pixel by the rules SOFT, SIMILAR and OWN."""
    if choice(rule) == SOFT:
        return exponential((a - guide) * exponent, exact)
    if choice(rule) == SIMILAR:
        small, large = min(abs(a), abs(guide)), max(abs(a), abs(guide))
        ratio = small / large if large > 0 else exponent  # e is 1
        return exponential((ratio + ratio) / (exponent + ratio * ratio), exact)
    return a


@helper
def turns(spans):
    """The smallest n for which every n-th window lies apart from the next."""
    n = 1
    for i in range(len(spans.begin)):
        while i + n < len(spans.begin) and spans.begin[i + n] < spans.end[i]:
            n += 1
    return n


@helper
def spread(guide, plane, xs, turn, count, channels):
    """Give each column the guide of its window in this turn."""
    for j in range(channels):
        for i in range(turn, len(xs.begin), count):
            value = guide[channels * i + j]
            for x in range(xs.begin[i], xs.end[i]):
                plane[channels * x + j] = value


@helper
def fold(plane, sums, xs, turn, count, channels):
    """Add up the columns of each window in this turn, weighted by coverage."""
    for j in range(channels):
        for i in range(turn, len(xs.begin), count):
            begin, last = xs.begin[i], xs.end[i] - 1
            value = xs.head[i] * plane[channels * begin + j]
            for x in range(begin + 1, last):
                value += plane[channels * x + j]
            if last > begin:
                value += xs.tail[i] * plane[channels * last + j]
            sums[channels * i + j] = value


@kernel(fastmath=FUSED)
def weigh_rows(
    values, light, ys, xs, guide, exponent, channels, rule, lit, exact, planes, total, weight
):  # fmt: skip
    """Sum up every window.

    Parameters
    ----------
    values : (H, W * C) ndarray
        float32 or float64, the precision of all results; read-only.
    light : (H, W * C) ndarray
        Light of the pixels, like `values`; read if `lit`.
    ys, xs : Spans
    guide : (rows, w * C) ndarray
        G of each window; not read by MEAN.
    exponent : float
        e of SOFT and POWER, above 0; 1 for the others.
    channels : int
        C.
    rule, lit, exact : flag
        One of the rules above; whether rules with weights add up light; whether to compute exponentials
        exactly, as float64 needs.
    planes : (3, W * C) ndarray
        Working rows.
    total : (rows, w * C) ndarray
        Filled: the weighted differences from the guide, or the weighted light, or the sums of rules without
        weights.
    weight : (rows, w * C) ndarray
        Filled by rules with weights.
    """
    count = turns(xs) if choice(rule) != MEAN else 1
    near, sums, weights = planes[0], planes[1], planes[2]
    near[:] = 0
    one = values.dtype.type(1)
    for row in range(len(ys.begin)):
        begin, end = ys.begin[row], ys.end[row]
        for turn in range(count):
            if choice(rule) != MEAN:
                spread(guide[row], near, xs, turn, count, channels)
            sums[:] = 0
            weights[:] = 0
            for y in range(begin, end):
                cover = ys.head[row] if y == begin else ys.tail[row] if y == end - 1 else one
                add_row(values[y], light[y], near, sums, weights, cover, exponent, rule, lit, exact)
            fold(sums, total[row], xs, turn, count, channels)
            if choice(rule) >= SOFT:
                fold(weights, weight[row], xs, turn, count, channels)


@helper
def choose(weights, begin, end, channels, j, threshold):
    """Where the running sum of the weights exceeds the threshold, and what is left of the threshold."""
    while begin < end - 1 and threshold >= weights[channels * begin + j]:
        threshold -= weights[channels * begin + j]
        begin += 1
    return begin, threshold


@kernel()  # no fastmath: every machine must pick the same pixels
def pick_rows(values, ys, xs, draws, channels, columns, out):
    """Pick one pixel of every window and channel, with a probability proportional to its value.

    Pick the column first, by the sums of the columns, then the pixel in it.

    Parameters
    ----------
    values : (H, W * C) ndarray
        0 or more; read-only.
    ys, xs : Spans
        Their coverages are not read.
    draws : (rows, w) float64 ndarray
        Random numbers in [0, 1); the channels share them.
    channels : int
        C.
    columns : (W * C,) float64 ndarray
        Working row.
    out : (rows, w * C) ndarray
        Filled; 0 if all values of a window are 0.
    """
    for row in range(len(ys.begin)):
        top, bottom = ys.begin[row], ys.end[row]
        columns[:] = 0
        for y in range(top, bottom):
            line = values[y]
            for k in range(len(columns)):
                columns[k] += line[k]
        for i in range(len(xs.begin)):
            begin, end = xs.begin[i], xs.end[i]
            for j in range(channels):
                total = 0.0
                for x in range(begin, end):
                    total += columns[channels * x + j]
                x, threshold = choose(columns, begin, end, channels, j, draws[row, i] * total)
                column = channels * x + j
                y, _ = choose(values[:, column], top, bottom, 1, 0, threshold)
                out[row, channels * i + j] = values[y, column]
