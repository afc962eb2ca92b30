"""Teams of threads that share a window: which pixels each thread visits, and how their sums are combined.

A team is a power of two of neighbouring threads of a block. It has as many columns as load the window's
pixels together and, if windows are large and few, several rows; it may be a single thread. Sums are combined
in an order that depends only on the size of the team, so that the same image gives the same bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dpid_cli.kernels.cuda.target import cuda, device
from dpid_cli.kernels.flags import choice, flag, helper

WARP, WARP_BITS = 32, 5
BLOCK = 256
WARPS = BLOCK // WARP
_SUM, _LARGEST, _SMALLEST = range(3)
SUM, LARGEST, SMALLEST = flag(_SUM), flag(_LARGEST), flag(_SMALLEST)
_EVERYBODY = 0xFFFFFFFF
# Threads that keep a large GPU busy, and the fewest rows per thread for which a team grows.
_BUSY, _LEAST_ROWS = 1 << 18, 4


class Team(NamedTuple):
    """The layout of a team over its window, in powers of two.

    Attributes
    ----------
    columns, rows : int32
    column_bits, bits : int32
        Binary logarithms of the columns and of all threads.
    """

    columns: Any
    rows: Any
    column_bits: Any
    bits: Any

    @classmethod
    def of(cls, windows: int, width: int, height: int) -> Team:
        """The team for each of some windows of `width` x `height` pixels."""
        column_bits = min(width.bit_length() - 1, WARP_BITS)
        columns = 1 << column_bits
        turns = -(-width // columns)
        if columns > 1 and 10 * width < 7 * columns * turns:  # too many threads would have no pixel
            column_bits -= 1
        bits = column_bits
        while (
            windows << bits < _BUSY
            and height >> (bits + 1 - column_bits) >= _LEAST_ROWS
            and 2 << bits <= BLOCK
        ):
            bits += 1
        return cls(*map(np.int32, (1 << column_bits, 1 << (bits - column_bits), column_bits, bits)))

    def launch(self, rows: int, columns: int) -> tuple[tuple[int, int], int]:
        """Grid and block for an output of rows x columns, up to 65535 rows: one row of blocks for each."""
        needed = columns << int(self.bits)
        block = min(max(1 << (needed - 1).bit_length(), WARP), BLOCK)
        return (-(-needed // block), rows), block


class Crew(NamedTuple):
    """A team in a kernel, with an array in shared memory that holds one number per warp of a block.

    Kernels allocate the array themselves: Numba gives shared arrays of other functions the same name.
    """

    columns: Any
    rows: Any
    column_bits: Any
    bits: Any
    values: Any


@helper
def crew_of(team, values):
    """The team with its array."""
    return Crew(team.columns, team.rows, team.column_bits, team.bits, values)


@device
def my_window(team):
    """Row and column of the window of this thread; the column may lie beyond the last one."""
    thread = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    return np.int32(cuda.blockIdx.y), np.int32(thread >> team.bits)


@device
def my_place(team):
    """Column and row of this thread in its team."""
    thread = np.int32(cuda.threadIdx.x)
    column = np.int32(thread & np.int32(team.columns - 1))
    return column, np.int32((thread >> team.column_bits) & np.int32(team.rows - 1))


@helper
def combined(a, b, rule):
    """Two values as one."""
    if choice(rule) == _SUM:
        return a + b
    return max(a, b) if choice(rule) == _LARGEST else min(a, b)


@device
def across(value, team, rule):
    """Combine one number per thread of a team, for all of them. Every thread of the block must call it."""
    threads = np.int32(team.columns * team.rows)
    step = np.int32(min(threads, np.int32(WARP)) >> 1)
    while step > 0:
        value = combined(value, cuda.shfl_xor_sync(_EVERYBODY, value, step), rule)
        step = np.int32(step >> 1)
    if threads > WARP:
        value = across_warps(value, np.int32(threads >> WARP_BITS), team.values, rule)
    return value


@device
def across_warps(value, warps, values, rule):
    """Combine one number per warp, for teams of several warps."""
    warp = np.int32(cuda.threadIdx.x >> WARP_BITS)
    cuda.syncthreads()  # all threads have read the previous values
    if cuda.threadIdx.x & (WARP - 1) == 0:
        values[np.uint32(warp)] = value
    cuda.syncthreads()
    other = np.int32(warp & np.int32(-warps))  # the team's first
    end = np.int32(other + warps)
    value = values[np.uint32(other)]
    other = np.int32(other + 1)
    while other < end:
        value = combined(value, values[np.uint32(other)], rule)
        other = np.int32(other + 1)
    return value


@device
def across_all(values, team, rule, c):
    """`across` for the first c of four numbers."""
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
    """First and last pixel of a window along an axis, and their coverages."""
    k = np.uint32(i)
    return spans.begin[k], np.int32(spans.end[k] - 1), spans.head[k], spans.tail[k]


@helper
def rows_of(ys, i, top):
    """`span_of` a row of windows, in an array that begins with row `top` of the image."""
    first, last, head, tail = span_of(ys, i)
    return np.int32(first - top), np.int32(last - top), head, tail


@helper
def covered(span, pixel):
    """How much of a pixel, not before the first, belongs to the window: 0 beyond the last."""
    first, last, head, tail = span
    inner = head if pixel == first else tail if pixel == last else np.float32(1)
    return inner if pixel <= last else np.float32(0)


@helper
def extent(span):
    """Length of the window in pixels."""
    first, last, head, tail = span
    return head + (np.float32(last - first - 1) + tail) if last > first else head
