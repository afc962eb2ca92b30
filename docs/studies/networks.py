"""Small networks of three kinds, and the poolings that the study puts into them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from dpid_cli.torch import (
    AdaPool2d,
    DetailPreservingPool2d,
    GatedPool2d,
    LpPool2d,
    MixedPool2d,
    S3DetailPreservingPool2d,
    S3Pool2d,
    SoftPool2d,
    StochasticPool2d,
)

# From channels to a layer that halves rows and columns; None: the convolution before has stride 2.
Pooling = Callable[[int], nn.Module] | None


def small_network(channels: int) -> nn.Module:
    """A network over each window, instead of a rule."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 2, stride=2), nn.ReLU(), nn.Conv2d(channels, channels, 1), nn.ReLU()
    )


# As the layers that the authors of DPP released for CIFAR-10.
released = partial(DetailPreservingPool2d, normalize="mean", init="released")

POOLINGS: dict[str, Pooling] = {
    "strided": None,
    "max": lambda channels: nn.MaxPool2d(2),
    "average": lambda channels: nn.AvgPool2d(2),
    "nin": small_network,
    "mixed": lambda channels: MixedPool2d(),
    "gated": GatedPool2d,
    "l2": lambda channels: LpPool2d(2.0),
    "stochastic": lambda channels: StochasticPool2d(),
    "s3pool": lambda channels: S3Pool2d(),
    "softpool": lambda channels: SoftPool2d(),
    "adapool": lambda channels: AdaPool2d(),
    "lite-sym": released,
    "lite-asym": partial(released, variant="asym"),
    "full-sym": partial(released, guidance="learned"),
    "full-asym": partial(released, guidance="learned", variant="asym"),
    "lite-s3dpp-sym": partial(S3DetailPreservingPool2d, normalize="mean", init="released"),
}


def convolution(before: int, after: int, side: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, unless it has a stride, with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, side, stride, padding=side // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def pooled(before: int, after: int, side: int, pooling: Pooling) -> list[nn.Module]:
    """A convolution, and a pooling after it or a stride in it."""
    if pooling is None:
        return [convolution(before, after, side, stride=2)]
    return [convolution(before, after, side), pooling(after)]


def head(channels: int, classes: int) -> list[nn.Module]:
    """The mean over all pixels, and a value for each class."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def vgg(pooling: Pooling, classes: int, width: int = 16) -> nn.Module:
    """Pairs of 3x3 convolutions, each with a pooling after it."""
    layers: list[nn.Module] = []
    before = 3
    for after in (width, 2 * width, 4 * width):
        layers += [convolution(before, after, 3), *pooled(after, after, 3, pooling)]
        before = after
    return nn.Sequential(*layers, *head(before, classes))


def nin(pooling: Pooling, classes: int, width: int = 32) -> nn.Module:
    """Convolutions that are each followed by two of 1x1, as in Network in Network."""
    layers: list[nn.Module] = []
    before = 3
    for side, after, is_last in ((5, width, False), (3, 2 * width, False), (3, 2 * width, True)):
        layers += [convolution(before, after, side), convolution(after, after, 1)]
        layers += [convolution(after, after, 1)] if is_last else pooled(after, after, 1, pooling)
        before = after
    return nn.Sequential(*layers, *head(before, classes))


class Block(nn.Module):
    """Two convolutions beside a shortcut; a pooling follows, or the first convolution has a stride."""

    def __init__(self, before: int, after: int, halves: bool, pooling: Pooling) -> None:
        super().__init__()
        stride = 2 if halves and pooling is None else 1
        self.first = convolution(before, after, 3, stride)
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after))
        self.shortcut: nn.Module = nn.Identity()
        if before != after:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
            )
        self.pool = pooling(after) if halves and pooling is not None else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        total = self.second(self.first(x)) + self.shortcut(x)
        pooled: Tensor = self.pool(torch.relu(total))
        return pooled


def resnet(pooling: Pooling, classes: int, width: int = 16, blocks: int = 1) -> nn.Module:
    """ResNet for CIFAR-10, which pools after the first block of the second and third stage."""
    layers: list[nn.Module] = [convolution(3, width, 3)]
    before = width
    for stage, after in enumerate((width, 2 * width, 4 * width)):
        for block in range(blocks):
            layers.append(Block(before, after, stage > 0 and block == 0, pooling))
            before = after
    return nn.Sequential(*layers, *head(before, classes))


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "vgg": vgg,
    "nin": nin,
    "resnet": resnet,
    "resnet110": partial(resnet, blocks=18),
}


def initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights outside of poolings, the same ones whatever the poolings are."""
    for module in _outside_poolings(network):
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
            nn.init.zeros_(module.bias)


def _outside_poolings(module: nn.Module) -> list[nn.Module]:
    """The layers of a network that it has with every pooling."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        return [module] if not (isinstance(module, nn.Conv2d) and module.bias is not None) else []
    return [layer for child in module.children() for layer in _outside_poolings(child)]
