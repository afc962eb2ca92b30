"""Detail-preserving means: the rule of DPID and DPP, in operations that PyTorch differentiates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dpid_cli.torch.windows import Windows

# Weights are relative to the largest reward of their window. That of alpha is at most e to this.
_LARGEST_LOGARITHM = 60.0


@dataclass(frozen=True)
class Reward:
    """How much a pixel counts: ``alpha + (u / N) ** (lambda / 2)``, with ``u = max(m**2 + offset, floor)``.

    Attributes
    ----------
    lambda_, alpha : float or tensor
        Numbers, or (C, 1, 1).
    offset, floor : float or tensor
        Epsilon squared without noise.
    joint, asymmetric : bool
        Whether the channels share one distance; whether only what exceeds the guidance counts.
    normalize : str
        N: 1 for "none", or the "mean" or "sum" of u over the window.
    """

    lambda_: Any
    alpha: Any
    offset: Any
    floor: Any
    joint: bool = False
    asymmetric: bool = False
    normalize: str = "none"

    def means(self, patches: Tensor, windows: Windows, guide: Tensor) -> Tensor:
        """Weighted means of windows, (N, C, h, w).

        Parameters
        ----------
        patches : (K, N, C, h, w) tensor
            Those of `windows`.
        guide : (N, C, h, w) tensor
            What the pixels of each window are compared with; the result where no pixel weighs anything.
        """
        cover = windows.cover(patches)
        difference = patches - guide
        rewards, largest = self._relative(difference, cover, windows.has_gaps)
        # One factor for all weights of a window does not change their mean, so it needs no gradient.
        constant = self.alpha * torch.exp(-largest.clamp(min=-_LARGEST_LOGARITHM))
        weights = cover * (rewards + constant)
        total = weights.sum(0)
        weighs = total > 0
        return guide + torch.where(weighs, (weights * difference).sum(0) / torch.where(weighs, total, 1), 0)

    def _relative(self, difference: Tensor, cover: Tensor, has_gaps: bool) -> tuple[Tensor, Tensor]:
        """Rewards over the largest of each window, and its logarithm, which is detached."""
        m = difference.clamp(min=0) if self.asymmetric else difference
        squares = m * m
        if self.joint:
            squares = squares.sum(2, keepdim=True)
        u = squares + self.offset
        if self.floor is not self.offset:
            u = torch.maximum(u, torch.as_tensor(self.floor, dtype=u.dtype, device=u.device))
        u = self._normalised(u, cover)
        half = torch.as_tensor(self.lambda_, dtype=u.dtype, device=u.device) / 2
        positive = u > 0
        logarithms = half * torch.where(positive, u, 1).log()
        # 0 to the power of 0 is 1. A pixel at its guidance has a constant reward.
        nothing = torch.where(half == 0, 0.0, -math.inf).to(u.dtype)
        logarithms = torch.where(positive, logarithms, nothing)
        if has_gaps:
            logarithms = torch.where(cover > 0, logarithms, -math.inf)
        largest = logarithms.amax(0).detach()
        largest = torch.where(torch.isfinite(largest), largest, 0)
        return torch.exp(logarithms - largest), largest

    def _normalised(self, u: Tensor, cover: Tensor) -> Tensor:
        if self.normalize == "none":
            return u
        total = (cover * u).sum(0)
        divisor = total if self.normalize == "sum" else total / cover.sum(0)
        return u / torch.where(divisor > 0, divisor, 1)
