"""Types of arrays other than the four that kernels read."""

from __future__ import annotations

import numpy as np
import pytest

import dpid_cli
from dpid_cli import ArgumentError
from support import oracle
from support.exact import random_image

SIZE = (9, 5)
INTEGERS = ["int8", "int16", "int32", "int64", "uint32", "uint64"]


def rounded(exact: np.ndarray, result: np.ndarray) -> None:
    """Each output is a nearest integer, halves either way."""
    assert np.abs(exact - result.astype(np.float64)).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("method", ["dpid", "dpp", "softpool", "max"])
def test_float16(method):
    image = random_image((23, 31, 3), "float16", seed=1)
    result = dpid_cli.downscale(image, size=SIZE, method=method)
    exact = oracle.downscale(image.astype(np.float64), SIZE, method)
    assert result.dtype == np.float16
    assert np.abs(result - exact).max() <= 2.0**-11  # half a unit in the last place below 2


@pytest.mark.parametrize("method", ["dpid", "box", "min"])
def test_bool(method):
    image = random_image((23, 31), "float64", seed=2) > 0.4
    result = dpid_cli.downscale(image, size=SIZE, method=method)
    exact = oracle.downscale(image.astype(np.float64), SIZE, method)
    assert result.dtype == np.bool_
    clear = np.abs(exact - 0.5) > 1 / 255
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(result[clear], exact[clear] > 0.5)


def test_half_white_is_white():
    image = np.tile([[True, False], [False, True]], (4, 4))
    assert dpid_cli.downscale(image, scale=2, method="box").all()


@pytest.mark.parametrize("method", ["dpid", "box", "lp", "edscw"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_whose_white_does_not_matter(dtype, method):
    """`lp` and `edscw` depend on where 0 is, which therefore must not move."""
    bounds = np.iinfo(dtype)
    low, high = max(bounds.min, -3000) + 1, min(bounds.max, 30000)
    image = np.random.default_rng(3).integers(low, high, (23, 31, 2)).astype(dtype)
    result = dpid_cli.downscale(image, size=SIZE, method=method)
    assert result.dtype == image.dtype
    rounded(oracle.downscale(image.astype(np.float64), SIZE, method), result)


@pytest.mark.parametrize("low", [0, -(2**40)])
def test_large_integers_keep_their_digits(low):
    image = low + np.random.default_rng(4).integers(0, 1000, (12, 16))
    result = dpid_cli.downscale(image, scale=4, method="box")
    exact = oracle.box((image - low).astype(np.float64)[..., None], (4, 3))[..., 0]
    assert np.abs(result - low - exact).max() <= 0.501


@pytest.mark.parametrize("method", ["dpp", "softpool", "dpid"])
@pytest.mark.parametrize("dtype", ["int16", "int32", "uint64"])
def test_value_range_of_integers(dtype, method):
    image = np.random.default_rng(5).integers(0, 4096, (23, 31)).astype(dtype)
    result = dpid_cli.downscale(image, size=SIZE, method=method, value_range=(0, 4095))
    assert result.dtype == image.dtype
    rounded(oracle.downscale(image / 4095, SIZE, method) * 4095, result)


@pytest.mark.parametrize("guidance_dtype", ["int32", "float64"])
@pytest.mark.parametrize("value_range", [None, (0, 4095)])
def test_own_guidance_is_in_the_units_of_the_image(value_range, guidance_dtype):
    image = np.random.default_rng(6).integers(0, 4096, (24, 36)).astype(np.int32)
    own = np.rint(oracle.smooth(oracle.box(image[..., None].astype(float), (9, 6))))[..., 0]
    result = dpid_cli.downscale(image, scale=4, guidance=own.astype(guidance_dtype), value_range=value_range)
    exact = dpid_cli.downscale(image / 4095, scale=4, guidance=own / 4095) * 4095
    rounded(exact, result)


def test_numbers_that_follow_from_the_image():
    levels = random_image((64, 80), "uint8", seed=7)
    found = dpid_cli.automatic(levels, scale=4, lambda_="auto")
    wide = levels.astype(np.int64)
    assert dpid_cli.automatic(wide, scale=4, lambda_="auto") == found
    np.testing.assert_array_equal(
        dpid_cli.downscale(wide, scale=4, lambda_="auto"), dpid_cli.downscale(wide, scale=4, **found)
    )


@pytest.mark.parametrize("dtype", ["bool", "float16", "int32", ">u2", ">i4"])
def test_same_size_is_a_copy(dtype):
    image = (random_image((12, 16), "float64") * 50).astype(dtype)
    result = dpid_cli.downscale(image, scale=1)
    assert result.dtype == image.dtype.newbyteorder("=") and result is not image
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((8, 8), 200), r"values of int64 from 200 to 200: .*value_range=.*image.astype\(np.uint8\)"),
        (np.full((8, 8), 2000), r"image.astype\(np.uint16\)"),
        (np.full((8, 8), -2), r"from -2 to -2: .*give value_range=\(black, white\)$"),
    ],
)
def test_integers_whose_white_matters(image, words):
    with pytest.raises(ArgumentError, match=words):
        dpid_cli.downscale(image, scale=2, method="dpp")


def test_gradients_say_what_to_convert():
    with pytest.raises(ArgumentError, match=r"image dtype must be uint8.*\(got int64\): convert it"):
        dpid_cli.gradients(np.zeros((8, 8), int), np.zeros((4, 4)), scale=2)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float16", "uint8"])
def test_importance_of_any_type(dtype):
    image = random_image((12, 16), "float64")
    mask = np.arange(12 * 16).reshape(12, 16) % 2
    expected = dpid_cli.downscale(image, scale=4, importance=mask.astype(np.float64))
    np.testing.assert_array_equal(dpid_cli.downscale(image, scale=4, importance=mask.astype(dtype)), expected)
