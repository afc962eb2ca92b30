"""Swap the poolings of an existing model for others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dpid_cli.downscaling.choices import Choice
from dpid_cli.errors import ArgumentError


class Kind(Choice):
    """What can be replaced: max pooling, average pooling, and convolutions with a stride."""

    MAX, AVERAGE, STRIDED = "max", "average", "strided"


def replace_pooling(
    model: nn.Module,
    pool: Callable[..., nn.Module],
    example: Tensor,
    *,
    kinds: Collection[str] = ("max", "average"),
    **options: Any,
) -> list[str]:
    """Replace the poolings of a model, in place.

    Parameters
    ----------
    model : Module
    pool : callable
        Makes a layer: ``pool(channels, kernel_size=, stride=, padding=, ceil_mode=, **options)``, such as
        `DetailPreservingPool2d`.
    example : tensor
        An input of the model, which runs once in evaluation to find the channels of each pooling.
    kinds : collection of {"max", "average", "strided"}, default ("max", "average")
        What to replace: ``MaxPool2d``, ``AvgPool2d``, and ``Conv2d`` whose stride is above 1. Such a
        convolution gets stride 1, and the pooling follows with windows of the stride.
    **options
        For `pool`.

    Returns
    -------
    list of str
        The names of the modules that were replaced, in the order of the model.

    Raises
    ------
    DpidError
        If a kind is not known, or a pooling has dilation or returns indices.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from dpid_cli.torch import DetailPreservingPool2d, replace_pooling
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    >>> replace_pooling(model, DetailPreservingPool2d, torch.zeros(1, 3, 32, 32), variant="asym")
    ['2']
    >>> model[2]
    DetailPreservingPool2d(8, variant='asym', guidance='box', kernel_size=(2, 2), stride=(2, 2))
    """
    chosen = {Kind.named("kinds", kind) for kind in kinds}
    found = {name: module for name, module in model.named_modules() if _kind_of(module) in chosen and name}
    channels = _channels(model, found, example)
    for name, module in found.items():
        if name not in channels:
            raise ArgumentError(f"example: does not reach {name}: give an input that does")
        own = _sizes(module, name)
        layer = pool(channels[name], **own, **options)
        parameter = next(model.parameters(), example)
        layer.to(parameter.device, parameter.dtype).train(module.training)
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
            layer = nn.Sequential(module, layer)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer)
    return list(found)


def _kind_of(module: nn.Module) -> Kind | None:
    if isinstance(module, nn.MaxPool2d):
        return Kind.MAX
    if isinstance(module, nn.AvgPool2d):
        return Kind.AVERAGE
    strided = isinstance(module, nn.Conv2d) and max(module.stride) > 1
    return Kind.STRIDED if strided else None


def _sizes(module: nn.Module, name: str) -> dict[str, Any]:
    """The windows of a pooling, or those after a convolution with a stride."""
    if isinstance(module, nn.Conv2d):
        return {"kernel_size": module.stride, "stride": module.stride, "ceil_mode": True}
    if _pair(getattr(module, "dilation", 1)) != (1, 1) or getattr(module, "return_indices", False):
        raise ArgumentError(f"{name}: has dilation or returns indices: replace it by hand")
    names = ("kernel_size", "stride", "padding", "ceil_mode")
    return {name: getattr(module, name) for name in names}


def _pair(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)


@torch.no_grad()
def _channels(model: nn.Module, modules: dict[str, nn.Module], example: Tensor) -> dict[str, int]:
    """The channels of the outputs of some modules."""
    channels: dict[str, int] = {}

    def remember(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            channels[name] = output.shape[1]

        return hook

    handles = [module.register_forward_hook(remember(name)) for name, module in modules.items()]
    trained = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        model(example)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in trained:
            module.training = training
    return channels
