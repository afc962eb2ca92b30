"""Noise-aware weights: exact, the same as without noise where there is none, and of use where there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpid_cli import ArgumentError, automatic, downscale
from support.exact import assert_exact, random_image, result_size

BOTH = pytest.mark.parametrize("method", ["dpid", "dpp"])
plainly = settings(deadline=None, max_examples=30, derandomize=True)


@BOTH
@pytest.mark.parametrize("scale", [1.03, 1.37, 2, 4, 7.5])
@pytest.mark.parametrize("lambda_", [0.5, 0.7, 1, 2, 8])
def test_exact(method, lambda_, scale):
    for image in random_image((29, 37), "uint8"), random_image((40, 53, 3), "uint8", seed=1):
        assert_exact(image, result_size(image, scale), method, lambda_=lambda_, noise=0.1)


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_each_channel_has_its_own_noise(method, dtype, channels):
    image = random_image((29, 34, channels), dtype, seed=2)
    assert_exact(image, (7, 12), method, noise=(0.05, 0.2, 0.0, 0.1)[:channels])


@BOTH
@pytest.mark.parametrize("variant", ["sym", "asym"])
@pytest.mark.parametrize(("alpha", "normalize"), [(0.1, "none"), (0.1, "mean")])
@pytest.mark.parametrize("lambda_", [1, 8])
def test_with_every_parameter(method, variant, alpha, normalize, lambda_):
    image = random_image((19, 23, 3), "uint8", seed=1)
    assert_exact(
        image, (7, 5), method, noise=0.15,
        variant=variant, alpha=alpha, normalize=normalize, lambda_=lambda_,
    )  # fmt: skip


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("variant", ["sym", "asym"])
def test_in_linear_light(method, dtype, variant):
    for image in random_image((29, 34, 3), dtype, seed=4), random_image((29, 34), dtype, seed=5):
        assert_exact(image, (7, 12), method, noise=0.1, linear=True, variant=variant)


def test_mean_of_all_windows():
    assert_exact(random_image((24, 20, 3), "uint8", seed=6), (5, 6), "s3dpp", noise=0.1, form="expected")


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_without_noise_nothing_changes(method, dtype):
    image = random_image((61, 47, 3), dtype, seed=7)
    plain = downscale(image, scale=3, method=method)
    np.testing.assert_array_equal(downscale(image, scale=3, method=method, noise=0), plain)
    np.testing.assert_array_equal(downscale(image, scale=3, method=method, noise=(0, 0, 0)), plain)


@given(st.integers(0, 1000), st.sampled_from([0.25, 0.5, 2.0]), st.sampled_from([0.5, 1.0, 2.0]))
@plainly
def test_scaling_intensities_and_noise_together_changes_nothing(seed, factor, lambda_):
    image = np.random.default_rng(seed).random((12, 15, 3))
    small = downscale(image * factor, scale=3, noise=0.1 * factor, lambda_=lambda_)
    np.testing.assert_allclose(
        small, downscale(image, scale=3, noise=0.1, lambda_=lambda_) * factor, rtol=1e-9
    )


def test_much_noise_gives_the_mean():
    """No difference is above it, so all pixels weigh the same."""
    image = np.random.default_rng(8).random((20, 20, 3))
    np.testing.assert_allclose(downscale(image, scale=4, noise=1), downscale(image, scale=4, method="box"))


@pytest.mark.parametrize("shape", [(512, 512), (512, 512, 3)])
@pytest.mark.parametrize("sigma", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_noise_is_measured_and_not_amplified(shape, sigma, dtype):
    values = np.random.default_rng(9).normal(0.5, sigma, shape)
    unit = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    image = (np.clip(values, 0, 1) * unit + (0.5 if unit > 1 else 0)).astype(dtype)
    found = automatic(image, scale=4, noise="auto")["noise"]
    assert len(found) == (shape[2] if len(shape) > 2 else 1)
    np.testing.assert_allclose(found, sigma, rtol=0.06)
    box = downscale(image, scale=4, method="box").std()
    assert downscale(image, scale=4).std() > 1.25 * box
    assert downscale(image, scale=4, noise="auto").std() < 1.1 * box


def test_details_above_the_noise_stay():
    image = np.full((64, 64), 0.2) + np.random.default_rng(10).normal(0, 0.02, (64, 64))
    image[30, 30] = 0.9
    star = downscale(image, scale=4, noise=0.02)[7, 7]
    assert star > 0.9 * downscale(image, scale=4)[7, 7] > 2 * downscale(image, scale=4, method="box")[7, 7]


def test_smooth_images_have_no_noise():
    ramp = np.add.outer(np.linspace(0, 0.5, 200), np.linspace(0, 0.5, 200))
    assert automatic(ramp, scale=2, noise="auto") == {"noise": (0.0,)}
    assert max(automatic((ramp * 255).astype(np.uint8), scale=2, noise="auto")["noise"]) < 0.004


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (3, 3), (2, 2, 3), (17, 33, 4)])
def test_small_images(shape):
    image = random_image(shape, "uint8", seed=11)
    size = (max(1, shape[1] // 2), max(1, shape[0] // 2))
    result = downscale(image, size=size, noise="auto", lambda_="auto")
    numbers = automatic(image, size=size, noise="auto", lambda_="auto")
    np.testing.assert_array_equal(result, downscale(image, size=size, **numbers))


@pytest.mark.parametrize(
    ("noise", "words"),
    [(-1, "from 0 to 1"), ("much", "or auto"), ((0.1, 0.1), "2 numbers for 3 channels"), ((), "from 0 to 1")],
)
def test_wrong_noise(noise, words):
    with pytest.raises(ArgumentError, match=words):
        downscale(np.zeros((9, 9, 3)), scale=3, noise=noise)
