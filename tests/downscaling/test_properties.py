"""What must hold for any image: the properties of the methods, drawn by Hypothesis."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import dpid_cli
from dpid_cli import METHODS, downscale
from dpid_cli.downscaling import strips
from support import oracle
from support.strategies import OWN, SPATIAL, close, expected, images

pytestmark = pytest.mark.usefixtures("threads_for_small_images")

DETAIL = ["dpid", "dpp"]
# Results follow from what windows hold, in any order.
WINDOWED = [name for name in OWN if name not in (*SPATIAL, "subsample", "spectral")]


def integer_scale(image, size):
    """The largest part of the image of which `size` is an integer fraction."""
    height, width = image.shape[:2]
    return image[: height // size[1] * size[1], : width // size[0] * size[0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("method", [name for name in OWN if name != "spectral"])  # which overshoots
@given(data=st.data())
def test_range_type_and_shape(method, dtype, data):
    image, size = data.draw(images(dtype))
    if method in SPATIAL:
        image = integer_scale(image, size)
    result = downscale(image, size=size, method=method)
    assert result.dtype == image.dtype
    assert result.shape == (size[1], size[0], *image.shape[2:])
    slack = 1e-6 if image.dtype.kind == "f" else 0
    high = oracle.maximum(np.atleast_3d(image).astype(float), size).reshape(result.shape)
    low = oracle.minimum(np.atleast_3d(image).astype(float), size).reshape(result.shape)
    if method in SPATIAL:
        high, low = image.max(), image.min()
    assert (result <= high + slack).all()
    assert (result >= low - slack).all()


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@given(data=st.data())
def test_scale_one_is_identity(dtype, method, data):
    image, _ = data.draw(images(dtype))
    np.testing.assert_array_equal(downscale(image, scale=1, method=method), image)


@pytest.mark.parametrize("method", sorted(METHODS))
@given(data=st.data())
def test_pixels_of_four_bytes_give_the_same_result(method, data):
    image, size = data.draw(images(np.uint8, channels=(3,)))
    image = integer_scale(image, size) if method in SPATIAL else image
    four = np.dstack([image, np.full(image.shape[:2], 99, np.uint8)])
    expected, found = (downscale(pixels, size=size, method=method) for pixels in (image, four[..., :3]))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("method", DETAIL)
@pytest.mark.parametrize("guidance", ["box", "gaussian"])
@given(data=st.data())
def test_lambda_zero_is_exactly_box(guidance, method, data):
    image, size = data.draw(images(np.uint8))
    result = downscale(image, size=size, method=method, guidance=guidance, lambda_=0, alpha=0.3)
    np.testing.assert_array_equal(result, downscale(image, size=size, method="box"))


@pytest.mark.parametrize("method", [*WINDOWED, "spectral"])
@given(data=st.data())
def test_flips_transposes_and_channel_permutations(method, data):
    image, size = data.draw(images(channels=(None, 3, 4)))

    def result(image, size=size):
        return downscale(image, size=size, method=method, **expected(method))

    close(result(image[::-1]), result(image)[::-1])
    close(result(image[:, ::-1]), result(image)[:, ::-1])
    close(result(image.swapaxes(0, 1), size[::-1]), result(image).swapaxes(0, 1))
    if image.ndim == 3:
        order = data.draw(st.permutations(range(image.shape[2])))
        close(result(image[..., order]), result(image)[..., order])


@pytest.mark.parametrize("method", [*WINDOWED, "spectral"])
@given(data=st.data())
def test_flips_of_bytes_agree_to_a_level(method, data):
    image, size = data.draw(images(np.uint8))
    result = downscale(image, size=size, method=method, **expected(method)).astype(int)
    flipped = downscale(image[::-1, ::-1], size=size, method=method, **expected(method))[::-1, ::-1]
    assert np.abs(flipped - result).max() <= 1


@given(data=st.data(), a=st.sampled_from([-3.0, -1.0, 0.01, 0.5, 7.0]), b=st.floats(-2, 2))
def test_dpid_commutes_with_affine_maps(data, a, b):
    image, size = data.draw(images())
    # Weights of pixels that equal the guidance but for rounding are noise: shift them apart.
    rng = np.random.default_rng(0)
    image = image + rng.random(image.shape)
    close(downscale(a * image + b, size=size), a * downscale(image, size=size) + b)


@pytest.mark.parametrize("method", OWN)
@given(data=st.data())
def test_gray_stays_gray(method, data):
    image, size = data.draw(images(np.uint8, channels=(None,)))
    image = integer_scale(image, size) if method in SPATIAL else image
    result = downscale(np.dstack([image] * 3), size=size, method=method)
    np.testing.assert_array_equal(result, np.dstack([result[..., 0]] * 3))


@pytest.mark.parametrize("method", WINDOWED)
@given(data=st.data())
def test_order_inside_integer_windows_does_not_matter(method, data):
    image, size = data.draw(images(channels=(3,)))
    image = integer_scale(image, size)
    py, px = image.shape[0] // size[1], image.shape[1] // size[0]
    blocks = image.reshape(size[1], py, size[0], px, 3).swapaxes(1, 2).reshape(size[1], size[0], -1, 3)
    order = data.draw(st.permutations(range(py * px)))
    shuffled = blocks[:, :, order].reshape(size[1], size[0], py, px, 3).swapaxes(1, 2).reshape(image.shape)
    options = {"size": size, "method": method, **expected(method)}
    close(downscale(shuffled, **options), downscale(image, **options))


@pytest.mark.parametrize("method", OWN)
@given(data=st.data(), scale=st.integers(1, 4))
def test_shift_by_a_window_shifts_the_result(method, data, scale):
    image, _ = data.draw(images(channels=(None, 3)))
    height, width = (n // scale * scale for n in image.shape[:2])
    image = image[:height, :width]
    assume(min(height, width) >= 4 * scale)
    options = {"scale": scale, "method": method, **expected(method)}
    result = downscale(image, **options)
    shifted = downscale(np.roll(image, (scale, -scale), (0, 1)), **options)
    close(shifted[2:-1, 1:-2], result[1:-2, 2:-1])


@pytest.mark.parametrize("method", DETAIL)
@pytest.mark.parametrize("large", [{"alpha": 1e15}, {"epsilon": 1e9}])
@given(data=st.data())
def test_large_alpha_or_epsilon_is_the_average(large, method, data):
    image, size = data.draw(images())
    close(downscale(image, size=size, method=method, **large), downscale(image, size=size, method="box"))


@given(data=st.data())
def test_dpp_limits_in_lambda(data):
    image, size = data.draw(images(longest=9))
    sym = downscale(image, size=size, method="dpp", lambda_=1e12, epsilon=1e-6)
    extremum = downscale(image, size=size, method="extremum")
    mean = oracle.box(np.atleast_3d(image), size).reshape(extremum.shape)
    high = oracle.maximum(np.atleast_3d(image), size).reshape(extremum.shape)
    low = oracle.minimum(np.atleast_3d(image), size).reshape(extremum.shape)
    decided = np.abs((high - mean) - (mean - low)) > 1e-6
    close(sym[decided], extremum[decided], 1e-6)
    asym = downscale(image, size=size, method="dpp", lambda_=1e12, epsilon=1e-6, variant="asym")
    close(asym, high, 1e-6)


@given(data=st.data(), lambdas=st.tuples(st.floats(0, 20), st.floats(0, 20)))
def test_asymmetric_dpp_rises_from_the_average(data, lambdas):
    image, size = data.draw(images())
    small, large = (
        downscale(image, size=size, method="dpp", variant="asym", lambda_=value) for value in sorted(lambdas)
    )
    assert (small >= downscale(image, size=size, method="box") - 1e-9).all()
    assert (large >= small - 1e-9).all()


@given(data=st.data(), value=st.floats(0, 1))
def test_constant_images_stay_constant(data, value):
    drawn, size = data.draw(images(np.float32))
    drawn[:] = value
    for method in METHODS:
        image = integer_scale(drawn, size) if method in SPATIAL else drawn
        close(downscale(image, size=size, method=method), np.float32(value), 1e-6)


def assert_rising(image, size, *methods):
    """Each result is nowhere below the one before; a method is a name and its parameters."""
    results = [downscale(image, size=size, method=name, **parameters) for name, parameters in methods]
    for lower, upper in pairwise(results):
        assert (lower <= upper + 1e-12).all()


@given(data=st.data(), window=st.sampled_from([None, 40]))
def test_order_of_the_poolings(data, window):
    image, size = data.draw(images())
    side = {"window": window}
    assert_rising(image, size, ("min", side), ("box", side), ("lp", side), ("max", side))
    assert_rising(image, size, ("min", side), ("box", side), ("softpool", side), ("max", side))
    assert_rising(
        image, size, ("box", side), ("mixed", {"beta": 0.3, **side}), ("mixed", side), ("max", side)
    )
    # Chance counts pixels that a border cuts as whole ones, the mean does not.
    image = integer_scale(image, size)
    assert_rising(image, size, ("box", {}), ("stochastic", expected("stochastic")), ("max", {}))


@given(data=st.data(), powers=st.lists(st.floats(1, 50), min_size=2, max_size=4))
def test_lp_rises_with_its_power(data, powers):
    image, size = data.draw(images())
    assert_rising(image, size, *(("lp", {"power": p}) for p in sorted(powers)), ("max", {}))


@given(data=st.data(), beta=st.floats(0, 1))
def test_adapool_lies_between_its_two(data, beta):
    image, size = data.draw(images())
    soft, similar, both = (
        downscale(image, size=size, method=name, **parameters)
        for name, parameters in (("softpool", {}), ("edscw", {}), ("adapool", {"beta": beta}))
    )
    close(both, beta * similar + (1 - beta) * soft)


@given(data=st.data(), side=st.integers(1, 60))
def test_larger_windows_hold_more(data, side):
    image, size = data.draw(images())
    least = max(-(-image.shape[1] // size[0]), -(-image.shape[0] // size[1]))
    window = max(side, least)
    assert_rising(
        image, size, ("min", {"window": window}), ("min", {}), ("max", {}), ("max", {"window": window})
    )


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_threads_change_no_bit(dtype, method):
    rng = np.random.default_rng(7)
    image = (rng.random((700, 130, 3)) * (255 if dtype == np.uint8 else 1)).astype(dtype)
    for size in ((65, 350), (26, 100), (5, 140)) if method in SPATIAL else ((60, 350), (57, 333), (129, 699)):
        serial = downscale(image, size=size, method=method, threads=1)
        for threads in (2, 3, 8, None):
            np.testing.assert_array_equal(downscale(image, size=size, method=method, threads=threads), serial)


def test_input_layouts():
    rng = np.random.default_rng(8)
    image = rng.integers(0, 65536, (40, 60, 3)).astype(np.uint16)
    expected = downscale(image, scale=3)
    for same in (image.astype(">u2"), np.asfortranarray(image), image.tolist() and image[::1, ::1]):
        np.testing.assert_array_equal(downscale(same, scale=3), expected)
    wide = np.repeat(image, 2, axis=1)
    np.testing.assert_array_equal(downscale(wide[:, ::2], scale=3), expected)
    frozen = image.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(downscale(frozen, scale=3), expected)
    assert dpid_cli.downscale(image[..., :1], scale=3).shape == (13, 20, 1)


@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("filter_", ["nearest", "bilinear", "bicubic", "hamming", "lanczos"])
def test_reference_filters_are_pillows(filter_, channels):
    from PIL import Image

    rng = np.random.default_rng(9)
    shape = (33, 47) if channels is None else (33, 47, channels)
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    result = downscale(image, size=(11, 9), method=filter_)
    for c in range(channels or 1):
        plane = image if channels is None else np.ascontiguousarray(image[..., c])
        expected = np.asarray(Image.fromarray(plane).resize((11, 9), Image.Resampling[filter_.upper()]))
        np.testing.assert_array_equal(result if channels is None else result[..., c], expected)
    deep = downscale(image.astype(np.uint16) * 257, size=(11, 9), method=filter_)
    assert np.abs(deep / 257 - result).max() <= 1.01


@pytest.mark.parametrize("method", ["box"])
@given(data=st.data())
def test_box_against_pillow_at_integer_scales(method, data):
    from PIL import Image

    image, size = data.draw(images(np.uint8, channels=(None,)))
    image = integer_scale(image, size)
    factors = image.shape[1] // size[0], image.shape[0] // size[1]
    expected = np.asarray(Image.fromarray(image).reduce(factors)).astype(int)
    result = downscale(image, size=size, method=method)
    assert np.abs(result - expected).max() <= (0 if np.prod(factors) in (1, 2, 4, 8, 16) else 1)


@pytest.mark.parametrize("lambda_", [1, 8])
def test_small_images_start_no_threads(lambda_, monkeypatch):
    started = []
    monkeypatch.setattr(strips, "ThreadPoolExecutor", lambda *_, **__: started.append(1))
    monkeypatch.setattr(strips, "_WORTH_A_THREAD", 1 << 20)
    dpid_cli.downscale(np.zeros((600, 600, 3), np.uint8), scale=2, lambda_=lambda_, threads=8)
    assert not started
