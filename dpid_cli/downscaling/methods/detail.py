"""DPID and DPP: from parameters to sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.methods import box, linear_light
from dpid_cli.downscaling.methods.guidance import means_and_guide
from dpid_cli.downscaling.methods.sweeps import Reward, Strip, finish, sweep
from dpid_cli.kernels.rewards import DETAIL, RANGE, SAFE_LAMBDA, SCALED_DETAIL


def fill(out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any]) -> None:
    """Fill `out`, (rows, w * C), with a strip of ``dpid`` or ``dpp``."""
    if parameters["lambda_"] == 0:  # all weights are 1 + alpha
        box.fill(out, name, strip, {})
        return
    means, guide = means_and_guide(parameters["guidance"], strip)
    reward_differences(out, name == "dpid", strip, parameters, means, guide)


def reward_differences(
    out: NDArray[Any],
    joint: bool,
    strip: Strip,
    parameters: Mapping[str, Any],
    means: NDArray[Any],
    guide: NDArray[Any],
) -> None:
    """Fill `out` with a strip, given the means and the guidance of its windows, each (rows, C, w)."""
    lambda_, alpha = parameters["lambda_"], parameters["alpha"]
    reward = Reward(
        exponent=lambda_ / 2,
        epsilon2=(parameters["epsilon"] * strip.raster.unit) ** 2,
        joint=joint,
        asymmetric=parameters["variant"] == "asym",
    )
    factor, base = _factor_of_u(strip, reward, guide, parameters["normalize"] == "mean" and alpha > 0)
    if strip.light is not None:
        if factor is None:
            planes = 1 if joint else strip.raster.channels
            factor, base = np.full((len(guide), planes, guide.shape[2]), 1 / base, guide.dtype), np.ones(())
        beside = np.broadcast_to(alpha * base.astype(np.float64) ** reward.exponent, factor.shape)
        out[:] = strip.light.encode(linear_light.detail(strip, strip.light, reward, guide, factor, beside))
        return
    task = DETAIL if factor is None else SCALED_DETAIL
    total, weight = sweep(strip, task, reward, guide, factor)
    blend = None
    if alpha > 0:
        # alpha on the scale of the sums; from 1e30 on it alone decides.
        share = alpha * strip.grid.window_area * base.astype(np.float64) ** reward.exponent
        blend = np.broadcast_to(np.minimum(share, 1e30), weight.shape).astype(means.dtype)
    finish(out, strip, guide, means, total, weight, blend)


def _factor_of_u(
    strip: Strip, reward: Reward, guide: NDArray[Any], normalised: bool
) -> tuple[NDArray[Any] | None, NDArray[Any]]:
    """A factor for u in each window and distance, None for 1, and the factor that u would need with it.

    Kernels compute u on the scale of the pixels, or divided by its largest value in the window
    where a power could underflow or its mean is asked for. The ratio of two rewards stays
    the same, but alpha, which is added to them, must follow: it is to be multiplied by the second factor's
    power.
    """
    unit2 = strip.raster.unit**2
    if 2 * reward.exponent <= SAFE_LAMBDA and not normalised:
        return None, np.array(unit2)
    u, largest = sweep(strip, RANGE, reward, guide)
    # Below 1e-37 the reciprocal overflows, and no reward counts beside alpha.
    rewarded = largest > 1e-37
    factor = np.divide(1, largest, out=np.zeros_like(largest), where=rewarded)
    base = factor * (u[:, : factor.shape[1]] / strip.grid.window_area if normalised else unit2)
    return factor, np.where(rewarded, base, 1)
