"""The library against the float64 oracle."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import dpid_cli
from support import oracle
from support.command import SAMPLES
from support.exact import assert_exact, random_image, result_size

LAMBDAS = (0, 0.3, 0.5, 1, 2, 8, 64)
SCALES = (1, 1.37, 2, 3, 4, 7.5, 16)
SHAPES = {"gray": (29, 37), "RGB": (23, 31, 3), "RGBA": (31, 19, 4)}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lambda_", LAMBDAS)
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_dpid(dtype, kind, lambda_, scale):
    image = random_image(SHAPES[kind], dtype)
    assert_exact(image, result_size(image, scale), lambda_=lambda_)


@pytest.mark.parametrize("scale", (1.03, 1.37, 2, 3, 4))
@pytest.mark.parametrize("lambda_", (0.25, 0.5, 0.75, 1.5, 3, 4))
@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_products_of_roots(method, lambda_, scale):
    """Bytes of gray, and of RGB with a byte between pixels, have kernels for these exponents."""
    gray, colour = random_image((29, 37), "uint8"), random_image((40, 53, 4), "uint8")[..., :3]
    for image in gray, colour:
        assert_exact(image, result_size(image, scale), method, lambda_=lambda_)


@pytest.mark.parametrize("scale", (1.37, 3, 7.5))
@pytest.mark.parametrize("lambda_", (0.3, 1, 2, 3.3, 8))
@pytest.mark.parametrize("variant", ["sym", "asym"])
@pytest.mark.parametrize(("alpha", "normalize"), [(0, "none"), (0.1, "none"), (0.1, "mean"), (3, "mean")])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_every_parameter(method, alpha, normalize, variant, lambda_, scale):
    image = random_image((19, 23, 3), "uint8", seed=1)
    assert_exact(
        image, result_size(image, scale), method,
        lambda_=lambda_, alpha=alpha, normalize=normalize, variant=variant,
    )  # fmt: skip


@pytest.mark.parametrize("guidance", ["box", "gaussian"])
@pytest.mark.parametrize("epsilon", [1e-3, 0.2])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_guidance_and_epsilon(dtype, method, epsilon, guidance):
    image = random_image((29, 34, 3), dtype, seed=2)
    assert_exact(image, (7, 12), method, guidance=guidance, epsilon=epsilon)


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
@pytest.mark.parametrize("method", ["dpid", "dpp", *oracle.PLAIN])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_channel_counts(dtype, method, channels):
    image = random_image((23, 31, *channels), dtype, seed=3)
    assert_exact(image, (9, 5), method, **oracle.PLAIN.get(method, {}))


@pytest.mark.parametrize("method", ["dpid", "dpp", *oracle.PLAIN])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 1), (1, 1)),
        ((1, 57, 3), (10, 1)),
        ((57, 1, 3), (1, 10)),
        ((2, 2, 3), (1, 1)),
        ((19, 17, 3), (17, 19)),
        ((200, 400, 3), (2, 1)),
        ((40, 1500, 3), (1, 3)),  # windows wider than a tile
        ((7, 3001), (3, 2)),
        ((5, 1100, 4), (1099, 4)),  # tiles cut between windows
        ((6, 2300, 2), (1150, 3)),
        ((3, 2500), (700, 2)),
    ],
)
def test_shapes(shape, size, method):
    assert_exact(random_image(shape, "uint8", seed=4), size, method, **oracle.PLAIN.get(method, {}))


@pytest.mark.parametrize("width", range(1, 40))
def test_widths_below_and_around_a_vector(width):
    image = random_image((9, width, 3), "uint8", seed=width)
    assert_exact(image, (max(1, width // 2), 4))


@pytest.mark.parametrize("method", ["box", "dpid"])
@pytest.mark.parametrize("side", [*range(1, 41), 64, 121, 1100])
def test_whole_windows_of_any_width(side, method):
    """Kernels have loops of their own for small widths, and take products of these apart."""
    columns = 3 if side > 100 else 1100 // side  # more than a tile
    image = random_image((12, side * columns, 3), "uint8", seed=side)
    assert_exact(image, (columns, 6), method)


@pytest.mark.parametrize("method", ["box", "dpid", "dpp"])
@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_near_one_to_one(dtype, channels, method):
    """Kernels have loops of their own for windows with one column and a part of another."""
    for width, columns in ((33, 32), (65, 63), (120, 118)):
        image = random_image((9, width, *channels), dtype, seed=width)
        assert_exact(image, (columns, 8), method)
        assert_exact(image, (columns, 2), method)


@pytest.mark.parametrize(
    "parameters", [{"lambda_": 0.7, "alpha": 0.1}, {"variant": "asym", "guidance": "box"}]
)
@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_near_one_to_one_over_several_tiles(method, parameters):
    image = random_image((5, 1100, 4), "uint8", seed=7)
    for pixels in (image, image[..., :3], image[..., 0]):
        assert_exact(pixels, (1085, 4), method, **parameters)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.*[gp]")), ids=lambda path: path.name)
@pytest.mark.parametrize(("scale", "lambda_"), [(4, 1), (7.5, 0.5), (16, 2), (2.3, 64)])
def test_samples(path, scale, lambda_):
    image = np.asarray(Image.open(path).convert("RGB"))[100:340, 60:300]
    assert_exact(image, result_size(image, scale), lambda_=lambda_)
    assert_exact(image, result_size(image, scale), "dpp", lambda_=lambda_, alpha=0.01)


def test_large_lambda_reaches_the_most_distinct_pixel():
    image = random_image((32, 48, 3), "uint8", seed=5)
    size = (6, 4)
    result = dpid_cli.downscale(image, size=size, lambda_=1e6)
    guide = oracle.smooth(oracle.box(image / 255, size))
    for row, column, pixels, _ in oracle.windows(image.astype(float), size):
        distance = np.linalg.norm(pixels / 255 - guide[row, column], axis=1)
        np.testing.assert_array_equal(result[row, column], pixels[distance.argmax()])


def test_no_overflow_at_extreme_parameters():
    image = random_image((20, 24, 3), "float32", seed=6)
    size = (5, 4)
    box = oracle.box(image.astype(float), size)
    for parameters in (
        {"alpha": 1e30, "lambda_": 64},
        {"alpha": 1.0, "epsilon": 1e3, "lambda_": 64},
        {"alpha": 1e30, "lambda_": 4, "normalize": "mean"},
        {"epsilon": 1e15, "lambda_": 1},
    ):
        for method in ("dpid", "dpp"):
            result = dpid_cli.downscale(image, size=size, method=method, guidance="box", **parameters)
            np.testing.assert_allclose(result, box, atol=1e-5)
