"""Pixels on a GPU as four numbers, one per channel; with fewer channels, the last numbers do not count."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.flags import count, helper
from dpid_cli.kernels.pixels import sample

ZERO, _HALF = np.float32(0), np.float32(0.5)


@helper
def channel(line, k, j, layout):
    """Channel j of pixel k of a row; 0 if there is no such channel."""
    return np.float32(sample(line, k, j, layout)) if j < count(layout.channels) else ZERO


@helper
def pixel(pixels, y, x, layout):
    """The channels of a pixel."""
    line, k = pixels[np.uint32(y)], np.uint32(x)
    v0, v1 = channel(line, k, 0, layout), channel(line, k, 1, layout)
    return v0, v1, channel(line, k, 2, layout), channel(line, k, 3, layout)


@helper
def value_at(plane, row, j, i, layout):
    """One number of a (rows, C, w) array; 0 if there is no such channel."""
    if j < count(layout.channels):
        return plane[np.uint32(row), np.uint32(j), np.uint32(i)]
    return ZERO


@helper
def values_at(plane, row, i, layout):
    """One number per channel of a (rows, C, w) array."""
    v0, v1 = value_at(plane, row, 0, i, layout), value_at(plane, row, 1, i, layout)
    return v0, v1, value_at(plane, row, 2, i, layout), value_at(plane, row, 3, i, layout)


@helper
def weight_at(kernels, j, vertical, horizontal, dy, dx):
    """The weight of a neighbour in filter j; that of the last filter if there is no such filter."""
    j = min(np.uint32(j), np.uint32(kernels.shape[0] - 1))
    return kernels[j, np.uint32(vertical), np.uint32(horizontal), np.uint32(dy), np.uint32(dx)]


@helper
def weights_at(kernels, vertical, horizontal, dy, dx):
    """The weights of a neighbour in filters of shape (C, 4, 4, 3, 3), or (1, ...) for all channels."""
    w0 = weight_at(kernels, 0, vertical, horizontal, dy, dx)
    if kernels.shape[0] == 1:
        return w0, w0, w0, w0
    w1 = weight_at(kernels, 1, vertical, horizontal, dy, dx)
    w2 = weight_at(kernels, 2, vertical, horizontal, dy, dx)
    return w0, w1, w2, weight_at(kernels, 3, vertical, horizontal, dy, dx)


@helper
def bias_of(bias, j):
    """The bias of channel j; that of the last channel if there is no such channel."""
    return bias[min(np.uint32(j), np.uint32(bias.shape[0] - 1))]


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


@helper
def times(a, b):
    """a * b, number by number."""
    return a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]
