"""``matlab-bicubic`` against outputs of MATLAB, and against the dense matrices of its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dpid_cli
from dpid_cli import downscale
from support.oracle import from_light, to_light

# Outputs of MATLAB R2019b's imresize(image, [rows columns], "bicubic") for square images of the numbers
# 0, 1, 2 ... in rows, from the folder test_answer of github.com/sanghyun-son/bicubic_pytorch.
PUBLISHED = {
    (8, 3, 4): [
        [6.47252877, 8.51159127, 10.53502877, 12.57409127],
        [28.44921875, 30.48828125, 32.51171875, 34.55078125],
        [50.42590873, 52.46497123, 54.48840873, 56.52747123],
    ],
    (8, 5, 7): [
        [2.18452513, 3.31913739, 4.46884137, 5.62045977, 6.77207817, 7.92178215, 9.05639441],
        [15.21977157, 16.35438383, 17.50408782, 18.65570621, 19.80732461, 20.9570286, 22.09164086],
        [28.06406536, 29.19867762, 30.3483816, 31.5, 32.6516184, 33.80132238, 34.93593464],
        [40.90835914, 42.0429714, 43.19267539, 44.34429379, 45.49591218, 46.64561617, 47.78022843],
        [53.94360559, 55.07821785, 56.22792183, 57.37954023, 58.53115863, 59.68086261, 60.81547487],
    ],
}


def keys(x):
    """The cubic of Keys (1981), a = -1/2, of one number."""
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def matrix(source, target):
    """The weights of all pixels for all outputs of an axis."""
    scale = source / target
    weights = np.zeros((target, source))
    for row in range(target):
        centre = (row + 0.5) * scale
        for pixel in range(-3 * source, 4 * source):
            mirrored = min(pixel % (2 * source), 2 * source - 1 - pixel % (2 * source))
            weights[row, mirrored] += keys((pixel + 0.5 - centre) / scale)
    return weights / weights.sum(axis=1, keepdims=True)


def expected(plane, size, limit=0):
    """A plane by dense matrices; `limit` is the largest value of an integer type."""
    (rows, columns), (height, width) = size[::-1], plane.shape
    down, across = matrix(height, rows), matrix(width, columns)

    def rounded(values):
        return np.floor(np.clip(values, 0, limit) + 0.5) if limit else values

    if rows * width <= columns * height:
        return rounded(rounded(down @ plane) @ across.T)
    return rounded(down @ rounded(plane @ across.T))


@pytest.mark.parametrize(("side", "rows", "columns"), PUBLISHED)
def test_outputs_of_matlab(side, rows, columns):
    image = np.arange(float(side * side)).reshape(side, side)
    result = downscale(image, size=(columns, rows), method="matlab-bicubic")
    np.testing.assert_allclose(result, PUBLISHED[side, rows, columns], rtol=0, atol=6e-9)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((24, 36), (12, 8)), ((24, 36, 3), (9, 12)), ((25, 31, 4), (7, 11)), ((12, 12, 2), (4, 4)),
        ((5, 40, 1), (1, 5)), ((9, 4, 5), (3, 2)), ((3, 3), (1, 1)), ((8, 6, 3), (6, 3)), ((8, 6), (3, 8)),
    ],
)  # fmt: skip
def test_every_type_and_shape(shape, size, dtype):
    kind = np.dtype(dtype)
    limit = np.iinfo(kind).max if kind.kind == "u" else 0
    image = np.random.default_rng(5).random(shape) * (limit + 0.999 if limit else 1)
    image = image.astype(kind)
    result = downscale(image, size=size, method="matlab-bicubic")
    assert result.dtype == kind and result.shape == (*size[::-1], *shape[2:])
    planes = image[..., np.newaxis] if image.ndim == 2 else image
    for c, plane in enumerate(np.moveaxis(planes, -1, 0)):
        of_result = result if image.ndim == 2 else result[..., c]
        exact = expected(plane.astype(float), size, limit)
        np.testing.assert_allclose(of_result, exact, rtol=0, atol=0 if limit else 1e-6)


@given(data=st.data())
def test_any_size_in_bytes(data):
    height, width = (data.draw(st.integers(1, 30)) for _ in "hw")
    size = data.draw(st.integers(1, width)), data.draw(st.integers(1, height))
    image = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (height, width), np.uint8)
    result = downscale(image, size=size, method="matlab-bicubic").astype(int)
    # A sum that ends at a half may be rounded either way, and the second filter makes more of it.
    assert np.abs(result - expected(image.astype(float), size, 255)).max() <= 1


def test_bytes_are_rounded_after_each_axis():
    """Which is not what rounding once gives, nor the other order of the axes."""
    image = np.random.default_rng(1).integers(0, 256, (60, 60), np.uint8)
    result = downscale(image, scale=3, method="matlab-bicubic")
    weights = matrix(60, 20)
    once = np.floor(np.clip(weights @ image @ weights.T, 0, 255) + 0.5)
    np.testing.assert_array_equal(result, expected(image.astype(float), (20, 20), 255))
    assert (result != once).sum() > 20
    assert (result != downscale(image.T, scale=3, method="matlab-bicubic").T).any()


def test_many_blocks():
    """An image of which both axes take several blocks."""
    image = np.random.default_rng(2).integers(0, 256, (700, 900), np.uint8)
    result = downscale(image, size=(300, 350), method="matlab-bicubic")
    np.testing.assert_array_equal(result, expected(image.astype(float), (300, 350), 255))


@pytest.mark.parametrize("size", [(11, 13), (12, 40)])
def test_light(size):
    image = np.random.default_rng(3).integers(0, 256, (61, 47, 3), np.uint8)
    result = downscale(image, size=size, method="matlab-bicubic", linear=True)
    for c in range(3):
        light = expected(to_light(image[..., c] / 255), size)
        exact = np.clip(from_light(light) * 255, 0, 255)
        assert np.abs(result[..., c] - exact).max() <= 0.51


def test_it_is_not_pillows():
    """Pillow leaves out what lies beyond the edges, and has weights of 22 bits."""
    image = np.random.default_rng(4).integers(0, 256, (48, 48), np.uint8)
    result = downscale(image, scale=4, method="matlab-bicubic").astype(int)
    difference = np.abs(result - downscale(image, scale=4, method="bicubic"))
    assert difference[2:-2, 2:-2].max() <= 1 < difference.max()


def test_it_is_listed():
    method = dpid_cli.METHODS["matlab-bicubic"]
    assert method.defaults == {} and not method.gpu and not method.divisible
