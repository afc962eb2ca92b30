"""Images with more than four channels: the same rule, against the float64 oracle."""

from __future__ import annotations

import numpy as np
import pytest

import dpid_cli
from dpid_cli import ArgumentError, Filter, Transfer
from support import oracle
from support.exact import assert_exact, random_image, result_size

GAUSSIAN = np.outer([1, 2, 1], [1, 2, 1]) / 16
SETTINGS = {
    "default": {},
    "small lambda and alpha": {"lambda_": 0.5, "alpha": 0.1},
    "lambda that would overflow": {"lambda_": 64},
    "asym": {"variant": "asym"},
    "normalize": {"guidance": "box", "normalize": "mean", "alpha": 0.2},
    "epsilon": {"epsilon": 2.0, "lambda_": 3},
    "noise": {"noise": 0.05},
    "linear": {"linear": True},
    "lambda 0": {"lambda_": 0},
}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("channels", [5, 7, 16])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_joint_distance(dtype, channels, settings):
    image = random_image((23, 31, channels), dtype, seed=channels)
    assert_exact(image, (9, 5), "dpid", **SETTINGS[settings])


@pytest.mark.parametrize("scale", [1, 1.03, 1.37, 2, 3, 7.5, 16])
def test_scales(scale):
    image = random_image((29, 37, 6), "uint8")
    assert_exact(image, result_size(image, scale))


def test_windows_wider_than_a_tile_and_images_over_several():
    assert_exact(random_image((6, 2600, 5), "uint8", seed=1), (2, 2))
    assert_exact(random_image((5, 1300, 5), "uint8", seed=1), (1271, 4))


@pytest.mark.parametrize("channels", [5, 9])
@pytest.mark.parametrize("method", ["dpp", *oracle.PLAIN, "s3dpp", "s3pool"])
def test_channel_by_channel(method, channels):
    form = {"form": "expected"} if method.startswith("s3") else oracle.PLAIN.get(method, {})
    image = random_image((24, 36, channels), "uint8", seed=3)
    assert_exact(image, (9, 6), method, **form)
    if method not in ("subsample", "s3pool"):
        assert_exact(image, (9, 6), method, **form, linear=True)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("grid", ["output", "input", "input for all"])
def test_learned_guidance(method, grid):
    rng = np.random.default_rng(0)
    by_channel = [GAUSSIAN * (1 + 0.1 * k) for k in range(6)]
    on_input = {"grid": "input", "scale": 4, "offset": (-1, -1)}
    filter_ = {
        "output": lambda: Filter(np.array(by_channel), bias=[0.01 * k for k in range(6)]),
        "input": lambda: Filter(rng.random((6, 4, 4)) / 16, **on_input),
        "input for all": lambda: Filter(rng.random((4, 4)) / 16, **on_input),
    }[grid]()
    assert_exact(random_image((24, 36, 6), "float32", seed=5), (9, 6), method, guidance=filter_)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_noise_of_each_channel(method):
    image = random_image((24, 36, 6), "float32", seed=5)
    assert_exact(image, (9, 6), method, noise=[0.01, 0.02, 0, 0.03, 0.1, 0.2])
    with pytest.raises(ArgumentError, match="noise: has 3 numbers for 6 channels"):
        dpid_cli.downscale(image, scale=4, noise=[0.1, 0.2, 0.3])


def test_own_guidance_is_that_of_the_name():
    image = random_image((24, 36, 6), "float64", seed=6)
    own = oracle.smooth(oracle.box(image, (9, 6)))
    for method in "dpid", "dpp":
        by_name = dpid_cli.downscale(image, size=(9, 6), method=method, guidance="gaussian")
        by_image = dpid_cli.downscale(image, size=(9, 6), method=method, guidance=own)
        np.testing.assert_allclose(by_image, by_name, atol=1e-12)


def test_pixels_without_importance_do_not_count():
    image = random_image((24, 36, 6), "float64", seed=6)
    importance = np.tile([1, 0], (24, 18))
    for method in "box", "dpid", "dpp":
        kept = dpid_cli.downscale(image[:, ::2], size=(9, 6), method=method)
        both = dpid_cli.downscale(image, size=(9, 6), method=method, importance=importance)
        np.testing.assert_allclose(both, kept, atol=1e-12)


def test_repeated_channels_change_no_weight():
    """Their distance is a multiple, so the weights of DPID are in the same ratio."""
    image = random_image((40, 52, 3), "float64", seed=7)
    once, often = (dpid_cli.downscale(pixels, scale=4) for pixels in (image, np.tile(image, (1, 1, 5))))
    np.testing.assert_allclose(often, np.tile(once, (1, 1, 5)), atol=1e-12)


@pytest.mark.parametrize("method", ["dpid", "box", "stochastic"])
def test_threads_change_nothing(method):
    image = random_image((900, 1100, 6), "uint8", seed=8)
    one, four = (dpid_cli.downscale(image, scale=3, method=method, threads=n) for n in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_curves_of_each_channel():
    """A separable transfer knows the channels that it gets."""
    powers = np.linspace(1, 2.2, 6)
    curves = Transfer(lambda x: np.abs(x) ** powers, lambda x: np.abs(x) ** (1 / powers))
    image = random_image((24, 36, 6), "float64", seed=9)
    for method in "box", "dpp":
        result = dpid_cli.downscale(image, scale=4, method=method, linear=curves)
        for j, power in enumerate(powers):
            one = Transfer(lambda x, p=power: np.abs(x) ** p, lambda x, p=power: np.abs(x) ** (1 / p))
            expected = dpid_cli.downscale(image[..., j], scale=4, method=method, linear=one)
            np.testing.assert_allclose(result[..., j], expected, atol=1e-12)


def test_what_cannot_be():
    image = random_image((24, 36, 6), "float32")
    mixing = Transfer(lambda x: x[:, ::-1], lambda x: x[:, ::-1], separable=False)
    assert dpid_cli.downscale(image, scale=4, linear=mixing).shape == (6, 9, 6)
    with pytest.raises(ArgumentError, match=r"linear: .* at most 4 channels, or dpid"):
        dpid_cli.downscale(image, scale=4, method="box", linear=mixing)
    with pytest.raises(ArgumentError, match="image must have at most 4 channels"):
        dpid_cli.gradients(image, np.zeros((6, 9, 6)), scale=4)
    with pytest.raises(ArgumentError, match="device: more than 4 channels run on the CPU only"):
        dpid_cli.downscale(image, scale=4, device="cuda")
    assert dpid_cli.downscale(image, scale=4, device="auto").shape == (6, 9, 6)
