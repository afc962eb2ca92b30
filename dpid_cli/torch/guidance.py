"""What pixels are compared with: window means, filters over these, and filters over the pixels."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as everybody calls it
from torch import Tensor

from dpid_cli.downscaling.choices import FilterGrid
from dpid_cli.downscaling.filters import GAUSSIAN, Filter

# At borders, the sum over the weights in use may be so much smaller or larger.
_LARGEST_GAIN = 16.0


def smoothed(means: Tensor) -> Tensor:
    """Window means smoothed with [1 2 1], as DPID compares with them."""
    return over_means(means, torch.tensor(GAUSSIAN.kernel, dtype=means.dtype, device=means.device))


def over_means(means: Tensor, kernel: Tensor, bias: Any = 0.0) -> Tensor:
    """The response of a filter to window means, (N, C, h, w), differentiable by all arguments.

    Parameters
    ----------
    means : (N, C, h, w) tensor
    kernel : (3, 3) or (C, 3, 3) tensor
    bias : float, or (C,) tensor
        As those of `dpid_cli.Filter` on the output grid, with the same rule at the border: means that do not
        exist are left out and the sum is multiplied by ``sum(F) / sum(F used)``; where this factor is not
        within [1/16, 16], the outermost means are repeated instead.
    """
    channels = means.shape[1]
    weights = kernel.expand(channels, 3, 3).unsqueeze(1)
    existing = F.pad(means.new_ones(1, channels, *means.shape[2:]), (1, 1, 1, 1))
    used = F.conv2d(existing, weights, groups=channels)
    whole = weights.sum((1, 2, 3)).reshape(1, channels, 1, 1)
    gain = whole / torch.where(used == 0, 1, used)
    fits = (used != 0) & (gain >= 1 / _LARGEST_GAIN) & (gain <= _LARGEST_GAIN)
    dropped = F.conv2d(F.pad(means, (1, 1, 1, 1)), weights, groups=channels)
    inside = torch.zeros_like(used, dtype=torch.bool)
    inside[..., 1:-1, 1:-1] = True  # where the factor is 1, whatever the sum
    repeated = F.conv2d(F.pad(means, (1, 1, 1, 1), mode="replicate"), weights, groups=channels)
    response = torch.where(inside, dropped, torch.where(fits, gain * dropped, repeated))
    return response + _per_channel(bias, means)


def by_filter(filter_: Filter, x: Tensor, means: Tensor) -> Tensor:
    """The response of a fitted filter, on either grid."""
    channels = x.shape[1]
    kernel = torch.tensor(filter_.kernel, dtype=x.dtype, device=x.device)
    bias = torch.tensor(filter_.bias, dtype=x.dtype, device=x.device)
    if filter_.grid == FilterGrid.OUTPUT:
        return over_means(means, kernel, bias)
    rows, columns = (torch.tensor(places) for places in filter_.positions(means.shape[:1:-1]))
    outside = ((rows < 0)[:, None] | (columns < 0)).to(x.device)
    met = x.index_select(2, rows.clamp(min=0).to(x.device)).index_select(3, columns.clamp(min=0).to(x.device))
    met = met.masked_fill(outside, 0)
    side = kernel.shape[-1]
    weights = kernel.expand(channels, side, side).unsqueeze(1)
    return F.conv2d(met, weights, stride=filter_.step, groups=channels) + _per_channel(bias, x)


def _per_channel(values: Any, like: Tensor) -> Tensor:
    """(C, 1, 1), or a number."""
    values = torch.as_tensor(values, dtype=like.dtype, device=like.device)
    return values.reshape(-1, 1, 1) if values.ndim else values
