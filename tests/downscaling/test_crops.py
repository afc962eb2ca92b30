"""Parts of images whose edges lie within pixels, compared with rational coverages in float64."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dpid_cli
from support.command import is_one_error_line

IMAGE = np.random.default_rng(0).integers(0, 256, (23, 31, 3), np.uint8)
CROPS = [
    (0.5, 0, 20, 11), (3.3, 4.7, 20.5, 11.1), (0.001, 0.999, 30.9, 22), (10, 5.25, 7, 9.5),
    (29.25, 21.5, 1.75, 1.5), (0, 0, 31, 22.5), (1.1, 2.2, 3.3, 4.4),
]  # fmt: skip

PLAIN = {"guidance": "box", "lambda_": 1, "alpha": 0, "epsilon": 0.01, "variant": "sym"}


def coverages(start: float, length: float, count: int, pixels: int) -> np.ndarray:
    """How much of each pixel belongs to each of some equal windows, (count, pixels)."""
    first, part = Fraction(str(start)), Fraction(str(length)) / count
    result = np.zeros((count, pixels))
    for k in range(count):
        low, high = first + k * part, first + (k + 1) * part
        for x in range(pixels):
            result[k, x] = max(Fraction(0), min(high, x + 1) - max(low, x))
    return result


def oracle(image: np.ndarray, crop, size, method: str, lambda_: float = 1.0) -> np.ndarray:
    """Intensities of an output; the guidance of ``dpid`` and ``dpp`` is here the mean itself."""
    left, top, width, height = crop
    across = coverages(left, width, size[0], image.shape[1])
    down = coverages(top, height, size[1], image.shape[0])
    result = np.zeros((size[1], size[0], image.shape[2]))
    for i in range(size[1]):
        for j in range(size[0]):
            cover = np.outer(down[i], across[j])[..., None]
            if method in ("max", "min"):
                inside = image[cover[..., 0] > 0]
                result[i, j] = inside.max(axis=0) if method == "max" else inside.min(axis=0)
                continue
            mean = (cover * image).sum(axis=(0, 1)) / cover.sum()
            if method == "box":
                result[i, j] = mean
                continue
            squares = (image - mean) ** 2
            squares = squares.sum(axis=2, keepdims=True) if method == "dpid" else squares
            weights = cover * (squares + 0.01**2) ** (lambda_ / 2)
            result[i, j] = (weights * image).sum(axis=(0, 1)) / weights.sum(axis=(0, 1))
    return result


def size_for(crop) -> tuple[int, int]:
    return max(1, int(crop[2] / 1.7)), max(1, int(crop[3] / 2.3))


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("method", ["box", "dpid", "dpp", "max", "min"])
def test_parts_of_pixels(crop, method):
    image, size = IMAGE / 255, size_for(crop)
    options = {} if method in ("box", "max", "min") else PLAIN
    result = dpid_cli.downscale(image, size=size, crop=crop, method=method, **options)
    np.testing.assert_allclose(result, oracle(image, crop, size, method), atol=1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_types(dtype, channels):
    scale = {np.uint8: 255, np.uint16: 65535, np.float32: 1}[dtype]
    image = np.random.default_rng(1).uniform(size=(23, 31, channels))
    stored = (image * scale + (0 if dtype == np.float32 else 0.5)).astype(dtype)
    for method in ("box", "dpid"):
        options = PLAIN if method == "dpid" else {}
        result = dpid_cli.downscale(stored, size=(7, 5), crop=CROPS[1], method=method, **options)
        expected = oracle(stored / scale, CROPS[1], (7, 5), method)
        assert result.dtype == dtype
        np.testing.assert_allclose(result / scale, expected, atol=1e-4 if dtype != np.uint8 else 0.51 / 255)


@given(
    st.tuples(*[st.integers(0, 1000)] * 4).map(lambda numbers: tuple(number / 100 for number in numbers)),
    st.floats(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_any_box_means(numbers, factor):
    crop = (numbers[0], numbers[1], 1 + numbers[2], 1 + numbers[3])
    size = max(1, int(crop[2] / factor)), max(1, int(crop[3] / factor))
    result = dpid_cli.downscale(IMAGE / 255, size=size, crop=crop, method="box")
    np.testing.assert_allclose(result, oracle(IMAGE / 255, crop, size, "box"), atol=1e-9)


def test_whole_pixels_are_a_slice():
    part = IMAGE[4:16, 3:24]
    for method, parameters in dpid_cli.METHODS.items():
        if method in ("gated", "s3pool", "s3dpp"):
            continue  # need windows of whole pixels
        expected = dpid_cli.downscale(part, scale=2.6, method=method)
        result = dpid_cli.downscale(IMAGE, scale=2.6, method=method, crop=(3, 4, 21, 12.0))
        np.testing.assert_array_equal(result, expected, err_msg=str(parameters))


def test_the_guidance_ends_with_the_part():
    """[1 2 1] of means is mirrored at the edges of the crop, and sees nothing beyond."""
    changed = IMAGE.copy()
    changed[:4], changed[:, :3], changed[17:], changed[:, 25:] = 0, 255, 99, 7
    for crop in ((3.25, 4.5, 20, 12), (3, 4, 22, 13)):
        one, other = (dpid_cli.downscale(image, size=(8, 5), crop=crop) for image in (IMAGE, changed))
        np.testing.assert_array_equal(one, other)


def test_halves_are_repeated_pixels():
    """At half of a pixel, every pixel twice gives the same."""
    twice = IMAGE.repeat(2, axis=0).repeat(2, axis=1)
    for linear in (False, True):
        result = dpid_cli.downscale(IMAGE, size=(6, 4), crop=(1.5, 2.5, 24, 18), linear=linear)
        expected = dpid_cli.downscale(twice[5:41, 3:51], size=(6, 4), linear=linear)
        assert np.abs(result.astype(int) - expected).max() <= 1
        assert (result != expected).mean() < 0.02


def test_importance_and_automatic_numbers():
    weights = np.random.default_rng(2).uniform(size=IMAGE.shape[:2])
    twice = [array.repeat(2, axis=0).repeat(2, axis=1) for array in (IMAGE / 255, weights)]
    crop, size = (1.5, 2.5, 24, 18), (6, 4)
    result = dpid_cli.downscale(IMAGE / 255, size=size, crop=crop, importance=weights)
    expected = dpid_cli.downscale(twice[0][5:41, 3:51], size=size, importance=twice[1][5:41, 3:51])
    np.testing.assert_allclose(result, expected, atol=1e-9)
    whole = (1, 2, 25, 19)
    found = dpid_cli.automatic(IMAGE[2:21, 1:26], size=size, lambda_="auto", noise="auto")
    chosen = dpid_cli.downscale(IMAGE, size=size, crop=crop, lambda_="auto", noise="auto")
    np.testing.assert_array_equal(chosen, dpid_cli.downscale(IMAGE, size=size, crop=crop, **found))
    given = dpid_cli.downscale(IMAGE, size=size, crop=whole, importance=weights, lambda_="auto")
    assert given.shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("crop", "more"),
    [
        ((1, 2, 3), {}), ("1,2,3,4", {}), ((1, 2, "x", 4), {}), ((-1, 0, 9, 9), {}), ((0, 0, 0, 9), {}),
        ((0, 0, 31.01, 9), {}), ((0, 0, 9, 24), {}), ((float("nan"), 0, 9, 9), {}), (7, {}),
        ((float("inf"), 0, 9, 9), {}), ((0.5, 0, 9, 9), {"method": "lanczos"}),
        ((0.5, 0, 9, 9), {"window": 9}),
        ((0.5, 0, 9, 9), {"method": "gated"}), ((0.5, 0, 9, 9), {"lambda_": 9}),
        ((0.5, 0, 9, 9), {"size": (10, 3)}), ((0, 0, 9, 9), {"scale": 0.9}),
        ((0, 0, 9, 9), {"importance": np.ones((9, 9))}),
    ],
    ids=str,
)  # fmt: skip
def test_errors(crop, more):
    options = {"size": (3, 3)} | more
    if "scale" in more:
        del options["size"]
    if "window" in more:
        options["method"] = "box"
    with pytest.raises(dpid_cli.DpidError) as error:
        dpid_cli.downscale(IMAGE, crop=crop, **options)
    assert is_one_error_line(f"{error.value}\n")
