"""Tensors and images for tests of PyTorch layers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from support.exact import random_image


def images(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Noise (N, C, H, W) in [0, 1] without equal values, on which all rules are smooth."""
    random = np.random.default_rng(seed)
    return (
        torch.from_numpy(random.permutation(np.linspace(0.01, 1, int(np.prod(shape)))))
        .reshape(shape)
        .to(dtype)
    )


def sample(shape: tuple[int, int, int], dtype: str, seed: int = 0) -> tuple[np.ndarray, torch.Tensor]:
    """An image (H, W, C) with flat parts, and the same as a batch."""
    array = random_image(shape, dtype, seed)
    return array, torch.from_numpy(array).permute(2, 0, 1)[None]


def array_of(batch: torch.Tensor) -> np.ndarray:
    """The only image of a batch, (H, W, C)."""
    (image,) = batch.detach()
    return image.permute(1, 2, 0).numpy()


def jittered(layer: nn.Module) -> nn.Module:
    """In float64, with other parameters than at first."""
    layer = layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return layer


def assert_smooth(layer: nn.Module, x: torch.Tensor, second: bool = True) -> None:
    """First and second derivatives by the input and all parameters are right."""
    names = [name for name, _ in layer.named_parameters()]
    parameters = [parameter.detach().clone().requires_grad_() for parameter in layer.parameters()]
    x = x.clone().requires_grad_()

    def call(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    assert gradcheck(call, (x, *parameters), fast_mode=False)
    if second:
        assert gradgradcheck(call, (x, *parameters), fast_mode=True)
