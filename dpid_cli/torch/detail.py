"""Detail-preserving pooling (Saeedan et al. 2018) as layers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from dpid_cli.downscaling.choices import Choice, Variant
from dpid_cli.downscaling.names import VariantName
from dpid_cli.errors import ArgumentError
from dpid_cli.torch import fused
from dpid_cli.torch.guidance import smoothed
from dpid_cli.torch.rewards import Reward
from dpid_cli.torch.windows import (
    Pair,
    Windows,
    check_images,
    check_output_size,
    covered_mean,
    fractional,
    widened,
)


class LayerGuidance(Choice):
    """What pixels are compared with: window means, these smoothed, or a filter that is learned."""

    BOX, GAUSSIAN, LEARNED = "box", "gaussian", "learned"


class Divisor(Choice):
    """What squared distances are divided by: nothing, or their mean or sum over the window."""

    NONE, MEAN, SUM = "none", "mean", "sum"


class Start(Choice):
    """How parameters begin: lambda and alpha as 1, or drawn as in the code of the authors."""

    ONES, RELEASED = "ones", "released"


GuidanceWord = Literal["box", "gaussian", "learned"]
DivisorWord = Literal["none", "mean", "sum"]
StartWord = Literal["ones", "released"]


class DetailPooling(nn.Module):
    """What all detail-preserving poolings share: lambda and alpha of each channel, and the rule.

    Attributes
    ----------
    log_lambda, log_alpha : (C,) Parameter
        Natural logarithms of lambda and alpha, which therefore stay above 0.
    """

    def __init__(
        self, channels: int, variant: str, normalize: str, init: str, epsilon: float, guidance: str
    ) -> None:
        super().__init__()
        if isinstance(channels, bool) or not isinstance(channels, int) or channels < 1:
            raise ArgumentError(f"channels must be a whole number, 1 or more (got {channels!r})")
        if not (isinstance(epsilon, int | float) and 0 < epsilon < math.inf):
            raise ArgumentError(f"epsilon must be a finite number above 0 (got {epsilon!r})")
        self.channels, self.epsilon = channels, float(epsilon)
        self.variant = Variant.named("variant", variant).value
        self.normalize = Divisor.named("normalize", normalize).value
        self.init = Start.named("init", init).value
        self.guidance = LayerGuidance.named("guidance", guidance).value
        self.log_lambda = nn.Parameter(torch.empty(channels))
        self.log_alpha = nn.Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin again, as `init` says."""
        bound = 0.0 if self.init == Start.ONES else 1 / math.sqrt(self.channels)
        for parameter in (self.log_lambda, self.log_alpha):
            nn.init.uniform_(parameter, -bound, bound)

    @property
    def lambda_(self) -> Tensor:
        """Lambda of each channel."""
        return self.log_lambda.exp()

    @property
    def alpha(self) -> Tensor:
        """Alpha of each channel."""
        return self.log_alpha.exp()

    def reward(self, like: Tensor) -> Reward:
        """The rule, with the current parameters in the type of a tensor."""
        squared = self.epsilon**2
        return Reward(
            lambda_=self.log_lambda.to(like.dtype).exp().reshape(-1, 1, 1),
            alpha=self.log_alpha.to(like.dtype).exp().reshape(-1, 1, 1),
            offset=squared,
            floor=squared,
            asymmetric=self.variant == Variant.ASYM,
            normalize=self.normalize,
        )

    def over(self, x: Tensor, windows: Windows) -> Tensor:
        """Pool windows of (N, C, H, W)."""
        images = widened(x)
        guide = smoothed(windows.means(images)) if self.guidance == LayerGuidance.GAUSSIAN else None
        return self.compared(images, windows, guide).to(x.dtype)

    def compared(self, x: Tensor, windows: Windows, guide: Tensor | None) -> Tensor:
        """Pool windows whose pixels are compared with a guide, or with their mean."""
        reward = self.reward(x)
        if fused.serves(x, windows):
            return fused.means(reward, x, windows, guide)
        patches = windows.patches(x)
        own = covered_mean(patches, windows.cover(patches)) if guide is None else guide
        return reward.means(patches, windows, own)

    def extra_repr(self) -> str:
        words = [f"{self.channels}", f"variant={self.variant!r}", f"guidance={self.guidance!r}"]
        if self.normalize != Divisor.NONE:
            words.append(f"normalize={self.normalize!r}")
        return ", ".join(words)


