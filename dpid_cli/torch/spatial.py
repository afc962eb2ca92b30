"""S3Pool and S3DPP: a pooling at every pixel, of which rows and columns are drawn while training."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dpid_cli.downscaling.names import VariantName
from dpid_cli.errors import ArgumentError
from dpid_cli.torch.detail import DetailPooling, DivisorWord, LayerGuidance, StartWord
from dpid_cli.torch.windows import Pair, Windows, check_images, starting


def drawn(source: int, side: int, cells: int) -> list[int]:
    """Draw one of every `side` pixels: from each of so many cells as many as it has windows, in order."""
    windows = source // side
    per_cell = max(1, -(-windows // cells))
    chosen = []
    for first in range(0, windows, per_cell):
        count = min(per_cell, windows - first)
        places = torch.randperm(count * side)[:count].sort().values
        chosen += [first * side + place for place in places.tolist()]
    return chosen


def _grid(x: Tensor, side: int, cells: int | None, dy: int = 0, dx: int = 0) -> Windows:
    """Windows at drawn rows and columns; without `cells`, at every `side`-th, shifted."""
    axes = []
    for source, shift in ((x.shape[2], dy), (x.shape[3], dx)):
        regular = [i * side + shift for i in range(source // side)]
        axes.append(starting(regular if cells is None else drawn(source, side, cells), side, source))
    return Windows(*axes)


def _check(kernel_size: int, cells: int) -> None:
    for name, value in (("kernel_size", kernel_size), ("cells", cells)):
        Pair.of(name, value)
        if not isinstance(value, int):
            raise ArgumentError(f"{name} must be one whole number (got {value!r})")


def _check_size(x: Tensor, side: int) -> None:
    if min(x.shape[2:]) < side:
        size = f"{x.shape[2]}x{x.shape[3]}"
        raise ArgumentError(f"kernel_size: windows of {side} pixels do not fit into {size} pixels")


class S3Pool2d(nn.Module):
    """Max pooling at random rows and columns while training, else the mean over all (Zhai et al. 2017).

    Parameters
    ----------
    kernel_size : int, default 2
        Side s of the windows, and the stride. Rows and columns beyond a multiple of s are left out.
    cells : int, default 2
        Each axis has so many cells; from each, one of s rows or columns is drawn.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import S3Pool2d
    >>> S3Pool2d()(torch.rand(1, 3, 16, 16)).shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(self, kernel_size: int = 2, cells: int = 2) -> None:
        super().__init__()
        _check(kernel_size, cells)
        self.kernel_size, self.cells = kernel_size, cells

    def forward(self, x: Tensor) -> Tensor:
        check_images(x)
        _check_size(x, self.kernel_size)
        if self.training:
            return _grid(x, self.kernel_size, self.cells).patches(x).amax(0)
        side = range(self.kernel_size)
        every = [_grid(x, self.kernel_size, None, dy, dx).patches(x).amax(0) for dy in side for dx in side]
        return torch.stack(every).mean(0)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, cells={self.cells}"


class S3DetailPreservingPool2d(DetailPooling):
    """Detail-preserving pooling at random rows and columns while training, else the mean over all.

    Parameters
    ----------
    channels : int
        C of the inputs (N, C, H, W).
    kernel_size, cells
        As for `S3Pool2d`.
    variant, normalize, init, epsilon
        As for `DetailPreservingPool2d`; the guidance is the mean of the window.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import S3DetailPreservingPool2d
    >>> S3DetailPreservingPool2d(3).eval()(torch.rand(1, 3, 16, 16)).shape
    torch.Size([1, 3, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 2,
        cells: int = 2,
        *,
        variant: VariantName = "sym",
        guidance: Literal["box"] = "box",
        normalize: DivisorWord = "none",
        init: StartWord = "ones",
        epsilon: float = math.sqrt(1e-3),
    ) -> None:
        super().__init__(channels, variant, normalize, init, epsilon, guidance)
        if self.guidance != LayerGuidance.BOX:
            raise ArgumentError(f"guidance must be box (got {guidance!r})")
        _check(kernel_size, cells)
        self.kernel_size, self.cells = kernel_size, cells

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.channels)
        _check_size(x, self.kernel_size)
        if self.training:
            return self.over(x, _grid(x, self.kernel_size, self.cells))
        side = range(self.kernel_size)
        every = [self.over(x, _grid(x, self.kernel_size, None, dy, dx)) for dy in side for dx in side]
        return torch.stack(every).mean(0)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kernel_size={self.kernel_size}, cells={self.cells}"
