"""LiftPool and LiftUnPool (Zhao & Snoek 2021): pooling by a lifting scheme that can be undone exactly."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from dpid_cli.errors import ArgumentError
from dpid_cli.torch.windows import Pair, check_images


class Bands(NamedTuple):
    """The parts into which `LiftPool2d` divides an input, each (N, C, ceil(H / 2), ceil(W / 2)).

    ``low_high`` is low along the columns of pixels and high along the rows.
    """

    low_low: Tensor
    low_high: Tensor
    high_low: Tensor
    high_high: Tensor


def _predictor(channels: int, side: int) -> nn.Module:
    """A small network along one axis, the last, for each channel."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, (1, side), padding=(0, side // 2), groups=channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 1),
        nn.Tanh(),
    )


class LiftPool2d(nn.Module):
    """Split rows and columns into even and odd ones; predict one from the other, and update.

    Along an axis, ``d = odd - P(even)`` and ``s = even + U(d)``, with small networks P and U that are shared
    by both axes. The output is the sum of the four bands, or the bands themselves for `LiftUnPool2d`.

    Parameters
    ----------
    channels : int
        C of the inputs (N, C, H, W). Odd sides get their last pixel twice.
    kernel_size : int, default 5
        Pixels along an axis that P and U see; an odd number.
    return_bands : bool, default False
        Whether to return `Bands` in place of their sum.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import LiftPool2d
    >>> LiftPool2d(3)(torch.rand(1, 3, 9, 16)).shape
    torch.Size([1, 3, 5, 8])
    """

    def __init__(self, channels: int, kernel_size: int = 5, return_bands: bool = False) -> None:
        super().__init__()
        Pair.of("channels", channels)
        if Pair.of("kernel_size", kernel_size).rows % 2 == 0:
            raise ArgumentError(f"kernel_size must be odd (got {kernel_size})")
        self.channels, self.return_bands = channels, return_bands
        self.predict, self.update = _predictor(channels, kernel_size), _predictor(channels, kernel_size)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The slow and the fast part along the last axis, which has an even length."""
        even, odd = x[..., ::2], x[..., 1::2]
        fast = odd - self.predict(even)
        return even + self.update(fast), fast

    def joined(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Undo `split`."""
        even = slow - self.update(fast)
        return torch.stack((even, fast + self.predict(even)), -1).flatten(-2)

    def bands(self, x: Tensor) -> Bands:
        """The four parts."""
        x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), mode="replicate")
        low, high = self.split(x)
        parts = [part.mT.contiguous() for band in (low, high) for part in self.split(band.mT.contiguous())]
        return Bands(parts[0], parts[1], parts[2], parts[3])

    def forward(self, x: Tensor) -> Tensor | Bands:
        check_images(x, self.channels)
        bands = Bands(*(band.to(x.dtype) for band in self.bands(x)))  # autocast computes some in float32
        return bands if self.return_bands else sum(bands[1:], bands[0])


class LiftUnPool2d(nn.Module):
    """Undo a `LiftPool2d`, whose networks it shares.

    Parameters
    ----------
    pool : LiftPool2d
        With ``return_bands=True``, to get the bands from.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import LiftPool2d, LiftUnPool2d
    >>> pool = LiftPool2d(3, return_bands=True)
    >>> x = torch.rand(1, 3, 9, 16)
    >>> bool(torch.allclose(LiftUnPool2d(pool)(pool(x), x.shape[2:]), x, atol=1e-6))
    True
    """

    def __init__(self, pool: LiftPool2d) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, bands: Bands, output_size: tuple[int, int] | None = None) -> Tensor:
        """Join bands; `output_size` is (rows, columns), for sides that were odd."""
        low, high = (
            self.pool.joined(slow.mT.contiguous(), fast.mT.contiguous()).mT.contiguous()
            for slow, fast in (bands[:2], bands[2:])
        )
        x = self.pool.joined(low, high)
        return x if output_size is None else x[..., : output_size[0], : output_size[1]]
