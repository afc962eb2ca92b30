"""Pixels on a GPU as four numbers, one per channel; with fewer channels, the last numbers do not count."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.flags import count, helper
from dpid_cli.kernels.pixels import sample

ZERO, _HALF = np.float32(0), np.float32(0.5)


@helper
def pixel(pixels, y, x, layout):
    """The channels of a pixel: four numbers, of which the first C count; the others are 0."""
    c = count(layout.channels)
    line, k = pixels[np.uint32(y)], np.uint32(x)
    v0 = np.float32(sample(line, k, 0, layout))
    v1 = v2 = v3 = ZERO
    if c > 1:
        v1 = np.float32(sample(line, k, 1, layout))
    if c > 2:
        v2 = np.float32(sample(line, k, 2, layout))
    if c > 3:
        v3 = np.float32(sample(line, k, 3, layout))
    return v0, v1, v2, v3


@helper
def value_at(plane, row, j, i):
    """One number of a (rows, C, w) array."""
    return plane[np.uint32(row), np.uint32(j), np.uint32(i)]


@helper
def values_at(plane, row, i, layout):
    """One number per channel of a (rows, C, w) array."""
    c = count(layout.channels)
    v1 = v2 = v3 = ZERO
    v0 = value_at(plane, row, 0, i)
    if c > 1:
        v1 = value_at(plane, row, 1, i)
    if c > 2:
        v2 = value_at(plane, row, 2, i)
    if c > 3:
        v3 = value_at(plane, row, 3, i)
    return v0, v1, v2, v3


@helper
def filter_at(kernels, vertical, horizontal, dy, dx, layout):
    """The weights of one neighbour in filters of shape (C, 4, 4, 3, 3), or (1, ...) for all channels."""
    c = count(layout.channels)
    a, b, p, q = np.uint32(vertical), np.uint32(horizontal), np.uint32(dy), np.uint32(dx)
    w0 = kernels[np.uint32(0), a, b, p, q]
    w1 = w2 = w3 = w0
    if kernels.shape[0] > 1:
        if c > 1:
            w1 = kernels[np.uint32(1), a, b, p, q]
        if c > 2:
            w2 = kernels[np.uint32(2), a, b, p, q]
        if c > 3:
            w3 = kernels[np.uint32(3), a, b, p, q]
    return w0, w1, w2, w3


@helper
def values_of(vector, layout):
    """One number per channel of a (C,) array."""
    c = count(layout.channels)
    v0 = vector[np.uint32(0)]
    v1 = vector[np.uint32(1)] if c > 1 else ZERO
    v2 = vector[np.uint32(2)] if c > 2 else ZERO
    v3 = vector[np.uint32(3)] if c > 3 else ZERO
    return v0, v1, v2, v3


@helper
def store(out, row, i, j, value, limit, channels):
    """Store one channel of a pixel; if there is a `limit`, clipped and rounded, halves up."""
    k = np.uint32(np.uint32(count(channels)) * np.uint32(i) + np.uint32(j))
    if limit > ZERO:
        out[np.uint32(row), k] = np.int32(min(max(value, ZERO), limit) + _HALF)
    else:
        out[np.uint32(row), k] = value


@helper
def store_pixel(out, row, i, values, limit, channels):
    """Store all channels of a pixel."""
    c = count(channels)
    store(out, row, i, 0, values[0], limit, channels)
    if c > 1:
        store(out, row, i, 1, values[1], limit, channels)
    if c > 2:
        store(out, row, i, 2, values[2], limit, channels)
    if c > 3:
        store(out, row, i, 3, values[3], limit, channels)


@helper
def minus(a, b):
    """a - b, number by number."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]


@helper
def added(a, b, factor):
    """a + factor * b, number by number."""
    return a[0] + factor * b[0], a[1] + factor * b[1], a[2] + factor * b[2], a[3] + factor * b[3]


@helper
def largest(a, b):
    """The larger numbers."""
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
