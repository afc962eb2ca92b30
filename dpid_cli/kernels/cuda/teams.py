"""Threads that share a window: which of its pixels each visits, and how their sums come together.

A team is a power of two of neighbouring threads of a block, as many columns as bring the window's pixels in
together and, where windows are large and few, several rows; it may be a single thread. Sums are brought
together in an order that depends on nothing but the size of the team: the same image gives the same bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dpid_cli.kernels.cuda.target import cuda, device
from dpid_cli.kernels.jit import Flag, flag, helper

WARP, WARP_BITS = 32, 5
BLOCK = 256
SUM, LARGEST, SMALLEST = (flag(value) for value in range(3))
_EVERYBODY = 0xFFFFFFFF
# Threads that keep a large GPU busy, and the rows that a thread should at least have before more join.
_BUSY, _LEAST_ROWS = 1 << 18, 4


class Team(NamedTuple):
    """Columns and rows of threads, as exponents of two."""

    column_bits: int
    row_bits: int

    @classmethod
    def of(cls, windows: int, width: int, height: int) -> Team:
        """The threads for each of so many windows of `width` x `height` pixels."""
        column_bits = min(width.bit_length() - 1, WARP_BITS)
        columns = 1 << column_bits
        if columns > 1 and 10 * width < 7 * columns * -(-width // columns):  # too many would have no pixel
            column_bits -= 1
        row_bits = 0
        while (
            windows << (column_bits + row_bits) < _BUSY
            and height >> (row_bits + 1) >= _LEAST_ROWS
            and 2 << (column_bits + row_bits) <= BLOCK
        ):
            row_bits += 1
        return cls(column_bits, row_bits)

    @property
    def bits(self) -> int:
        """The exponent of all threads of a team."""
        return self.column_bits + self.row_bits

    def launch(self, rows: int, columns: int) -> tuple[tuple[int, int], int]:
        """Grid and block for a result of rows x columns: a row of blocks for each row."""
        needed = columns << self.bits
        block = min(max(1 << (needed - 1).bit_length(), WARP), BLOCK)
        return (-(-needed // block), min(rows, 65535)), block


@device
def my_window(team):
    """Column of the window that this thread works for; it may lie beyond the last one."""
    bits = team.column_bits + team.row_bits
    return (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) >> bits


@device
def my_place(team):
    """Column and row of this thread in its team."""
    column = cuda.threadIdx.x & ((1 << team.column_bits) - 1)
    return column, (cuda.threadIdx.x >> team.column_bits) & ((1 << team.row_bits) - 1)


@helper
def combined(a, b, rule):
    """Two values as one."""
    if len(rule) == 0:
        return a + b
    return max(a, b) if len(rule) == 1 else min(a, b)


@device
def across(value, team, rule: Flag):
    """A number of each thread of a team as one, the same for all; every thread of the block must call it."""
    bits = team.column_bits + team.row_bits
    step = (1 << min(bits, WARP_BITS)) >> 1
    while step > 0:
        value = combined(value, cuda.shfl_xor_sync(_EVERYBODY, value, step), rule)
        step >>= 1
    if bits > WARP_BITS:
        value = across_warps(value, bits - WARP_BITS, rule)
    return value


@device
def across_warps(value, bits, rule):
    """A number of each warp as one, for the 2**bits warps of a team."""
    values = cuda.shared.array(BLOCK // WARP, np.float32)
    warp = cuda.threadIdx.x >> WARP_BITS
    cuda.syncthreads()  # all have read what was here before
    if cuda.threadIdx.x & (WARP - 1) == 0:
        values[warp] = value
    cuda.syncthreads()
    first = (warp >> bits) << bits
    value = values[first]
    for other in range(first + 1, first + (1 << bits)):
        value = combined(value, values[other], rule)
    return value


@device
def across_all(values, team, rule, channels):
    """`across` for the first of four numbers."""
    c = len(channels)
    v0, v1, v2, v3 = values
    v0 = across(v0, team, rule)
    if c > 1:
        v1 = across(v1, team, rule)
    if c > 2:
        v2 = across(v2, team, rule)
    if c > 3:
        v3 = across(v3, team, rule)
    return v0, v1, v2, v3


@helper
def span_of(spans, i):
    """First pixel, end, and coverages of the first and the last pixel of a window along one axis."""
    k = np.uint32(i)
    return spans.begin[k], spans.end[k], spans.head[k], spans.tail[k]


@helper
def rows_of(ys, i, top):
    """`span_of` a row of windows, in an array that begins with row `top` of the image."""
    begin, end, head, tail = span_of(ys, i)
    return begin - top, end - top, head, tail


@helper
def covered(span, pixel):
    """How much of a pixel belongs to the window."""
    begin, end, head, tail = span
    if pixel == begin:
        return head
    return tail if pixel == end - 1 else np.float32(1)


@helper
def extent(span):
    """Pixels of the window, parts included."""
    begin, end, head, tail = span
    return head + (np.float32(end - begin - 2) + tail) if end - begin > 1 else head
