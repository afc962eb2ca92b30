"""Spectral pooling (Rippel, Snoek & Adams 2015): the lowest frequencies of the Fourier transform."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dpid_cli.torch.windows import Pair, check_images, check_output_size, widened


class SpectralPool2d(nn.Module):
    """Keep the lowest frequencies; samples lie at the centres of windows.

    Parameters
    ----------
    scale : int, default 2
        How many times smaller each side becomes, rounded down, as with windows of that side.
    output_size : int or (int, int), optional
        In place of a scale: rows and columns of the output, at most those of the input.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import SpectralPool2d
    >>> SpectralPool2d(output_size=(5, 7))(torch.rand(1, 3, 9, 16)).shape
    torch.Size([1, 3, 5, 7])
    """

    def __init__(self, scale: int = 2, output_size: int | Sequence[int] | None = None) -> None:
        super().__init__()
        self.scale = Pair.of("scale", scale)
        self.output_size = None if output_size is None else Pair.of("output_size", output_size)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x)
        rows, columns = (max(1, side // by) for side, by in zip(x.shape[2:], self.scale, strict=True))
        if self.output_size is not None:
            check_output_size(x, self.output_size)
            rows, columns = self.output_size
        return _shrunk(_shrunk(widened(x), columns, 3), rows, 2).to(x.dtype)

    def extra_repr(self) -> str:
        size = self.output_size
        return f"scale={tuple(self.scale)}" if size is None else f"output_size={tuple(size)}"


def _shrunk(x: Tensor, target: int, dim: int) -> Tensor:
    """Keep as many frequencies of one axis as give `target` samples.

    If that is even, the highest frequency and its negative coincide: their mean, the real part, is kept.
    """
    source = x.shape[dim]
    if source == target:
        return x
    frequencies = torch.arange(target // 2 + 1, dtype=x.dtype, device=x.device)
    shift = math.pi * (1 / target - 1 / source) * frequencies
    moved = torch.polar(torch.full_like(shift, target / source), shift)
    spectrum = torch.fft.rfft(x, dim=dim).narrow(dim, 0, len(frequencies))
    shape = [1, 1, 1, 1]
    shape[dim] = len(frequencies)
    return torch.fft.irfft(spectrum * moved.reshape(shape), target, dim=dim)
