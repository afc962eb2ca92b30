"""Images of floats that are no intensities: refused where it matters, or mapped by value_range."""

from __future__ import annotations

import numpy as np
import pytest

import dpid_cli
from dpid_cli import METHODS, ArgumentError, downscale
from support import oracle

LEVELS = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
# Whose result for values from 0 to 255 is not 255 times that for intensities, by the equations.
ABSOLUTE = {"dpp", "s3dpp", "softpool", "adapool"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("method", METHODS)
def test_values_from_0_to_255(method, dtype):
    values = LEVELS.astype(dtype)
    if method in ABSOLUTE:
        with pytest.raises(ArgumentError, match=r"image: float values .* range from 0 to 255: .*value_range"):
            downscale(values, scale=4, method=method)
    else:
        scaled = downscale(values / dtype(255), scale=4, method=method) * 255
        np.testing.assert_allclose(downscale(values, scale=4, method=method), scaled, rtol=0, atol=1e-2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"alpha": 0.1},
        {"epsilon": 0.1},
        {"linear": True},
        {"guidance": dpid_cli.Filter(np.ones((3, 3)) / 9, bias=0.1)},
        {"method": "gated", "gate": np.ones((4, 4))},
        {"method": "box", "linear": True},
        {"method": "lanczos", "linear": True},
    ],
)
def test_arguments_that_need_intensities(arguments):
    for values in LEVELS.astype(np.float32), -LEVELS.astype(np.float64):
        with pytest.raises(ArgumentError, match="value_range"):
            downscale(values, scale=4, **arguments)
    downscale(LEVELS, scale=4, **arguments)
    downscale(LEVELS / 200.0, scale=4, **arguments)  # slightly outside


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"alpha": 0.1, "normalize": "mean"},
        {"lambda_": 0, "epsilon": 0.1},
        {"method": "max", "linear": True},
    ],
)
def test_arguments_that_need_none(arguments):
    values = LEVELS.astype(np.float64)
    scaled = downscale(values / 255, scale=4, **arguments) * 255
    np.testing.assert_allclose(downscale(values, scale=4, **arguments), scaled, atol=1e-9)


@pytest.mark.parametrize(("black", "white"), [(0, 255), (-430.5, 8849.0), (-1e6, 1e7)])
@pytest.mark.parametrize("arguments", [{"method": "dpp"}, {"alpha": 0.2, "linear": True}, {"method": "lp"}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_range_of_values(dtype, arguments, black, white):
    intensities = LEVELS / 255
    values = (black + intensities * (white - black)).astype(dtype)
    result = downscale(values, scale=4, value_range=(black, white), **arguments)
    exact = oracle.downscale(intensities, (4, 3), **{"method": "dpid", **arguments})
    assert result.dtype == dtype
    tolerance = (1e-5 if dtype == np.float32 else 1e-9) * (white - black)
    np.testing.assert_allclose(result, black + exact * (white - black), rtol=0, atol=tolerance)


def test_what_is_given_counts():
    """Bright values of high dynamic range may be computed unchanged."""
    values = np.random.default_rng(1).random((8, 8)) * 30
    result = downscale(values, scale=4, method="dpp", value_range=(0, 1))
    np.testing.assert_allclose(result, oracle.downscale(values, (2, 2), "dpp"), rtol=1e-9)


@pytest.mark.parametrize(
    "wrong",
    [(0,), (0, 0), (1, 0), (0, np.inf), (0, np.nan), "0,1", 255, ("a", "b"), (0, 1, 2), (False, True)],
)
def test_wrong_ranges(wrong):
    with pytest.raises(ArgumentError, match="value_range must be"):
        downscale(np.zeros((8, 8)), scale=2, value_range=wrong)


def test_integers_have_their_own_range():
    with pytest.raises(ArgumentError, match="of floats or of integers other than uint8 and uint16"):
        downscale(LEVELS, scale=2, value_range=(0, 255))
