"""The box filter: the mean of each window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.guidance import window_means
from dpid_cli.sweeps import Strip, finish


def fill(out: NDArray[Any], name: str, strip: Strip, parameters: Mapping[str, Any]) -> None:
    """Fill `out`, (rows, w * C), with a strip."""
    means = window_means(strip)
    no_detail = np.zeros((len(means), 2, *means.shape[1:]), means.dtype)
    finish(out, strip.raster, no_detail, means, means)
