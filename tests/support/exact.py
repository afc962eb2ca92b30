"""Images to compare with the float64 oracle, and the comparison."""

from __future__ import annotations

import numpy as np

import dpid_cli
from support import oracle


def random_image(shape, dtype, seed=0):
    """Noise with flat parts, black, white, and single bright pixels."""
    rng = np.random.default_rng(seed)
    values = rng.random(shape)
    values[: shape[0] // 3] = values[: shape[0] // 3] * 0.05 + 0.4
    values[-5:, -9:] = 0.25
    values[:3, :4] = 1
    values[5:6, 5:6] = 1
    values[6:9, :7] = 0
    unit = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    return np.rint(values * unit).astype(dtype) if unit > 1 else values.astype(dtype)


def result_size(image, scale):
    """(width, height) of an output."""
    return tuple(max(1, int(np.floor(n / scale + 0.5))) for n in (image.shape[1], image.shape[0]))


def assert_exact(image, size, method="dpid", **parameters):
    result = dpid_cli.downscale(image, size=size, method=method, **parameters)
    exact = oracle.downscale(image, size, method, **parameters)
    assert result.dtype == image.dtype
    assert result.shape == exact.shape
    if image.dtype.kind == "f":
        tolerance = 1e-5 if image.dtype == np.float32 else 1e-10
        np.testing.assert_allclose(result, exact, rtol=0, atol=tolerance)
        return
    levels = exact * np.iinfo(image.dtype).max
    allowed = 1 if image.dtype == np.uint8 else 2
    difference = np.abs(result - levels)
    assert difference.max() <= allowed + 0.5 - 1e-9
    if image.dtype == np.uint8:
        nearest = difference <= 0.5 + 1e-4  # near a tie, float32 cannot tell
        assert np.mean(nearest) >= 0.999
