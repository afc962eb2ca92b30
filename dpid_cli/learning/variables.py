"""The free parameters of a filter as one vector, in which the search moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.filters import Filter

Array = NDArray[np.float64]

# By parameter. The search uses the logarithm of alpha.
LOWEST = {"kernel": -2.0, "bias": -2.0, "lambda_": 0.0, "alpha": math.log(1e-6)}
HIGHEST = {"kernel": 2.0, "bias": 2.0, "lambda_": 16.0, "alpha": math.log(1e3)}
# Approximate length of the first step of the search. Longer steps end in poor minima far away, with kernels
# at their bounds: of 18 fits to known filters from random starts, 15 succeeded with these, 1 with steps of 1.
STEP = {"kernel": 0.01, "bias": 0.01, "lambda_": 0.1, "alpha": 1.0}
# Standard deviation of further starts around the first.
SPREAD = {"kernel": 0.1, "bias": 0.02, "lambda_": 0.4, "alpha": 1.0}


@dataclass(frozen=True)
class Variables:
    """Converts between filters and vectors (N,) of the parameters named in `free`."""

    start: Filter  # has the parameters that are not free, and all shapes
    free: tuple[str, ...]

    def join(self, parts: Mapping[str, Any]) -> Array:
        """One vector of the free parts, by parameter."""
        return np.concatenate([np.ravel(parts[name]) for name in self.free]).astype(np.float64)

    def pack(self, filter_: Filter) -> Array:
        """The vector of a filter."""
        alpha = math.log(filter_.alpha) if filter_.alpha else LOWEST["alpha"]
        values = {"kernel": filter_.kernel, "bias": filter_.bias, "lambda_": filter_.lambda_, "alpha": alpha}
        return self.join(values)

    def unpack(self, vector: Array) -> Filter:
        """The filter of a vector."""
        ends = np.cumsum([self._sizes[name] for name in self.free])[:-1]
        changed: dict[str, Any] = {}
        for name, part in zip(self.free, np.split(vector, ends), strict=True):
            changed[name] = part if part.size > 1 else float(part[0])
        if "kernel" in changed:
            changed["kernel"] = np.reshape(changed["kernel"], self.start.kernel.shape)
        if "bias" in changed and isinstance(self.start.bias, tuple):
            changed["bias"] = tuple(np.ravel(changed["bias"]).tolist())
        if "alpha" in changed:
            changed["alpha"] = math.exp(changed["alpha"])
        return replace(self.start, **changed)

    def each(self, values: Mapping[str, float]) -> Array:
        """The vector that holds the value of a parameter for each of its entries."""
        return self.join({name: np.full(size, values[name]) for name, size in self._sizes.items()})

    @property
    def _sizes(self) -> dict[str, int]:
        return {"kernel": self.start.kernel.size, "bias": np.size(self.start.bias), "lambda_": 1, "alpha": 1}
