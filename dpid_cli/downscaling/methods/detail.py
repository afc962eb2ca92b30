"""The box filter, DPID and DPP: from parameters to sweeps."""

from __future__ import annotations

import numpy as np

from dpid_cli.downscaling.choices import FilterGrid, Guidance, Normalize, Variant
from dpid_cli.downscaling.filters import GAUSSIAN, Filter
from dpid_cli.downscaling.methods import linear_light
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.methods.sweeps import Reward, finish, over_means, over_pixels, sweep, window_means
from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.rewards import DETAIL, RANGE, SAFE_LAMBDA, SCALED_DETAIL, power_for


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with a strip of ``dpid`` or ``dpp``, whose lambda is not 0, or ``box``."""
    if not isinstance(parameters, DetailParameters):
        fill_box(out, strip)
        return
    means, guide = means_and_guide(parameters.guidance, strip)
    reward_differences(out, name == "dpid", strip, parameters, means, guide)


def fill_box(out: Array, strip: Strip) -> None:
    """Fill `out`, (rows, w * C), with the mean of each window of a strip."""
    if strip.grid.window is not None:
        out[:] = strip.pixels(Pool.of(strip).lighted(strip.light).averaged().means())
        return
    if strip.light is not None:
        out[:] = strip.light.encode(linear_light.box(strip, strip.light))
        return
    means = window_means(strip)
    weight = strip.workspace.array("no weight", (len(means), 1, means.shape[2]), means.dtype)
    weight[:] = 0
    finish(out, strip, means, means, means, weight)


def means_and_guide(guided_by: Guidance | Filter, strip: Strip) -> tuple[Array, Array]:
    """Window means and guidance of a strip, each (rows, C, w), on the scale of the pixels."""
    if guided_by == Guidance.BOX:
        means = window_means(strip)
        return means, means
    filter_ = guided_by if isinstance(guided_by, Filter) else GAUSSIAN
    if filter_.grid == FilterGrid.INPUT:
        return window_means(strip), over_pixels(filter_, strip)
    wider = strip.with_neighbours()
    means = window_means(wider)
    start, stop = strip.start - wider.start, strip.stop - wider.start
    return means[start:stop], over_means(filter_, strip, means, start, stop)


def reward_differences(
    out: Array, joint: bool, strip: Strip, parameters: DetailParameters, means: Array, guide: Array
) -> None:
    """Fill `out` with a strip; `means` and `guide` of its windows are (rows, C, w)."""
    alpha = parameters.alpha
    reward = Reward(
        exponent=parameters.lambda_ / 2,
        epsilon2=(parameters.epsilon * strip.raster.unit) ** 2,
        joint=joint,
        asymmetric=parameters.variant == Variant.ASYM,
    )
    normalised = parameters.normalize == Normalize.MEAN and alpha > 0
    factor, base = _factor_of_u(strip, reward, guide, normalised)
    if strip.light is not None:
        if factor is None:
            planes = 1 if joint else strip.raster.channels
            factor, base = np.full((len(guide), planes, guide.shape[2]), 1 / base, guide.dtype), np.ones(())
        constant = np.broadcast_to(alpha * base.astype(np.float64) ** reward.exponent, factor.shape)
        real = strip.raster.real
        least = real(0 if reward.asymmetric else np.finfo(np.float32).min)
        power = flag(power_for(DETAIL, parameters.lambda_, real))
        scalars = least, real(reward.exponent), real(reward.epsilon2), power
        out[:] = strip.light.encode(linear_light.detail(strip, strip.light, scalars, guide, factor, constant))
        return
    task = DETAIL if factor is None else SCALED_DETAIL
    total, weight = sweep(strip, task, reward, guide, factor)
    blend = None
    if alpha > 0:
        # alpha on the scale of the sums; from 1e30 on it alone decides.
        share = alpha * strip.grid.window_area * base.astype(np.float64) ** reward.exponent
        blend = np.broadcast_to(np.minimum(share, 1e30), weight.shape).astype(means.dtype)
    finish(out, strip, guide, means, total, weight, blend)


def _factor_of_u(strip: Strip, reward: Reward, guide: Array, normalised: bool) -> tuple[Array | None, Array]:
    """A factor for u in each window and distance, None for 1, and the factor by which alpha scales.

    Kernels compute u on the scale of the pixels. They divide it by its largest value in the window if a
    power could underflow or its mean is asked for. The ratio of two rewards stays the same, but alpha, which
    is added to them, must follow: multiply it by the second factor to the power of the exponent.
    """
    unit2 = strip.raster.unit**2
    if 2 * reward.exponent <= SAFE_LAMBDA and not normalised:
        return None, np.array(unit2)
    u, largest = sweep(strip, RANGE, reward, guide)
    # Below 1e-37 the reciprocal overflows, and no reward matters next to alpha.
    rewarded = largest > 1e-37
    factor = np.divide(1, largest, out=np.zeros_like(largest), where=rewarded)
    base = factor * (u[:, : factor.shape[1]] / strip.grid.window_area if normalised else unit2)
    return factor, np.where(rewarded, base, 1)
