"""Transforms of images for training: downscaling, and degradation drawn at random.

They are modules that take tensors (C, H, W) or (N, C, H, W), so ``torchvision.transforms.v2.Compose`` takes
them, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from dpid_cli.errors import ArgumentError, either
from dpid_cli.torch.functional import downscale

_RESAMPLERS = ("bilinear", "bicubic")
METHODS = ("dpid", "dpp", "box", *_RESAMPLERS)


def _shrunk(x: Tensor, scale: float, method: str, **options: Any) -> Tensor:
    """Downscale floats (N, C, H, W) by one of `METHODS`."""
    if method == "box":
        return downscale(x, scale=scale, lambda_=0.0)
    if method in _RESAMPLERS:
        size = [max(1, math.floor(side / scale + 0.5)) for side in x.shape[2:]]
        return F.interpolate(x, size, mode=method, antialias=True)
    return downscale(x, scale=scale, method=method, **options)  # type: ignore[arg-type]


def _of_any_type(x: Tensor, scale: float, method: str, **options: Any) -> Tensor:
    """`_shrunk` for uint8 and floats, with or without a batch."""
    if not isinstance(x, Tensor) or x.ndim not in (3, 4):
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ArgumentError(f"x must be a tensor of shape (C, H, W) or (N, C, H, W) (got {shape})")
    batch = x if x.ndim == 4 else x.unsqueeze(0)
    whole = x.dtype == torch.uint8
    result = _shrunk(batch / 255 if whole else batch, scale, method, **options)
    if whole:
        result = (result * 255 + 0.5).clamp(0, 255).to(torch.uint8)
    return result if x.ndim == 4 else result.squeeze(0)


class Downscale(nn.Module):
    """Downscale images by DPID or DPP.

    Parameters
    ----------
    scale : float
        How many times smaller each side becomes.
    **options
        The other keywords of `downscale`.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import Downscale
    >>> Downscale(4, lambda_=0.5)(torch.zeros(3, 64, 48, dtype=torch.uint8)).shape
    torch.Size([3, 16, 12])
    """

    def __init__(self, scale: float, **options: Any) -> None:
        super().__init__()
        self.scale, self.options = scale, options

    def forward(self, x: Tensor) -> Tensor:
        return _of_any_type(x, self.scale, **{"method": "dpid", **self.options})

    def extra_repr(self) -> str:
        return ", ".join([f"{self.scale:g}", *(f"{name}={value!r}" for name, value in self.options.items())])


class RandomDownscale(nn.Module):
    """Downscale by a method and lambda that are drawn, as degradation for super-resolution training.

    Parameters
    ----------
    scale : float
    methods : sequence of {"dpid", "dpp", "box", "bilinear", "bicubic"}, default all
        One is drawn for each call, each as likely. The last two are PyTorch's, with antialiasing.
    lambda_ : (float, float), default (0.0, 2.0)
        Smallest and largest lambda of ``dpid`` and ``dpp``; drawn evenly.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import RandomDownscale
    >>> RandomDownscale(2)(torch.rand(3, 64, 48)).shape
    torch.Size([3, 32, 24])
    """

    def __init__(
        self, scale: float, methods: Sequence[str] = METHODS, lambda_: tuple[float, float] = (0.0, 2.0)
    ) -> None:
        super().__init__()
        unknown = [method for method in methods if method not in METHODS]
        if unknown or not methods:
            raise ArgumentError(f"methods must be some of {either(METHODS)} (got {methods!r})")
        if len(lambda_) != 2 or not 0 <= lambda_[0] <= lambda_[1] < math.inf:
            raise ArgumentError(f"lambda must be (smallest, largest), 0 or more (got {lambda_!r})")
        self.scale, self.methods, self.lambda_ = scale, tuple(methods), (lambda_[0], lambda_[1])

    def forward(self, x: Tensor) -> Tensor:
        method = self.methods[int(torch.randint(len(self.methods), ()))]
        low, high = self.lambda_
        drawn = low + (high - low) * float(torch.rand(()))
        options = {"lambda_": drawn} if method in ("dpid", "dpp") else {}
        return _of_any_type(x, self.scale, method, **options)

    def extra_repr(self) -> str:
        return f"{self.scale:g}, methods={self.methods}, lambda_={self.lambda_}"
