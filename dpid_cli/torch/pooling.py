"""Poolings whose result follows from the pixels of a window alone: weighted means, powers and draws."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dpid_cli.errors import ArgumentError
from dpid_cli.torch.windows import Pair, Windows, check_images, covered_mean, widened


class WindowPool2d(nn.Module):
    """What these poolings share: their windows.

    Parameters
    ----------
    kernel_size : int or (int, int), default 2
    stride : int or (int, int), optional
        By default the size of a window.
    padding : int or (int, int), default 0
        Has no pixels, so does not count.
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = Pair.of("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else Pair.of("stride", stride)
        self.padding = Pair.of("padding", padding, 0)
        self.ceil_mode = bool(ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x)
        patches, cover = self.windows(widened(x))
        return self.pooled(patches, cover).to(x.dtype)

    def windows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels of all windows, (K, N, C, h, w), and their coverage."""
        windows = Windows.strided(x, self.kernel_size, self.stride, self.padding, self.ceil_mode)
        return windows.patches(x), windows.cover(x)

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        """The value of each window."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"kernel_size={tuple(self.kernel_size)}, stride={tuple(self.stride)}"


def largest(patches: Tensor, cover: Tensor) -> Tensor:
    """The largest pixel of each window."""
    return torch.where(cover > 0, patches, -torch.inf).amax(0)


def soft_weights(patches: Tensor, cover: Tensor) -> Tensor:
    """Weights of SoftPool, which add up to 1."""
    weights = cover * torch.exp(patches - largest(patches, cover).detach())
    return weights / weights.sum(0)


def similar_weights(patches: Tensor, cover: Tensor) -> Tensor:
    """Weights of eDSCW: exponentials of the likeness of a pixel to the mean, which add up to 1."""
    mean = covered_mean(patches, cover)
    squares = patches * patches + mean * mean
    likeness = torch.where(squares > 0, 2 * (patches * mean).abs() / torch.where(squares > 0, squares, 1), 1)
    weights = cover * torch.exp(likeness)
    return weights / weights.sum(0)


class SoftPool2d(WindowPool2d):
    """Weights by exponentials of the values (Stergiou, Poppe & Kalliatakis 2021).

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import SoftPool2d
    >>> SoftPool2d()(torch.eye(4).reshape(1, 1, 4, 4))[0, 0, 0]
    tensor([0.7311, 0.0000])
    """

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        return (soft_weights(patches, cover) * patches).sum(0)


class EDSCWPool2d(WindowPool2d):
    """Weights by likeness to the mean of the window (Stergiou & Poppe 2022).

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import EDSCWPool2d
    >>> EDSCWPool2d()(torch.ones(1, 1, 2, 2))
    tensor([[[[1.]]]])
    """

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        return (similar_weights(patches, cover) * patches).sum(0)


class AdaPool2d(WindowPool2d):
    """A share beta of eDSCW, and SoftPool for the rest (Stergiou & Poppe 2022); beta is learned.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As for the other poolings.
    beta : float, default 0.5
        With which share to begin, between 0 and 1.
    return_mask : bool, default False
        Whether to return the weights of the pixels, too, as `AdaUnPool2d` takes them.

    Attributes
    ----------
    logit : () Parameter
        Beta is its logistic function.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import AdaPool2d
    >>> AdaPool2d()(torch.rand(1, 3, 8, 8)).shape
    torch.Size([1, 3, 4, 4])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
        beta: float = 0.5,
        return_mask: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.logit = nn.Parameter(torch.logit(torch.tensor(share("beta", beta))))
        self.return_mask = return_mask

    @property
    def beta(self) -> Tensor:
        """The share of eDSCW."""
        return torch.sigmoid(self.logit)

    def weights(self, patches: Tensor, cover: Tensor) -> Tensor:
        """Weights of the pixels of each window, which add up to 1."""
        beta = self.beta.to(patches.dtype)
        return beta * similar_weights(patches, cover) + (1 - beta) * soft_weights(patches, cover)

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        return (self.weights(patches, cover) * patches).sum(0)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if not self.return_mask:
            return super().forward(x)
        check_images(x)
        patches, cover = self.windows(widened(x))
        weights = self.weights(patches, cover)
        return (weights * patches).sum(0).to(x.dtype), weights.to(x.dtype)


class IDWPool2d(WindowPool2d):
    """Weights by the inverse distance from the mean of the window (Stergiou & Poppe 2022).

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import IDWPool2d
    >>> IDWPool2d()(torch.tensor([[[[0.0, 0.0], [0.0, 1.0]]]]))
    tensor([[[[0.1000]]]])
    """

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        mean = covered_mean(patches, cover)
        distance = torch.where(cover > 0, (patches - mean).abs(), 1)
        apart = distance.amin(0) > 0
        weights = cover / torch.where(apart, distance, 1)
        return torch.where(apart, (weights * patches).sum(0) / weights.sum(0), mean)


class LpPool2d(WindowPool2d):
    """The power mean ``(mean |a| ** p) ** (1 / p)``: 1 is the mean of sizes, infinity the largest size.

    PyTorch's own ``LPPool2d`` has the sum in place of the mean.

    Parameters
    ----------
    power : float, default 2.0
        p, 1 or more.
    kernel_size, stride, padding, ceil_mode
        As for the other poolings.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import LpPool2d
    >>> LpPool2d(2.0)(torch.tensor([[[[1.0, 1.0], [7.0, 7.0]]]]))
    tensor([[[[5.]]]])
    """

    def __init__(
        self,
        power: float = 2.0,
        kernel_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        if not 1 <= power < torch.inf:
            raise ArgumentError(f"power must be a finite number, 1 or more (got {power!r})")
        self.power = float(power)

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        sizes = patches.abs()
        most = largest(sizes, cover).detach()
        some = most > 0
        ratios = sizes / torch.where(some, most, 1)
        mean = covered_mean(ratios**self.power, cover)
        root = torch.where(some, mean, 1) ** (1 / self.power)
        return torch.where(some, most * root, covered_mean(sizes, cover))


class MixedPool2d(WindowPool2d):
    """A share beta of the largest value, and the mean for the rest (Lee, Gallagher & Tu 2016).

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode
        As for the other poolings.
    beta : float, default 0.5
        The share, or with which share to begin.
    learned : bool, default True
        Whether beta is a parameter, by its `logit`.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import MixedPool2d
    >>> MixedPool2d(learned=False)(torch.tensor([[[[0.0, 0.0], [0.0, 4.0]]]]))
    tensor([[[[2.5000]]]])
    """

    def __init__(
        self,
        kernel_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
        beta: float = 0.5,
        learned: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        logit = torch.logit(torch.tensor(share("beta", beta)))
        if learned:
            self.logit = nn.Parameter(logit)
        else:
            self.register_buffer("logit", logit)

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        return between(patches, cover, torch.sigmoid(self.logit.to(patches.dtype)))


class GatedPool2d(WindowPool2d):
    """The largest value and the mean, in shares that a learned filter sets (Lee, Gallagher & Tu 2016).

    Parameters
    ----------
    channels : int, optional
        With it, each channel has a filter of its own; else they share one.
    kernel_size, stride, padding, ceil_mode
        As for the other poolings.

    Attributes
    ----------
    gate : (C or 1, rows, columns) Parameter
        The filter, zeros at first, which is half of each.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import GatedPool2d
    >>> GatedPool2d()(torch.tensor([[[[0.0, 0.0], [0.0, 4.0]]]])).item()
    2.5
    """

    def __init__(
        self,
        channels: int | None = None,
        kernel_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode=ceil_mode)
        self.gate = nn.Parameter(torch.zeros(channels or 1, *self.kernel_size))

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        gate = self.gate.to(patches.dtype).flatten(1).T[:, None, :, None, None]
        return between(patches, cover, torch.sigmoid((gate * cover * patches).sum(0)))


class StochasticPool2d(WindowPool2d):
    """Draw a pixel with a probability proportional to its value while training (Zeiler & Fergus 2013).

    In evaluation, the output is the mean over all draws. Values below 0 count as 0.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import StochasticPool2d
    >>> StochasticPool2d().eval()(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]]))
    tensor([[[[2.5000]]]])
    """

    def pooled(self, patches: Tensor, cover: Tensor) -> Tensor:
        values = (cover > 0) * patches.clamp(min=0)
        total = values.sum(0)
        some = total > 0
        if not self.training:
            return torch.where(some, (values * values).sum(0) / torch.where(some, total, 1), 0)
        running = values.detach().cumsum(0)
        threshold = torch.rand_like(total) * running[-1]
        chosen = (running <= threshold).sum(0).clamp(max=len(values) - 1)
        return values.gather(0, chosen.unsqueeze(0)).squeeze(0)


def between(patches: Tensor, cover: Tensor, portion: Tensor) -> Tensor:
    """Mix the largest value and the mean."""
    return portion * largest(patches, cover) + (1 - portion) * covered_mean(patches, cover)


def share(name: str, value: float) -> float:
    """A number between 0 and 1, or an `ArgumentError`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ArgumentError(f"{name} must be a number between 0 and 1 (got {value!r})")
    return float(value)
