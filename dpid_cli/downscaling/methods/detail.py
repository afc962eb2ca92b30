"""The box filter, DPID and DPP: from parameters to sweeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dpid_cli.downscaling import rewards
from dpid_cli.downscaling.choices import FilterGrid, Guidance, Variant
from dpid_cli.downscaling.filters import GAUSSIAN, Filter
from dpid_cli.downscaling.grid import Grid
from dpid_cli.downscaling.maps import NONE, Maps
from dpid_cli.downscaling.methods import linear_light
from dpid_cli.downscaling.methods.linear_light import interleaved
from dpid_cli.downscaling.methods.pools import Pool
from dpid_cli.downscaling.methods.sweeps import (
    Reward,
    finish,
    over_means,
    over_pixels,
    roll,
    sweep,
    window_means,
)
from dpid_cli.downscaling.parameters import DetailParameters, Parameters
from dpid_cli.downscaling.raster import MOST_CHANNELS, Array, Raster
from dpid_cli.downscaling.strips import Strip
from dpid_cli.downscaling.transfer import Light
from dpid_cli.kernels.rewards import DETAIL, RANGE, SCALED_DETAIL

# From here on no reward matters next to alpha: in sums of values, and in sums of light.
_LARGEST_SHARE, _LARGEST_ALPHA = 1e30, 1e20


def fill(out: Array, name: str, strip: Strip, parameters: Parameters) -> None:
    """Fill `out`, (rows, w * C), with a strip of ``dpid`` or ``dpp``, whose lambda is not 0, or ``box``."""
    if not isinstance(parameters, DetailParameters):
        fill_box(out, strip)
        return
    joint = name == "dpid"
    if rolls(strip.raster, strip.grid, parameters, strip.light, strip.maps):
        reward = _reward(joint, strip, parameters)
        pixels = 1 if strip.light else strip.grid.window_area
        blend = float(_share(pixels, parameters.alpha, reward, np.array(strip.raster.unit**2)))
        roll(out, strip, reward, _filter(parameters.guidance), blend)
        return
    means, guide = means_and_guide(parameters.guidance, strip)
    reward_differences(out, joint, strip, parameters, means, guide)


def rolls(raster: Raster, grid: Grid, parameters: Parameters, light: Light | None, maps: Maps) -> bool:
    """Whether one pass over the image is enough, without arrays for all rows of a strip."""
    if maps or grid.window is not None or raster.channels > MOST_CHANNELS:
        return False
    if not _is_looked_up(light, getattr(parameters, "variant", Variant.SYM)):
        return False
    if not isinstance(parameters, DetailParameters):
        return True
    on_output = parameters.filter is None or parameters.filter.grid == FilterGrid.OUTPUT
    return on_output and not rewards.is_scaled(parameters, raster)


def _is_looked_up(light: Light | None, variant: str) -> bool:
    """Whether kernels need not compute light, if any.

    Where no pixel weighs anything, they look up the guidance: it equals all pixels of the window, unless only
    those above it count.
    """
    if light is None:
        return True
    return light.like.channels in (1, 3) and variant != Variant.ASYM and light.tables is not None


def fill_box(out: Array, strip: Strip) -> None:
    """Fill `out`, (rows, w * C), with the mean of each window of a strip."""
    if strip.grid.window is not None:
        out[:] = strip.pixels(Pool.of(strip).lighted(strip.light).averaged().means())
    elif strip.maps.importance is not None:
        means = interleaved(linear_light.box(strip, strip.light))
        unimportant = np.isnan(means)
        if unimportant.any():
            fill_box(out, replace(strip, maps=NONE))
        np.copyto(out, strip.pixels(np.nan_to_num(means)), where=~unimportant, casting="unsafe")
    elif strip.light is not None and not _is_looked_up(strip.light, Variant.SYM):
        out[:] = strip.pixels(interleaved(linear_light.box(strip, strip.light)))
    else:
        roll(out, strip, None)


def _filter(guidance: Guidance | Filter) -> Filter | None:
    """The filter that guides; None if the window means do."""
    if isinstance(guidance, Filter):
        return guidance
    return None if guidance == Guidance.BOX else GAUSSIAN


def _means(strip: Strip) -> Array:
    """Means of windows, (rows, C, w); where no pixel is important, of all."""
    return strip.by_groups(_means_of_few)


def _means_of_few(strip: Strip) -> Array:
    """`_means` for up to four channels."""
    if strip.maps.importance is None:
        return window_means(strip)
    means = linear_light.box(strip, None)
    return np.where(np.isnan(means), window_means(strip), means)


def means_and_guide(guided_by: Guidance | Filter, strip: Strip) -> tuple[Array, Array]:
    """Window means and guidance of a strip, each (rows, C, w), on the scale of the pixels."""
    if strip.maps.guidance is not None:
        return _means(strip), strip.maps.guidance[strip.start : strip.stop]
    filter_ = _filter(guided_by)
    if filter_ is None:
        means = _means(strip)
        return means, means
    if filter_.grid == FilterGrid.INPUT:
        return _means(strip), over_pixels(filter_, strip)
    wider = strip.with_neighbours()
    means = _means(wider)
    start, stop = strip.start - wider.start, strip.stop - wider.start
    return means[start:stop], over_means(filter_, strip, means, start, stop)


def reward_differences(
    out: Array, joint: bool, strip: Strip, parameters: DetailParameters, means: Array, guide: Array
) -> None:
    """Fill `out` with a strip; `means` and `guide` of its windows are (rows, C, w)."""
    reward = _reward(joint, strip, parameters)
    factor, base = None, np.array(strip.raster.unit**2)
    if rewards.is_scaled(parameters, strip.raster):
        factor, base = _factor_of_u(strip, reward, guide, rewards.is_normalised(parameters))
    shared = strip.raster.channels > MOST_CHANNELS
    if strip.light is not None or strip.maps.importance is not None or shared:
        out[:] = strip.pixels(_weighed(strip, reward, parameters.alpha, guide, factor, base))
        return
    total, weight = sweep(strip, DETAIL if factor is None else SCALED_DETAIL, reward, guide, factor)
    blend = None
    if parameters.alpha > 0:  # on the scale of the sums
        share = _share(strip.grid.window_area, parameters.alpha, reward, base)
        blend = np.broadcast_to(share, weight.shape).astype(means.dtype)
    finish(out, strip, guide, means, total, weight, blend)


def _reward(joint: bool, strip: Strip, parameters: DetailParameters) -> Reward:
    offset, floor = rewards.offset_and_floor(parameters, strip.raster, joint)
    return Reward(
        exponent=rewards.exponent_of(parameters),
        offset=offset,
        floor=floor,
        joint=joint,
        asymmetric=parameters.variant == Variant.ASYM,
    )


def _share(pixels: float, alpha: float, reward: Reward, base: Array) -> Array:
    """Weight that alpha gives to some pixels, such as those of a window, on the scale of the sums."""
    if alpha == 0:
        return np.zeros(())
    octaves = rewards.octaves_of(alpha, pixels)
    return rewards.constant_of(octaves, base, reward.exponent, _LARGEST_SHARE)


def _weighed(
    strip: Strip, reward: Reward, alpha: float, guide: Array, factor: Array | None, base: Array
) -> Array:
    """Weighted means of light or values, (rows, w * C); `factor` and `base` are those of `_factor_of_u`."""
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
    numbers = reward.of(DETAIL, real)
    scalars = (
        _least(reward, real), real(most), numbers.exponent, numbers.offset, numbers.floor, numbers.power
    )  # fmt: skip
    alphas = np.broadcast_to(constant, factor.shape)
    return linear_light.detail(strip, strip.light, scalars, guide, factor, alphas)


def _least(reward: Reward, real: type[np.floating[Any]]) -> Any:
    """The least difference that counts."""
    return real(0 if reward.asymmetric else np.finfo(np.float32).min)


def _factor_of_u(strip: Strip, reward: Reward, guide: Array, normalised: bool) -> tuple[Array, Array]:
    """A factor for u in each window and distance, and the factor by which alpha scales.

    Kernels compute u on the scale of the pixels and divide it by its largest value in the window. The ratio
    of two rewards stays the same, but alpha, which is added to them, must follow: multiply it by the second
    factor to the power of the exponent.
    """
    if strip.raster.channels > MOST_CHANNELS:
        numbers = reward.of(RANGE, strip.raster.real)
        least = _least(reward, strip.raster.real)
        u, largest = linear_light.joint_range(strip, least, numbers.offset, numbers.floor, guide)
    else:
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
