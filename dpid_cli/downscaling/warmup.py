"""Kernels compiled ahead: one tiny image for every kind of file and setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from dpid_cli.downscaling.api import downscale
from dpid_cli.downscaling.devices import device_for
from dpid_cli.downscaling.registry import METHODS, PARAMETERS
from dpid_cli.errors import DpidError
from dpid_cli.kernels.cache import cuda_folder
from dpid_cli.kernels.jit import cache_counts, cache_folder

_CHANNELS = {1: "gray", 2: "gray+alpha", 3: "RGB", 4: "RGBA"}
_DEPTHS = ("uint8", "uint16", "float32")
# A root; a power, with an alpha to blend in; one that could underflow; none at all; half of the reward.
_SETTINGS: tuple[Mapping[str, Any], ...] = (
    {},
    {"lambda_": 0.5, "alpha": 0.1},
    {"lambda_": 8.0},
    {"lambda_": 2.0},
    {"variant": "asym"},
)
_VARIANTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "box": ({"window": 3},),
    "lp": ({}, {"power": 3.0}),
    "stochastic": ({}, {"form": "expected"}),
}
# In linear light: all kinds of pixels, all powers, and the poolings whose weights are those of values.
_LINEAR: tuple[tuple[str, int, str, Mapping[str, Any]], ...] = (
    ("uint8", 1, "dpid", {}),
    ("uint8", 3, "dpid", {}),
    ("uint16", 1, "dpid", {}),
    ("float32", 1, "dpid", {}),
    ("uint8", 1, "dpid", {"lambda_": 0.5}),
    ("uint8", 1, "dpid", {"lambda_": 2.0}),
    ("uint8", 1, "softpool", {}),
    ("uint8", 1, "edscw", {}),
    ("uint8", 1, "idw", {}),
    ("uint8", 1, "stochastic", {"form": "expected"}),
)


@dataclass(frozen=True)
class Case:
    """One kind of file, downscaled by one method in one setting."""

    dtype: str
    channels: int
    method: str
    parameters: Mapping[str, Any]
    device: str = "cpu"

    def __str__(self) -> str:
        told = [
            f"{PARAMETERS[name].label} {value}" if name in PARAMETERS else name
            for name, value in self.parameters.items()
        ]
        return ", ".join([f"{self.dtype} {_CHANNELS[self.channels]}", self.method, *told])

    def compile(self) -> None:
        """Compile the kernels of this case, or find them on disk.

        The size of an image does not matter: all sizes share their kernels.
        """
        four = np.zeros((4, 4, 4), self.dtype)  # bytes a pixel of colour, as decoders give them
        pixels = four[..., : self.channels]
        downscale(pixels, scale=2, method=self.method, device=self.device, **self.parameters)


def cases(device: str = "cpu") -> list[Case]:
    """Every kind of file, by every method whose kernels depend on it."""
    if device == "cuda":
        return _cases_for_gpu()
    own = [method for method in METHODS.values() if method.source != "Pillow"]
    detail = [method.name for method in own if method.family == "detail"]
    found = [Case(*case) for case in product(_DEPTHS, _CHANNELS, detail, _SETTINGS)]
    found.append(Case("uint8", 1, "dpid", {"guidance": "photo"}))
    found += [Case("uint8", channels, "s3dpp", {"form": "expected"}) for channels in _CHANNELS]
    for depth, method in product(_DEPTHS, own):  # their kernels know no channels
        if method.family in ("box", "order", "pooling", "stochastic"):
            found += [Case(depth, 1, method.name, chosen) for chosen in _VARIANTS.get(method.name, ({},))]
    found += [
        Case(dtype, channels, method, {**chosen, "linear": True})
        for dtype, channels, method, chosen in _LINEAR
    ]
    return found


def _cases_for_gpu() -> list[Case]:
    """The same for a GPU, all of whose kernels know the number of channels."""
    found = []
    for depth, channels, method in product(_DEPTHS, _CHANNELS, filter(lambda m: m.gpu, METHODS.values())):
        settings = _SETTINGS if method.family == "detail" else ({},)
        found += [Case(depth, channels, method.name, setting, "cuda") for setting in settings]
    return found


def counts(device: str) -> tuple[int, int]:
    """How many kernels this process has compiled for a device, and how many it has found compiled."""
    if device == "cpu":
        return cache_counts()
    from dpid_cli.downscaling.gpu.launch import cache_counts as counts_of_gpu

    return counts_of_gpu()


def cache(device: str = "cpu") -> str:
    """Where compiled kernels are kept, or a `DpidError` if they cannot be."""
    if device == "cuda":
        device_for(device, METHODS["dpid"])
        return str(cuda_folder() or cache())
    folder = cache_folder()
    if folder is None:
        raise DpidError("kernel cache: no folder can be written: set DPID_CACHE_DIR to one that can")
    return folder
