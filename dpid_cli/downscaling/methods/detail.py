"""The box filter, DPID and DPP: from parameters to sweeps."""

from __future__ import annotations

import numpy as np

from dpid_cli.downscaling import rewards
from dpid_cli.downscaling.choices import FilterGrid, Guidance, Variant
from dpid_cli.downscaling.filters import GAUSSIAN, Filter
from dpid_cli.downscaling.methods import linear_light
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.methods.sweeps import Reward, finish, over_means, over_pixels, sweep, window_means
from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import Array
from dpid_cli.downscaling.strips import Strip
from dpid_cli.downscaling.transfer import Light
from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.rewards import DETAIL, RANGE, SCALED_DETAIL, power_for

# From here on no reward matters next to alpha: in sums of values, and in sums of light.
_LARGEST_SHARE, _LARGEST_ALPHA = 1e30, 1e20


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
    reward = Reward(
        exponent=rewards.exponent_of(parameters),
        epsilon2=rewards.epsilon2_of(parameters, strip.raster.unit),
        joint=joint,
        asymmetric=parameters.variant == Variant.ASYM,
    )
    factor, base = None, np.array(strip.raster.unit**2)
    if rewards.is_scaled(parameters, strip.raster):
        factor, base = _factor_of_u(strip, reward, guide, rewards.is_normalised(parameters))
    if strip.light is not None:
        out[:] = strip.light.encode(
            _mean_light(strip, strip.light, reward, parameters.alpha, guide, factor, base)
        )
        return
    total, weight = sweep(strip, DETAIL if factor is None else SCALED_DETAIL, reward, guide, factor)
    blend = None
    if parameters.alpha > 0:  # on the scale of the sums
        octaves = rewards.octaves_of(parameters.alpha, strip.grid.window_area)
        share = rewards.constant_of(octaves, base, reward.exponent, _LARGEST_SHARE)
        blend = np.broadcast_to(share, weight.shape).astype(means.dtype)
    finish(out, strip, guide, means, total, weight, blend)


def _mean_light(
    strip: Strip, light: Light, reward: Reward, alpha: float, guide: Array, factor: Array | None, base: Array
) -> Array:
    """Weighted means of light, (rows, w * C); `factor` and `base` are those of `_factor_of_u`."""
    real = strip.raster.real
    most = np.finfo(np.float32).max if factor is None else 1
    if factor is None:
        # Intensities if the pixels are integers; floats may be too small.
        part = 1 / base if strip.raster.limit else np.ones(())
        shape = len(guide), 1 if reward.joint else strip.raster.channels, guide.shape[2]
        factor, base = np.full(shape, part, guide.dtype), base * part
    constant = np.zeros(())
    if alpha > 0:
        constant = rewards.constant_of(rewards.octaves_of(alpha), base, reward.exponent, _LARGEST_ALPHA)
    least = 0 if reward.asymmetric else np.finfo(np.float32).min
    power = flag(power_for(DETAIL, 2 * reward.exponent, real))
    scalars = real(least), real(most), real(reward.exponent), real(reward.epsilon2), power
    alphas = np.broadcast_to(constant, factor.shape)
    return linear_light.detail(strip, light, scalars, guide, factor, alphas)


def _factor_of_u(strip: Strip, reward: Reward, guide: Array, normalised: bool) -> tuple[Array, Array]:
    """A factor for u in each window and distance, and the factor by which alpha scales.

    Kernels compute u on the scale of the pixels and divide it by its largest value in the window. The ratio
    of two rewards stays the same, but alpha, which is added to them, must follow: multiply it by the second
    factor to the power of the exponent.
    """
    u, largest = sweep(strip, RANGE, reward, guide)
    # Below 1e-37 the reciprocal overflows, and no reward matters next to alpha.
    rewarded = largest > 1e-37
    factor = np.divide(
        rewards.slack_of(reward.exponent, strip.raster.real),
        largest,
        out=np.zeros_like(largest),
        where=rewarded,
    )
    reference = (
        u[:, : factor.shape[1]] / strip.grid.window_area if normalised else np.array(strip.raster.unit**2)
    )
    return factor, np.where(rewarded, np.multiply(factor, reference, dtype=np.float64), 1)
