"""Differentiate a loss of the output with respect to the image, the filter and the parameters."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpid_cli.downscaling.automatic import is_automatic
from dpid_cli.downscaling.borders import from_borders
from dpid_cli.downscaling.choices import FilterGrid, Normalize, Variant
from dpid_cli.downscaling.filters import TUNED, Filter, as_filter, resolved
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.methods.detail import means_and_guide
from dpid_cli.downscaling.names import DifferentiableName, GuidanceName, NormalizeName, VariantName
from dpid_cli.downscaling.parameters import DetailParameters
from dpid_cli.downscaling.raster import MOST_CHANNELS, Raster, as_array
from dpid_cli.downscaling.registry import METHODS, method_named
from dpid_cli.downscaling.rewards import offset_and_floor
from dpid_cli.downscaling.sizes import requested
from dpid_cli.downscaling.strips import Strip, Workspace
from dpid_cli.errors import ArgumentError, either
from dpid_cli.kernels import filters
from dpid_cli.kernels import gradients as kernels
from dpid_cli.kernels.rewards import EXACT_POWER, reward_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gradients:
    """Derivatives of a loss, float64; what `gradients` returns.

    Attributes
    ----------
    image : (H, W[, C]) ndarray
        With respect to the intensities of the image, in [0, 1].
    kernel : (K, K) or (C, K, K) ndarray
        With respect to the kernel of the filter; (3, 3) for ``box`` and ``gaussian``, which are filters on
        the output grid.
    bias : float or (C,) ndarray
        With respect to the bias of the filter.
    lambda_, alpha : float
        With respect to the parameters.

    Examples
    --------
    >>> import numpy as np, dpid_cli
    >>> image = np.random.default_rng(0).random((8, 12))
    >>> derivatives = dpid_cli.gradients(image, np.ones((2, 3)), scale=4)
    >>> derivatives.image.shape, derivatives.kernel.shape
    ((8, 12), (3, 3))
    """

    image: Array
    kernel: Array
    bias: float | Array
    lambda_: float
    alpha: float


def gradients(
    image: ArrayLike,
    upstream: ArrayLike,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: DifferentiableName = "dpp",
    lambda_: float | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    variant: VariantName | None = None,
    guidance: GuidanceName | str | os.PathLike[str] | Filter | None = None,
    normalize: NormalizeName | None = None,
    noise: float | Sequence[float] | None = None,
) -> Gradients:
    """Differentiate a loss of the downscaled image (the backward pass of `downscale`).

    Parameters
    ----------
    image : (H, W[, C]) array_like
        As for `downscale`; integers are divided by 255 or 65535 first.
    upstream : (h, w[, C]) array_like
        Derivatives of the loss L with respect to the intensities of the output, in [0, 1] and unrounded.
    scale, size : optional
        As for `downscale`; give one of them.
    method : {"dpp", "dpid"}, default "dpp"
        Whether distances are computed by channel or over all channels.
    lambda_, alpha, epsilon, variant, guidance, normalize, noise : optional
        As for `downscale`, with the same defaults, but numbers only.

    Returns
    -------
    Gradients
        dL/dimage, dL/dkernel, dL/dbias, dL/dlambda and dL/dalpha.

    Raises
    ------
    DpidError
        If an argument is wrong, or `upstream` does not have the shape of the output.

    Notes
    -----
    Computed in float64 on one thread. With the weights :math:`w = \\alpha + (u/N)^{\\lambda/2}`,
    :math:`S = \\sum c\\,w` and :math:`a = c\\,(I - O)/S`,

    .. math:: \\frac{\\partial O}{\\partial \\alpha} = \\sum a, \\qquad
        \\frac{\\partial O}{\\partial \\lambda} = \\frac12 \\sum a\\,(u/N)^{\\lambda/2} \\ln (u/N)

    and the chain rule through m and the guidance gives the others. Where a pixel equals its guidance, the
    reward of the pixel counts as constant: with epsilon 0, derivatives do not exist there for lambda up to 1,
    and jump for lambda < 2 (``asym``: also with epsilon, in the second order).

    References
    ----------
    .. [1] F. Saeedan et al., "Detail-Preserving Pooling in Deep Networks", CVPR 2018.

    Examples
    --------
    The derivatives of the output's mean add up to 1 over the image, because a brighter image has a brighter
    output:

    >>> import numpy as np, dpid_cli
    >>> image = np.random.default_rng(0).random((8, 12))
    >>> derivatives = dpid_cli.gradients(image, np.full((2, 3), 1 / 6), scale=4)
    >>> round(float(derivatives.image.sum()), 12)
    1.0
    """
    given = {name: value for name, value in locals().items() if name in (*TUNED, "guidance", "noise")}
    chosen = method_named(method)
    if not chosen.differentiable:
        able = either(m.name for m in METHODS.values() if m.differentiable)
        raise ArgumentError(f"method: {method} has no gradients: use {able}")
    parameters = cast(DetailParameters, chosen.parameters(resolved(chosen, given)))
    if is_automatic(parameters.as_dict()):
        raise ArgumentError("auto: has no derivative: give a number, such as that of dpid_cli.automatic")
    raster = Raster.of(image, most=MOST_CHANNELS).unpacked()
    rows = raster.rows / np.float64(raster.unit)
    rows.flags.writeable = False
    raster = Raster(rows, raster.channels)
    target = requested(raster.size, scale, size)
    filter_ = as_filter(parameters.guidance)
    filter_.check_fit(raster.size, target, raster.channels)
    strip = Strip(raster, Grid.of(raster.size, target, np.float64), 0, target[1], Workspace())
    backward = _Backward(strip, filter_, _planes(upstream, (target[1], target[0], *np.shape(image)[2:])))
    if target == raster.size:  # the output is the image
        backward.image += backward.upstream.swapaxes(1, 2).reshape(backward.image.shape)
    else:
        backward.windows(parameters, joint=method == "dpid")
    return Gradients(
        image=backward.image.reshape(np.shape(image)),
        kernel=backward.kernel,
        bias=backward.bias if isinstance(filter_.bias, tuple) else float(backward.bias.sum()),
        lambda_=float(backward.parameters[0]),
        alpha=float(backward.parameters[1]),
    )


def compile_kernels() -> None:
    """Compile the kernels that `learn` calls besides those of `downscale`, or load them from disk."""
    on_input = Filter(np.full((2, 2), 0.25), grid=FilterGrid.INPUT, scale=2, offset=(0, 0))
    for channels in (1, 2, 3, 4):
        image, upstream = np.zeros((4, 4, channels)), np.zeros((2, 2, channels))
        for guidance in "gaussian", "box", on_input:
            gradients(image, upstream, scale=2, guidance=guidance)


def _planes(upstream: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Check `upstream`, and return it as the kernels read it, (h, C, w)."""
    values = as_array(upstream, "upstream")
    if values.shape != shape or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ArgumentError(
            f"upstream must be finite numbers of shape {shape}, that of the output "
            f"(got {values.dtype} of shape {values.shape})"
        )
    return np.ascontiguousarray(values.astype(np.float64).reshape(*shape[:2], -1).swapaxes(1, 2))


