"""Pixels on a GPU as four numbers, one per channel; with fewer channels, the last numbers do not count."""

from __future__ import annotations

import numpy as np

from dpid_cli.kernels.flags import choice, count, helper
from dpid_cli.kernels.pixels import sample

# What is averaged: the values of pixels, or their light, from a table of levels or from an image of light.
VALUES, TABLE, LIGHT = range(3)
ZERO, _HALF, _NONE = np.float32(0), np.float32(0.5), np.float32(np.nan)


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
def light_of(table, j, value, channels):
    """The light of a level of channel j; 0 if there is no such channel."""
    return table[np.uint32(j), np.uint32(value)] if j < count(channels) else ZERO


@helper
def light_at(line, k, j, channels):
    """Channel j of pixel k of a row of light; 0 if there is no such channel."""
    return line[np.uint32(count(channels)) * k + np.uint32(j)] if j < count(channels) else ZERO


@helper
def averaged(values, light, y, x, layout, lit):
    """What is averaged of a pixel with these values."""
    if choice(lit) == VALUES:
        return values
    c = layout.channels
    if choice(lit) == TABLE:
        v0, v1 = light_of(light, 0, values[0], c), light_of(light, 1, values[1], c)
        return v0, v1, light_of(light, 2, values[2], c), light_of(light, 3, values[3], c)
    line, k = light[np.uint32(y)], np.uint32(x)
    return light_at(line, k, 0, c), light_at(line, k, 1, c), light_at(line, k, 2, c), light_at(line, k, 3, c)


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
def store_mean(out, unweighted, row, i, j, total, weight, guide, channels):
    """Store the mean light of one channel, NaN without weight, and the guidance, which replaces it then."""
    k = np.uint32(np.uint32(count(channels)) * np.uint32(i) + np.uint32(j))
    out[np.uint32(row), k] = total / weight if weight > ZERO else _NONE
    unweighted[np.uint32(row), k] = guide


@helper
def store_light(out, unweighted, row, i, totals, weights, guide, channels):
    """`store_mean` for all channels of a pixel."""
    c = count(channels)
    store_mean(out, unweighted, row, i, 0, totals[0], weights[0], guide[0], channels)
    if c > 1:
        store_mean(out, unweighted, row, i, 1, totals[1], weights[1], guide[1], channels)
    if c > 2:
        store_mean(out, unweighted, row, i, 2, totals[2], weights[2], guide[2], channels)
    if c > 3:
        store_mean(out, unweighted, row, i, 3, totals[3], weights[3], guide[3], channels)


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
