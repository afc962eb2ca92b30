"""Kernels compiled ahead: one tiny image for every kind of file and setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from dpid_cli.errors import DpidError
from dpid_cli.kernels.jit import cache_folder
from dpid_cli.methods import METHODS, PARAMETERS
from dpid_cli.pipeline import downscale

_CHANNELS = {1: "gray", 2: "gray+alpha", 3: "RGB", 4: "RGBA"}
# A lambda that needs a general power, and an alpha that has to be blended in.
_SETTINGS: tuple[Mapping[str, float], ...] = ({}, {"lambda_": 0.5, "alpha": 0.1})


@dataclass(frozen=True)
class Case:
    """One kind of file, downscaled by one method in one setting."""

    dtype: str
    channels: int
    method: str
    parameters: Mapping[str, Any]

    def __str__(self) -> str:
        told = [f"{PARAMETERS[name].label} {value:g}" for name, value in self.parameters.items()]
        return ", ".join([f"{self.dtype} {_CHANNELS[self.channels]}", self.method, *told])

    def compile(self) -> None:
        """Compile the kernels of this case, or find them on disk.

        The size of an image does not matter: all sizes share their kernels.
        """
        downscale(np.zeros((4, 4, self.channels), self.dtype), scale=2, method=self.method, **self.parameters)


def cases() -> list[Case]:
    """Every kind of file, by every method whose kernels depend on parameters."""
    methods = [method.name for method in METHODS.values() if "lambda_" in method.defaults]
    return [Case(*case) for case in product(("uint8", "uint16"), _CHANNELS, methods, _SETTINGS)]


def cache() -> str:
    """Where compiled kernels are kept, or a `DpidError` if they cannot be."""
    folder = cache_folder()
    if folder is None:
        raise DpidError("kernel cache: no folder can be written: set DPID_CACHE_DIR to one that can")
    return folder
