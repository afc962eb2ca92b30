"""The poolings beyond mean, max and min: overlapping windows, parameters, chance."""

from __future__ import annotations

import json
import math
from math import comb
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli import METHODS, DpidError, Filter, downscale
from dpid_cli.downscaling import splitmix
from dpid_cli.kernels import pooling
from dpid_cli.kernels.flags import NO
from support import oracle
from support.command import pixels
from support.exact import assert_exact, random_image

pytestmark = pytest.mark.usefixtures("threads_for_small_images")

OVERLAPPING = [name for name, method in METHODS.items() if "window" in method.defaults]
SPATIAL = ["s3pool", "s3dpp"]
RANDOM = ["stochastic", *SPATIAL]


def test_which_methods_overlap():
    assert set(OVERLAPPING) == set(oracle.RULES) - {"gated"}


@pytest.mark.parametrize("method", OVERLAPPING)
@pytest.mark.parametrize(
    ("shape", "size", "window"),
    [
        ((23, 31, 3), (7, 6), 5),  # fractional windows, whole sides
        ((24, 32, 3), (8, 6), 6),  # centred on the windows
        ((24, 32, 3), (8, 6), 7),  # half pixels at both ends
        ((20, 20), (10, 10), 60),  # all of the image for every pixel
        ((9, 14, 4), (14, 9), 3),  # a filter that keeps the size
        ((40, 3), (1, 5), 9),
    ],
)
def test_overlapping_windows(method, shape, size, window):
    options = {**oracle.PLAIN[method], "window": window}
    for dtype in ("uint8", "float64"):
        assert_exact(random_image(shape, dtype, seed=6), size, method, **options)


@pytest.mark.parametrize("method", OVERLAPPING)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_overlapping_windows_of_other_types(method, dtype):
    options = {**oracle.PLAIN[method], "window": 9}
    assert_exact(random_image((23, 31, 2), dtype, seed=7), (5, 6), method, **options)


@pytest.mark.parametrize("method", OVERLAPPING)
def test_windows_as_large_as_the_scale_do_not_overlap(method):
    image = random_image((24, 32, 3), "uint8", seed=8)
    options = oracle.PLAIN[method]
    expected = downscale(image, scale=4, method=method, **options)
    np.testing.assert_array_equal(downscale(image, scale=4, method=method, window=4, **options), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("lp", [{"power": p} for p in (1, 1.5, 2, 3, 8, 64)]),
        ("mixed", [{"beta": b} for b in (0, 0.3, 1)]),
        ("adapool", [{"beta": b} for b in (0, 0.3, 1)]),
        ("subsample", [{"position": "corner"}, {"position": "centre"}]),
    ],
)
def test_parameters(method, values, dtype):
    image = random_image((23, 31, 3), dtype, seed=9)
    for parameters in values:
        for size in ((31, 23), (9, 5), (10, 8)):
            if size != (31, 23) or method != "lp":
                assert_exact(image, size, method, **parameters)


def test_ends_of_the_shares():
    image = random_image((24, 32, 3), "uint8", seed=10)

    def result(method, **parameters):
        return downscale(image, size=(7, 6), method=method, **parameters)

    np.testing.assert_array_equal(result("mixed", beta=0), result("box"))
    np.testing.assert_array_equal(result("mixed", beta=1), result("max"))
    np.testing.assert_array_equal(result("adapool", beta=0), result("softpool"))
    np.testing.assert_array_equal(result("adapool", beta=1), result("edscw"))
    np.testing.assert_array_equal(result("gated"), result("mixed"))
    np.testing.assert_array_equal(result("lp", power=1), result("box"))
    assert np.abs(result("lp", power=1e6) - result("max").astype(int)).max() <= 1


