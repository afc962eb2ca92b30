"""DPID and DPP: from parameters to sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.guidance import means_and_guide
from dpid_cli.kernels import windows
from dpid_cli.methods import box
from dpid_cli.sweeps import Reward, Strip, finish, sweep

# Up to here u**(lambda / 2) neither underflows where it matters nor overflows, in float32.
SAFE_LAMBDA = 4.0


def fill(out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any]) -> None:
    """Fill `out`, (rows, w * C), with a strip of ``dpid`` or ``dpp``."""
    lambda_, alpha = parameters["lambda_"], parameters["alpha"]
    if lambda_ == 0:  # all weights are 1 + alpha
        box.fill(out, name, strip, {})
        return
    means, guide = means_and_guide(parameters["guidance"], strip)
    reward = Reward(
        exponent=lambda_ / 2,
        epsilon2=(parameters["epsilon"] * strip.raster.unit) ** 2,
        joint=name == "dpid",
        asymmetric=parameters["variant"] == "asym",
    )
    sums, base = _weigh(strip, reward, guide, parameters["normalize"] == "mean" and alpha > 0)
    blend = None
    if alpha > 0:
        # alpha on the scale of the sums; from 1e30 on it alone decides.
        share = alpha * strip.grid.window_area * base.astype(np.float64) ** reward.exponent
        blend = np.broadcast_to(np.minimum(share, 1e30), strip.shape).astype(means.dtype)
    finish(out, strip.raster, sums, guide, means, joint=reward.joint, blend=blend)


def _weigh(
    strip: Strip, reward: Reward, guide: NDArray[Any], normalised: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sums of weights and weighted differences, and the factor of u that they lack.

    The kernel computes u on the scale of the pixels, or divided by its largest value in the window
    where a power could underflow or its mean is asked for. The ratio of two rewards stays
    the same, but alpha, which is added to them, must follow: it is to be multiplied by the factor's
    power.
    """
    unit2 = strip.raster.unit**2
    if 2 * reward.exponent <= SAFE_LAMBDA and not normalised:
        return sweep(strip, windows.DETAIL, reward, guide), np.array(unit2)
    ranges = sweep(strip, windows.RANGE, reward, guide)
    total, largest = ranges[:, 0], ranges[:, 1]
    # Below 1e-37 the reciprocal overflows; such a window is as flat as its guidance.
    factor = np.divide(1, largest, out=np.zeros_like(largest), where=largest > 1e-37)
    sums = sweep(strip, windows.SCALED_DETAIL, reward, guide, factor)
    return sums, factor * (total / strip.grid.window_area if normalised else unit2)
