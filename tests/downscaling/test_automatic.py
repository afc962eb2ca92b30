"""Lambda that follows from scale and contrast."""

from __future__ import annotations

import numpy as np
import pytest

from dpid_cli import METHODS, ArgumentError, automatic, downscale, gradients
from support.exact import random_image

CLOUDS = np.random.default_rng(0).random((6, 6, 3)).repeat(48, 0).repeat(48, 1)


def contrast(image):
    return float(np.sqrt(np.asarray(image, float).reshape(-1, image.shape[2]).var(0).mean()))


@pytest.mark.parametrize(("scale", "lambda_"), [(1.5, 1), (2, 1), (3, 1), (4, 0.75), (8, 0.375), (16, 0.187)])
def test_scale_decides_where_contrast_stays(scale, lambda_):
    """Blocks of one colour keep their contrast at any lambda."""
    assert automatic(CLOUDS, scale=scale, lambda_="auto") == {"lambda_": lambda_}


def test_both_axes_count():
    assert automatic(CLOUDS, size=(72, 18), lambda_="auto") == {"lambda_": 0.375}  # sqrt(4 * 16) = 8


def speckled(side):
    """Rare bright pixels on a ramp: with lambda 1, most of the output would be bright."""
    image = np.linspace(0, 0.3, side)[:, None, None].repeat(side, 1).repeat(3, 2)
    image[np.random.default_rng(1).random((side, side)) < 0.03] = 1
    return (image * 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("linear", [False, True])
def test_contrast_does_not_rise(method, linear):
    image = speckled(240)
    (lambda_,) = automatic(image, scale=3, method=method, linear=linear, lambda_="auto").values()
    assert 0.02 < lambda_ < 0.95
    low, high = (
        contrast(downscale(image, scale=3, method=method, linear=linear, lambda_=lambda_ + step))
        for step in (0, 0.1)
    )
    assert low <= contrast(image) * 1.002 < high


@pytest.mark.parametrize("method", [name for name, m in METHODS.items() if "lambda_" in m.defaults])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_number_gives_the_same_output(method, dtype):
    image = random_image((72, 96, 3), dtype, seed=2)
    numbers = automatic(image, scale=4, method=method, lambda_="auto")
    result = downscale(image, scale=4, method=method, lambda_="auto")
    np.testing.assert_array_equal(result, downscale(image, scale=4, method=method, **numbers))


def test_large_images_are_sampled():
    """The number is that of the whole image, but for a little."""
    (large,) = automatic(speckled(1536), scale=3, lambda_="auto").values()
    (small,) = automatic(speckled(240), scale=3, lambda_="auto").values()
    assert 0.02 < large < 0.95
    assert abs(large - small) < 0.1


@pytest.mark.parametrize("threads", [1, 3])
def test_value_range_and_threads(threads):
    image = random_image((72, 96), "float32", seed=4)
    settings = {"lambda_": "auto", "noise": "auto", "threads": threads}
    shifted = downscale(image * 200 - 100, scale=3, value_range=(-100, 100), **settings)
    np.testing.assert_allclose(shifted, downscale(image, scale=3, **settings) * 200 - 100, atol=0.02)


def test_filters_may_set_it_aside():
    image = random_image((72, 96, 3), "uint8", seed=5)
    numbers = automatic(image, scale=4, guidance="photo", lambda_="auto")
    assert 0 < numbers["lambda_"] <= 0.75
    assert automatic(image, scale=4, guidance="photo") == {}


def test_own_size_is_a_copy():
    image = random_image((20, 30, 3), "uint8", seed=6)
    np.testing.assert_array_equal(downscale(image, scale=1, lambda_="auto", noise="auto"), image)


@pytest.mark.parametrize("lambda_", ["automatic", "AUTO", -1, None])
def test_other_words(lambda_):
    if lambda_ is None:
        assert automatic(CLOUDS, scale=2, lambda_=None) == {}
        return
    with pytest.raises(ArgumentError, match="or auto"):
        automatic(CLOUDS, scale=2, lambda_=lambda_)


def test_gradients_need_numbers():
    with pytest.raises(ArgumentError, match="auto"):
        gradients(np.ones((4, 4)), np.ones((2, 2)), scale=2, lambda_="auto")
