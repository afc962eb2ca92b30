"""Weighted means of the windows in which the weight of a pixel depends on its own value and one of its window.

The output is ``O = G + sum(c w (a - G)) / sum(c w)``, where c is the coverage of the pixel a and G, the window's
guide, its mean or its largest value; the differences round less than the values. The weights are

- MEAN: 1, and G = 0;
- SOFT: exp((a - G) e), G the largest value (Stergiou, Poppe & Kalliatakis 2021);
- SIMILAR: exp(2 |a G| / (a**2 + G**2)), G the mean (Stergiou & Poppe 2022);
- INVERSE: 1 / |a - G|, G the mean;
- OWN: a, the expectation of a pixel picked with probability a / sum(a) (Zeiler & Fergus 2013).

POWER and SQUARE are sums, ``sum(c (a G)**e)``, where G is one over the largest value, so that no power overflows.

Channels stay interleaved. A row of accumulators is added to over the rows of a window, in loops over contiguous
memory, and summed up per window at the end. Where windows overlap, every n-th is taken in turn, so that those of a
turn are apart and each column has one guide.
"""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.jit import flag, helper, kernel

MEAN, SOFT, SIMILAR, INVERSE, OWN, POWER, SQUARE = (flag(value) for value in range(7))


@helper
def add_row(line, guide, total, weight, cover, exponent, rule):
    """Add one row of pixels to the accumulators."""
    zero = cover - cover
    for k in range(len(line)):
        a = line[k]
        if len(rule) == 0:
            total[k] += cover * a
        elif len(rule) == 3:
            difference = a - guide[k]
            weight[k] += cover / abs(difference)  # infinite where they are equal: the result is the mean
            total[k] += cover if difference > zero else -cover
        elif len(rule) == 5:
            total[k] += cover * (a * guide[k]) ** exponent
        elif len(rule) == 6:
            ratio = a * guide[k]
            total[k] += cover * (ratio * ratio)
        else:
            w = cover * affinity(a, guide[k], exponent, rule)
            weight[k] += w
            total[k] += w * (a - guide[k])


@helper
def affinity(a, guide, exponent, rule):
    """Weight of a pixel by the rules SOFT, SIMILAR and OWN."""
    if len(rule) == 1:
        return np.exp((a - guide) * exponent)
    if len(rule) == 2:
        small, large = min(abs(a), abs(guide)), max(abs(a), abs(guide))
        ratio = small / large if large > 0 else exponent  # e is 1
        return np.exp((ratio + ratio) / (exponent + ratio * ratio))
    return a


@helper
def turns(spans):
    """The smallest n for which every n-th window is apart from the next."""
    n = 1
    for i in range(len(spans.begin)):
        while i + n < len(spans.begin) and spans.begin[i + n] < spans.end[i]:
            n += 1
    return n


@helper
def spread(guide, plane, xs, turn, count, channels):
    """Give each column the guide of its window in this turn."""
    for i in range(turn, len(xs.begin), count):
        for k in range(channels * xs.begin[i], channels * xs.end[i], channels):
            for j in range(channels):
                plane[k + j] = guide[channels * i + j]


@helper
def fold(plane, sums, xs, turn, count, channels):
    """The coverage-weighted sum of the columns of each window in this turn."""
    for i in range(turn, len(xs.begin), count):
        first, last = channels * xs.begin[i], channels * (xs.end[i] - 1)
        for j in range(channels):
            value = xs.head[i] * plane[first + j]
            for k in range(first + channels + j, last, channels):
                value += plane[k]
            if last > first:
                value += xs.tail[i] * plane[last + j]
            sums[channels * i + j] = value


@kernel(fastmath={"contract", "nsz"})
def weigh_rows(values, ys, xs, guide, exponent, channels, rule, planes, total, weight):
    """Sums over every window.

    Parameters
    ----------
    values : (H, W * C) ndarray
        float32 or float64, the precision of everything that is computed; read-only.
    ys, xs : Spans
    guide : (rows, w * C) ndarray
        G of each window; not read by MEAN.
    exponent : float
        e of SOFT and POWER, above 0; 1 for the others.
    channels : int
        C.
    rule : flag
        One of the rules above.
    planes : (3, W * C) ndarray
        Working rows.
    total : (rows, w * C) ndarray
        Filled: the weighted differences from the guide, or the sums of MEAN, POWER and SQUARE.
    weight : (rows, w * C) ndarray
        Filled: the weights, by rules that have them.
    """
    count = turns(xs) if len(rule) > 0 else 1
    near, sums, weights = planes[0], planes[1], planes[2]
    near[:] = 0
    one = values.dtype.type(1)
    for row in range(len(ys.begin)):
        begin, end = ys.begin[row], ys.end[row]
        for turn in range(count):
            if len(rule) > 0:
                spread(guide[row], near, xs, turn, count, channels)
            sums[:] = 0
            weights[:] = 0
            for y in range(begin, end):
                cover = ys.head[row] if y == begin else ys.tail[row] if y == end - 1 else one
                add_row(values[y], near, sums, weights, cover, exponent, rule)
            fold(sums, total[row], xs, turn, count, channels)
            if 0 < len(rule) < 5:
                fold(weights, weight[row], xs, turn, count, channels)


@helper
def choose(weights, begin, end, step, rest):
    """Where the running sum of the weights exceeds `rest`, and what is left of that; -1 if all are 0."""
    chosen = -1
    for k in range(begin, end, step):
        if weights[k] > 0:
            chosen = k
            if rest < weights[k]:
                break
            rest -= weights[k]
    return chosen, rest


@kernel()  # no fastmath: every machine must pick the same pixels
def pick_rows(values, ys, xs, draws, channels, columns, out):
    """One pixel of every window and channel, with a probability proportional to its value.

    The column is chosen first, by the sums of the columns, then the pixel in it.

    Parameters
    ----------
    values : (H, W * C) ndarray
        Nothing below 0; read-only.
    ys, xs : Spans
        Coverages are not read.
    draws : (rows, w) float64 ndarray
        In [0, 1); which pixel is picked. The channels share a number.
    channels : int
        C.
    columns : (W * C,) float64 ndarray
        Working row.
    out : (rows, w * C) ndarray
        Filled; 0 where all values of a window are.
    """
    for row in range(len(ys.begin)):
        top, bottom = ys.begin[row], ys.end[row]
        columns[:] = 0
        for y in range(top, bottom):
            line = values[y]
            for k in range(len(columns)):
                columns[k] += line[k]
        for i in range(len(xs.begin)):
            begin, end = channels * xs.begin[i], channels * xs.end[i]
            for j in range(channels):
                total = 0.0
                for k in range(begin + j, end, channels):
                    total += columns[k]
                column, rest = choose(columns, begin + j, end, channels, draws[row, i] * total)
                value = 0.0
                if column >= 0:
                    y, _ = choose(values[:, column], top, bottom, 1, rest)
                    value = values[y, column]
                out[row, channels * i + j] = value
