"""`dpid_cli.torch.downscale`: DPID and DPP of batches, differentiable."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from dpid_cli.downscaling.automatic import is_automatic
from dpid_cli.downscaling.choices import Guidance, Normalize, Variant
from dpid_cli.downscaling.filters import TUNED, Filter, resolved
from dpid_cli.downscaling.names import DifferentiableName, GuidanceName, NormalizeName, VariantName
from dpid_cli.downscaling.parameters import DetailParameters
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.sizes import requested
from dpid_cli.errors import ArgumentError, either
from dpid_cli.torch.guidance import by_filter, over_means, smoothed
from dpid_cli.torch.rewards import Reward
from dpid_cli.torch.windows import Windows, check_images, covered_mean, fractional, widened


def downscale(
    x: Tensor,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: DifferentiableName = "dpid",
    lambda_: float | Tensor | None = None,
    alpha: float | Tensor | None = None,
    epsilon: float | Tensor | None = None,
    variant: VariantName | None = None,
    guidance: GuidanceName | str | os.PathLike[str] | Filter | Tensor | None = None,
    bias: float | Tensor = 0.0,
    normalize: NormalizeName | None = None,
    noise: float | Sequence[float] | None = None,
) -> Tensor:
    """Downscale a batch of images, differentiably: `dpid_cli.downscale` for tensors.

    Parameters
    ----------
    x : (N, C, H, W) tensor of floats
        Intensities; any number of channels, on any device. float16 and bfloat16 are computed in float32.
    scale : float, optional
        How many times smaller each side becomes; any real number, 1 or more. Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the output.
    method : {"dpid", "dpp"}, default "dpid"
        Whether distances are computed over all channels or by channel.
    lambda_, alpha : float or tensor, optional
        As for `dpid_cli.downscale`. Tensors have the shape (), or (C,) for ``dpp``, and get gradients.
    epsilon, variant, normalize, noise : optional
        As for `dpid_cli.downscale`.
    guidance : {"gaussian", "box"}, str, path, Filter or tensor, optional
        As for `dpid_cli.downscale`. A tensor (3, 3) or (C, 3, 3) is a filter over the window means; a tensor
        (N, C, h, w) is compared with directly. Both get gradients.
    bias : float or (C,) tensor, default 0.0
        Added to the response of a filter that is a tensor.

    Returns
    -------
    (N, C, h, w) tensor
        Of the type and device of `x`.

    Raises
    ------
    DpidError
        If an argument is wrong.

    Notes
    -----
    Equal to `dpid_cli.downscale` to 1e-5 in float32 and 1e-9 in float64. Where a pixel equals its guidance,
    its reward counts as constant: with epsilon 0, derivatives do not exist there for lambda up to 1.

    Examples
    --------
    >>> import torch, dpid_cli.torch
    >>> photos = torch.rand(2, 3, 48, 64, requires_grad=True)
    >>> small = dpid_cli.torch.downscale(photos, scale=4)
    >>> small.shape
    torch.Size([2, 3, 12, 16])
    >>> small.sum().backward()
    >>> round(photos.grad.sum().item())  # a brighter image has a brighter output
    1152
    """
    given = {name: value for name, value in locals().items() if name in (*TUNED, "guidance", "noise")}
    check_images(x)
    chosen = method_named(method)
    if not chosen.differentiable:
        able = either(m.name for m in METHODS.values() if m.differentiable)
        raise ArgumentError(f"method: {method} has no gradients: use {able}")
    tensors = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    words = {name: value for name, value in given.items() if name not in tensors}
    parameters = cast(DetailParameters, chosen.parameters(resolved(chosen, words)))
    if is_automatic(parameters.as_dict()):
        raise ArgumentError("auto: has no derivative: give a number, such as that of dpid_cli.automatic")
    columns, rows = target = requested((x.shape[3], x.shape[2]), scale, size)
    if target == (x.shape[3], x.shape[2]):
        return x.clone()
    if parameters.filter is not None:
        parameters.filter.check_fit((x.shape[3], x.shape[2]), target, x.shape[1])
    images = widened(x)
    reward = reward_of(parameters, tensors, images, joint=chosen.name == "dpid")
    windows = Windows(fractional(x.shape[2], rows), fractional(x.shape[3], columns))
    patches = windows.patches(images)
    means = covered_mean(patches, windows.cover(patches))
    guide = _guide(tensors.get("guidance", parameters.guidance), bias, images, means)
    return reward.means(patches, windows, guide).to(x.dtype)


def reward_of(
    parameters: DetailParameters, tensors: Mapping[str, Tensor], x: Tensor, *, joint: bool
) -> Reward:
    """The reward for checked parameters; `tensors` replace some of them."""

    def value(name: str) -> Any:
        return _by_channel(name, tensors[name], x, joint) if name in tensors else getattr(parameters, name)

    squared = value("epsilon") ** 2
    offset = floor = squared
    if parameters.noise != 0:
        variances = x.new_tensor(parameters.noise) ** 2
        if variances.ndim and len(variances) != x.shape[1]:
            count = f"{len(variances)} numbers for {x.shape[1]} channels"
            raise ArgumentError(f"noise: has {count}: give one for each, or only one")
        variances = variances.expand(x.shape[1]).reshape(-1, 1, 1)
        together = x.shape[1] if joint else 1
        variances = variances.sum() if joint else variances
        offset, floor = squared - (1 + 4 / together) * variances, squared + variances
    return Reward(
        lambda_=value("lambda_"),
        alpha=value("alpha"),
        offset=offset,
        floor=floor,
        joint=joint,
        asymmetric=parameters.variant == Variant.ASYM,
        normalize=Normalize(parameters.normalize).value,
    )


def _by_channel(name: str, value: Tensor, x: Tensor, joint: bool) -> Tensor:
    """A tensor as it is broadcast to windows: a number, or (C, 1, 1)."""
    allowed = [()] if joint and name != "alpha" else [(), (x.shape[1],)]
    if tuple(value.shape) not in allowed:
        shapes = either(map(str, allowed))
        raise ArgumentError(f"{name.rstrip('_')} must have the shape {shapes} (got {tuple(value.shape)})")
    value = value.to(x.dtype)
    return value.reshape(-1, 1, 1) if value.ndim else value


def _guide(guidance: Any, bias: Any, x: Tensor, means: Tensor) -> Tensor:
    if isinstance(guidance, Filter):
        return by_filter(guidance, x, means)
    if not isinstance(guidance, Tensor):
        return means if guidance == Guidance.BOX else smoothed(means)
    if guidance.shape in ((3, 3), (x.shape[1], 3, 3)):
        return over_means(means, guidance.to(means.dtype), bias)
    if guidance.shape != means.shape:
        raise ArgumentError(
            f"guidance must be a filter, (3, 3) or ({x.shape[1]}, 3, 3), or have the shape of the output, "
            f"{tuple(means.shape)} (got {tuple(guidance.shape)})"
        )
    return guidance.to(means.dtype)
