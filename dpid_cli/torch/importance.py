"""Local importance pooling (Gao, Wang & Wu 2019): weights by a small network, trained with the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dpid_cli.torch.pooling import WindowPool2d, largest
from dpid_cli.torch.windows import check_images, widened


class _Logits(nn.Module):
    """A 1 x 1 convolution, normalised over each image, between 0 and 12."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.InstanceNorm2d(channels, affine=True),
            nn.Sigmoid(),
        )
        nn.init.zeros_(self.layers[1].weight)  # begins as the average

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = 12 * self.layers(x)
        return result


class LIPPool2d(WindowPool2d):
    """Weights ``exp(G)``, where G is a small network of the input.

    Parameters
    ----------
    channels : int
        C of the inputs (N, C, H, W).
    kernel_size, stride, padding, ceil_mode
        As for the other poolings; windows of 3 every 2 pixels by default, as in the paper.
    logits : Module, optional
        From (N, C, H, W) to G of the same shape. By default a 1 x 1 convolution, normalised, between 0 and
        12, that begins as the average.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import LIPPool2d
    >>> LIPPool2d(8)(torch.rand(2, 8, 16, 16)).shape
    torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | Sequence[int] = 3,
        stride: int | Sequence[int] | None = 2,
        padding: int | Sequence[int] = 1,
        *,
        ceil_mode: bool = False,
        logits: nn.Module | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.logits = _Logits(channels) if logits is None else logits

    def forward(self, x: Tensor) -> Tensor:
        check_images(x)
        patches, cover = self.windows(widened(x))
        logits, _ = self.windows(widened(self.logits(x)))
        weights = cover * torch.exp(logits - largest(logits, cover).detach())
        return ((weights * patches).sum(0) / weights.sum(0)).to(x.dtype)
