"""Linear light: pixels weigh by their encoded values, what is averaged is their light."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import dpid_cli
from dpid_cli import METHODS, SRGB, Transfer, downscale
from dpid_cli.downscaling.choices import LinearLight
from support import oracle
from support.exact import assert_exact, random_image
from support.strategies import SPATIAL, close, expected, images

pytestmark = pytest.mark.usefixtures("threads_for_small_images")

DTYPES = ("uint8", "uint16", "float32", "float64")
UNITS = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}
BY_LIGHT = {kind: [m.name for m in METHODS.values() if m.linear == kind] for kind in LinearLight}
SAME = Transfer(lambda x: x, lambda x: x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("arguments", [{"method": "box"}, {"lambda_": 0}, {"method": "dpp", "lambda_": 0}])
def test_checkerboard(dtype, arguments):
    """Half of the light of white is the gray 188 of 255, not 128."""
    board = np.tile(np.array([[0, 1], [1, 0]], dtype), (6, 6)) * np.array(UNITS[dtype], dtype)
    result = downscale(board, scale=2, linear=True, **arguments)
    assert (np.floor(result / UNITS[dtype] * 255 + 0.5) == 188).all()
    assert (np.floor(downscale(board, scale=2, **arguments) / UNITS[dtype] * 255 + 0.5) == 128).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_every_level_comes_back(bits, real):
    levels = np.arange(2**bits)
    light = SRGB.decode(levels.astype(real)[:, np.newaxis] / real(levels[-1]))
    assert light.dtype == real and light.shape == (2**bits, 1)
    close(light[:, 0], oracle.to_light(levels / levels[-1]), 1e-6)
    assert (np.diff(light[:, 0]) > 0).all() and light[0] == 0 and light[-1] == 1
    np.testing.assert_array_equal(np.rint(SRGB.encode(light)[:, 0] * levels[-1]), levels)


def test_the_curve_beyond_its_range():
    light = np.linspace(-4, 4, 999)
    np.testing.assert_array_equal(SRGB.decode(-light), -SRGB.decode(light))
    close(SRGB.decode(SRGB.encode(light)), light)
    close(SRGB.decode(np.array([0.04, 0.5])), [0.04 / 12.92, 0.21404114])


@pytest.mark.parametrize("scale", [(6, 7), (13, 5)])
@pytest.mark.parametrize("lambda_", [0, 0.3, 1, 2, 8])
@pytest.mark.parametrize("variant", ["sym", "asym"])
@pytest.mark.parametrize(("alpha", "normalize"), [(0, "none"), (0.1, "none"), (0.1, "mean"), (3, "mean")])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_every_parameter(method, alpha, normalize, variant, lambda_, scale):
    image = random_image((19, 23, 3), "uint8", seed=1)
    assert_exact(
        image, scale, method,
        lambda_=lambda_, alpha=alpha, normalize=normalize, variant=variant, linear=True,
    )  # fmt: skip


@pytest.mark.parametrize("guidance", ["box", "gaussian"])
@pytest.mark.parametrize("epsilon", [1e-3, 0.2])
@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_guidance_and_epsilon(dtype, method, epsilon, guidance):
    image = random_image((29, 34, 3), dtype, seed=2)
    assert_exact(image, (7, 12), method, guidance=guidance, epsilon=epsilon, linear=True)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_learned_guidance(method):
    image = random_image((20, 28, 3), "uint8", seed=3)
    edges = dpid_cli.Filter([[0, -1, 0], [-1, 5.5, -1], [0, -1, 0]], bias=0.1)
    assert_exact(image, (6, 7), method, guidance=edges, linear=True)
    paper = dpid_cli.Filter(np.full((3, 3), 0.1), grid="input", scale=2, offset=(-1, -1), padding="zero")
    assert_exact(image, (14, 10), method, guidance=paper, linear=True)


@pytest.mark.parametrize("channels", [(), (1,), (2,), (3,), (4,)])
@pytest.mark.parametrize("method", ["dpid", "dpp", *oracle.PLAIN])
@pytest.mark.parametrize("dtype", DTYPES)
def test_channel_counts(dtype, method, channels):
    image = random_image((23, 31, *channels), dtype, seed=3)
    assert_exact(image, (9, 5), method, **oracle.PLAIN.get(method, {}), linear=True)


@pytest.mark.parametrize("method", [name for name in oracle.RULES if "window" in METHODS[name].defaults])
def test_overlapping_windows(method):
    image = random_image((23, 31, 3), "uint8", seed=4)
    assert_exact(image, (9, 5), method, **oracle.PLAIN[method], window=7, linear=True)


def test_gate():
    image, gate = random_image((12, 16, 3), "uint8", seed=5), np.random.default_rng(5).normal(size=(4, 4))
    exact = oracle.downscale(image, (4, 3), "gated", gate=gate.reshape(-1, 1), linear=True)
    result = downscale(image, scale=4, method="gated", gate=gate, linear=True)
    assert np.abs(result - exact * 255).max() <= 0.5 + 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("method", "parameters"),
    [("s3pool", {}), ("s3dpp", {"alpha": 0.1}), ("s3dpp", {"guidance": "gaussian", "lambda_": 0.7})],
)
def test_spatial_sampling(method, parameters, dtype):
    image = random_image((12, 18, 3), dtype, seed=6)
    assert_exact(image, (6, 4), method, form="expected", **parameters, linear=True)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 57, 3), (10, 1)),
        ((57, 1, 3), (1, 10)),
        ((19, 17, 3), (17, 19)),
        ((200, 400, 3), (2, 1)),
        ((40, 1500, 3), (1, 3)),  # windows wider than a tile
        ((5, 1100, 4), (1099, 4)),  # tiles cut between windows
        ((900, 1300), (7, 2)),  # windows higher than what is decoded at a time
    ],
)
@pytest.mark.parametrize("method", ["dpid", "dpp", "box"])
def test_shapes(shape, size, method):
    assert_exact(random_image(shape, "uint8", seed=4), size, method, linear=True)


@pytest.mark.parametrize("method", ["dpid", "dpp", "box"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@given(data=st.data())
def test_any_image(dtype, method, data):
    image, size = data.draw(images(dtype, longest=12))
    result = downscale(image, size=size, method=method, linear=True)
    exact = oracle.downscale(image, size, method, linear=True) * (255 if dtype == np.uint8 else 1)
    close(result, exact, 0.5 + 1e-3 if dtype == np.uint8 else 1e-7)


@pytest.mark.parametrize("filter_", ["bilinear", "bicubic", "hamming", "lanczos"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_pillows_filters_of_light(filter_, dtype, monkeypatch):
    """The same as filtering the light of the whole image, though little of it is decoded at a time."""
    from dpid_cli.downscaling.methods import resample

    monkeypatch.setattr(resample, "LIGHT_BYTES", 5000)
    image = random_image((61, 47, 3), dtype, seed=7)
    result = downscale(image, size=(11, 13), method=filter_, linear=True)
    for c in range(3):
        light = oracle.to_light(image[..., c] / UNITS[dtype]).astype(np.float32)
        of_light = Image.fromarray(light).resize((11, 13), Image.Resampling[filter_.upper()])
        exact = oracle.from_light(np.asarray(of_light, np.float64)) * UNITS[dtype]
        tolerance = 2e-5 if image.dtype.kind == "f" else 0.5 + 1e-5 * UNITS[dtype]
        limit = exact if image.dtype.kind == "f" else exact.clip(0, UNITS[dtype])
        close(result[..., c], limit, tolerance)


@pytest.mark.parametrize("method", BY_LIGHT[LinearLight.PICKED])
@pytest.mark.parametrize("dtype", DTYPES)
def test_picked_pixels_stay(method, dtype):
    image = random_image((24, 36, 3), dtype, seed=8)
    np.testing.assert_array_equal(
        downscale(image, scale=3, method=method, linear=True), downscale(image, scale=3, method=method)
    )


def test_drawn_pixels_stay():
    image = random_image((24, 36, 3), "uint8", seed=8)
    drawn = downscale(image, scale=3, method="stochastic", seed=4, linear=True)
    np.testing.assert_array_equal(drawn, downscale(image, scale=3, method="stochastic", seed=4))


@pytest.mark.parametrize("method", [*BY_LIGHT[LinearLight.WEIGHED], *BY_LIGHT[LinearLight.MEAN]])
def test_means_differ(method):
    """Linear light is never asked for in vain."""
    image = np.tile(np.array([[0, 255], [255, 40]], np.uint8), (8, 8))
    plain = downscale(image, scale=4, method=method, **expected(method)).astype(int)
    lit = downscale(image, scale=4, method=method, linear=True, **expected(method))
    assert (lit > plain + 2).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_images_stay(method, dtype):
    for value in (0, 0.02, 0.5, 1):
        image = np.full((12, 18, 3), value * UNITS[dtype]).astype(dtype)
        result = downscale(image, scale=3, method=method, linear=True)
        close(result, image[:4, :6], 0 if image.dtype.kind == "u" else 1e-6)


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_light_that_is_the_values(method, dtype, separable):
    if METHODS[method].source == "Pillow" and dtype == "uint8":
        dtype = "uint16"  # bytes are filtered in bytes
    if METHODS[method].family == "matlab":
        dtype = "float64"  # integers are rounded after each axis, light is not
    image = random_image((24, 36, 3), dtype, seed=9)
    same = Transfer(SAME.decode, SAME.encode, separable)
    plain = downscale(image, scale=3, method=method).astype(float)
    lit = downscale(image, scale=3, method=method, linear=same)
    close(lit, plain, 1 if image.dtype.kind == "u" else 1e-6)
    assert np.mean(np.abs(lit - plain) < 1e-6) > 0.98


def test_channels_that_have_curves_of_their_own():
    """As colour profiles have them; by tables and pixel by pixel."""
    places = np.linspace(0, 1, 64)
    curves = np.array([places**2.2, places**1.8, places**0.7])

    def mapped(values, curve, inverse):
        x, y = (curve, places) if inverse else (places, curve)
        return np.interp(values, x, y)

    def decode(pixels):
        return np.stack([mapped(pixels[:, c], curves[c], False) for c in range(3)], 1)

    def encode(pixels):
        return np.stack([mapped(pixels[:, c], curves[c], True) for c in range(3)], 1)

    image = random_image((24, 36, 3), "uint8", seed=10)
    results = {s: downscale(image, scale=4, linear=Transfer(decode, encode, s)) for s in (True, False)}
    np.testing.assert_array_equal(results[True], results[False])
    for c in range(3):
        light = mapped(image[..., c] / 255, curves[c], False).reshape(6, 4, 9, 4).mean((1, 3))
        box = downscale(image, scale=4, method="box", linear=Transfer(decode, encode))[..., c]
        close(box, mapped(light, curves[c], True) * 255, 0.5 + 1e-3)


@pytest.mark.parametrize(
    ("linear", "decode", "encode"),
    [
        (Transfer(np.square, lambda x: np.sqrt(x) / 2), np.square, lambda x: np.sqrt(x) / 2),
        (Transfer(lambda x: 1 - x, lambda x: 1 - x), lambda x: 1 - x, lambda x: 1 - x),
        (Transfer(lambda x: np.minimum(x, 0.5), lambda x: x), lambda x: np.minimum(x, 0.5), lambda x: x),
        (Transfer(lambda x: x**8 * 1000, lambda x: (x / 1000) ** 0.125), lambda x: x**8, lambda x: x**0.125),
    ],
    ids=["not the inverse", "falling", "flat", "so steep that many levels share a step"],
)
def test_unusual_curves_of_bytes(linear, decode, encode):
    image = random_image((24, 36, 3), "uint8", seed=13)
    light = decode(image / 255).reshape(6, 4, 9, 4, 3).mean((1, 3))
    close(downscale(image, scale=4, method="box", linear=linear), encode(light) * 255, 0.5 + 1e-3)


def test_premultiplied_pixels():
    """A transfer that is not separable: colours are decoded without alpha and multiplied by it again."""

    def through(function):
        def mapped(pixels):
            alpha = pixels[:, 3:]
            straight = np.divide(pixels[:, :3], alpha, out=np.zeros_like(pixels[:, :3]), where=alpha > 0)
            return np.hstack([function(straight) * alpha, alpha])

        return mapped

    rng = np.random.default_rng(11)
    straight = rng.random((12, 20, 4))
    straight[2:7, 3:9, 3] = 0
    image = straight * np.concatenate([straight[..., 3:]] * 3 + [np.ones((12, 20, 1))], 2)
    transfer = Transfer(through(SRGB.decode), through(SRGB.encode), separable=False)
    guide = oracle.guide(image, (5, 3), "gaussian")
    result = downscale(image, scale=4, linear=transfer)
    for row, column, pixels, cover in oracle.windows(image, (5, 3)):
        weights = cover * np.linalg.norm(pixels - guide[row, column], axis=1, keepdims=True)
        light = (weights * transfer.decode(pixels)).sum(0) / weights.sum()
        close(result[row, column], transfer.encode(light[np.newaxis])[0])


def test_where_nothing_is_rewarded_the_guidance_stays():
    """No pixel is brighter than it, and alpha and epsilon are 0."""
    image = (random_image((12, 18, 3), "uint8", seed=12) * 0.6).astype(np.uint8)
    bright = dpid_cli.Filter(np.zeros((3, 3)), bias=0.7)
    result = downscale(image, scale=3, guidance=bright, variant="asym", linear=True)
    assert (result == 179).all()  # 0.7 * 255, rounded


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_threads_change_no_bit(dtype, method):
    rng = np.random.default_rng(7)
    image = (rng.random((300, 130, 3)) * (255 if dtype == np.uint8 else 1)).astype(dtype)
    for size in ((65, 150), (5, 60)) if method in SPATIAL else ((60, 150), (57, 133), (7, 90), (129, 299)):
        serial = downscale(image, size=size, method=method, linear=True, threads=1)
        for threads in (2, 3, 8):
            result = downscale(image, size=size, method=method, linear=True, threads=threads)
            np.testing.assert_array_equal(result, serial)


@pytest.mark.parametrize("method", [method.name for method in METHODS.values() if method.packed])
@given(data=st.data())
def test_pixels_of_four_bytes_give_the_same_result(method, data):
    image, size = data.draw(images(np.uint8, channels=(3,), longest=12))
    four = np.dstack([image, np.full(image.shape[:2], 99, np.uint8)])
    separate = downscale(image, size=size, method=method, linear=True)
    np.testing.assert_array_equal(downscale(four[..., :3], size=size, method=method, linear=True), separate)


@pytest.mark.parametrize("method", ["dpid", "dpp", "box", "bicubic"])
@pytest.mark.parametrize("size", [(50, 5000), (50, 3)])
@pytest.mark.parametrize("linear", [SRGB, Transfer(SRGB.decode, SRGB.encode, separable=False)])
def test_light_of_the_whole_image_is_never_held(method, size, linear):
    """Neither for results of many rows nor for windows of many."""
    image = np.zeros((20000, 400, 3), np.uint8)
    downscale(image[:1000], size=(50, 3), method=method, linear=linear, threads=2)  # compiles
    tracemalloc.start()
    try:
        downscale(image, size=size, method=method, linear=linear, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * image.nbytes  # half of what its light would take


def test_same_size_is_the_image():
    image = random_image((9, 8, 3), "uint8")
    np.testing.assert_array_equal(downscale(image, scale=1, linear=True), image)


def test_negative_values():
    image = np.linspace(-0.5, 1.5, 96, dtype=np.float64).reshape(8, 12)
    assert_exact(image, (3, 2), "box", linear=True)
    assert_exact(image, (3, 2), "dpid", linear=True)


@pytest.mark.parametrize("linear", [None, 1, "srgb", SRGB.decode])
def test_refused(linear):
    with pytest.raises(dpid_cli.DpidError, match=r"^linear must be True, False or a Transfer \(got "):
        downscale(np.zeros((4, 4)), scale=2, linear=linear)


def test_transfers_that_lose_pixels():
    with pytest.raises(dpid_cli.DpidError, match=r"^linear: decode changes the shape .*: give a Transfer"):
        downscale(np.zeros((4, 4, 3)), scale=2, linear=Transfer(lambda x: x[:, :1], lambda x: x))
    with pytest.raises(dpid_cli.DpidError, match=r"^linear: encode changes the shape .*: give a Transfer"):
        downscale(np.zeros((4, 4, 3)), scale=2, linear=Transfer(lambda x: x, lambda x: x[:1]))
