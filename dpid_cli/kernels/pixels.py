"""How kernels read pixels: interleaved channels, or the four bytes of a pixel packed into one number."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from dpid_cli.kernels.flags import Flag, count, flag, formula, inlined, is_set

_BYTE, _HALVES, _LOW = np.uint32(0xFF), np.uint32(0xFF00FF), np.uint32(0xFFFF)
_EIGHT, _SIXTEEN = np.uint32(8), np.uint32(16)


class Layout(NamedTuple):
    """Flags: the number of channels C, and whether the bytes of a pixel are packed into one number."""

    channels: Flag
    packed: Flag


@functools.cache
def layout_of(channels: int, packed: bool) -> Layout:
    """The layout: always the same tuple, so that calls can remember its type."""
    return Layout(flag(channels), flag(packed))


@formula
def samples(layout):
    """Numbers per pixel in a row."""
    return 1 if is_set(layout.packed) else count(layout.channels)


@formula
def as_float(number):
    """A whole number below 2**31, converted in 32 bits, as unsigned numbers would not be."""
    return np.float32(np.int32(number))


@formula
def level(row, k, j, layout):
    """Channel j of pixel k, a byte, as an index."""
    if is_set(layout.packed):
        return np.intp((np.uint32(row[k]) >> np.uint32(8 * j)) & _BYTE)
    return np.intp(row[count(layout.channels) * k + j])


@formula
def sample(row, k, j, layout):
    """Channel j of pixel k."""
    if is_set(layout.packed):
        return as_float((np.uint32(row[k]) >> np.uint32(8 * j)) & _BYTE)
    return row[count(layout.channels) * k + j]


@formula
def unpacked(row, k):
    """Pixel k in two numbers of two channels each, in their lower and upper halves."""
    pixel = np.uint32(row[k])
    return pixel & _HALVES, (pixel >> _EIGHT) & _HALVES


@inlined
def sum_of_pixels(rows, scratch, k, layout, d):
    """The sums of the k-th group of d pixels in a tuple of rows: four numbers, of which the first C count.

    Packed pixels are summed up as whole numbers of 16 bits, enough for 257 of them.
    """
    real = scratch.dtype.type
    c = count(layout.channels)
    if is_set(layout.packed):
        even = odd = np.uint32(0)
        for r in range(len(rows)):
            for i in range(d):
                e, o = unpacked(rows[r], d * k + i)
                even, odd = np.uint32(even + e), np.uint32(odd + o)
        v0, v2 = real(as_float(even & _LOW)), real(as_float(even >> _SIXTEEN))
        return v0, real(as_float(odd & _LOW)), v2, real(as_float(odd >> _SIXTEEN))
    v0 = v1 = v2 = v3 = real(0)
    for r in range(len(rows)):
        row = rows[r]
        for i in range(d):
            at = c * (d * k + i)
            v0 += real(row[at])
            if c > 1:
                v1 += real(row[at + 1])
            if c > 2:
                v2 += real(row[at + 2])
            if c > 3:
                v3 += real(row[at + 3])
    return v0, v1, v2, v3
