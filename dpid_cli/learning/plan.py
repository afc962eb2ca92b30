"""How to fit a filter: the arguments, the filter to start from, and the vector in which the search moves."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.choices import Enlargement, Objective
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.filters import Filter, as_filter, resolved
from dpid_cli.downscaling.names import DifferentiableName
from dpid_cli.downscaling.raster import check_source
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.sizes import by_scale, pixels, positive
from dpid_cli.errors import ArgumentError, either
from dpid_cli.learning.losses import SMALLEST_SIDE, USUAL_SIDE

# What can be fitted, in the order of the vector of the search.
PARAMETERS = ("kernel", "bias", "lambda_", "alpha")
_START_ALPHA = 0.01
# By parameter. The search uses the logarithm of alpha.
LOWEST = {"kernel": -2.0, "bias": -2.0, "lambda_": 0.0, "alpha": math.log(1e-6)}
HIGHEST = {"kernel": 2.0, "bias": 2.0, "lambda_": 16.0, "alpha": math.log(1e3)}
# Approximate length of the first step of the search. Longer steps end in poor minima far away, with kernels
# at their bounds: of 18 fits to known filters from random starts, 15 succeeded with these, 1 with steps of 1.
STEP = {"kernel": 0.01, "bias": 0.01, "lambda_": 0.1, "alpha": 1.0}
# The lambdas of further starts, whose kernels differ, too. Starts near the first would often share its fate.
_OTHER_LAMBDAS = (1.0, 2.0, 0.5)
# Standard deviation of still further starts around these.
_SPREAD = {"kernel": 0.1, "bias": 0.02, "lambda_": 0.4, "alpha": 1.0}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """How to fit a filter: the arguments of `learn` that do not depend on the images, checked."""

    scale: float
    objective: str = "ssim"
    enlargement: str | None = None  # "both" by default; the objective pairs does not enlarge
    method: DifferentiableName = "dpid"
    hold: Collection[str] = ()
    patch: int | None = None
    patches: int = 8
    held_out: float = 0.25
    seed: int = 0
    iterations: int = 200
    starts: int = 1
    threads: int | None = None

    def __post_init__(self) -> None:
        methods = [method.name for method in METHODS.values() if method.differentiable]
        if not isinstance(self.method, str) or self.method not in methods:
            raise ArgumentError(f"method must be {either(methods)} (got {self.method!r})")
        object.__setattr__(self, "objective", Objective.named("objective", self.objective))
        self._check_enlargement()
        labels = [name.rstrip("_") for name in PARAMETERS]
        if not isinstance(self.hold, list | tuple | set | frozenset) or not all(
            isinstance(name, str) for name in self.hold
        ):
            raise ArgumentError(f"hold must be a list of {', '.join(labels)} (got {self.hold!r})")
        if unknown := sorted({name.rstrip("_") for name in self.hold} - {*labels}):
            raise ArgumentError(f"hold: unknown parameters {unknown}: give some of {', '.join(labels)}")
        if not self.free:
            raise ArgumentError(f"hold: nothing is left to learn: leave out one of {', '.join(labels)}")
        object.__setattr__(self, "scale", positive("scale", self.scale))
        by_scale((1, 1), self.scale)
        if not _is_zero(self.held_out) and positive("held-out", self.held_out) >= 1:
            raise ArgumentError(f"held-out must be 0 or more and less than 1 (got {self.held_out!r})")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ArgumentError(f"seed must be a whole number, 0 or more (got {self.seed!r})")
        windows = math.ceil(SMALLEST_SIDE[self.objective] / self.scale)  # crops have whole windows
        least = math.ceil(max(2, windows) * self.scale)
        if self.patch is not None and pixels("patch", self.patch) < least:
            raise ArgumentError(f"patch must be {least} pixels or more (got {self.patch!r})")
        for name in ("patches", "iterations", "starts"):
            object.__setattr__(self, name, pixels(name, getattr(self, name)))
        thread_count(self.threads)

    def _check_enlargement(self) -> None:
        if self.objective != Objective.PAIRS:
            given = Enlargement.BOTH if self.enlargement is None else self.enlargement
            object.__setattr__(self, "enlargement", Enlargement.named("enlargement", given))
        elif self.enlargement is not None:
            raise ArgumentError("enlargement: the objective pairs enlarges nothing: give one of the two")

    @property
    def free(self) -> tuple[str, ...]:
        """The parameters to fit, by Python name."""
        held = {name.rstrip("_") for name in self.hold}
        return tuple(name for name in PARAMETERS if name.rstrip("_") not in held)

    @property
    def side(self) -> int:
        """Side of a crop, in pixels."""
        return (
            max(USUAL_SIDE[self.objective], math.ceil(24 * self.scale)) if self.patch is None else self.patch
        )


def _is_zero(value: object) -> bool:
    return isinstance(value, int | float) and value == 0


def check_list(name: str, images: object) -> None:
    """Raise an `ArgumentError` if an argument is not a list of images."""
    if isinstance(images, np.ndarray) and images.ndim < 4:
        raise ArgumentError(f"{name}: is one array of shape {images.shape}: give a list of images, [image]")
    if isinstance(images, str | bytes) or not isinstance(images, Sequence | np.ndarray):
        raise ArgumentError(f"{name}: is a {type(images).__name__}: give a list of images, [image]")
    for image in images:
        check_source(image, name)
        if image is None:
            raise ArgumentError(f"{name}: contains None: give an array for each image")


def first_filter(plan: Plan, given: Mapping[str, Any], channels: int | None = None) -> Filter:
    """The filter from which a fit starts, with every parameter set.

    `given` holds parameters by Python name, None for "not given". With `channels`, the filter gets as many
    kernels.
    """
    method = method_named(plan.method)
    guidance = given.get("guidance")
    given = {**given, "guidance": "gaussian" if guidance is None else guidance}
    chosen = method.parameters(resolved(method, given)).as_dict()
    filter_ = as_filter(chosen.pop("guidance"))
    del chosen["noise"]  # which no filter sets
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

    def starts(self, number: int, random: np.random.Generator) -> list[Array]:
        """So many vectors to start from: that of the filter, other kernels, and random ones around these."""
        first, kernels = self.pack(self.start), _kernels(self.start.kernel.shape[-1])
        others = [
            self.pack(replace(self.start, kernel=np.broadcast_to(kernel, self.start.kernel.shape), lambda_=x))
            for kernel, x in zip(kernels, _OTHER_LAMBDAS, strict=True)
        ]
        others = [vector for vector in others if not np.array_equal(vector, first)]
        around, spread = others.copy() or [first], self.each(_SPREAD)
        while len(others) < number - 1:
            others.append(random.normal(around[len(others) % len(around)], spread))
        return [first, *others[: number - 1]]

    def each(self, values: Mapping[str, float]) -> Array:
        """The vector that holds the value of a parameter for each of its entries."""
        return self.join({name: np.full(size, values[name]) for name, size in self._sizes.items()})

    @property
    def _sizes(self) -> dict[str, int]:
        return {"kernel": self.start.kernel.size, "bias": np.size(self.start.bias), "lambda_": 1, "alpha": 1}


def _kernels(side: int) -> Iterator[Array]:
    """Kernels (side, side) that sum to 1: the centre, a box, and a pyramid."""
    centre, half = np.zeros(side), (side + 1) // 2
    centre[(side - 1) // 2 : side // 2 + 1] = 1
    for line in centre, np.ones(side), np.convolve(np.ones(half), np.ones(side - half + 1)):
        yield np.outer(line, line) / line.sum() ** 2
