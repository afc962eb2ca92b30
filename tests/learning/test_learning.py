"""Learning recovers known parameters and lowers losses; `dpid learn` equals the library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from dpid_cli import DpidError, Filter, downscale, learn
from dpid_cli.downscaling.filters import BOX, GAUSSIAN, over_pixels
from dpid_cli.learning.crops import Crop
from dpid_cli.learning.fit import Fit
from dpid_cli.learning.losses import dissimilarity, interpolation, loss_of, multiscale_dissimilarity
from dpid_cli.learning.plan import Plan, Variables, first_filter
from support.command import DPID, SAMPLES, is_one_error_line, listing

KERNELS = {
    "lite": np.outer([0, 1, 0], [0, 1, 0]),
    "gaussian": np.outer([1, 2, 1], [1, 2, 1]) / 16,
    "random": np.random.default_rng(5).normal(1 / 9, 0.15, (3, 3)),
}


def sample(name, gray=True):
    with Image.open(SAMPLES / name) as image:
        return np.asarray(image.convert("L") if gray else image.convert("RGB"))


@pytest.fixture(scope="module")
def images():
    """Three samples, cropped to sides that are multiples of 4."""
    found = [sample(name) for name in ("camera.png", "chelsea.png", "page.png")]
    return [image[: len(image) // 4 * 4, : image.shape[1] // 4 * 4] for image in found]


def smaller(images, **parameters):
    return [downscale(image, scale=4, method="dpp", **parameters) for image in images]


@pytest.mark.parametrize(("truth", "seed"), [("lite", 1), ("gaussian", 2), ("random", 3)])
def test_pairs_recover_what_made_them(images, truth, seed):
    """From random starts, and from targets rounded to bytes."""
    rng = np.random.default_rng(seed)
    made = {"lambda_": rng.uniform(0.8, 2.2), "alpha": rng.uniform(0.02, 0.2)}
    filter_ = Filter(KERNELS[truth], bias=0.02)
    found = learn(
        images,
        targets=smaller(images, guidance=filter_, **made),
        scale=4,
        objective="pairs",
        method="dpp",
        guidance=Filter(rng.normal(1 / 9, 0.08, (3, 3))),
        lambda_=rng.uniform(0.5, 2.5),
        patch=128,
        patches=4,
        held_out=0.3,
        starts=3,
        seed=seed,
    )
    assert abs(found.lambda_ / made["lambda_"] - 1) < 0.02
    assert np.abs(found.kernel - filter_.kernel).max() < 1e-2
    assert abs(found.bias - 0.02) < 1e-2
    assert abs(found.alpha / made["alpha"] - 1) < 0.1
    assert found.loss["held_out"]["after"] < 2e-6  # rounding to bytes has a variance of 1.3e-6


def test_other_starts_find_what_the_first_misses(images):
    """Seed 8 is one of a dozen for which the search ends in a wrong minimum."""
    rng = np.random.default_rng(8)
    truth = Filter(
        rng.normal(1 / 9, 0.12, (3, 3)),
        bias=rng.uniform(-0.03, 0.03),
        lambda_=rng.uniform(0.6, 2.2),
        alpha=rng.uniform(0.01, 0.2),
    )
    options = {
        "targets": smaller(images, guidance=truth),
        "scale": 4,
        "objective": "pairs",
        "method": "dpp",
        "guidance": Filter(rng.normal(1 / 9, 0.08, (3, 3))),
        "lambda_": rng.uniform(0.5, 2.5),
        "patch": 96,
        "patches": 3,
        "held_out": 0,
        "seed": 8,
    }
    one, three = (learn(images, starts=starts, **options) for starts in (1, 3))
    assert one.loss["training"]["after"] > 1e-3
    # How near to 0 it ends, and with it the kernel, depends on the rounding of the CPU.
    assert three.loss["training"]["after"] < 1e-4


@pytest.mark.parametrize("grid", ["output", "input"])
def test_all_starts_are_different_filters(images, grid):
    start = BOX if grid == "output" else over_pixels(4)
    plan = Plan(4, "pairs", method="dpp", starts=6)
    first = first_filter(plan, {"guidance": start})
    starts = Variables(first, plan.free).starts(6, np.random.default_rng(0))
    filters = [Variables(first, plan.free).unpack(vector) for vector in starts]
    np.testing.assert_array_equal(filters[0].kernel, first.kernel)
    assert len({(filter_.kernel.tobytes(), filter_.lambda_) for filter_ in filters}) == 6
    for filter_ in filters[1:3]:
        assert filter_.kernel.sum() == pytest.approx(1)


def test_starts_of_what_is_left(images):
    """With kernel and lambda held, only bias and alpha can start elsewhere."""
    options = {"patches": 1, "patch": 40, "iterations": 2, "held_out": 0, "hold": ("kernel", "lambda")}
    found = learn(images, scale=4, starts=4, **options)
    assert found.loss["training"]["after"] <= found.loss["training"]["before"]


def test_pairs_recover_a_filter_on_the_input_grid(images):
    truth = over_pixels(4)
    kernel = truth.kernel + np.random.default_rng(0).normal(0, 0.02, (6, 6))
    targets = smaller(images, guidance=replace(truth, kernel=kernel), lambda_=1.5, alpha=0)
    options = {"scale": 4, "objective": "pairs", "method": "dpp", "guidance": truth}
    options |= {"patch": 128, "patches": 5}
    found = learn(images, targets=targets, alpha=0, hold=("alpha", "bias"), **options)
    assert abs(found.lambda_ / 1.5 - 1) < 0.02
    assert np.abs(found.kernel - kernel).max() < 1e-2


def test_pairs_of_a_fractional_scale(images):
    """At scale 2.5, windows and crops begin at whole pixels every five pixels."""
    large = [image[:150, :250] for image in images]
    small = [downscale(image, scale=2.5, lambda_=1.6) for image in large]
    options = {"alpha": 0, "hold": ("kernel", "bias", "alpha"), "patch": 83, "held_out": 0}
    found = learn(large, targets=small, scale=2.5, objective="pairs", **options)
    assert abs(found.lambda_ / 1.6 - 1) < 0.02
    assert found.loss["training"]["after"] < 2e-6


def test_ssim_beats_what_there_was():
    """On held-out halves of images; the fit has learned from most of the other halves."""
    photos = [sample(name, gray=False) for name in ("camera.png", "chelsea.png", "rocket.jpg")]
    photos += [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.gravel()]
    halves = [half for photo in photos for half in np.array_split(photo, 2, axis=1)]
    options = {"patches": 2, "patch": 96, "seed": 2}
    found = learn(halves, scale=4, iterations=40, **options)
    plan = Plan(4, **options)
    fixed = {"alpha": 0.0, "epsilon": 0.0, "variant": "sym", "normalize": "none"}

    def loss(filter_, method="dpid", **parameters):
        names, alone = [str(i) for i in range(len(halves))], [(half, None) for half in halves]
        fit = Fit(replace(plan, method=method), replace(filter_, **fixed | parameters), names, alone)
        return fit.loss(fit.start, fit.testing)

    after = found.loss["held_out"]["after"]
    assert after == pytest.approx(loss(found, alpha=found.alpha, lambda_=found.lambda_), abs=1e-12)
    assert found.loss["training"]["after"] < found.loss["training"]["before"] - 0.003
    assert after < found.loss["held_out"]["before"] - 0.003
    assert after < loss(GAUSSIAN, lambda_=1.0) - 0.003
    assert after < loss(BOX, lambda_=0.0) - 0.015
    assert after < loss(BOX, "dpp", lambda_=1.0, epsilon=1e-3**0.5) - 0.02


def test_learning_is_deterministic(images):
    options = {"scale": 3, "patches": 2, "patch": 60, "iterations": 6, "starts": 2, "objective": "l2"}
    first = learn(images, threads=1, **options)
    for threads in 1, 2, 5:
        assert learn(images, threads=threads, **options) == first
    assert learn(images, seed=1, **options) != first


def test_what_is_held_stays(images):
    options = {"scale": 4, "patches": 1, "patch": 64, "iterations": 4, "held_out": 0}
    found = learn(images, lambda_=1.3, alpha=0.2, guidance="box", hold=("lambda", "alpha"), **options)
    assert (found.lambda_, found.alpha) == (1.3, pytest.approx(0.2))
    assert np.abs(found.kernel - BOX.kernel).max() > 1e-4 and found.bias != 0
    found = learn(images, alpha=0, hold=("kernel", "bias", "alpha"), **options)
    np.testing.assert_array_equal(found.kernel, GAUSSIAN.kernel)
    assert (found.alpha, found.bias) == (0, 0) and found.lambda_ != 1
    assert found.loss["held_out"] is None and found.fitted_on["held_out"] == []


def test_a_kernel_for_each_channel():
    photos = [sample(name, gray=False)[:200, :200] for name in ("chelsea.png", "rocket.jpg")]
    found = learn(photos, scale=4, per_channel=True, method="dpp", patches=1, patch=96, iterations=5)
    assert found.kernel.shape == (3, 3, 3) and len(found.bias) == 3
    assert np.abs(found.kernel[0] - found.kernel[2]).max() > 1e-4


def test_interpolation_is_linear_between_centres():
    matrix = interpolation(4, 12, "bilinear").toarray()
    np.testing.assert_allclose(matrix.sum(1), 1)
    np.testing.assert_allclose(matrix @ np.arange(4.0), np.clip((np.arange(12) + 0.5) / 3 - 0.5, 0, 3))


@pytest.mark.parametrize(
    ("kind", "filter_"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
@pytest.mark.parametrize(("source", "target"), [(1, 5), (2, 7), (5, 5), (9, 40), (40, 133)])
def test_interpolation_is_that_of_pillow(kind, filter_, source, target):
    values = np.random.default_rng(source).random((1, source)).astype(np.float32)
    expected = np.asarray(Image.fromarray(values).resize((target, 1), filter_))[0]
    np.testing.assert_allclose(interpolation(source, target, kind) @ values[0], expected, atol=3e-7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("objective", "enlargement"),
    [*product(("ssim", "msssim", "l2"), ("bilinear", "bicubic", "both")), ("pairs", None)],
)
def test_objectives_have_exact_gradients(objective, enlargement, channels):
    rng = np.random.default_rng(channels)
    height, width = (45, 47) if objective == "msssim" else (5, 6)
    inner = (slice(1, None), slice(0, -1))
    pixels, target = rng.random((4 * height, 4 * width + 1, channels)), rng.random((height, width, channels))
    crop = Crop(pixels, (width, height), target, inner)
    result = 0.5 * target + 0.5 * pixels[::4, :-1:4]
    direction = rng.normal(size=result.shape)
    _, gradient = loss_of(objective, enlargement, crop, result)
    high, low = (
        loss_of(objective, enlargement, crop, result + step * direction)[0] for step in (1e-5, -1e-5)
    )
    assert (gradient * direction).sum() == pytest.approx((high - low) / 2e-5, rel=1e-6)


def test_both_enlargements_are_the_mean_of_the_two():
    rng = np.random.default_rng(3)
    crop, result = Crop(rng.random((20, 24, 1)), (6, 5)), rng.random((5, 6, 1))
    one, other, both = (loss_of("ssim", kind, crop, result)[0] for kind in ("bilinear", "bicubic", "both"))
    assert one != other and both == pytest.approx((one + other) / 2, abs=1e-14)


def test_multiscale_dissimilarity_is_that_of_its_paper():
    """From its equations, with SciPy's Gaussian windows on gray images."""
    rng = np.random.default_rng(4)
    a = gaussian_filter(rng.random((181, 193)), 1)
    b = np.clip(0.8 * a + 0.1 + rng.normal(0, 0.02, a.shape), 0, 1)
    product, x, y = 1.0, a, b
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        smooth = partial(gaussian_filter, sigma=1.5, truncate=3.5, mode="reflect")
        mean_x, mean_y = smooth(x), smooth(y)
        products = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2, smooth(x * y) - mean_x * mean_y
        found = (2 * products[2] + 0.03**2) / (products[0] + products[1] + 0.03**2)
        if scale == 4:
            found *= (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
        product *= found.mean() ** weight
        x, y = (
            v[: v.shape[0] // 2 * 2, : v.shape[1] // 2 * 2]
            .reshape(v.shape[0] // 2, 2, v.shape[1] // 2, 2)
            .mean(axis=(1, 3))
            for v in (x, y)
        )
    assert multiscale_dissimilarity(a[..., None], b[..., None])[0] == pytest.approx(1 - product, abs=1e-7)
    assert multiscale_dissimilarity(a[..., None], a[..., None])[0] == pytest.approx(0, abs=1e-7)
    opposite, gradient = multiscale_dissimilarity(a[..., None], 1 - a[..., None])
    assert 0.9 < opposite <= 1 and np.isfinite(gradient).all()


def test_dissimilarity_is_one_minus_the_mean_of_the_map():
    a, b = np.random.default_rng(1).random((2, 16, 18, 3))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    whole = structural_similarity(a, b, data_range=1, channel_axis=2, full=True, **options)[1]
    assert dissimilarity(a, b)[0] == pytest.approx(1 - whole.mean(), abs=1e-12)
    assert dissimilarity(a, a)[0] == pytest.approx(0, abs=1e-12)


WRONG = [
    ({"scale": 0.5}, "enlarge"),
    ({"scale": "4"}, "scale must be "),
    ({"objective": "psnr"}, "objective must be "),
    ({"method": "box"}, "method must be "),
    ({"hold": ("epsilon",)}, "hold: "),
    ({"hold": ("kernel", "bias", "lambda", "alpha")}, "nothing is left"),
    ({"held_out": 1}, "held-out must be "),
    ({"held_out": -0.1}, "held-out must be "),
    ({"seed": -1}, "seed must be "),
    ({"seed": 0.5}, "seed must be "),
    ({"enlargement": "nearest"}, "enlargement must be "),
    ({"objective": "pairs", "enlargement": "both"}, "enlargement: "),
    ({"objective": "msssim"}, "too few for msssim: give 176 or more"),
    ({"objective": "msssim", "patch": 128}, "patch must be 176"),
    ({"patch": 4}, "patch must be "),
    ({"patches": 0}, "patches must be "),
    ({"iterations": 0}, "iterations must be "),
    ({"starts": 0}, "starts must be "),
    ({"threads": 0}, "threads must be "),
    ({"objective": "pairs"}, "targets: "),
    ({"targets": []}, "targets: "),
    ({"objective": "pairs", "targets": []}, "targets: "),
    ({"objective": "pairs", "targets": [np.zeros((3, 5))] * 2}, "image 1: target: "),
    ({"names": ["a"]}, "images: "),
    ({"guidance": "unknown"}, "guidance: "),
    ({"guidance": over_pixels(3)}, "exactly 3"),
    ({"images": []}, "images: "),
    ({"images": [np.zeros((9, 40))]}, "too few for ssim"),
    ({"images": [np.zeros((40, 40)), np.zeros(3)]}, "image 2: image must have shape"),
    ({"images": [np.zeros((40, 40)), np.zeros((40, 40, 3))], "per_channel": True}, "image 2: "),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG)
def test_errors(arguments, told):
    options = {"images": [np.zeros((40, 40))] * 2, "scale": 4} | arguments
    with pytest.raises(DpidError, match=told) as caught:
        learn(options.pop("images"), **options)
    assert "\n" not in str(caught.value)


def test_nothing_to_improve():
    found = learn([np.full((40, 40), 0.5)], scale=4)
    assert found.loss["training"] == {
        "before": pytest.approx(0, abs=1e-15),
        "after": pytest.approx(0, abs=1e-15),
    }


@pytest.fixture
def files(folder):
    """Two images in ``large``, and their outputs in ``small``."""
    for name in "large", "small":
        (folder / name).mkdir()
    for name in "camera", "chelsea":
        image = sample(f"{name}.png")[100:220, 100:220]
        Image.fromarray(image).save(f"large/{name}.png")
        made = downscale(image, scale=3, lambda_=1.8)
        Image.fromarray(made).save(f"small/{name}.tif")
    return folder


QUICK = ["--patches", "1", "--patch", "60", "--iterations", "4", "-j", "1"]


def test_command_equals_library(dpid, files):
    result = dpid("learn", "large", "-s", "3", "-o", "found.json", *QUICK)
    assert (result.exit_code, result.stdout) == (0, "found.json\n")
    names = ["camera.png", "chelsea.png"]
    images = [np.asarray(Image.open(f"large/{name}")) for name in names]
    expected = learn(images, scale=3, patches=1, patch=60, iterations=4, names=names)
    assert Filter.load("found.json") == expected
    assert expected.fitted_on["held_out"] == ["chelsea.png"] or expected.fitted_on["held_out"] == [
        "camera.png"
    ]
    lines = result.stderr.splitlines()
    assert len(lines) == 3 and "before" in lines[0] and lines[1].startswith("held out: ")
    again = dpid("downscale", "large/camera.png", "-s", "3", "--guidance", "found.json")
    assert again.exit_code == 0


def test_command_with_pairs_and_json(dpid, files):
    words = "--objective pairs --targets small --alpha 0 --hold alpha --hold kernel --hold bias -v --json"
    result = dpid("learn", "large/camera.png", "large/chelsea.png", "-s", "3", "-o", "p.json", *words.split())
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record.pop("output") == "p.json" and record == json.loads(Path("p.json").read_text())
    assert abs(record["lambda"] / 1.8 - 1) < 0.02
    assert result.stderr.startswith("iteration 1: loss ")


def test_command_on_the_input_grid(dpid, files):
    result = dpid("learn", "large", "-s", "3", "--grid", "input", "-o", "i.json", "-q", *QUICK)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    found = Filter.load("i.json")
    assert (found.grid, found.scale, found.offset, found.kernel.shape) == ("input", 3, (-1, -1), (5, 5))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("large -s 3 -o out.txt", 2, "ending in .json"),
        ("large -s 3 -o none/out.json", 1, "cannot be written"),
        ("large -s 3 -o there.json", 1, "exists already"),
        ("large -s 0.5 -o out.json", 2, "enlarge"),
        ("large -s 2.5 --grid input -o out.json", 2, "needs a whole scale"),
        ("large -s 3 --grid output --guidance i.json -o out.json", 2, "a filter on the input grid"),
        ("large -s 3 --guidance none.json -o out.json", 2, "none.json"),
        ("large -s 3 --targets small -o out.json", 2, "--objective pairs"),
        ("large -s 3 --objective pairs -o out.json", 2, "--targets"),
        ("large -s 3 --objective pairs --enlargement both -o out.json", 2, "enlargement: "),
        ("large -s 3 --objective msssim -o out.json", 2, "patch must be 177"),
        ("large -s 3 --hold epsilon -o out.json", 2, "epsilon"),
        ("large -s 3 --lambda -1 -o out.json", 2, "lambda"),
        ("none.png -s 3 -o out.json", 1, "none.png"),
        ("there.json -s 3 -o out.json", 1, "not an image"),
        ("empty -s 3 -o out.json", 1, "no image"),
        ("clear.png -s 3 -o out.json", 1, "transparent"),
        ("large -s 3 --objective pairs --targets none -o out.json", 1, "not a folder"),
        ("large -s 3 --objective pairs --targets empty -o out.json", 1, "no image"),
        ("large -s 4 --objective pairs --targets small -o out.json", 2, "target"),
        ("large -o out.json", 2, "--scale"),
    ],
)
def test_command_errors(dpid, files, words, code, told):
    (files / "empty").mkdir()
    Path("there.json").write_text("{}")
    over_pixels(3).save("i.json")
    Image.fromarray(np.full((40, 40, 4), 100, np.uint8)).save("clear.png")
    before = listing(files)
    result = dpid("learn", *words.split(), *QUICK)
    assert (result.exit_code, result.stdout) == (code, "")
    assert is_one_error_line(result.stderr) and told in result.stderr
    assert listing(files) == before


def test_ctrl_c_keeps_the_best(files):
    """The signal arrives while the search runs, which takes long because of its many crops."""
    words = [DPID, "learn", "large", "-s", "3", "-o", "best.json", "-v", "--patches", "400", "-j", "1"]
    streams = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    def hear_signals():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # which nohup and background jobs ignore

    with subprocess.Popen(words, preexec_fn=hear_signals, **streams) as running:
        for line in running.stderr:
            if line.startswith("iteration 2"):
                break
        running.send_signal(signal.SIGINT)
        out, told = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, "best.json\n")
    assert "interrupted" in told and "Traceback" not in told
    found = Filter.load("best.json")
    assert found.loss["training"]["after"] < found.loss["training"]["before"]
    assert sorted(os.listdir()) == ["best.json", "large", "small"]