class _Backward:
    """The chain rule from the output back to image, filter and parameters."""

    def __init__(self, strip: Strip, filter_: Filter, upstream: Array) -> None:
        channels = strip.raster.channels
        self.strip, self.filter, self.upstream = strip, filter_, upstream
        self.image = np.zeros(strip.raster.rows.shape)
        self.kernel = np.zeros(filter_.kernel.shape)
        self.bias = np.zeros(channels)
        self.parameters = np.zeros(2)

    def windows(self, parameters: DetailParameters, *, joint: bool) -> None:
        """Go back through the weighted means, then through the guidance."""
        strip = self.strip
        means, guide = means_and_guide(parameters.guidance, strip)
        guide_gradient = np.zeros(guide.shape)
        # Pixels in the largest window, including those cut by its border.
        axes = strip.grid.ys, strip.grid.xs
        pixels = math.prod(int((np.diff(axis.first) + (axis.head[:-1] > 0)).max()) for axis in axes)
        channels = guide.shape[1]
        asymmetric = int(parameters.variant == Variant.ASYM)
        normalised = int(parameters.normalize == Normalize.MEAN)
        numbers = offset_and_floor(parameters, strip.raster, joint)
        reward = reward_of(parameters.lambda_ / 2, *numbers, joint, False, EXACT_POWER)
        kernels.window_gradients(
            strip.raster.rows, strip.grid.ys, strip.grid.xs, guide, self.upstream,
            reward.exponent, reward.offset, reward.floor, parameters.alpha,
            int(joint), asymmetric, normalised,
            np.empty((pixels, channels)), np.empty(pixels), np.empty((3, max(pixels, channels))),
            self.image, guide_gradient, self.parameters,
        )  # fmt: skip
        self.bias += guide_gradient.sum((0, 2))
        if self.filter.grid == FilterGrid.INPUT:
            self._input_grid(guide_gradient)
        else:
            self._output_grid(means, guide_gradient)

    def _output_grid(self, means: Array, guide_gradient: Array) -> None:
        at_borders = np.broadcast_to(self.filter.at_borders, (means.shape[1], 4, 4, 3, 3)).copy()
        means_gradient, kernels_gradient = np.zeros(means.shape), np.zeros(at_borders.shape)
        filters.filter_means_adjoint(guide_gradient, means, at_borders, means_gradient, kernels_gradient)
        self.kernel += from_borders(self.filter.kernel, kernels_gradient)
        kernels.box_adjoint(means_gradient, self.strip.grid.ys, self.strip.grid.xs, self.image)

    def _input_grid(self, guide_gradient: Array) -> None:
        planes = self.filter.planes(self.strip.raster.channels).copy()
        kernels_gradient = np.zeros(planes.shape)
        row_of, column_of = self.filter.positions(self.strip.grid.size)
        rows, step = self.strip.raster.rows, self.filter.step
        filters.filter_pixels_adjoint(
            guide_gradient, rows, step, planes, row_of, column_of, self.image, kernels_gradient
        )
        self.kernel += kernels_gradient if self.filter.kernel.ndim == 3 else kernels_gradient.sum(0)
