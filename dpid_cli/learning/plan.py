"""How to fit a filter, and the filter to start from."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.filters import Filter, as_filter, resolved
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.sizes import by_scale, pixels, positive
from dpid_cli.errors import ArgumentError
from dpid_cli.learning.losses import OBJECTIVES, SMALLEST_SIDE

# What can be fitted, in the order of the vector of the search.
PARAMETERS = ("kernel", "bias", "lambda_", "alpha")
_START_ALPHA = 0.01


@dataclass(frozen=True)
class Plan:
    """How to fit a filter: the arguments of `learn` that do not depend on the images, checked."""

    scale: float
    objective: str = "ssim"
    method: str = "dpid"
    hold: Collection[str] = ()
    crop: int | None = None
    crops: int = 8
    held_out: float = 0.25
    seed: int = 0
    iterations: int = 200
    starts: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        methods = [method.name for method in METHODS.values() if method.differentiable]
        for name, allowed in (("objective", [*OBJECTIVES]), ("method", methods)):
            if (value := getattr(self, name)) not in allowed:
                raise ArgumentError(f"{name}: must be {' or '.join(allowed)} (got {value!r})")
        labels = [name.rstrip("_") for name in PARAMETERS]
        if unknown := sorted({name.rstrip("_") for name in self.hold} - {*labels}):
            raise ArgumentError(f"hold: unknown parameters {unknown}: give some of {', '.join(labels)}")
        if not self.free:
            raise ArgumentError(f"hold: nothing is left to learn: leave out one of {', '.join(labels)}")
        object.__setattr__(self, "scale", positive("scale", self.scale))
        by_scale((1, 1), self.scale)
        if self.held_out != 0 and positive("held-out", self.held_out) >= 1:
            raise ArgumentError(f"held-out: must be 0 or more and less than 1 (got {self.held_out!r})")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ArgumentError(f"seed: must be a whole number, 0 or more (got {self.seed!r})")
        least = max(SMALLEST_SIDE, math.ceil(2 * self.scale))
        if self.crop is not None and pixels("crop", self.crop) < least:
            raise ArgumentError(f"crop: must be {least} pixels or more (got {self.crop!r})")
        for name in ("crops", "iterations", "starts"):
            object.__setattr__(self, name, pixels(name, getattr(self, name)))
        thread_count(self.threads)

    @property
    def free(self) -> tuple[str, ...]:
        """The parameters to fit, by Python name."""
        held = {name.rstrip("_") for name in self.hold}
        return tuple(name for name in PARAMETERS if name.rstrip("_") not in held)

    @property
    def side(self) -> int:
        """Side of a crop, in pixels."""
        return max(128, math.ceil(24 * self.scale)) if self.crop is None else self.crop


def first_filter(plan: Plan, given: Mapping[str, Any], channels: int | None = None) -> Filter:
    """The filter from which a fit starts, with every parameter set.

    `given` holds parameters by Python name, None for "not given". With `channels`, the filter gets as many
    kernels.
    """
    method = method_named(plan.method)
    given = {**given, "guidance": given.get("guidance") or "gaussian"}
    chosen = method.parameters(resolved(method, given)).as_dict()
    filter_ = as_filter(chosen.pop("guidance"))
    if "alpha" in plan.free:
        chosen["alpha"] = max(chosen["alpha"], _START_ALPHA)
    if channels is not None:
        planes = filter_.planes(channels) if filter_.kernel.ndim == 2 else filter_.kernel
        filter_ = replace(filter_, kernel=planes, bias=tuple(filter_.biases(len(planes)).tolist()))
    return replace(filter_, **chosen, objective=None, fitted_on=None, loss=None)


def channels_of(image: ArrayLike) -> int:
    """Number of channels of an image (H, W[, C])."""
    shape = np.shape(image)
    return shape[2] if len(shape) == 3 else 1
