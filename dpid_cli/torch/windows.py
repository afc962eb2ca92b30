"""The windows of poolings: which pixels they hold, and how much of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from dpid_cli.errors import ArgumentError


class Pair(NamedTuple):
    """A number for rows and one for columns."""

    rows: int
    columns: int

    @classmethod
    def of(cls, name: str, value: int | Sequence[int], least: int = 1) -> Pair:
        """One number for both, or two; raises an `ArgumentError` that names the argument."""
        numbers = (value, value) if isinstance(value, int) else tuple(value)
        whole = all(isinstance(one, int) and not isinstance(one, bool) and one >= least for one in numbers)
        if len(numbers) != 2 or not whole:
            raise ArgumentError(
                f"{name} must be a whole number, {least} or more, or two for rows and columns (got {value!r})"
            )
        return cls(*numbers)


@dataclass(frozen=True)
class Taps:
    """The windows along one axis, as layers: the first pixel of every window, the second, and so on.

    Attributes
    ----------
    index : tuple of tuples of int
        For each layer, the pixel of each window.
    cover : tuple of tuples of float
        How much of it belongs to the window, from 0 to 1; 0 if the window has no such pixel.
    is_full, has_gaps : bool
        Whether all pixels belong to their windows wholly; whether windows differ in the number of pixels.
    """

    index: tuple[tuple[int, ...], ...]
    cover: tuple[tuple[float, ...], ...]
    is_full: bool
    has_gaps: bool

    @classmethod
    def of(cls, index: list[list[int]], cover: list[list[float]]) -> Taps:
        """Take lists."""
        parts = {part for layer in cover for part in layer}
        return cls(tuple(map(tuple, index)), tuple(map(tuple, cover)), parts == {1.0}, 0.0 in parts)

    @property
    def count(self) -> int:
        """The number of windows."""
        return len(self.index[0])


def fractional(source: int, target: int) -> Taps:
    """Divide `source` pixels into `target` windows of equal length, with exact shares of pixels.

    >>> fractional(5, 2).cover
    ((1.0, 0.5), (1.0, 1.0), (0.5, 1.0))
    """
    begins = [i * source // target for i in range(target)]
    ends = [-(-(i + 1) * source // target) for i in range(target)]
    index, cover = [], []
    for layer in range(max(end - begin for begin, end in zip(begins, ends, strict=True))):
        pixels = [begin + layer for begin in begins]
        shares = [
            (min((pixel + 1) * target, (i + 1) * source) - max(pixel * target, i * source)) / target
            for i, pixel in enumerate(pixels)
        ]
        index.append([min(pixel, source - 1) for pixel in pixels])
        cover.append([max(share, 0.0) for share in shares])
    return Taps.of(index, cover)


def between(low: float, high: float, source: int, target: int) -> Taps:
    """Divide the part of an axis from `low` to `high` into `target` windows, with shares of pixels.

    Parts of windows beyond the `source` pixels of the axis do not count.
    """
    bounds = [low + (high - low) * i / target for i in range(target + 1)]
    begins = [min(max(int(bound // 1), 0), source - 1) for bound in bounds[:-1]]
    ends = [min(max(int(-(-bound // 1)), 1), source) for bound in bounds[1:]]
    index, cover = [], []
    for layer in range(max(end - begin for begin, end in zip(begins, ends, strict=True))):
        pixels = [begin + layer for begin in begins]
        index.append([min(pixel, source - 1) for pixel in pixels])
        cover.append(
            [
                max(min(pixel + 1, bounds[i + 1], source) - max(pixel, bounds[i]), 0.0)
                for i, pixel in enumerate(pixels)
            ]
        )
    return Taps.of(index, cover)


def strided(source: int, kernel: int, stride: int, padding: int = 0, ceil_mode: bool = False) -> Taps:
    """Lay windows of `kernel` pixels every `stride` pixels, as the poolings of PyTorch do.

    Padding has no pixels: it does not count.
    """
    if 2 * padding > kernel:
        raise ArgumentError(f"padding must be at most half of the kernel, {kernel // 2} (got {padding})")
    span = source + 2 * padding - kernel
    if span < 0 and not (ceil_mode and span > -stride):
        raise ArgumentError(f"kernel_size: windows of {kernel} pixels do not fit into {source} pixels")
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= source + padding:
        count -= 1  # the last window would hold padding only
    starts = [i * stride - padding for i in range(count)]
    pixels = [[start + layer for start in starts] for layer in range(kernel)]
    return Taps.of(
        [[min(max(pixel, 0), source - 1) for pixel in layer] for layer in pixels],
        [[float(0 <= pixel < source) for pixel in layer] for layer in pixels],
    )


def starting(starts: Sequence[int], kernel: int, source: int) -> Taps:
    """Windows of `kernel` pixels that begin at given pixels; the last pixel of the axis is repeated."""
    index = [[min(start + layer, source - 1) for start in starts] for layer in range(kernel)]
    return Taps.of(index, [[1.0] * len(starts)] * kernel)


@dataclass(frozen=True)
class Windows:
    """The windows of an image, by rows and columns."""

    rows: Taps
    columns: Taps

    @classmethod
    def strided(cls, x: Tensor, kernel: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> Windows:
        """The windows that poolings of PyTorch lay over (N, C, H, W)."""
        axes = zip(x.shape[2:], kernel, stride, padding, strict=True)
        return cls(*(strided(*numbers, ceil_mode) for numbers in axes))

    def patches(self, x: Tensor) -> Tensor:
        """The pixels of all windows of (N, C, H, W): (K, N, C, h, w), one layer of K at a time."""
        lines = [_taken(x, layer, 2) for layer in self.rows.index]
        return torch.stack([_taken(line, layer, 3) for line in lines for layer in self.columns.index])

    def cover(self, x: Tensor) -> Tensor:
        """Coverage of `patches`, (K, 1, 1, h, w); (K, 1, 1, 1, 1) if all pixels count wholly."""
        layers = len(self.rows.index) * len(self.columns.index)
        if self.is_full:
            return x.new_ones(layers, 1, 1, 1, 1)
        down, across = (x.new_tensor(axis.cover) for axis in (self.rows, self.columns))
        return (down[:, None, :, None] * across[None, :, None, :]).reshape(layers, 1, 1, *self.size)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        return self.rows.count, self.columns.count

    @property
    def is_full(self) -> bool:
        """Whether all pixels belong to their windows wholly."""
        return self.rows.is_full and self.columns.is_full

    @property
    def has_gaps(self) -> bool:
        """Whether windows differ in the number of their pixels."""
        return self.rows.has_gaps or self.columns.has_gaps

    def means(self, x: Tensor) -> Tensor:
        """The mean of each window."""
        return covered_mean(self.patches(x), self.cover(x))


def covered_mean(patches: Tensor, cover: Tensor) -> Tensor:
    """The mean of the pixels of each window."""
    return (cover * patches).sum(0) / cover.sum(0)


def tiled(x: Tensor, windows: Windows) -> Tensor:
    """(N, C, h * rows, w * columns): the pixels of all windows, side by side."""
    for dim, axis in ((2, windows.rows), (3, windows.columns)):
        x = _taken(x, tuple(chain.from_iterable(zip(*axis.index, strict=True))), dim)
    return x


def _taken(x: Tensor, index: tuple[int, ...], dim: int) -> Tensor:
    """Entries of an axis; a view where they lie at equal distances."""
    step = index[1] - index[0] if len(index) > 1 else 1
    if step > 0 and all(b - a == step for a, b in pairwise(index)):
        chosen = slice(index[0], index[-1] + 1, step)
        return x[:, :, chosen] if dim == 2 else x[:, :, :, chosen]
    return x.index_select(dim, torch.tensor(index, device=x.device))


def check_images(x: Tensor, channels: int | None = None) -> None:
    """Raise an `ArgumentError` if these are no images, (N, C, H, W) of floats."""
    if not isinstance(x, Tensor) or x.ndim != 4 or 0 in x.shape:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ArgumentError(f"x must be a tensor of shape (N, C, H, W) (got {shape})")
    if not x.is_floating_point():
        raise ArgumentError(f"x must have floats (got {x.dtype}): give x.float() / 255 if 255 is white")
    if channels is not None and x.shape[1] != channels:
        raise ArgumentError(f"x must have {channels} channels, as the layer (got {x.shape[1]})")


def check_output_size(x: Tensor, size: Pair) -> None:
    """Raise an `ArgumentError` if images would be enlarged."""
    if size.rows > x.shape[2] or size.columns > x.shape[3]:
        raise ArgumentError(
            f"output_size: {size.rows}x{size.columns} would enlarge {x.shape[2]}x{x.shape[3]}: "
            "use at most that"
        )


def widened(x: Tensor) -> Tensor:
    """In float32 if it has fewer bits, so that sums and powers stay finite."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
