"""Fitting a filter, lambda and alpha to images: crops, their losses, and L-BFGS-B. No files, no printing."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.api import downscale
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.filters import Filter, as_filter, resolved
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.sizes import by_scale, pixels, positive
from dpid_cli.errors import ArgumentError
from dpid_cli.learning.crops import Example, examples_of
from dpid_cli.learning.gradients import gradients
from dpid_cli.learning.losses import OBJECTIVES, SMALLEST_SIDE, check_window

Array = NDArray[np.float64]
Progress = Callable[[int, float], None]

# What can be fitted, in the order of the vector that is optimised; alpha by its logarithm.
FREE = ("kernel", "bias", "lambda_", "alpha")
LOWEST = {"kernel": -2.0, "bias": -2.0, "lambda_": 0.0, "alpha": math.log(1e-6)}
HIGHEST = {"kernel": 2.0, "bias": 2.0, "lambda_": 16.0, "alpha": math.log(1e3)}
# How far the search goes in its first step, about. Longer ones end in poor minima far away, with kernels at
# their bounds: of 18 fits to known filters from random starts 15 were right with these, 1 with steps of 1.
STEP = {"kernel": 0.01, "bias": 0.01, "lambda_": 0.1, "alpha": 1.0}
# Further starts, drawn around the first, are tried for so many iterations, and the best goes on.
TRIAL, SPREAD = 25, {"kernel": 0.1, "bias": 0.02, "lambda_": 0.4, "alpha": 1.0}
START_ALPHA = 0.01
# The fit ends when a step improves the loss by less than this part of what it was at the start.
TOLERANCE = {"ssim": 1e-7, "l2": 1e-7, "pairs": 1e-11}


@dataclass(frozen=True)
class Plan:
    """How a filter is fitted; see `learn` for the meaning of all fields."""

    scale: float
    objective: str
    method: str
    hold: frozenset[str]
    crop: int
    crops: int
    held_out: float
    seed: int
    iterations: int
    starts: int
    threads: int

    @classmethod
    def of(
        cls,
        scale: Any,
        *,
        objective: Any = "ssim",
        method: Any = "dpid",
        hold: Collection[str] = (),
        crop: Any = None,
        crops: Any = 8,
        held_out: Any = 0.25,
        seed: Any = 0,
        iterations: Any = 200,
        starts: Any = 1,
        threads: Any = None,
    ) -> Plan:
        """A plan, all of it checked."""
        able = [m.name for m in METHODS.values() if m.differentiable]
        for name, value, allowed in (("objective", objective, [*OBJECTIVES]), ("method", method, able)):
            if value not in allowed:
                raise ArgumentError(f"{name}: {value!r} is not allowed: give {' or '.join(allowed)}")
        held = frozenset("lambda_" if name == "lambda" else name for name in hold)
        labels = ", ".join(name.rstrip("_") for name in FREE)
        if not held <= set(FREE):
            raise ArgumentError(f"hold: {sorted(held - set(FREE))} cannot be held: give some of {labels}")
        if held == set(FREE):
            raise ArgumentError(f"hold: nothing is left to learn: leave out one of {labels}")
        factor = positive("scale", scale)
        by_scale((1, 1), factor)
        share = positive("held-out", held_out) if held_out != 0 else 0.0
        if share >= 1:
            raise ArgumentError(f"held-out: {held_out!r} is not allowed: give a share from 0 to below 1")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ArgumentError(f"seed: {seed!r} is not allowed: give a whole number, 0 or more")
        side = max(128, math.ceil(24 * factor)) if crop is None else pixels("crop", crop)
        if side < max(SMALLEST_SIDE, 2 * factor):
            least = max(SMALLEST_SIDE, math.ceil(2 * factor))
            raise ArgumentError(f"crop: {crop!r} is not allowed: give {least} pixels or more")
        return cls(
            factor,
            objective,
            method,
            held,
            side,
            pixels("crops", crops),
            share,
            seed,
            pixels("iterations", iterations),
            pixels("starts", starts),
            thread_count(threads),
        )


def learn(
    images: Sequence[ArrayLike],
    *,
    scale: float,
    targets: Sequence[ArrayLike] | None = None,
    objective: str = "ssim",
    method: str = "dpid",
    guidance: str | os.PathLike[str] | Filter | None = None,
    lambda_: float | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    variant: str | None = None,
    normalize: str | None = None,
    per_channel: bool = False,
    hold: Collection[str] = (),
    crop: int | None = None,
    crops: int = 8,
    held_out: float = 0.25,
    seed: int = 0,
    iterations: int = 200,
    starts: int = 1,
    threads: int | None = None,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Filter:
    """Fit kernel, bias, lambda and alpha to images.

    Parameters
    ----------
    images : sequence of (H, W[, C]) array_like
        As for `downscale`.
    scale : float
        How many times smaller each side becomes, any real number >= 1; whole for a filter on the input grid.
    targets : sequence of (h, w[, C]) array_like, optional
        For the objective "pairs" alone: what each image should become.
    objective : {"ssim", "l2", "pairs"}, default "ssim"
        What is made small: 1 - SSIM, or the mean squared difference, between an image and its result
        brought back to full size by bilinear interpolation; or the mean squared difference between the
        results and the targets.
    method : {"dpid", "dpp"}, default "dpid"
        The method that the filter is fitted for.
    guidance : {"gaussian", "box"}, str, path or Filter, default "gaussian"
        Where the kernel starts, and the grid that it lies on; see `filters.over_pixels` for the input grid.
    per_channel : bool, default False
        Whether each channel gets a kernel and a bias of its own. All images must have equally many.
    lambda_, alpha : float, optional
        Where they start, or what they are if held; by default as the filter or the method has them, but a
        free alpha starts at 0.01 at least.
    epsilon, variant, normalize : optional
        Kept as they are; by default the filter's or the method's.
    hold : collection of str
        What is not fitted: some of "kernel", "bias", "lambda", "alpha".
    crop : int, optional
        Side of the square crops in pixels, by default 128 or 24 scales; at least 11.
    crops : int, default 8
        How many crops of each image, at places drawn at random; fewer where the image is no larger.
    held_out : float, default 0.25
        The share of the images, drawn at random, that is only used to report the loss on what was not
        learned from. At least one image if it is not 0 and there are two.
    seed : int, default 0
    iterations : int, default 200
        At most; the fit ends earlier when the loss no longer falls.
    starts : int, default 1
        How many starts are tried, the others drawn around the first; the best one goes on.
    threads : int, optional
        By default one for each available processor; the result does not depend on it.
    names : sequence of str, optional
        What the file of the filter calls the images.
    progress : callable, optional
        Called with the number of each iteration and its training loss.

    Returns
    -------
    Filter
        With the parameters, the objective, what it was fitted on, and the losses before and after.

    Raises
    ------
    DpidError
        If an argument is wrong, or the images cannot be used.

    Notes
    -----
    L-BFGS-B (SciPy) on the vector of kernel and bias in [-2, 2], lambda in [0, 16] and log(alpha), with the
    exact gradients of `gradients`. The loss has several minima: compare `starts`. The same arguments give
    the same filter.

    References
    ----------
    .. [1] F. Saeedan et al., "Detail-Preserving Pooling in Deep Networks", CVPR 2018.
    .. [2] Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE
       Trans. Image Process. 13(4), 2004.

    Examples
    --------
    How were these small images made?

    >>> import numpy as np, dpid_cli
    >>> images = [np.random.default_rng(i).random((64, 64)) for i in range(2)]
    >>> targets = [dpid_cli.downscale(image, scale=4, method="dpp", lambda_=1.7) for image in images]
    >>> hold = ("kernel", "bias", "alpha")
    >>> found = dpid_cli.learn(images, scale=4, targets=targets, objective="pairs", method="dpp",
    ...                        guidance="box", alpha=0, hold=hold)
    >>> round(found.lambda_, 3)
    1.7
    """
    plan = Plan.of(
        scale,
        objective=objective,
        method=method,
        hold=hold,
        crop=crop,
        crops=crops,
        held_out=held_out,
        seed=seed,
        iterations=iterations,
        starts=starts,
        threads=threads,
    )
    given = {
        "lambda_": lambda_,
        "alpha": alpha,
        "epsilon": epsilon,
        "variant": variant,
        "normalize": normalize,
        "guidance": guidance,
    }
    names = [f"image {i}" for i in range(1, len(images) + 1)] if names is None else names
    if len(images) == 0 or len(names) != len(images):
        raise ArgumentError(f"images: {len(images)} of them: give at least one, and a name for each")
    if (targets is not None) != (plan.objective == "pairs"):
        raise ArgumentError("targets: they go with the objective pairs: give both or neither")
    if targets is not None and len(targets) != len(images):
        raise ArgumentError(f"targets: {len(targets)} for {len(images)} images: give one for each")
    first = start(plan, given, channels_of(images[0]) if per_channel else None)
    wanted: Sequence[ArrayLike | None] = [None] * len(images) if targets is None else targets
    fit = Fit(plan, first, names, zip(images, wanted, strict=True))
    fit.run(progress)
    return fit.filter()


def channels_of(image: ArrayLike) -> int:
    """How many channels an image has."""
    shape = np.shape(image)
    return shape[2] if len(shape) == 3 else 1


def start(plan: Plan, given: Mapping[str, Any], channels: int | None = None) -> Filter:
    """The filter from which a fit starts, with every parameter set.

    Parameters
    ----------
    plan : Plan
    given : mapping
        Parameters, by Python name; None means "not given".
    channels : int, optional
        How many kernels there are to be; None leaves the filter as it is.
    """
    method = method_named(plan.method)
    given = {**given, "guidance": given.get("guidance") or "gaussian"}
    chosen = method.parameters(resolved(method, given)).as_dict()
    filter_ = as_filter(chosen.pop("guidance"))
    if "alpha" not in plan.hold:
        chosen["alpha"] = max(chosen["alpha"], START_ALPHA)
    if channels is not None:
        planes = filter_.planes(channels) if filter_.kernel.ndim == 2 else filter_.kernel
        filter_ = replace(filter_, kernel=planes, bias=tuple(filter_.biases(len(planes)).tolist()))
    return replace(filter_, **chosen, objective=None, fitted_on=None, loss=None)


class Fit:
    """One fit: the crops, the best filter so far, and the losses before.

    Parameters
    ----------
    plan : Plan
    start : Filter
    names : sequence of str
        Of the images.
    images : iterable of (image, target)
        Both array_like, the target None but for pairs. Only crops are kept, so a generator needs memory for
        one image at a time.
    """

    def __init__(
        self,
        plan: Plan,
        start: Filter,
        names: Sequence[str],
        images: Iterable[tuple[ArrayLike, ArrayLike | None]],
    ) -> None:
        self.plan, self.start, self.names = plan, start, list(names)
        self.held = self._drawn()
        examples = [self._examples(index, *pair) for index, pair in enumerate(images)]
        self.training = [e for i, group in enumerate(examples) if i not in self.held for e in group]
        self.testing = [e for i in self.held for e in examples[i]]
        self.before: tuple[float, float | None] | None = None
        self._best: tuple[float, Filter] = (math.inf, start)

    def run(self, progress: Progress | None = None) -> None:
        """Minimise. An exception, `KeyboardInterrupt` too, leaves what was best so far."""
        self.before = self.loss(self.start, self.training), self._held_out_loss(self.start)
        self._best = self.before[0], self.start
        if self.before[0] == 0:
            return
        first = self._packed(self.start)
        random = np.random.default_rng([self.plan.seed, len(self.names)])
        around = [random.normal(first, self._of_each(SPREAD)) for _ in range(self.plan.starts - 1)]
        trial = min(TRIAL, self.plan.iterations)
        for vector in [first, *around] if around else []:
            self._minimise(vector, trial, None)
        self._minimise(self._packed(self._best[1]), self.plan.iterations, progress)

    def _minimise(self, vector: Array, iterations: int, progress: Progress | None) -> None:
        """One search by L-BFGS-B, of the loss in units of the one before, on variables in units of STEP."""
        from scipy.optimize import minimize

        steps, low, high = (self._of_each(values) for values in (STEP, LOWEST, HIGHEST))
        unit = self.before[0] if self.before else 1.0
        count = 0

        def function(scaled: Array) -> tuple[float, Array]:
            loss, gradient = self._loss_and_gradient(scaled * steps)
            return loss / unit, gradient * steps / unit

        def told(intermediate_result: Any) -> None:
            nonlocal count
            count += 1
            if progress is not None:
                progress(count, float(intermediate_result.fun) * unit)

        tolerance = TOLERANCE[self.plan.objective]
        minimize(
            function,
            np.clip(vector, low, high) / steps,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low / steps, high / steps, strict=True)),
            callback=told,
            options={"maxiter": iterations, "ftol": tolerance, "gtol": 1e-9, "maxcor": 30},
        )

    def filter(self) -> Filter:
        """The best filter so far, with how it came about."""
        loss, best = self._best
        if self.before is None:
            raise ArgumentError("fit: nothing has been computed yet: run it")
        after = self._held_out_loss(best)
        held_out = None if after is None else {"before": self.before[1], "after": after}
        plan = self.plan
        fitted_on = {
            "method": plan.method,
            "scale": plan.scale,
            "images": [name for i, name in enumerate(self.names) if i not in self.held],
            "held_out": [self.names[i] for i in self.held],
            "hold": sorted(name.rstrip("_") for name in plan.hold),
            "crop": plan.crop,
            "crops": plan.crops,
            "seed": plan.seed,
            "starts": plan.starts,
        }
        told = {"training": {"before": self.before[0], "after": loss}, "held_out": held_out}
        return replace(best, objective=plan.objective, fitted_on=fitted_on, loss=told)

    def loss(self, filter_: Filter, examples: Sequence[Example]) -> float:
        """Mean loss of the results that a filter gives."""
        return math.fsum(loss for loss, _ in self._each(self._judge, examples, filter_)) / len(examples)

    def _held_out_loss(self, filter_: Filter) -> float | None:
        return self.loss(filter_, self.testing) if self.testing else None

    def _drawn(self) -> list[int]:
        """Indices of the images that are held out."""
        count = len(self.names)
        share = self.plan.held_out
        held = min(max(round(share * count), 1), count - 1) if share > 0 else 0
        return sorted(np.random.default_rng(self.plan.seed).permutation(count)[:held].tolist())

    def _examples(self, index: int, image: ArrayLike, target: ArrayLike | None) -> list[Example]:
        """Crops of one image, at places that depend on nothing but the seed and its index."""
        plan = self.plan
        random = np.random.default_rng([plan.seed, index])
        try:
            cut = examples_of(image, target, plan.scale, plan.crop, plan.crops, self.start, random)
            for example in cut if plan.objective == "ssim" else []:
                check_window(example)
        except ArgumentError as error:
            raise ArgumentError(f"{self.names[index]}: {error}") from None
        return cut

    def _judge(self, filter_: Filter, example: Example) -> tuple[float, Array]:
        result = downscale(
            example.pixels, size=example.size, method=self.plan.method, guidance=filter_, threads=1
        )
        return OBJECTIVES[self.plan.objective](example, result)

    def _differentiate(self, filter_: Filter, example: Example) -> tuple[float, Array]:
        loss, upstream = self._judge(filter_, example)
        found = gradients(
            example.pixels, upstream, size=example.size, method=self.plan.method, guidance=filter_
        )
        of_alpha = found.alpha * (filter_.alpha or 0)  # by the logarithm of alpha
        parts = {"kernel": found.kernel, "bias": found.bias, "lambda_": found.lambda_, "alpha": of_alpha}
        return loss, self._joined(parts)

    def _each(
        self,
        task: Callable[[Filter, Example], tuple[float, Array]],
        examples: Sequence[Example],
        filter_: Filter,
    ) -> list[tuple[float, Array]]:
        """`task` for all examples, in their order whatever the number of threads."""
        work = [(filter_, example) for example in examples]
        if self.plan.threads == 1:
            return list(starmap(task, work))
        with ThreadPoolExecutor(self.plan.threads, thread_name_prefix="dpid") as pool:
            return list(pool.map(lambda arguments: task(*arguments), work))

    def _loss_and_gradient(self, vector: Array) -> tuple[float, Array]:
        filter_ = self._unpacked(vector)
        parts = self._each(self._differentiate, self.training, filter_)
        loss = math.fsum(loss for loss, _ in parts) / len(parts)
        if loss < self._best[0]:
            self._best = loss, filter_
        return loss, np.sum([gradient for _, gradient in parts], axis=0) / len(parts)

    def _joined(self, parts: Mapping[str, Any]) -> Array:
        free = [np.ravel(parts[name]) for name in FREE if name not in self.plan.hold]
        return np.concatenate(free).astype(np.float64)

    def _packed(self, filter_: Filter) -> Array:
        """The free parameters as one vector."""
        alpha = math.log(filter_.alpha) if filter_.alpha else LOWEST["alpha"]
        values = {"kernel": filter_.kernel, "bias": filter_.bias, "lambda_": filter_.lambda_, "alpha": alpha}
        return self._joined(values)

    def _unpacked(self, vector: Array) -> Filter:
        """The filter that a vector stands for."""
        sizes = self._sizes()
        changed: dict[str, Any] = {}
        first = 0
        for name in FREE:
            if name not in self.plan.hold:
                part = vector[first : first + sizes[name]]
                changed[name] = part if part.size > 1 else float(part[0])
                first += sizes[name]
        if "kernel" in changed:
            changed["kernel"] = np.reshape(changed["kernel"], self.start.kernel.shape)
        if "bias" in changed and isinstance(self.start.bias, tuple):
            changed["bias"] = tuple(np.ravel(changed["bias"]).tolist())
        if "alpha" in changed:
            changed["alpha"] = math.exp(changed["alpha"])
        return replace(self.start, **changed)

    def _of_each(self, values: Mapping[str, float]) -> Array:
        """A vector of the value that belongs to each free parameter."""
        return self._joined({name: np.full(size, values[name]) for name, size in self._sizes().items()})

    def _sizes(self) -> dict[str, int]:
        return {"kernel": self.start.kernel.size, "bias": np.size(self.start.bias), "lambda_": 1, "alpha": 1}
