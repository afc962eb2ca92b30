"""Rows of bytes as residuals: differences from what the bytes before and above predict.

They are smaller than the bytes and so compress better. Each row gets the predictor whose residuals, as
signed numbers, have the smallest sum of absolute values. All arithmetic is on bytes, because vectors hold
most of them.
"""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.flags import helper
from dpid_cli.kernels.jit import kernel

NOTHING, BEFORE, ABOVE, MEAN, NEAREST = range(5)
_ZERO, _ONE, _ALL = np.uint8(0), np.uint8(1), np.uint8(255)


@helper
def magnitude(residual):
    """Absolute value of a byte as a signed number."""
    return np.uint32(min(residual, np.uint8(_ZERO - residual)))


@helper
def mean(a, b):
    """Half the sum of two bytes, rounded down."""
    return np.uint8((a & b) + ((a ^ b) >> _ONE))


@helper
def nearest(a, b, c):
    """The one of the bytes before, above, and before that one that is nearest to a + b - c (Paeth).

    It is c only if c lies between the others. With c clamped to them, the distances need no more bits.
    """
    low, high = min(a, b), max(a, b)
    between = min(max(c, low), high)
    to_high, to_low = np.uint8(between - low), np.uint8(high - between)
    to_between = np.uint8(max(to_high, to_low) - min(to_high, to_low))
    other = low if (to_low < to_high) | ((to_low == to_high) & (a <= b)) else high
    return other if min(to_high, to_low) <= to_between else between


@kernel()
def subtract_predictions(rows, residuals, step):
    """Fill `residuals` with the number of each row's predictor and what this leaves.

    The first of `rows` is the one above the others. Each begins with `step` zeros, as many as a pixel has
    bytes.
    """
    for y in range(len(residuals)):
        row, before = rows[y + 1, step:], rows[y + 1]
        above, corner = rows[y, step:], rows[y]
        out = residuals[y, 1:]
        least = of_before = of_above = of_mean = of_nearest = np.uint32(0)
        for k in range(len(out)):
            byte, a, b, c = row[k], before[k], above[k], corner[k]
            least += magnitude(byte)
            of_before += magnitude(np.uint8(byte - a))
            of_above += magnitude(np.uint8(byte - b))
            of_mean += magnitude(np.uint8(byte - mean(a, b)))
            of_nearest += magnitude(np.uint8(byte - nearest(a, b, c)))
        best = NOTHING
        if of_before < least:
            best, least = BEFORE, of_before
        if of_above < least:
            best, least = ABOVE, of_above
        if of_mean < least:
            best, least = MEAN, of_mean
        if of_nearest < least:
            best = NEAREST
        residuals[y, 0] = best
        # One loop for all predictors compiles faster than one for each, and takes a third of the first loop.
        take_before = _ALL if best == BEFORE else _ZERO
        take_above = _ALL if best == ABOVE else _ZERO
        take_mean = _ALL if best == MEAN else _ZERO
        take_nearest = _ALL if best == NEAREST else _ZERO
        for k in range(len(out)):
            a, b = before[k], above[k]
            near = (a & take_before) | (b & take_above)
            far = (mean(a, b) & take_mean) | (nearest(a, b, corner[k]) & take_nearest)
            out[k] = np.uint8(row[k] - np.uint8(near | far))