def test_values_outside_of_zero_to_one():
    image = random_image((24, 32, 3), "float64", seed=11)
    lower = image - 0.5
    for method in ("lp", "softpool", "edscw", "idw", "mixed", "adapool"):
        assert_exact(lower, (8, 6), method)
        np.testing.assert_allclose(
            downscale(image * 60000, size=(8, 6), method=method, value_range=(0, 1)),
            oracle.downscale(image * 60000, (8, 6), method),
            rtol=1e-9,
        )
    for options in ({"form": "expected"}, {"form": "random"}):
        np.testing.assert_array_equal(
            downscale(lower, size=(8, 6), method="stochastic", **options),
            downscale(np.maximum(lower, 0), size=(8, 6), method="stochastic", **options),
        )


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].source != "Pillow"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_black_stays_black(method, dtype):
    assert not downscale(np.zeros((12, 16, 3), dtype), scale=4, method=method).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_gates(dtype, channels):
    image = random_image((24, 45, 3), dtype, seed=12)
    gate = np.random.default_rng(13).normal(size=(channels, 4, 5)) * 3
    flat = gate.reshape(channels, -1).T
    exact = oracle.pool(image / {"uint8": 255, "uint16": 65535}.get(dtype, 1), (9, 6), "gated", gate=flat)
    given = [gate, gate[0].tolist()] if channels == 1 else [gate]
    for form in given:
        result = downscale(image, size=(9, 6), method="gated", gate=form)
        unit = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
        tolerance = 0.51 / unit if unit > 1 else 1e-5
        np.testing.assert_allclose(result / unit, exact, rtol=0, atol=tolerance)


def test_gates_from_files(dpid, photo):
    kernel = np.random.default_rng(14).normal(size=(4, 4))
    gate = Filter(kernel, grid="input", scale=4, offset=(0, 0))
    gate.save("gate.json")
    words = ("photo.png", "-s", "4", "-m", "gated", "-o", "out.png")
    result = dpid("downscale", *words, "--gate", "gate.json", "--json")
    assert json.loads(result.stdout)["parameters"]["gate"] == "gate.json"
    image = pixels("photo.png")
    for given in kernel, gate, "gate.json", Path("gate.json"):
        np.testing.assert_array_equal(
            pixels("out.png"), downscale(image, scale=4, method="gated", gate=given)
        )
    assert (pixels("out.png") != downscale(image, scale=4, method="gated")).any()


def test_gates_open_and_close():
    image = random_image((24, 32, 3), "uint8", seed=14)
    for gate, same in ((1e4, "max"), (-1e4, "box"), (0, "mixed")):
        result = downscale(image + np.uint8(1), scale=4, method="gated", gate=np.full((4, 4), gate))
        np.testing.assert_array_equal(result, downscale(image + np.uint8(1), scale=4, method=same))


def test_spectral_keeps_slow_waves():
    """A wave slower than the result's grid is sampled at the centres of the windows."""
    y, x = np.mgrid[:30, :48] + 0.5
    for size in ((16, 10), (15, 11), (13, 9)):
        v, u = np.mgrid[: size[1], : size[0]] + 0.5

        def wave(y, x):
            return 0.5 + 0.2 * np.cos(2 * np.pi * (2 * x + 0.1)) + 0.2 * np.sin(2 * np.pi * (3 * y - x))

        result = downscale(wave(y / 30, x / 48), size=size, method="spectral")
        np.testing.assert_allclose(result, wave(v / size[1], u / size[0]), atol=1e-12)
        fast = downscale(0.5 + 0.4 * np.cos(2 * np.pi * 20 * x / 48), size=size, method="spectral")
        np.testing.assert_allclose(fast, 0.5, atol=1e-12)


