"""Importance of pixels, and a guidance that the user gives."""

from __future__ import annotations

import numpy as np
import pytest

from dpid_cli import SRGB, ArgumentError, automatic, downscale
from support import oracle
from support.exact import random_image

UNIT = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}
TOLERANCE = {"uint8": 0.501 / 255, "uint16": 2.5 / 65535, "float32": 1e-5, "float64": 1e-10}
SIZES = [(7, 12), (17, 14), (32, 28)]  # of an image 34 x 29


def weighed(image, size, importance, method, linear=False, guidance=None, lambda_=1.0, alpha=0.0, noise=0.0):
    """The output by the definition, window by window, as intensities."""
    unit = UNIT[image.dtype.name]
    values = np.atleast_3d(image).astype(float) / unit
    q = np.broadcast_to(importance[..., None], (*image.shape[:2], 1)).astype(float)
    both = np.concatenate([values, q], axis=2)

    def mean(row, column, pixels, cover):
        share = cover * pixels[:, -1:]
        share = cover if share.sum() == 0 else share
        return (share * pixels[:, :-1]).sum(0) / share.sum()

    means = np.empty((size[1], size[0], values.shape[2]))
    for row, column, pixels, cover in oracle.windows(both, size):
        means[row, column] = mean(row, column, pixels, cover)
    defaults = oracle.DEFAULTS.get(method, {"epsilon": 0, "joint": True, "guidance": "box"})
    compared = oracle.smooth(means) if defaults["guidance"] == "gaussian" else means
    if guidance is not None:
        compared = np.broadcast_to(np.atleast_3d(guidance), means.shape)
    result = np.empty(means.shape)
    for row, column, pixels, cover in oracle.windows(both, size):
        share, own = cover * pixels[:, -1:], pixels[:, :-1]
        u = (own - compared[row, column]) ** 2
        u = u.sum(1, keepdims=True).repeat(u.shape[1], 1) if defaults["joint"] else u
        u = u + defaults["epsilon"] ** 2
        w = share * (alpha + u ** (lambda_ / 2)) if method != "box" else share + 0 * u
        averaged = oracle.to_light(own) if linear else own
        total = w.sum(0)
        fallback = means[row, column] if method == "box" else compared[row, column]
        light = (w * averaged).sum(0) / np.where(total > 0, total, 1)
        value = oracle.from_light(light) if linear else light
        if method == "box" and linear and total.sum() == 0:
            fallback = oracle.from_light((cover * averaged).sum(0) / cover.sum())
        result[row, column] = np.where(total > 0, value, fallback)
    return result.reshape(size[1], size[0], *image.shape[2:])


def close(result, exact):
    unit = UNIT[result.dtype.name]
    np.testing.assert_allclose(result / unit, exact, rtol=0, atol=TOLERANCE[result.dtype.name] + 2e-6)


@pytest.fixture
def mask():
    """Of 34 x 29 pixels, some of which do not count at all."""
    values = np.random.default_rng(1).random((29, 34))
    values[values < 0.3] = 0
    return values


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", ["dpid", "dpp", "box"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_importance(mask, channels, dtype, method, size, linear):
    image = random_image((29, 34, *channels), dtype, seed=2)
    mask[10:20, 10:20] = 0  # whole windows
    exact = weighed(image, size, mask, method, linear)
    result = downscale(image, size=size, method=method, linear=linear, importance=mask)
    if linear:  # float32 cannot tell in the dark
        np.testing.assert_allclose(result / UNIT[dtype], exact, rtol=0, atol=TOLERANCE[dtype] + 2e-3)
        return
    close(result, exact)


@pytest.mark.parametrize("settings", [{"lambda_": 0.5}, {"lambda_": 1.7, "alpha": 0.2}])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_importance_with_parameters(mask, method, settings):
    image = random_image((29, 34, 3), "uint8", seed=3)
    close(
        downscale(image, size=(9, 8), method=method, importance=mask, **settings),
        weighed(image, (9, 8), mask, method, **settings),
    )


@pytest.mark.parametrize("method", ["dpid", "dpp", "box"])
@pytest.mark.parametrize("linear", [False, True])
def test_equal_importance_changes_nothing(method, linear):
    image = random_image((60, 50, 3), "uint8", seed=4)
    plain = downscale(image, scale=3, method=method, linear=linear).astype(int)
    for importance in np.full((60, 50), 7.0), np.full((60, 50), 255, np.uint8), np.ones((60, 50), bool):
        found = downscale(image, scale=3, method=method, linear=linear, importance=importance)
        assert np.abs(found - plain).max() <= 1
        assert (found == plain).mean() > 0.99


