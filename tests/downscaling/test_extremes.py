"""Numbers far from the usual: large exponents, tiny values, exact ties, and no warning of NumPy."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpid_cli import METHODS, downscale
from support import oracle
from support.exact import assert_exact, random_image
from support.strategies import close

DTYPES = ("uint8", "uint16", "float32", "float64")
LAMBDAS = (20.0, 38.0, 400.0, 1e6, 1e30, sys.float_info.max)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        yield


def distinct_image(shape, dtype):
    """Few levels, so that distances from the guidance are equal or far apart."""
    step = {"uint8": 64, "uint16": 16384}.get(dtype, 0.25)
    return (np.random.default_rng(7).integers(0, 4, shape) * step).astype(dtype)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize(("alpha", "normalize"), [(0.0, "none"), (0.1, "none"), (0.1, "mean")])
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_lambda(dtype, alpha, normalize, lambda_, linear):
    image = distinct_image((12, 15, 3), dtype)
    for method in "dpid", "dpp":
        for variant in "sym", "asym":
            assert_exact(
                image, (3, 3), method,
                guidance="box", lambda_=lambda_, alpha=alpha, normalize=normalize, variant=variant,
                linear=linear,
            )  # fmt: skip


@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_lambda_cut_pixels_and_gaussian_guidance(dtype, lambda_):
    image = random_image((19, 23, 3), dtype, seed=1)
    for linear in False, True:
        assert_exact(image, (6, 7), lambda_=lambda_, linear=linear)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_lambda_at_every_pixel(dtype, lambda_, linear):
    """At these exponents, only the extremes of each window count."""
    image = distinct_image((8, 12), dtype)
    unit = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    result = downscale(
        image, scale=4, method="s3dpp", form="expected", lambda_=lambda_, variant="asym", linear=linear
    )
    rows = [np.pad(image, ((0, 3), (0, 3)), "edge")[y : y + 4] for y in range(8)]
    largest = np.array([[row[:, x : x + 4].max() for x in range(12)] for row in rows]) / unit
    light = oracle.to_light(largest) if linear else largest
    means = light.reshape(2, 4, 3, 4).mean((1, 3))
    exact = oracle.from_light(means) if linear else means
    if lambda_ >= 400:
        assert np.abs(result - exact * unit).max() <= (0.5 + 1e-3 if unit > 1 else 1e-5)
    assert np.isfinite(result).all() and (result > 0).any()


@pytest.mark.parametrize("epsilon", [1e-20, 3.0, 1e200])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_epsilon(dtype, epsilon):
    image = random_image((12, 15, 3), dtype, seed=3)
    if epsilon < 1e100:
        assert_exact(image, (3, 4), "dpp", epsilon=epsilon, lambda_=4)
    else:  # next to which all distances are equal
        wanted = downscale(image, size=(3, 4), method="box")
        result = downscale(image, size=(3, 4), method="dpp", epsilon=epsilon, lambda_=4)
        np.testing.assert_allclose(result, wanted, atol=1e-6 if wanted.dtype.kind == "f" else 0)


@pytest.mark.parametrize("alpha", [1e-300, 1e300])
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("lambda_", [1.0, 1e6, sys.float_info.max])
def test_any_alpha(lambda_, linear, alpha):
    image = distinct_image((12, 15, 3), "float64")
    assert_exact(image, (3, 4), "dpp", lambda_=lambda_, alpha=alpha, linear=linear)


@given(
    exponent=st.sampled_from([-60, -45, -30, -15, -8, -1, 8, 15]),
    lambda_=st.sampled_from([0.05, 0.5, 1, 1.5, 1.99, 2, 2.5, 3, 4, 5]),
    joint=st.booleans(),
    seed=st.integers(0, 99),
)
def test_floats_of_any_scale(exponent, lambda_, joint, seed):
    """With alpha and epsilon 0, only ratios count, so that a factor of all pixels is one of the output."""
    image = np.random.default_rng(seed).random((9, 12, 3) if joint else (9, 12)).astype(np.float32)
    factor = np.float32(2.0**exponent)
    result = downscale(image * factor, size=(4, 3), lambda_=lambda_)
    np.testing.assert_allclose(result / factor, downscale(image, size=(4, 3), lambda_=lambda_), rtol=1e-5)


def test_a_dark_corner():
    """Of an image with large values elsewhere."""
    dark = np.random.default_rng(0).random((8, 8))
    image = np.ones((16, 16))
    image[:8, :8] = dark * 2.0**-30
    result = downscale(image.astype(np.float32), scale=4, lambda_=4, guidance="box")
    exact = oracle.downscale(dark, (2, 2), "dpid", lambda_=4, guidance="box")
    close(result[:2, :2] * 2.0**30, exact, 1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("offset", [0, 0.98])
@pytest.mark.parametrize(("size", "window"), [((7, 5), 4), ((5, 7), 5), ((9, 9), None), ((6, 11), 7)])
def test_exact_ties(dtype, size, window, offset):
    """In windows of two values, each on half of the area, both are as far from the mean."""
    unit = np.iinfo(dtype).max
    low = int(offset * unit)
    rows, columns = np.indices((17, 19))
    board = np.where((rows + columns) % 2, low + 3, low).astype(dtype)
    result = downscale(board, size=size, method="extremum", window=window).astype(int)
    for row, column, pixels, cover in oracle.windows(board[..., None].astype(float), size, window):
        dark = sum(c for c, p in zip(cover.ravel(), pixels.ravel(), strict=True) if p == low)
        share = dark / cover.sum()
        wanted = low + 2 if abs(share - 0.5) < 1e-9 else low if share < 0.5 else low + 3
        assert result[row, column] == wanted


EXTREME = {
    "float32": [0.0, 1e-45, 1e-38, -1e-20, 1e-3, 1.0, 2.0, -1.0],
    "float64": [0.0, 5e-324, 1e-308, -1e-200, 1e-3, 1.0, 2.0, -1.0],
    "uint8": [0, 1, 254, 255],
    "uint16": [0, 1, 65534, 65535],
}
PARAMETERS = {
    "lambda_": (1e-300, 1.0, 2.5, sys.float_info.max), "alpha": (0.0, 1e-300, sys.float_info.max),
    "normalize": ("none", "mean"), "variant": ("sym", "asym"), "power": (1.0, 2.0, 3.0, sys.float_info.max),
    "beta": (0.0, 0.5, 1.0), "form": ("random", "expected"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", EXTREME)
@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
def test_no_warning(method, dtype, data):
    values = data.draw(st.lists(st.sampled_from(EXTREME[dtype]), min_size=96, max_size=96))
    image = np.array(values, dtype).reshape(8, 12)
    taken = METHODS[method].defaults
    parameters = {n: data.draw(st.sampled_from(v)) for n, v in PARAMETERS.items() if n in taken}
    result = downscale(image, scale=4, method=method, linear=data.draw(st.booleans()), **parameters)
    assert np.isfinite(result).all()
