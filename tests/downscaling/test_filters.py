"""Learned guidance: what it computes, on both grids, and the files that hold it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import dpid_cli
from dpid_cli import DpidError, Filter, downscale
from dpid_cli.downscaling.filters import over_pixels
from dpid_cli.downscaling.registry import FILTERS
from support import oracle
from support.command import is_one_error_line, listing, pixels

pytestmark = pytest.mark.usefixtures("threads_for_small_images")

plainly = settings(deadline=None, max_examples=30, derandomize=True)
GAUSSIAN = np.outer([1, 2, 1], [1, 2, 1]) / 16
DELTA = np.outer([0, 1, 0], [0, 1, 0])


def random(seed, *shape):
    return np.random.default_rng(seed).normal(0.1, 0.3, shape)


def output_filter(seed, channels=None, **fields):
    shape = (3, 3) if channels is None else (channels, 3, 3)
    bias = 0.03 if channels is None else tuple(np.linspace(-0.1, 0.1, channels))
    return Filter(random(seed, *shape), bias=bias, **fields)


def input_filter(seed, scale, side, offset, padding, channels=None):
    shape = (side, side) if channels is None else (channels, side, side)
    return Filter(
        random(seed, *shape) / 2, grid="input", scale=scale, offset=offset, padding=padding, bias=-0.02
    )


def assert_exact(image, size, method, **parameters):
    result = downscale(image, size=size, method=method, **parameters)
    exact = oracle.downscale(image, size, method, **parameters)
    assert result.dtype == image.dtype and result.shape == exact.shape
    if image.dtype.kind == "f":
        tolerance = 2e-5 if image.dtype == np.float32 else 1e-10
        np.testing.assert_allclose(result, exact, rtol=0, atol=tolerance)
    else:
        levels = np.clip(exact * np.iinfo(image.dtype).max, 0, None)
        allowed = 0.51 if image.dtype == np.uint8 else 2
        assert np.abs(result - levels).max() <= allowed


def noise(dtype, shape, seed=0):
    unit = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    return (np.random.default_rng(seed).random(shape) * unit).astype(dtype)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("size", [(9, 5), (7, 23), (1, 4), (30, 1), (1, 1)])
@pytest.mark.parametrize("own", [False, True], ids=["shared", "per channel"])
@pytest.mark.parametrize("total", ["any", "zero"])
def test_output_grid(method, size, own, total):
    filter_ = output_filter(1, 3 if own else None)
    if total == "zero":  # another rule for borders
        filter_ = Filter(filter_.kernel - filter_.kernel.mean((-2, -1), keepdims=True), bias=0.4)
    assert_exact(noise("float64", (23, 31, 3)), size, method, guidance=filter_, lambda_=1.5, alpha=0.02)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize(
    ("scale", "side", "offset"),
    [(2, 3, (-1, -1)), (2, 4, (-1, -1)), (3, 2, (1, 0)), (4, 1, (2, 3)), (1, 3, (-1, -1)), (5, 17, (-20, 9))],
)
def test_input_grid(scale, side, offset, padding, method):
    for own in None, 3:
        filter_ = input_filter(2, scale, side, offset, padding, own)
        image = noise("float64", (3 * scale, 4 * scale, 3))
        if scale > 1:
            assert_exact(image, (4, 3), method, guidance=filter_, lambda_=1.5)


@pytest.mark.parametrize("grid", ["output", "input"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_types(dtype, grid):
    filter_ = output_filter(3) if grid == "output" else over_pixels(3)
    for shape in ((60, 90), (60, 90, 4)):
        assert_exact(noise(dtype, shape), (30, 20), "dpid", guidance=filter_)


@plainly
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    method=st.sampled_from(["dpid", "dpp"]),
)
def test_points_of_the_output_grid(seed, size, method):
    """[1 2 1] is the guidance of DPID, the delta that of Lite, at any scale."""
    rng = np.random.default_rng(seed)
    image = rng.random((size[1] + rng.integers(0, 20), size[0] + rng.integers(0, 20), 3))
    for name, kernel in ("gaussian", GAUSSIAN), ("box", DELTA):
        by_filter = downscale(image, size=size, method=method, guidance=Filter(kernel))
        by_name = downscale(image, size=size, method=method, guidance=name)
        np.testing.assert_allclose(by_filter, by_name, rtol=0, atol=1e-10)


def test_the_window_itself_on_the_input_grid_is_lite():
    image = noise("float64", (12, 20, 3))
    window = Filter(np.full((4, 4), 1 / 16), grid="input", scale=4, offset=(0, 0))
    lite = downscale(image, scale=4, method="dpp", guidance="box")
    np.testing.assert_allclose(downscale(image, scale=4, method="dpp", guidance=window), lite, atol=1e-12)


@pytest.mark.parametrize("variant", ["sym", "asym"])
def test_full_dpp_as_released(variant):
    """The formula of the authors' layer, spelled out.

    A 3 x 3 convolution with stride 2, padding 1 and bias; weights normalised by their mean, exponents
    exp(L) / 2 and offsets exp(A).
    """
    image, kernel, bias = noise("float64", (10, 14)), random(4, 3, 3), 0.07
    log_lambda, log_alpha = 0.3, -1.2
    padded = np.pad(image, 1)
    guide = np.empty((5, 7))
    for y in range(5):
        for x in range(7):
            guide[y, x] = (padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3] * kernel).sum() + bias

    def mean(values):
        return (values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]) / 4

    def enlarged(values):
        return values.repeat(2, axis=0).repeat(2, axis=1)

    difference = image - enlarged(guide)
    if variant == "asym":
        difference = np.maximum(difference, 0)
    reward = difference**2 + 1e-3
    weight = (reward / enlarged(mean(reward))) ** (np.exp(log_lambda) / 2) + np.exp(log_alpha)
    expected = mean(image * weight) / mean(weight)

    full = Filter(
        kernel,
        grid="input",
        scale=2,
        offset=(-1, -1),
        padding="zero",
        bias=bias,
        lambda_=np.exp(log_lambda),
        alpha=np.exp(log_alpha),
        epsilon=1e-3**0.5,
        variant=variant,
        normalize="mean",
    )
    found = downscale(image, scale=2, method="dpp", guidance=full)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@plainly
@given(seed=st.integers(0, 10**6), value=st.floats(0, 1), method=st.sampled_from(["dpid", "dpp"]))
def test_constant_images_stay_constant_whatever_the_filter(seed, value, method):
    image = np.full((12, 18, 3), value)
    for filter_ in output_filter(seed), input_filter(seed, 3, 5, (-1, -1), "zero"):
        result = downscale(image, scale=3, method=method, guidance=filter_)
        np.testing.assert_allclose(result, value, atol=1e-9)


@plainly
@given(seed=st.integers(0, 10**6), method=st.sampled_from(["dpid", "dpp"]))
def test_lambda_zero_is_the_average_and_results_stay_in_their_windows(seed, method):
    image = noise("uint8", (12, 18, 3), seed)
    box, high, low = (downscale(image, scale=3, method=name) for name in ("box", "max", "min"))
    for filter_ in output_filter(seed), input_filter(seed, 3, 5, (-1, -1), "reflect"):
        plain = downscale(image, scale=3, method=method, guidance=filter_, lambda_=0)
        np.testing.assert_array_equal(plain, box)
        result = downscale(image, scale=3, method=method, guidance=filter_, lambda_=3)
        assert (result >= low).all() and (result <= high).all()


@pytest.mark.parametrize("filter_", [output_filter(5), over_pixels(2)], ids=["output", "input"])
def test_threads_change_no_bit(filter_):
    image = noise("uint8", (700, 130, 3))
    serial = downscale(image, scale=2, guidance=filter_, threads=1)
    for threads in 2, 3, 8:
        np.testing.assert_array_equal(downscale(image, scale=2, guidance=filter_, threads=threads), serial)


def test_parameters_of_a_filter_are_defaults():
    image = noise("float64", (20, 30, 3))
    tuned = output_filter(6, lambda_=2.5, alpha=0.3, epsilon=0.05, variant="asym", normalize="mean")
    bare = Filter(tuned.kernel, bias=tuned.bias)
    result = downscale(image, scale=2.5, guidance=tuned)
    spelled = downscale(image, scale=2.5, guidance=bare, **tuned.parameters)
    np.testing.assert_array_equal(result, spelled)
    given_ = downscale(image, scale=2.5, guidance=tuned, lambda_=0.7, variant="sym")
    spelled = downscale(
        image, scale=2.5, guidance=bare, **tuned.parameters | {"lambda_": 0.7, "variant": "sym"}
    )
    np.testing.assert_array_equal(given_, spelled)
    assert np.abs(result - given_).max() > 0.01


def test_files_give_back_what_was_saved(tmp_path):
    for number, filter_ in enumerate(
        [
            Filter(GAUSSIAN),
            output_filter(
                7, 3, lambda_=1.25, variant="asym", loss={"training": {"before": 1.0, "after": 0.5}}
            ),
            input_filter(8, 4, 6, (-1, -2), "reflect", 2),
        ]
    ):
        path = tmp_path / f"{number}.json"
        filter_.save(path)
        assert Filter.load(path) == Filter.load(str(path)) == filter_
        assert hash(Filter.load(path)) == hash(filter_)
        assert Filter.load(path) != Filter(DELTA)
        with pytest.raises(DpidError, match="exists already"):
            filter_.save(path)
        filter_.save(path, overwrite=True)
    with pytest.raises(DpidError, match=r"must end in \.json"):
        Filter(DELTA).save(tmp_path / "filter.txt")


def test_filters_are_not_changed_by_their_makers():
    kernel = GAUSSIAN.copy()
    filter_ = Filter(kernel)
    kernel[:] = 0
    np.testing.assert_array_equal(filter_.kernel, GAUSSIAN)
    with pytest.raises(ValueError, match="read-only"):
        filter_.kernel[0, 0] = 1


GOOD = Filter(GAUSSIAN).as_dict()
INPUT = {"grid": "input", "scale": 2, "offset": [-1, -1]}
BAD = [
    ({"format": "other"}, "format", "dpid-filter"),
    ({"version": 2}, "version", "1"),
    ({"version": True}, "version", "1"),
    ({"version": None}, "version", "1"),
    ({"grid": "both"}, "grid", "output or input"),
    ({"kernel": None}, "kernel", "3 x 3"),
    ({"kernel": "abc"}, "kernel", "3 x 3"),
    ({"kernel": []}, "kernel", "3 x 3"),
    ({"kernel": [[1]]}, "kernel", "3 x 3"),
    ({"kernel": [[1, 2, 3], [1, 2]]}, "kernel", "3 x 3"),
    ({"kernel": [[[[1] * 3] * 3] * 2] * 2}, "kernel", "for each channel"),
    ({"kernel": [["1"] * 3] * 3}, "kernel", "finite numbers"),
    ({"kernel": [[True] * 3] * 3}, "kernel", "finite numbers"),
    ({"kernel": [[None] * 3] * 3}, "kernel", "finite numbers"),
    ({"kernel": [[float("nan")] * 3] * 3}, "kernel", "finite numbers"),
    ({"kernel": [[float("inf")] * 3] * 3}, "kernel", "finite numbers"),
    ({"kernel": [[10**400] * 3] * 3}, "kernel", "finite numbers"),
    (INPUT | {"kernel": [[0] * 129] * 129}, "kernel", "K from 1 to 128"),
    (INPUT | {"scale": None}, "scale", "whole number"),
    (INPUT | {"scale": 0}, "scale", "whole number"),
    (INPUT | {"scale": 2.5}, "scale", "whole number"),
    (INPUT | {"scale": True}, "scale", "whole number"),
    (INPUT | {"offset": None}, "offset", "two whole numbers"),
    (INPUT | {"offset": [1]}, "offset", "two whole numbers"),
    (INPUT | {"offset": [1, 0.5]}, "offset", "two whole numbers"),
    (INPUT | {"offset": [1, 10**9]}, "offset", "two whole numbers"),
    (INPUT | {"padding": "wrap"}, "padding", "zero, replicate or reflect"),
    ({"scale": 2}, "scale", "none"),
    ({"offset": [0, 0]}, "offset", "none"),
    ({"padding": "zero"}, "padding", "none"),
    ({"bias": "0"}, "bias", "finite number"),
    ({"bias": [0, 0]}, "bias", "finite number"),
    ({"bias": float("nan")}, "bias", "finite number"),
    ({"kernel": [GAUSSIAN.tolist()] * 3, "bias": [0, 0]}, "bias", "3 of them"),
    ({"lambda": -1}, "lambda", "0 or more"),
    ({"lambda": "x"}, "lambda", "0 or more"),
    ({"alpha": 10**400}, "alpha", "0 or more"),
    ({"epsilon": float("inf")}, "epsilon", "0 or more"),
    ({"variant": "both"}, "variant", "sym or asym"),
    ({"normalize": ["mean"]}, "normalize", "none or mean"),
    ({"objective": 3}, "objective", "word"),
    ({"fitted_on": []}, "fitted_on", "object"),
    ({"loss": 0.5}, "loss", "object"),
    ({"lamda": 1}, "'lamda'", "lambda"),
]


@pytest.mark.parametrize(("change", "field", "expected"), BAD, ids=range(len(BAD)))
def test_bad_fields(tmp_path, change, field, expected):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(DpidError) as caught:
        Filter.load(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: {field}: found ") and len(told) < 400
    assert expected in told.split(": expected ")[1] and "\n" not in told


@pytest.mark.parametrize("missing", ["format", "version", "grid", "kernel"])
def test_missing_fields(tmp_path, missing):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({key: value for key, value in GOOD.items() if key != missing}))
    with pytest.raises(DpidError, match=rf"bad\.json: {missing}: found nothing: expected "):
        Filter.load(path)


def test_what_is_not_needed_can_be_left_out(tmp_path):
    path = tmp_path / "small.json"
    path.write_text(
        '{"format": "dpid-filter", "version": 1, "grid": "output", "kernel": [[0,0,0],[0,1,0],[0,0,0]]}'
    )
    assert Filter.load(path) == Filter(DELTA)


@pytest.mark.parametrize(
    "content", [b"", b"[", b"\xff\xfe\x00", b"[" * 10**5, b"3", b"null", b" " * (5 << 20)]
)
def test_what_is_no_filter(dpid, photo, content):
    Path("bad.json").write_bytes(content)
    before = listing(photo.parent)
    result = dpid("downscale", "photo.png", "-s", "2", "--guidance", "bad.json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and result.stderr.startswith("bad.json: ")
    assert len(result.stderr) < 400 and listing(photo.parent) == before


@pytest.mark.parametrize("guidance", ["none.json", "/dev/null/x.json", "unheard-of", ".", "/dev/zero"])
def test_no_such_filter(dpid, photo, guidance):
    result = dpid("downscale", "photo.png", "-s", "2", "--guidance", guidance)
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and guidance in result.stderr


def test_filters_that_do_not_fit(dpid, photo):
    """The file of the image is at fault, so it fails, and others would be done."""
    over_pixels(4).save("four.json")
    output_filter(9, 4).save("rgba.json")
    (photo.parent / "loud.json").write_text(json.dumps(GOOD | {"kernel": [[50.0] * 3] * 3}))
    for words, told in (
        ("-s 2 --guidance four.json", "exactly 4"),
        ("-s 3 --guidance four.json", "exactly 4"),
        ("-s 4 --guidance rgba.json", "has 3"),
        ("-s 4 --guidance loud.json", "at most 100"),
    ):
        result = dpid("downscale", "photo.png", *words.split())
        assert (result.exit_code, result.stdout) == (1, "")
        assert is_one_error_line(result.stderr) and told in result.stderr
    assert dpid("downscale", "photo.png", "-s", "4", "--guidance", "four.json").exit_code == 0


def test_other_methods_have_no_guidance(dpid, photo):
    result = dpid("downscale", "photo.png", "-s", "2", "-m", "box", "--guidance", "none.json")
    assert result.exit_code == 2 and "no such parameter" in result.stderr
    with pytest.raises(DpidError, match=r"guidance must be a name, a path or a Filter \(got 3"):
        downscale(np.zeros((4, 4)), scale=2, guidance=3)


def test_command_equals_library(dpid, photo, noise):
    filter_ = output_filter(10, lambda_=0.6, alpha=0.1)
    filter_.save("mine.json")
    result = dpid("downscale", "photo.png", "-s", "2.7", "--guidance", "mine.json", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    record = json.loads(result.stdout)
    assert record["parameters"] == {
        "lambda": 0.6,
        "alpha": 0.1,
        "epsilon": 0.0,
        "variant": "sym",
        "guidance": "mine.json",
        "normalize": "none",
        "noise": 0.0,
    }
    np.testing.assert_array_equal(pixels(record["output"]), downscale(noise, scale=2.7, guidance=filter_))
    result = dpid("downscale", "photo.png", "-s", "3", "--guidance", "mine.json", "--lambda", "2")
    expected = downscale(noise, scale=3, guidance=Path("mine.json"), lambda_=2)
    np.testing.assert_array_equal(pixels(result.stdout.strip()), expected)


def test_packaged_filters(dpid, photo, noise):
    folder = Path(dpid_cli.__file__).parent / "downscaling" / "data"
    assert {path.name for path in folder.iterdir()} == {f"{name}.json" for name in FILTERS}
    assert all(name in dpid("downscale", "--help").stdout for name in FILTERS)
    for name in FILTERS:
        filter_ = Filter.load(name)
        assert filter_.objective == "ssim" and filter_.fitted_on["held_out"]
        assert filter_.loss["held_out"]["after"] < filter_.loss["held_out"]["before"]
        result = dpid("downscale", "photo.png", "-s", "2.2", "--guidance", name, "-o", f"{name}.out.png")
        assert result.exit_code == 0
        np.testing.assert_array_equal(pixels(f"{name}.out.png"), downscale(noise, scale=2.2, guidance=name))
    Image.fromarray(noise[..., 0]).save("gray.png")
    assert (
        dpid(
            "downscale", "gray.png", "-s", "2", "-m", "dpp", "--guidance", "photo", "--epsilon", "0.03"
        ).exit_code
        == 0
    )
