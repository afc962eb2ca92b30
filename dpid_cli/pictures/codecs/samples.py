"""Pixels as files of 16 bits and of floats store them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Samples(NamedTuple):
    """Values of uint16 or float32, (H, W[, C]), not turned upright.

    `alpha` tells whether the last channel is straight alpha, `notes` what of the file is lost.
    """

    values: NDArray[Any]
    alpha: bool
    notes: list[str]


def stretched(values: NDArray[np.uint16], largest: int) -> NDArray[np.uint16]:
    """Values from 0 to `largest` as ones from 0 to 65535."""
    if largest == 65535:
        return values
    wide = np.minimum(values, largest).astype(np.uint32)
    return ((wide * 65535 + largest // 2) // largest).astype(np.uint16)