def test_centres_are_those_of_pillow():
    image = random_image((33, 47), "uint8", seed=15)
    expected = np.asarray(Image.fromarray(image).resize((11, 9), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(
        downscale(image, size=(11, 9), method="subsample", position="centre"), expected
    )


def test_exponentials_of_float32():
    """Taylor's series and bits, against float64: three units in the last place where images need it."""
    for low, tolerance in ((-1, 4e-7), (-80, 5e-6)):
        x = np.linspace(low, 1, 20001, dtype=np.float32)
        found = np.array([pooling.exponential(value, NO) for value in x], np.float64)
        np.testing.assert_allclose(found, np.exp(x.astype(np.float64)), rtol=tolerance)
    assert 0 < pooling.exponential(np.float32(-1e9), NO) < 1e-37


# Chance


def test_the_generator():
    """The numbers that the generator's published implementations give for this seed."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert splitmix.splitmix64(1234567, np.arange(4, dtype=np.uint64)).tolist() == expected


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_seeds(method, dtype):
    image = random_image((400, 96, 3), dtype, seed=16)
    size = (24, 100)
    first = downscale(image, size=size, method=method, seed=1, threads=1)
    for threads in (2, 3, 8):
        again = downscale(image, size=size, method=method, seed=1, threads=threads)
        np.testing.assert_array_equal(again, first)
    default = downscale(image, size=size, method=method)
    np.testing.assert_array_equal(default, downscale(image, size=size, method=method, seed=0))
    others = [downscale(image, size=size, method=method, seed=s) for s in (0, 2, 2**32 + 1, 2**64 - 1)]
    assert all((other != first).any() for other in others)


PINNED = {
    "stochastic": [
        [113, 163, 152, 243, 175, 154],
        [191, 238, 73, 43, 213, 190],
        [105, 119, 229, 231, 135, 172],
        [241, 247, 50, 239, 183, 75],
    ],
    "s3pool": [
        [133, 183, 223, 253, 253, 215],
        [238, 251, 245, 253, 253, 229],
        [253, 151, 239, 239, 237, 203],
        [253, 151, 239, 239, 93, 203],
    ],
    "s3dpp": [
        [68, 111, 145, 170, 137, 112],
        [169, 120, 127, 136, 123, 145],
        [132, 107, 194, 125, 101, 175],
        [136, 118, 206, 129, 60, 195],
    ],
}


@pytest.mark.parametrize("method", RANDOM)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_every_machine_draws_the_same(dtype, method):
    """Outputs once computed, so that another machine notices if it draws other pixels."""
    y, x = np.mgrid[:16, :24]
    image = (7 * x + 31 * y + x * y) % 256
    unit = {"uint8": 1, "uint16": 257}.get(dtype, 1 / 255)
    result = downscale((image * unit).astype(dtype), scale=4, method=method, seed=5) / unit
    rounding = 0.51 if method == "s3dpp" else 1e-4  # only the means are computed in floats
    np.testing.assert_allclose(result, PINNED[method], rtol=0, atol=rounding)


def means_over_seeds(image, size, method, seeds=2000, **parameters):
    """Mean over seeds, and its standard error."""
    results = np.array(
        [downscale(image, size=size, method=method, seed=s, threads=1, **parameters) for s in range(seeds)]
    )
    return results.mean(0), results.std(0) / np.sqrt(seeds)


def assert_near(mean, error, expected):
    """Within five standard errors everywhere, and within two nearly everywhere."""
    off = np.abs(mean - expected) / (error + 1e-12)
    assert off.max() < 5
    assert np.mean(off < 2) > 0.85


def test_stochastic_means_approach_the_expectation():
    image = random_image((9, 11, 2), "float64", seed=17)
    mean, error = means_over_seeds(image, (4, 3), "stochastic")
    expected = downscale(image, size=(4, 3), method="stochastic", form="expected")
    assert_near(mean, error, expected)
    assert error.max() > 0.001


def test_pixels_are_picked_in_proportion_to_their_values():
    image = np.array([[0, 10, 20], [30, 0, 40]], np.uint8)
    picked = [int(downscale(image, size=(1, 1), method="stochastic", seed=s)[0, 0]) for s in range(2000)]
    values, counts = np.unique(picked, return_counts=True)
    assert values.tolist() == [10, 20, 30, 40]
    expected = 20 * values.astype(float)
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # chi-squared, 3 degrees of freedom, p = 0.001


def test_channels_share_a_draw():
    """Channels that are proportional pick the same pixel."""
    gray = random_image((40, 40), "uint8", seed=18) // 4
    result = downscale(np.dstack([gray, 2 * gray, 3 * gray]), scale=5, method="stochastic")
    np.testing.assert_array_equal(result[..., 1], 2 * result[..., 0])
    np.testing.assert_array_equal(result[..., 2], 3 * result[..., 0])


@pytest.mark.parametrize("parameters", [{"cell": 4}, {}, {"cell": 12}])
@pytest.mark.parametrize("method", SPATIAL)
def test_spatial_means_approach_their_expectation(method, parameters):
    """Exactly the form "expected" where a cell is a window; else that of the drawn, sorted indices."""
    image = random_image((12, 16), "float64", seed=19)
    size = (4, 3)
    mean, error = means_over_seeds(image, size, method, **parameters)
    everywhere = oracle.dense(image[..., None], (4, 4), method)[..., 0]
    rows, columns = (
        index_probabilities(n, 4, parameters.get("cell", 8)) for n in (12, 16)
    )  # half an axis: 1.5 or 2 windows, rounded up
    assert_near(mean, error, rows @ everywhere @ columns.T)
    if parameters.get("cell") == 4:
        assert_near(mean, error, downscale(image, size=size, method=method, form="expected"))


def index_probabilities(length, side, cell):
    """(length // side, length): the probability that each index is the one drawn for each row.

    Of m indices drawn from n without replacement, the k-th smallest is x with probability
    C(x, k) C(n - 1 - x, m - 1 - k) / C(n, m).
    """
    out = np.zeros((length // side, length))
    for start in range(0, length, cell):
        n = min(cell, length - start)
        m = n // side
        for k in range(m):
            for x in range(n):
                out[start // side + k, start + x] = comb(x, k) * comb(n - 1 - x, m - 1 - k) / comb(n, m)
    return out


@pytest.mark.parametrize(("shape", "scale"), [((24, 36), 3), ((20, 40), 4), ((7, 9), 1), ((6, 30), 6)])
@pytest.mark.parametrize("cell", [None, 12, 10**6])
def test_rows_and_columns_that_are_drawn(shape, scale, cell):
    """Read from ramps, the largest value of a window of which is at its far end."""
    if cell == 10**6:
        cell = scale * 10**5
    if cell is not None and cell % scale:
        cell = 10 * scale
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    size = (shape[1] // scale, shape[0] // scale)
    options = {"size": size, "method": "s3pool", "seed": 3, "cell": cell}
    found = [downscale(ramp, **options) for ramp in (y, x)]
    assert (np.ptp(found[0], axis=1) == 0).all() and (np.ptp(found[1], axis=0) == 0).all()
    for length, last in ((shape[0], found[0][:, 0]), (shape[1], found[1][0])):
        part = cell or math.floor(length / scale / 2 + 0.5) * scale
        begins = last - (scale - 1)  # at least: at the far edge, windows share their last pixel
        assert (np.diff(last) >= 0).all() and (np.diff(begins[begins < length - scale]) > 0).all()
        for start in range(0, length, part):
            drawn = last[start // scale : (start + part) // scale]
            assert (drawn >= min(start + scale - 1, length - 1)).all()
            assert (drawn <= min(start + part + scale - 2, length - 1)).all()


@pytest.mark.parametrize("method", SPATIAL)
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
@pytest.mark.parametrize("channels", [1, 4])
def test_spatial_takes_whole_rows_and_columns(channels, dtype, method):
    image = random_image((24, 30, channels), dtype, seed=20)
    unit = 255 if dtype == "uint8" else 1
    everywhere = oracle.dense(image / unit, (3, 3), method)
    rows, columns = (splitmix.sample(7, number, n, 12, 3) for number, n in ((1, 24), (2, 30)))
    result = downscale(image, scale=3, method=method, seed=7, cell=12)
    np.testing.assert_allclose(
        result / unit, everywhere[np.ix_(rows, columns)], rtol=0, atol=0.51 / unit if unit > 1 else 1e-10
    )


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("s3pool", {}),
        ("s3dpp", {}),
        ("s3dpp", {"lambda_": 0}),
        ("s3dpp", {"lambda_": 8, "epsilon": 0.2, "variant": "asym"}),
        ("s3dpp", {"lambda_": 0.7, "alpha": 0.1, "normalize": "mean"}),
        ("s3dpp", {"guidance": "gaussian"}),
        ("s3dpp", {"guidance": "gaussian", "alpha": 0.2, "variant": "asym"}),
    ],
)
def test_spatial_expectation(method, parameters):
    assert_exact(random_image((12, 10), "float32", seed=21), (5, 4), method, form="expected", **parameters)


@pytest.mark.parametrize("method", SPATIAL)
@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        ("uint8", (21, 20, 3), (5, 7)),
        ("uint16", (21, 20), (20, 7)),
        ("float64", (9, 9, 2), (1, 3)),
        ("uint8", (9, 12, 4), (3, 9)),
    ],
)
def test_spatial_expectation_of_every_type(dtype, shape, size, method):
    assert_exact(random_image(shape, dtype, seed=21), size, method, form="expected")


def test_gaussian_guidance_at_random_places():
    image = random_image((24, 30, 2), "float64", seed=22)
    everywhere = oracle.dense(image, (3, 3), "s3dpp", guidance="gaussian", lambda_=2.0)
    rows, columns = (splitmix.sample(0, number, n, n // 2, 3) for number, n in ((1, 24), (2, 30)))
    result = downscale(image, scale=3, method="s3dpp", guidance="gaussian", lambda_=2)
    np.testing.assert_allclose(result, everywhere[np.ix_(rows, columns)], atol=1e-10)


@pytest.mark.parametrize("method", SPATIAL)
def test_spatial_needs_whole_windows(method):
    with pytest.raises(DpidError, match=r"50x40 does not divide into 13x10 windows.*crop"):
        downscale(np.zeros((40, 50)), scale=4, method=method)
    with pytest.raises(DpidError, match=r"cell must be a multiple of 4.* \(got 10"):
        downscale(np.zeros((40, 40)), scale=4, method=method, cell=10)


@pytest.mark.parametrize("gate", [np.zeros((3, 3)), np.zeros((2, 4, 4)), np.zeros(4), 1, np.zeros((4, 5))])
def test_gates_that_do_not_fit(gate):
    with pytest.raises(DpidError, match=r"gate: a filter of .* does not fit 3 channels and windows of 4x4"):
        downscale(np.zeros((40, 40, 3)), scale=4, method="gated", gate=gate)


def test_gates_need_whole_windows():
    with pytest.raises(DpidError, match=r"windows of 4x4\.1 pixels"):
        downscale(np.zeros((40, 41)), size=(10, 10), method="gated", gate=np.zeros((4, 4)))
    with pytest.raises(DpidError, match=r"a filter of 1 does not fit 1 channels"):
        downscale(np.zeros((40, 41)), size=(10, 10), method="gated", gate=[1])
    with pytest.raises(DpidError, match=r"gate: cannot be read as an array"):
        downscale(np.zeros((40, 40)), scale=4, method="gated", gate=[[1, 2], [3]])
    with pytest.raises(DpidError, match=r"gate: .* NaN"):
        downscale(np.zeros((40, 40)), scale=4, method="gated", gate=np.full((4, 4), np.nan))


def test_windows_leave_no_gaps():
    with pytest.raises(DpidError, match="window: 3 pixels would leave gaps: use 4 or more"):
        downscale(np.zeros((40, 37)), size=(10, 10), method="max", window=3)
    with pytest.raises(DpidError, match="window: method dpid has no such parameter"):
        downscale(np.zeros((40, 37)), scale=4, window=5)
