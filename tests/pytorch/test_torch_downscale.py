"""`dpid_cli.torch.downscale` against the float64 oracle, the library, and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[torch]'")

import torch
from torch.autograd import gradcheck, gradgradcheck

import dpid_cli
import dpid_cli.torch
from dpid_cli import ArgumentError, Filter, SizeError
from support import oracle
from support.layers import array_of, images, sample

GAUSSIAN = np.outer([1, 2, 1], [1, 2, 1]) / 16
SETTINGS = {
    "default": {},
    "alpha": {"lambda_": 0.5, "alpha": 0.1},
    "lambda that would overflow": {"lambda_": 64.0},
    "limit": {"lambda_": 1e4},
    "lambda 0": {"lambda_": 0.0},
    "asym": {"variant": "asym", "lambda_": 4.0, "alpha": 1e-3},
    "box": {"guidance": "box"},
    "gaussian": {"guidance": "gaussian"},
    "normalize": {"normalize": "mean", "alpha": 0.2},
    "noise": {"noise": 0.05},
    "large alpha": {"alpha": 1e20},
    "filter of differences": {"guidance": Filter([[0.0, 1, 0], [0, 0, 0], [0, -1, 0]])},
    "filter with bias": {"guidance": Filter(GAUSSIAN * 1.1, bias=0.02)},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize(
    ("shape", "size"), [((24, 36, 3), (9, 6)), ((11, 13, 5), (7, 5)), ((11, 13, 1), (1, 1))]
)
def test_oracle(shape, size, method, settings):
    image, batch = sample(shape, "float64", seed=1)
    exact = oracle.downscale(image, size, method, **SETTINGS[settings])
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        result = dpid_cli.torch.downscale(batch.to(dtype), size=size, method=method, **SETTINGS[settings])
        assert result.dtype == dtype
        np.testing.assert_allclose(array_of(result), exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
def test_filters_over_pixels(padding):
    image, batch = sample((24, 36, 3), "float64", seed=2)
    kernel = np.random.default_rng(0).random((3, 4, 4)) / 16
    filter_ = Filter(kernel, grid="input", scale=4, offset=(-1, -1), padding=padding, bias=[0.1, 0, -0.1])
    exact = oracle.downscale(image, (9, 6), "dpp", guidance=filter_)
    result = dpid_cli.torch.downscale(batch, scale=4, method="dpp", guidance=filter_)
    np.testing.assert_allclose(array_of(result), exact, rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
def test_library(dtype, tolerance, method):
    image, batch = sample((60, 90, 3), dtype, seed=3)
    for scale in (1, 2, 3.7):
        expected = dpid_cli.downscale(image, scale=scale, method=method)
        result = dpid_cli.torch.downscale(batch, scale=scale, method=method)
        np.testing.assert_allclose(array_of(result), expected, rtol=0, atol=tolerance)


def test_filters_that_come_with_the_package():
    image, batch = sample((60, 90, 3), "float32", seed=3)
    expected = dpid_cli.downscale(image, scale=4, guidance="photo")
    result = dpid_cli.torch.downscale(batch, scale=4, guidance="photo")
    np.testing.assert_allclose(array_of(result), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(3, 2), (2, 3)])
@pytest.mark.parametrize("variant", ["sym", "asym"])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_derivatives(method, variant, size):
    x = images((1, 2, 5, 6)).requires_grad_()
    shape = () if method == "dpid" else (2,)
    lambda_ = torch.full(shape, 1.3, dtype=torch.float64, requires_grad=True)
    alpha = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    kernel = (torch.from_numpy(GAUSSIAN) + 0.01 * torch.randn(2, 3, 3, dtype=torch.float64)).requires_grad_()
    bias = torch.tensor([0.01, -0.02], dtype=torch.float64, requires_grad=True)

    def call(x, lambda_, alpha, kernel, bias):
        return dpid_cli.torch.downscale(
            x, size=size, method=method, variant=variant, epsilon=0.1, normalize="none",
            lambda_=lambda_, alpha=alpha, guidance=kernel, bias=bias,
        )  # fmt: skip

    assert gradcheck(call, (x, lambda_, alpha, kernel, bias))
    if variant == "sym":  # whose second derivative does not jump
        assert gradgradcheck(call, (x, lambda_, alpha, kernel, bias), fast_mode=True)


def test_derivatives_of_the_library():
    image, batch = sample((12, 16, 2), "float64", seed=4)
    upstream = np.random.default_rng(5).normal(size=(3, 4, 2))
    batch.requires_grad_()
    lambda_ = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    alpha = torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    result = dpid_cli.torch.downscale(batch, scale=4, method="dpp", lambda_=lambda_, alpha=alpha)
    (result * torch.from_numpy(upstream).permute(2, 0, 1)).sum().backward()
    expected = dpid_cli.gradients(image, upstream, scale=4, method="dpp", lambda_=1.5, alpha=0.1)
    np.testing.assert_allclose(array_of(batch.grad), expected.image, atol=1e-9)
    assert lambda_.grad.item() == pytest.approx(expected.lambda_, abs=1e-9)
    assert alpha.grad.item() == pytest.approx(expected.alpha, abs=1e-9)


def test_a_flat_image_has_finite_derivatives():
    x = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    lambda_ = torch.tensor(1.0, requires_grad=True)
    dpid_cli.torch.downscale(x, scale=2, lambda_=lambda_).sum().backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(lambda_.grad)


def test_own_guidance_gets_a_gradient():
    x, guide = images((1, 2, 6, 6)), images((1, 2, 3, 3), seed=1).requires_grad_()
    assert gradcheck(lambda g: dpid_cli.torch.downscale(x, scale=2, guidance=g), (guide,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    x = images((2, 3, 16, 16)).to(dtype).requires_grad_()
    result = dpid_cli.torch.downscale(x, scale=4, lambda_=8.0, alpha=1e-3)
    result.float().sum().backward()
    assert result.dtype == dtype and torch.isfinite(result).all() and torch.isfinite(x.grad).all()
    expected = dpid_cli.torch.downscale(x.double(), scale=4, lambda_=8.0, alpha=1e-3)
    assert (result - expected).abs().max() < 2 * torch.finfo(dtype).eps


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x": torch.zeros(3, 8, 8)}, ArgumentError, r"x must be a tensor of shape \(N, C, H, W\)"),
        ({"x": np.zeros((1, 3, 8, 8))}, ArgumentError, r"x must be a tensor .*got ndarray"),
        ({"x": torch.zeros(1, 3, 8, 8, dtype=torch.uint8)}, ArgumentError, r"x must have floats .*/ 255"),
        ({"scale": 0.5}, SizeError, "scale: 0.5 would enlarge"),
        ({"method": "box"}, ArgumentError, "method: box has no gradients: use dpid or dpp"),
        ({"lambda_": -1.0}, ArgumentError, "lambda must be a finite number, 0 or more"),
        ({"lambda_": "auto"}, ArgumentError, "auto: has no derivative"),
        ({"lambda_": torch.ones(3)}, ArgumentError, r"lambda must have the shape \(\) \(got \(3,\)\)"),
        ({"guidance": torch.ones(5, 5)}, ArgumentError, r"guidance must be a filter, \(3, 3\) or"),
        ({"noise": [0.1, 0.2]}, ArgumentError, "noise: has 2 numbers for 3 channels"),
    ],
)
def test_wrong_arguments(arguments, error, words):
    keywords = {"x": torch.zeros(1, 3, 8, 8), "scale": 2, **arguments}
    with pytest.raises(error, match=words):
        dpid_cli.torch.downscale(keywords.pop("x"), **keywords)
