"""Fit a filter, lambda and alpha to images: crops, their losses, and L-BFGS-B. No files, no printing."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.api import downscale
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.filters import TUNED, Filter
from dpid_cli.downscaling.names import (
    DifferentiableName,
    EnlargementName,
    GuidanceName,
    NormalizeName,
    ObjectiveName,
    VariantName,
)
from dpid_cli.errors import ArgumentError
from dpid_cli.learning.crops import Crop, crops_of
from dpid_cli.learning.gradients import gradients
from dpid_cli.learning.losses import SMALLEST_SIDE, Loss, loss_of
from dpid_cli.learning.plan import (
    HIGHEST,
    LOWEST,
    STEP,
    Plan,
    Variables,
    channels_of,
    check_list,
    first_filter,
)

Array = NDArray[np.float64]
Progress = Callable[[int, float], None]

_NOTHING = 1e-15  # a loss that is only rounding
_TRIAL = 25  # iterations of each start, if there are several
# The fit ends when a step improves the loss by less than this share of the loss at the start.
_TOLERANCE = {"ssim": 1e-7, "msssim": 1e-7, "l2": 1e-7, "pairs": 1e-11}


def learn(
    images: Sequence[ArrayLike],
    *,
    scale: float,
    targets: Sequence[ArrayLike] | None = None,
    objective: ObjectiveName = "ssim",
    enlargement: EnlargementName | None = None,
    method: DifferentiableName = "dpid",
    guidance: GuidanceName | str | os.PathLike[str] | Filter | None = None,
    lambda_: float | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    variant: VariantName | None = None,
    normalize: NormalizeName | None = None,
    per_channel: bool = False,
    hold: Collection[str] = (),
    patch: int | None = None,
    patches: int = 8,
    held_out: float = 0.25,
    seed: int = 0,
    iterations: int = 200,
    starts: int = 1,
    threads: int | None = None,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Filter:
    """Fit a filter, lambda and alpha to images.

    Parameters
    ----------
    images : sequence of (H, W[, C]) array_like
        As for `downscale`.
    scale : float
        How many times smaller each side becomes: 1 or more, a whole number for a filter on the input grid.
    targets : sequence of (h, w[, C]) array_like, optional
        Only for the objective "pairs": the output to aim at for each image.
    objective : {"ssim", "msssim", "l2", "pairs"}, default "ssim"
        The loss to minimise. "ssim", "msssim" and "l2" enlarge the output to the size of the image, and
        compare them by 1 - SSIM, 1 - MS-SSIM, or by the mean squared difference. "pairs" is the mean squared
        difference between output and target.
    enlargement : {"bilinear", "bicubic", "both"}, default "both"
        How to enlarge outputs: "both" takes the mean of the two losses. Not for the objective "pairs".
    method : {"dpid", "dpp"}, default "dpid"
        The method to fit the filter for.
    guidance : {"gaussian", "box"}, str, path or Filter, default "gaussian"
        The kernel to start from, and its grid; see `filters.over_pixels` for the input grid.
    per_channel : bool, default False
        Whether to fit a kernel and a bias for each channel. All images need the same number of channels.
    lambda_, alpha : float, optional
        Values to start from, or to keep if held. By default those of the filter or the method, but a free
        alpha starts at 0.01 or more.
    epsilon, variant, normalize : optional
        Values to keep. By default those of the filter or the method.
    hold : collection of str
        Parameters not to fit: some of "kernel", "bias", "lambda", "alpha".
    patch : int, optional
        Side of the square crops in pixels, at least 11, or 176 for "msssim", in whole windows. By default
        128, or 192 for "msssim", or 24 times the scale if that is more.
    patches : int, default 8
        Number of crops from each image, at random positions; fewer if the image is no larger than a crop.
    held_out : float, default 0.25
        Share of the images, chosen at random, that the fit does not learn from, only measures. If it is not
        0, at least one of two or more images is held out.
    seed : int, default 0
        Seed of all random choices.
    iterations : int, default 200
        Largest number of iterations; the fit ends earlier when the loss no longer falls.
    starts : int, default 1
        Number of starts to try for 25 iterations; the fit continues from the best. The first is that of the
        arguments. Three have other kernels (the centre, a box, a pyramid) and lambdas; more are drawn around
        these.
    threads : int, optional
        By default one for each available CPU core; the filter does not depend on it.
    names : sequence of str, optional
        Names of the images in the file of the filter.
    progress : callable, optional
        Called with the number of each iteration and its training loss.

    Returns
    -------
    Filter
        The filter with its parameters, the objective, what it was fitted on, and the losses before and after.

    Raises
    ------
    DpidError
        If an argument is wrong, or the images cannot be used.

    Notes
    -----
    L-BFGS-B (SciPy) searches kernel and bias in [-2, 2], lambda in [0, 16] and log(alpha), with the exact
    gradients of `gradients`. The loss has several minima: try more `starts`. The same arguments give the same
    filter.

    References
    ----------
    .. [1] F. Saeedan et al., "Detail-Preserving Pooling in Deep Networks", CVPR 2018.
    .. [2] Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE
       Trans. Image Process. 13(4), 2004.
    .. [3] Z. Wang et al., "Multiscale Structural Similarity for Image Quality Assessment", Asilomar 2003.

    Examples
    --------
    Find the lambda that made these small images:

    >>> import numpy as np, dpid_cli
    >>> images = [np.random.default_rng(i).random((64, 64)) for i in range(2)]
    >>> targets = [dpid_cli.downscale(image, scale=4, method="dpp", lambda_=1.7) for image in images]
    >>> hold = ("kernel", "bias", "alpha")
    >>> fitted = dpid_cli.learn(images, scale=4, targets=targets, objective="pairs", method="dpp",
    ...                         guidance="box", alpha=0, hold=hold)
    >>> round(fitted.lambda_, 3)
    1.7
    """
    plan = Plan(
        scale,
        objective,
        enlargement,
        method,
        hold,
        patch,
        patches,
        held_out,
        seed,
        iterations,
        starts,
        threads,
    )
    check_list("images", images)
    check_list("targets", targets if targets is not None else [])
    if not isinstance(per_channel, bool):
        raise ArgumentError(f"per_channel must be True or False (got {per_channel!r})")
    if not isinstance(names, Sequence | None):
        raise ArgumentError(f"names must be a list of words (got {names!r})")
    if progress is not None and not callable(progress):
        raise ArgumentError(f"progress must be a function (got {progress!r})")
    given = {name: value for name, value in locals().items() if name in (*TUNED, "guidance")}
    names = [f"image {i}" for i in range(1, len(images) + 1)] if names is None else names
    if len(images) == 0 or len(names) != len(images):
        raise ArgumentError(f"images: got {len(images)}: give one or more, and a name for each")
    if (targets is not None) != (plan.objective == "pairs"):
        raise ArgumentError("targets: needed for the objective pairs, and only for it: give both or neither")
    if targets is not None and len(targets) != len(images):
        raise ArgumentError(f"targets: got {len(targets)} for {len(images)} images: give one for each")
    first = first_filter(plan, given, channels_of(images[0]) if per_channel else None)
    aims: Sequence[ArrayLike | None] = [None] * len(images) if targets is None else targets
    fit = Fit(plan, first, names, zip(images, aims, strict=True))
    fit.run(progress)
    return fit.filter()


class Fit:
    """One fit: its crops, the losses before, and the best filter so far.

    `images` are pairs of image and target, which is None except for the objective pairs. Only crops are kept,
    so that a generator needs memory for one image at a time.
    """

    def __init__(
        self,
        plan: Plan,
        start: Filter,
        names: Sequence[str],
        images: Iterable[tuple[ArrayLike, ArrayLike | None]],
    ) -> None:
        self.plan, self.start, self.names = plan, start, list(names)
        self.variables = Variables(start, plan.free)
        self.held_out = self._draw_held_out()
        crops = [self._crops(index, *pair) for index, pair in enumerate(images)]
        self.training = [crop for i, group in enumerate(crops) if i not in self.held_out for crop in group]
        self.testing = [crop for i in self.held_out for crop in crops[i]]
        self.before: tuple[float, float | None] | None = None  # loss of the training, and of what is held out
        self._best: tuple[float, Filter] = (math.inf, start)

    def run(self, progress: Progress | None = None) -> None:
        """Minimise the loss. After an exception, Ctrl-C included, `filter` still gives the best so far."""
        loss = self.loss(self.start, self.training)
        self.before = loss, self._held_out_loss(self.start)
        self._best = loss, self.start
        if loss < _NOTHING:
            return
        random = np.random.default_rng([self.plan.seed, len(self.names)])
        starts = self.variables.starts(self.plan.starts, random)
        for vector in starts if len(starts) > 1 else []:
            self._minimise(vector, loss, min(_TRIAL, self.plan.iterations), None)
        self._minimise(self.variables.pack(self._best[1]), loss, self.plan.iterations, progress)

    def _minimise(self, vector: Array, unit: float, iterations: int, progress: Progress | None) -> None:
        """One search by L-BFGS-B, with losses in units of `unit` and variables in units of STEP."""
        from scipy.optimize import minimize

        steps, low, high = (self.variables.each(values) for values in (STEP, LOWEST, HIGHEST))
        tolerance, count = _TOLERANCE[self.plan.objective], 0

        def function(scaled: Array) -> Loss:
            loss, gradient = self._training_loss(scaled * steps)
            return loss / unit, gradient * steps / unit

        def report(intermediate_result: Any) -> None:
            nonlocal count
            count += 1
            if progress is not None:
                progress(count, float(intermediate_result.fun) * unit)

        minimize(
            function,
            np.clip(vector, low, high) / steps,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low / steps, high / steps, strict=True)),
            callback=report,
            options={"maxiter": iterations, "ftol": tolerance, "gtol": 1e-9, "maxcor": 30},
        )

    def filter(self) -> Filter:
        """The best filter so far, with what it was fitted on and its losses."""
        if self.before is None:
            raise ArgumentError("fit: nothing is fitted yet: call run first")
        loss, best = self._best
        plan, after = self.plan, self._held_out_loss(best)
        fitted_on = {
            "method": plan.method,
            "enlargement": plan.enlargement,
            "scale": plan.scale,
            "images": [name for i, name in enumerate(self.names) if i not in self.held_out],
            "held_out": [self.names[i] for i in self.held_out],
            "hold": sorted({name.rstrip("_") for name in plan.hold}),
            "crop": plan.side,
            "crops": plan.patches,
            "seed": plan.seed,
            "starts": plan.starts,
        }
        losses = {
            "training": {"before": self.before[0], "after": loss},
            "held_out": None if after is None else {"before": self.before[1], "after": after},
        }
        return replace(best, objective=plan.objective, fitted_on=fitted_on, loss=losses)

    def loss(self, filter_: Filter, crops: Sequence[Crop]) -> float:
        """Mean loss of the crops with a filter."""
        return math.fsum(loss for loss, _ in self._map(self._measure, crops, filter_)) / len(crops)

    def _held_out_loss(self, filter_: Filter) -> float | None:
        return self.loss(filter_, self.testing) if self.testing else None

    def _draw_held_out(self) -> list[int]:
        """Indices of the images that are held out."""
        count, share = len(self.names), self.plan.held_out
        held_out = min(max(round(share * count), 1), count - 1) if share > 0 else 0
        return sorted(np.random.default_rng(self.plan.seed).permutation(count)[:held_out].tolist())

    def _crops(self, index: int, image: ArrayLike, target: ArrayLike | None) -> list[Crop]:
        """Crops of one image, at positions that depend on the seed and the index alone."""
        plan = self.plan
        random = np.random.default_rng([plan.seed, index])
        try:
            crops = crops_of(image, target, plan.scale, plan.side, plan.patches, self.start, random)
            height, width, _ = crops[0].pixels.shape
            if min(height, width) < (least := SMALLEST_SIDE[plan.objective]):
                few = f"{width}x{height} pixels are too few for {plan.objective}"
                raise ArgumentError(f"{few}: give {least} or more on each side")
        except ArgumentError as error:
            raise ArgumentError(f"{self.names[index]}: {error}") from None
        return crops

    def _measure(self, filter_: Filter, crop: Crop) -> Loss:
        """The loss of a crop, and its gradient with respect to the output."""
        result = downscale(crop.pixels, size=crop.size, method=self.plan.method, guidance=filter_, threads=1)
        return loss_of(self.plan.objective, self.plan.enlargement, crop, result)

    def _differentiate(self, filter_: Filter, crop: Crop) -> Loss:
        """The loss of a crop, and its gradient with respect to the variables."""
        loss, upstream = self._measure(filter_, crop)
        of = gradients(crop.pixels, upstream, size=crop.size, method=self.plan.method, guidance=filter_)
        of_log_alpha = of.alpha * (filter_.alpha or 0)
        parts = {"kernel": of.kernel, "bias": of.bias, "lambda_": of.lambda_, "alpha": of_log_alpha}
        return loss, self.variables.join(parts)

    def _map(
        self, task: Callable[[Filter, Crop], Loss], crops: Sequence[Crop], filter_: Filter
    ) -> list[Loss]:
        """`task` for all crops, in their order whatever the number of threads."""
        threads = thread_count(self.plan.threads)
        if threads == 1:
            return [task(filter_, crop) for crop in crops]
        with ThreadPoolExecutor(threads, thread_name_prefix="dpid") as pool:
            return list(pool.map(lambda crop: task(filter_, crop), crops))

    def _training_loss(self, vector: Array) -> Loss:
        """The mean loss and its gradient at a vector; remembers the best."""
        filter_ = self.variables.unpack(vector)
        losses = self._map(self._differentiate, self.training, filter_)
        loss = math.fsum(loss for loss, _ in losses) / len(losses)
        if loss < self._best[0]:
            self._best = loss, filter_
        return loss, np.sum([gradient for _, gradient in losses], axis=0) / len(losses)
