"""Train one network and test it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch
from labelled import Labelled, crops, normalised
from networks import NETWORKS, POOLINGS, initialise
from torch import Tensor, nn

from dpid_cli.torch import DetailPreservingPool2d, S3DetailPreservingPool2d, parameter_groups


@dataclass(frozen=True)
class Protocol:
    """How long to train, on how much, and how: everything that results depend on, beside what is compared.

    Attributes
    ----------
    images, images_test : int or None
        All by default.
    epochs, batch : int
    drops : tuple of int
        After which epochs the learning rate is divided by 10.
    rate, momentum, decay : float
    widths : tuple of (str, int)
        Channels of the first stage of some networks.
    """

    images: int | None = 6_000
    images_test: int | None = 10_000
    epochs: int = 6
    batch: int = 64
    drops: tuple[int, ...] = (3, 5)
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4
    widths: tuple[tuple[str, int], ...] = (("vgg", 12), ("nin", 16), ("resnet", 8))


FULL = Protocol(None, None, 164, 128, (81, 122), widths=(("vgg", 64), ("nin", 96), ("resnet", 16)))


@dataclass(frozen=True)
class Run:
    """What one run trains."""

    network: str
    pooling: str
    seed: int


def train(run: Run, protocol: Protocol, parts: tuple[Labelled, Labelled], threads: int = 1) -> dict[str, Any]:
    """Train and test, on so many threads.

    Returns
    -------
    dict
        The run, its test error in percent, the loss of the last epoch, seconds of processor time, and what
        detail-preserving poolings have learned.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(run.seed)
    generator = torch.Generator().manual_seed(run.seed)
    train_part, test_part = parts
    widths = dict(protocol.widths)
    sizes = {"width": widths[run.network]} if run.network in widths else {}
    network = NETWORKS[run.network](POOLINGS[run.pooling], int(train_part.labels.max()) + 1, **sizes)
    initialise(network, generator)
    images = normalised(train_part.images, train_part.images)
    begun = time.process_time()
    loss = _fit(network, images, train_part.labels, protocol, generator)
    seconds = time.process_time() - begun
    error = _error(network, normalised(test_part.images, train_part.images), test_part.labels)
    return {
        **asdict(run), "error": round(error, 2), "loss": round(loss, 4), "seconds": round(seconds, 1),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "learned": _learned(network),
    }  # fmt: skip


def _fit(
    network: nn.Module, images: Tensor, labels: Tensor, protocol: Protocol, generator: torch.Generator
) -> float:
    """Train; the mean loss of the last epoch."""
    groups = parameter_groups(network, protocol.decay)
    optimiser = torch.optim.SGD(groups, protocol.rate, protocol.momentum, nesterov=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(protocol.drops))
    network.train()
    losses: list[float] = []
    for _ in range(protocol.epochs):
        losses.clear()
        for chosen in torch.randperm(len(labels), generator=generator).split(protocol.batch):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(network(crops(images[chosen], generator)), labels[chosen])
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
    return sum(losses) / len(losses)


@torch.no_grad()
def _error(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Percent of images whose class is not found."""
    network.eval()
    found = torch.cat([network(part).argmax(1) for part in images.split(500)])
    return 100 * float((found != labels).float().mean())


def _learned(network: nn.Module) -> list[dict[str, list[float]]]:
    """Lambda and alpha of all channels, for each detail-preserving pooling from the input on."""
    kinds = (DetailPreservingPool2d, S3DetailPreservingPool2d)
    return [
        {name: [round(value, 4) for value in getattr(pool, name).tolist()] for name in ("lambda_", "alpha")}
        for pool in network.modules()
        if isinstance(pool, kinds)
    ]