def test_unimportant_pixels_do_not_matter(mask):
    image = random_image((29, 34, 3), "uint8", seed=5)
    other = np.where((mask == 0)[..., None], 255 - image, image)
    keep = {"size": (7, 6), "importance": mask}
    np.testing.assert_array_equal(downscale(image, **keep), downscale(other, **keep))


def test_threads_do_not_matter():
    image = random_image((2400, 1300, 3), "uint8", seed=6)
    importance = np.random.default_rng(7).random((2400, 1300))
    one, three = (downscale(image, scale=4, importance=importance, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("lambda_", [0.5, 1, 2, 8])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_given_guidance(dtype, method, lambda_):
    image = random_image((29, 34, 3), dtype, seed=8)
    guidance = np.random.default_rng(9).random((6, 7, 3))
    exact = weighed(image, (7, 6), np.ones((29, 34)), method, guidance=guidance, lambda_=lambda_)
    result = downscale(image, size=(7, 6), method=method, guidance=guidance, lambda_=lambda_)
    np.testing.assert_allclose(result / UNIT[dtype], exact, rtol=0, atol=TOLERANCE[dtype] + 1e-4)


def test_the_own_guidance_given_changes_nothing():
    image = random_image((48, 64, 3), "float64", seed=10)
    means = downscale(image, scale=4, method="box")
    for method, guidance in ("dpp", means), ("dpid", oracle.smooth(means)):
        plain = downscale(image, scale=4, method=method)
        np.testing.assert_allclose(downscale(image, scale=4, method=method, guidance=guidance), plain)


def test_gray_guidance_and_value_range():
    image = random_image((48, 64, 3), "float32", seed=11)
    gray = np.random.default_rng(12).random((12, 16)).astype(np.float32)
    plain = downscale(image, scale=4, guidance=gray)
    np.testing.assert_array_equal(plain, downscale(image, scale=4, guidance=gray[..., None].repeat(3, 2)))
    spread = downscale(image * 80 - 40, scale=4, guidance=gray * 80 - 40, value_range=(-40, 40))
    np.testing.assert_allclose(spread, plain * 80 - 40, atol=1e-3)
    close(downscale((image * 255).astype(np.uint8), scale=4, guidance=(gray * 255).astype(np.uint8)),
          weighed((image * 255).astype(np.uint8), (16, 12), np.ones((48, 64)), "dpid",
                  guidance=(gray * 255).astype(np.uint8) / 255))  # fmt: skip


@pytest.mark.parametrize("factor", [1e-300, 1e-30, 1e30, 1e300])
def test_only_ratios_of_importance_matter(mask, factor):
    image = random_image((29, 34, 3), "uint8", seed=14)
    np.testing.assert_array_equal(
        downscale(image, scale=4, importance=mask * factor), downscale(image, scale=4, importance=mask)
    )


def test_arguments_that_change_no_number(mask):
    image = random_image((29, 34, 3), "uint8", seed=15)
    numbers = automatic(image, scale=4, lambda_="auto")
    others = {"importance": mask, "threads": 2, "device": "cpu", "guidance": np.zeros((7, 9))}
    assert automatic(image, scale=4, lambda_="auto", **others) == numbers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"importance": np.ones((5, 5))}, "shape of the image"),
        ({"importance": -np.ones((8, 9))}, "0 or more"),
        ({"importance": np.full((8, 9), np.nan)}, "finite"),
        ({"importance": np.ones((8, 9)), "method": "max"}, "takes none"),
        ({"importance": np.ones((8, 9)), "lambda_": 9}, "lambda"),
        ({"importance": "mask.png"}, "path"),
        ({"guidance": np.ones((8, 9))}, "shape of the output"),
        ({"guidance": np.ones((4, 5, 2))}, "shape of the output"),
        ({"guidance": np.ones((4, 5)), "method": "box"}, "takes no image"),
        ({"guidance": np.full((4, 5), "a")}, "guidance dtype"),
        ({"guidance": np.full((4, 5), 1e9)}, "scale them"),
        ({"importance": np.ones((5, 5)), "size": (9, 8)}, "shape of the image"),
    ],
)
def test_wrong_maps(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        downscale(np.zeros((8, 9, 3)), **{"size": (5, 4), **arguments})


def test_in_light_of_a_transfer(mask):
    image = random_image((29, 34, 3), "uint8", seed=13)
    one = downscale(image, size=(7, 6), importance=mask, linear=True)
    np.testing.assert_array_equal(one, downscale(image, size=(7, 6), importance=mask, linear=SRGB))