class DetailPreservingPool2d(DetailPooling):
    """Pool windows by weighted means in which pixels that differ from a guidance count more (DPP).

    Parameters
    ----------
    channels : int
        C of the inputs (N, C, H, W).
    kernel_size : int or (int, int), default 2
        Rows and columns of a window.
    stride : int or (int, int), optional
        By default the size of a window.
    padding : int or (int, int), default 0
        Rows and columns around the input that windows may reach into; they have no pixels, so do not count.
    ceil_mode : bool, default False
        Whether windows may reach over the far edges.
    variant : {"sym", "asym"}, default "sym"
        Reward pixels on both sides of the guidance, or only those above it.
    guidance : {"box", "gaussian", "learned"}, default "box"
        What pixels are compared with: the mean of the window (Lite-DPP), the means smoothed with [1 2 1], or
        a filter over the input, one for each channel, with a bias (Full-DPP). It covers the window and one
        row and column above and left of it.
    normalize : {"none", "mean", "sum"}, default "none"
        Divide squared distances by their mean or sum over the window, as the two layers that the authors
        released do; the paper does not.
    init : {"ones", "released"}, default "ones"
        Begin with lambda and alpha 1, and the filter as the mean of the window; or draw them as the authors'
        code does: logarithms and filters uniformly from -1/sqrt(C) to 1/sqrt(C), and -1/K to 1/K.
    epsilon : float, default 0.001 ** 0.5
        Softens the distance, above 0.

    Notes
    -----
    With the guidance G, :math:`O = \\sum w I / \\sum w` and
    :math:`w = \\alpha + ((m^2 + \\epsilon^2) / N)^{\\lambda/2}`, where m is I - G, or its positive part. The
    layer is that of ``dpid_cli.downscale(method="dpp")``. Weight decay would pull lambda and alpha towards 1:
    give `parameter_groups` to the optimiser.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import DetailPreservingPool2d
    >>> pool = DetailPreservingPool2d(64, guidance="learned")
    >>> pool(torch.rand(2, 64, 32, 32)).shape
    torch.Size([2, 64, 16, 16])
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | Sequence[int] = 2,
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        *,
        ceil_mode: bool = False,
        variant: VariantName = "sym",
        guidance: GuidanceWord = "box",
        normalize: DivisorWord = "none",
        init: StartWord = "ones",
        epsilon: float = math.sqrt(1e-3),
    ) -> None:
        self.kernel_size = Pair.of("kernel_size", kernel_size)
        self.stride = self.kernel_size if stride is None else Pair.of("stride", stride)
        self.padding = Pair.of("padding", padding, 0)
        self.ceil_mode = bool(ceil_mode)
        super().__init__(channels, variant, normalize, init, epsilon, guidance)
        if self.guidance == LayerGuidance.LEARNED:
            sides = self.kernel_size.rows + 1, self.kernel_size.columns + 1
            self.weight = nn.Parameter(torch.empty(channels, 1, *sides))
            self.bias = nn.Parameter(torch.empty(channels))
            self.reset_filter()

    def reset_filter(self) -> None:
        """Begin again with the filter, as `init` says."""
        count = self.weight[0].numel()
        if self.init == Start.RELEASED:
            bound = 1 / math.sqrt(count)
            nn.init.uniform_(self.weight, -bound, bound)
            nn.init.uniform_(self.bias, -bound, bound)
            return
        with torch.no_grad():
            self.weight.zero_()
            self.weight[..., 1:, 1:] = 1 / (self.kernel_size.rows * self.kernel_size.columns)
            self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.channels)
        windows = Windows.strided(x, self.kernel_size, self.stride, self.padding, self.ceil_mode)
        if self.guidance != LayerGuidance.LEARNED:
            return self.over(x, windows)
        images = widened(x)
        return self.compared(images, windows, self._response(images, windows)).to(x.dtype)

    def _response(self, x: Tensor, windows: Windows) -> Tensor:
        """The filter over the input, which reads zeros outside of it."""
        above, before = self.padding.rows + 1, self.padding.columns + 1
        rows, columns = windows.size
        height = (rows - 1) * self.stride.rows + self.kernel_size.rows + 1
        width = (columns - 1) * self.stride.columns + self.kernel_size.columns + 1
        edges = before, width - before - x.shape[3], above, height - above - x.shape[2]
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        with torch.autocast(x.device.type, enabled=False):
            return F.conv2d(F.pad(x, edges), weight, bias, tuple(self.stride), groups=self.channels)

    def extra_repr(self) -> str:
        sizes = f"kernel_size={tuple(self.kernel_size)}, stride={tuple(self.stride)}"
        return f"{super().extra_repr()}, {sizes}"


class SizedDetailPooling(DetailPooling):
    """What poolings to a fixed size share: the size, and that no filter over pixels fits their windows."""

    def __init__(
        self,
        channels: int,
        output_size: int | Sequence[int],
        variant: str,
        normalize: str,
        init: str,
        epsilon: float,
        guidance: str,
    ) -> None:
        super().__init__(channels, variant, normalize, init, epsilon, guidance)
        if self.guidance == LayerGuidance.LEARNED:
            raise ArgumentError("guidance: windows that differ have no common filter: use box or gaussian")
        self.output_size = Pair.of("output_size", output_size)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, output_size={tuple(self.output_size)}"


class AdaptiveDetailPreservingPool2d(SizedDetailPooling):
    """Detail-preserving pooling to a fixed size, by windows of equal size with exact shares of pixels.

    Parameters
    ----------
    channels : int
        C of the inputs (N, C, H, W).
    output_size : int or (int, int)
        Rows and columns of the output, at most those of the input.
    variant, normalize, init, epsilon
        As for `DetailPreservingPool2d`.
    guidance : {"box", "gaussian"}, default "box"
        The means of the windows, or these smoothed with [1 2 1].

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import AdaptiveDetailPreservingPool2d
    >>> AdaptiveDetailPreservingPool2d(8, 7)(torch.rand(1, 8, 17, 24)).shape
    torch.Size([1, 8, 7, 7])
    """

    def __init__(
        self,
        channels: int,
        output_size: int | Sequence[int],
        *,
        variant: VariantName = "sym",
        guidance: Literal["box", "gaussian"] = "box",
        normalize: DivisorWord = "none",
        init: StartWord = "ones",
        epsilon: float = math.sqrt(1e-3),
    ) -> None:
        super().__init__(channels, output_size, variant, normalize, init, epsilon, guidance)

    def forward(self, x: Tensor) -> Tensor:
        check_images(x, self.channels)
        rows, columns = self.output_size
        check_output_size(x, self.output_size)
        return self.over(x, Windows(fractional(x.shape[2], rows), fractional(x.shape[3], columns)))


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Divide the parameters of a model for an optimiser: no weight decay for lambda and alpha.

    Parameters
    ----------
    model : Module
        With detail-preserving poolings anywhere in it.
    weight_decay : float
        For all other parameters.

    Returns
    -------
    list of dict
        Two groups, as optimisers take them.

    Examples
    --------
    >>> import torch
    >>> from dpid_cli.torch import DetailPreservingPool2d, parameter_groups
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), DetailPreservingPool2d(8))
    >>> optimiser = torch.optim.SGD(parameter_groups(model, weight_decay=1e-4), lr=0.1)
    >>> [(group["weight_decay"], len(group["params"])) for group in optimiser.param_groups]
    [(0.0001, 2), (0.0, 2)]
    """

    def of_poolings() -> Iterator[nn.Parameter]:
        for module in model.modules():
            if isinstance(module, DetailPooling):
                yield from (module.log_lambda, module.log_alpha)

    own = {id(parameter): parameter for parameter in of_poolings()}
    others = [parameter for parameter in model.parameters() if id(parameter) not in own]
    return [
        {"params": others, "weight_decay": weight_decay},
        {"params": list(own.values()), "weight_decay": 0.0},
    ]
