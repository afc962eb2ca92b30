"""Variants, regions and numbers, each against an independent, plain computation."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dpid_cli
from dpid_cli.compare.comparison import Comparison, VariantResult
from dpid_cli.compare.intensities import as_bytes, intensities
from dpid_cli.compare.metrics import BLOCK, Numbers, Yardstick, lightness
from dpid_cli.compare.regions import Region, crop_of, in_output, most_different, variance
from dpid_cli.compare.table import FIELDS, as_json, csv_of, formatted, rows_of, summary
from dpid_cli.compare.variants import DEFAULT, Variant, sweep_of, variant_of, variants_of
from dpid_cli.pictures import Picture


def picture(pixels: np.ndarray, alpha: bool = False) -> Picture:
    return Picture(pixels, alpha, None, "png")


def image(height: int, width: int, channels: int = 3, seed: int = 5) -> np.ndarray:
    """Smooth shades with noise that grows from left to right, in [0, 1], rounded to 8 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = 0.5 + 0.3 * np.sin(x / 9)[..., None] * np.cos(y / 7)[..., None] * np.ones(channels)
    noise = rng.normal(0, 1, (height, width, channels)) * (0.01 + 0.1 * x / width)[..., None]
    return np.rint(255 * np.clip(base + noise, 0, 1)) / 255


def downscaled(source: np.ndarray, scale: float, method: str) -> np.ndarray:
    return dpid_cli.downscale(np.rint(255 * source).astype(np.uint8), scale=scale, method=method) / 255


# Variants


def test_words():
    assert variant_of("dpid") == Variant("dpid")
    made = variant_of("dpp:lambda=1,alpha=0.1,variant=asym")
    assert made == Variant("dpp", {"lambda_": 1.0, "alpha": 0.1, "variant": "asym"})
    assert (made.word, made.label) == (
        "dpp:lambda=1,alpha=0.1,variant=asym",
        "dpp, λ = 1, α = 0.1, variant = asym",
    )
    assert variant_of("box:window=6").given == {"window": 6}
    assert (variant_of("dpid").label, variant_of("max").label) == ("dpid, λ = 1", "max")
    assert variant_of("dpid:guidance=photo").word == "dpid:guidance=photo"


@pytest.mark.parametrize("name", dpid_cli.METHODS)
def test_words_come_back(name):
    for number in (0.5, 1.0, 0.1234567890123, 1e-9):
        names = [key for key in ("lambda_", "beta") if key in dpid_cli.METHODS[name].defaults]
        variant = Variant(name, dict.fromkeys(names, number))
        assert variant_of(variant.word) == variant


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("lanczso", "'lanczso' is not known"),
        ("dpid:", "sets no parameter"),
        ("dpid:lambda", "'lambda' sets no parameter"),
        ("dpid:lamda=1", "unknown parameter 'lamda'"),
        ("dpid:lambda=x", "lambda must be a finite number, 0 or more, or auto (got 'x')"),
        ("dpid:lambda=-1", "lambda must be"),
        ("box:window=2.5", "window must be a whole number, 1 or more (got '2.5')"),
        ("box:lambda=1", "method box has no such parameter"),
        ("box:guidance=photo", "method box has no such parameter"),
        ("dpp:variant=both", "variant must be sym or asym"),
    ],
)
def test_words_that_are_wrong(word, told):
    with pytest.raises(dpid_cli.DpidError, match=r"^--method ") as caught:
        variant_of(word)
    assert told in str(caught.value)


def test_sweeps():
    assert sweep_of("lambda=0:0.3:0.1").values == (
        0,
        0.1,
        0.2,
        0.3,
    )  # in decimal arithmetic, with the last value
    assert sweep_of("lambda=0:2:0.25").values == tuple(i / 4 for i in range(9))
    assert sweep_of("lambda=1:2:0.4").values == (1, 1.4, 1.8)
    assert sweep_of("window=4:8:2").values == (4, 6, 8)
    assert sweep_of("variant=sym,asym").values == ("sym", "asym")
    assert sweep_of("lambda=1,1.0,2").values == (1, 2)


@pytest.mark.parametrize(
    "word",
    [
        "lambda",
        "lambda=",
        "lambda=a:b:c",
        "lambda=0:1:0",
        "lambda=1:0:1",
        "lambda=0:1:0.001",
        "lambda=0:nan:1",
        "lambda=0:inf:1",
        "lambda=0:1",
        "lamda=0:1:1",
        "window=4:6:0.5",
    ],
)
def test_sweeps_that_are_wrong(word):
    with pytest.raises(dpid_cli.DpidError, match=r"^--sweep lam|^--sweep win"):
        sweep_of(word)


def test_all_variants():
    assert [variant.word for variant in variants_of((), ())] == list(DEFAULT)
    swept = variants_of(["box", "dpid", "dpp:lambda=2"], [sweep_of("lambda=0,1")])
    assert [v.word for v in swept] == ["box", "dpid:lambda=0", "dpid:lambda=1", "dpp:lambda=2"]
    assert [v.family for v in swept] == [0, 1, 1, 2]
    grid = variants_of(["dpp", "box"], [sweep_of("lambda=0,1"), sweep_of("alpha=0,0.1,1")])
    assert len(grid) == 7 and grid[1].swept == {"lambda_": 0, "alpha": 0.1}
    assert [v.word for v in variants_of(["box", "box", "max"], ())] == ["box", "max"]
    both = variants_of(["dpid:lambda=1", "dpid"], [sweep_of("lambda=0,1")])  # the sweep stays complete
    assert [(v.word, v.swept) for v in both] == [
        ("dpid:lambda=1", {"lambda_": 1}),
        ("dpid:lambda=0", {"lambda_": 0}),
    ]


def test_variants_that_cannot_be():
    alpha, lambda_ = sweep_of("alpha=0,1"), sweep_of("lambda=0:3:0.1")
    for words, sweeps in (
        (["box"], [alpha]),
        (["dpid:alpha=1"], [alpha]),
        ((), [alpha, alpha]),
        ((), [alpha, lambda_, sweep_of("variant=sym,asym")]),
        (["dpid", "dpp"], [lambda_, sweep_of("alpha=0:3:1")]),
    ):
        with pytest.raises(dpid_cli.DpidError, match=r"^--sweep|^--method"):
            variants_of(words, sweeps)


# Regions


def test_crops():
    assert crop_of("4, 8,16,32") == Region(4, 8, 20, 40)
    # The smallest region of the output that covers the crop.
    assert in_output(Region(4, 8, 20, 40), (100, 100), (25, 25)) == Region(1, 2, 5, 10)
    assert in_output(Region(5, 9, 6, 10), (100, 100), (25, 25)) == Region(1, 2, 2, 3)
    assert in_output(Region(0, 0, 100, 100), (100, 100), (7, 9)) == Region(0, 0, 7, 9)
    assert Region(1, 2, 5, 10).on((25, 25), (100, 100)) == Region(4, 8, 20, 40)
    for word in ("1,2,3", "a,b,c,d", "0,0,0,5", "-1,0,4,4", "1.5,0,4,4"):
        with pytest.raises(dpid_cli.DpidError, match="--crop"):
            crop_of(word)
    with pytest.raises(dpid_cli.DpidError, match="exceeds the image, which has 100x100 pixels"):
        in_output(Region(90, 0, 101, 5), (100, 100), (25, 25))


def test_spread_is_the_variance():
    results = [np.random.default_rng(seed).random((4, 5, 3)) for seed in range(3)]
    np.testing.assert_allclose(variance(results), np.var(results, axis=0).sum(axis=2))


def test_the_most_different_regions_are_chosen():
    apart = np.zeros((60, 80))
    apart[40:44, 60:64] = 3  # less, but elsewhere
    apart[10:16, 10:16] = 5
    apart[10:16, 20:26] = 4.9  # more, but next to the first
    first, second, *rest = most_different(apart, 3)
    assert first.size == second.size == (16, 16) and not rest
    inside = apart[first.top : first.bottom, first.left : first.right].sum()
    every = [apart[y : y + 16, x : x + 16].sum() for y in range(45) for x in range(65)]
    assert inside == pytest.approx(max(every))
    assert second.cut(apart).sum() == 3 * 16
    assert most_different(apart, 0) == []


def test_regions_lie_apart_and_inside():
    apart = np.random.default_rng(3).random((300, 420))
    found = most_different(apart, 26)
    assert len(found) > 4 and found == sorted(found, key=lambda region: (region.top, region.left))
    for i, one in enumerate(found):
        assert one.left >= 0 and one.top >= 0 and one.right <= 420 and one.bottom <= 300
        for other in found[:i]:
            across = max(one.left - other.right, other.left - one.right)
            down = max(one.top - other.bottom, other.top - one.bottom)
            assert max(across, down) >= min(one.size) // 2 - 1


def test_regions_of_outputs_that_do_not_differ():
    assert most_different(np.zeros((60, 80)), 2) == [Region(32, 22, 48, 38)]
    assert most_different(np.ones((8, 8)), 2) == []  # a region would be the whole output


# Pixels


def test_pixels_of_every_kind():
    deep = np.array([[0, 128, 129, 65535]], np.uint16)
    assert as_bytes(picture(deep))[..., 0].tolist() == [[0, 0, 1, 255]]
    assert intensities(picture(deep))[0, 3, 0] == 1
    floats = np.array([[-1, 0.5, 2]], np.float32)
    assert as_bytes(picture(floats))[..., 2].tolist() == [[0, 128, 255]]
    glass = np.array([[[10, 20, 30, 51]]], np.uint8)
    assert as_bytes(picture(glass, alpha=True)).tolist() == [[[10, 20, 30, 51]]]
    np.testing.assert_allclose(intensities(picture(glass, alpha=True))[0, 0, 0], 10 / 255 * 0.2 + 0.8)
    grey = np.array([[[7, 255]]], np.uint8)
    assert as_bytes(picture(grey, alpha=True)).tolist() == [[[7, 7, 7]]]
    assert lightness(np.array([[[0.2, 0.4, 0.6]]]))[0, 0] == pytest.approx(
        0.2126 * 0.2 + 0.7152 * 0.4 + 0.0722 * 0.6
    )


# Numbers


def by_hand(source: np.ndarray, box: np.ndarray, result: np.ndarray) -> dict[str, float]:
    """All numbers from their definitions, slowly."""
    height, width, channels = source.shape
    enlarged = np.empty_like(source)
    for c in range(channels):
        at = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip((height, width), result.shape, strict=False)]
        rows = np.stack([np.interp(at[1], np.arange(result.shape[1]), row) for row in result[..., c]])
        enlarged[..., c] = np.stack(
            [np.interp(at[0], np.arange(result.shape[0]), column) for column in rows.T], axis=1
        )
    planes = [a[..., 0] if channels == 1 else a @ [0.2126, 0.7152, 0.0722] for a in (source, box, result)]

    def gradient(plane):
        return np.mean((plane[:, 1:] - plane[:, :-1]) ** 2) + np.mean((plane[1:] - plane[:-1]) ** 2)

    h, w, _ = result.shape
    variation, noise_of_box, noise = [], [], []
    for i in range(h // BLOCK):
        for j in range(w // BLOCK):
            rows = slice(i * BLOCK * height // h, (i + 1) * BLOCK * height // h)
            columns = slice(j * BLOCK * width // w, (j + 1) * BLOCK * width // w)
            variation.append(planes[0][rows, columns].std())
            part = np.s_[i * BLOCK : (i + 1) * BLOCK, j * BLOCK : (j + 1) * BLOCK]
            noise_of_box.append(planes[1][part].std())
            noise.append(planes[2][part].std())
    order = [k for k in np.argsort(variation) if variation[k] > 0]
    flat = order[: math.ceil(len(order) / 10)]
    noise_level = [math.sqrt(np.mean(np.square(n)[flat])) for n in (noise_of_box, noise)]
    return {
        "ssim": np.mean([ssim_by_hand(source[..., c], enlarged[..., c]) for c in range(channels)]),
        "psnr": -10 * math.log10(np.mean((source - enlarged) ** 2)),
        "contrast": planes[2].std(),
        "contrast_to_box": planes[2].std() / planes[1].std(),
        "contrast_to_input": planes[2].std() / planes[0].std(),
        "gradient": gradient(planes[2]),
        "gradient_to_box": gradient(planes[2]) / gradient(planes[1]),
        "gradient_to_input": gradient(planes[2]) / gradient(planes[0]),
        "noise": noise_level[1],
        "noise_gain": noise_level[1] / noise_level[0],
    }


def ssim_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, with a Gaussian window of 11 by 11 pixels, inside the image."""
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(weights, weights) / weights.sum() ** 2

    def mean(values):
        windows = np.lib.stride_tricks.sliding_window_view(values, (11, 11))
        return np.einsum("ijkl,kl->ij", windows, weights)

    m, n = mean(a), mean(b)
    va, vb, vab = mean(a * a) - m * m, mean(b * b) - n * n, mean(a * b) - m * n
    c1, c2 = 0.01**2, 0.03**2
    return np.mean((2 * m * n + c1) * (2 * vab + c2) / ((m * m + n * n + c1) * (va + vb + c2)))


@pytest.mark.parametrize(
    ("shape", "scale", "method"),
    [
        ((96, 130, 3), 4, "dpid"),
        ((90, 77, 1), 1.7, "max"),
        ((64, 256, 3), 2, "lanczos"),
        ((33, 200, 1), 3.3, "dpp"),
    ],
)
def test_numbers(shape, scale, method):
    source = image(*shape)
    box, result = (downscaled(source, scale, m) for m in ("box", method))
    numbers = Yardstick(source, box).measure(result, 0.5)
    for name, value in by_hand(source, box, result).items():
        assert getattr(numbers, name) == pytest.approx(value, rel=1e-9), name
    assert numbers.seconds == 0.5
    assert numbers.megapixels_per_second == pytest.approx(shape[0] * shape[1] / 1e6 / 0.5)


def test_a_constant_image():
    source, small = np.full((40, 40, 3), 0.5), np.full((10, 10, 3), 0.5)
    assert Yardstick(source, small).measure(small) == Numbers(
        ssim=1,
        psnr=math.inf,
        contrast=0,
        contrast_to_box=1,
        contrast_to_input=1,
        gradient=0,
        gradient_to_box=1,
        gradient_to_input=1,
        noise=0,
        noise_gain=1,
    )


def test_box_is_its_own_measure():
    source = image(80, 80)
    box = downscaled(source, 4, "box")
    numbers = Yardstick(source, box).measure(box)
    assert numbers.contrast_to_box == numbers.gradient_to_box == numbers.noise_gain == 1
    assert numbers.seconds is None and numbers.megapixels_per_second is None


def test_noise_of_known_gain():
    """In a flat image with noise of deviation s, means of 4x4 pixels have s / 4, single pixels s."""
    source = 0.5 + 0.1 * np.random.default_rng(0).standard_normal((512, 512, 1))
    yardstick = Yardstick(source, downscaled(source, 4, "box"))
    picked = yardstick.measure(downscaled(source, 4, "subsample"))
    assert picked.noise_gain == pytest.approx(4, rel=0.1)
    assert picked.noise == pytest.approx(0.1, rel=0.1)


def test_noise_is_not_measured_where_nothing_varies():
    source = image(128, 128, 1)
    source[:, :64] = 0  # clipped
    box, result = (downscaled(source, 2, m) for m in ("box", "max"))
    numbers = Yardstick(source, box).measure(result)
    assert numbers.noise > 0 and numbers.noise_gain != 1


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 1), (40, 1, 3), (10, 10, 3), (11, 11, 1)])
def test_small_images(shape):
    source = image(*shape)
    box = downscaled(source, 2, "box")
    numbers = Yardstick(source, box).measure(box)
    assert (numbers.ssim is None) == (min(shape[:2]) < 11)
    assert math.isfinite(numbers.contrast) and numbers.noise_gain == 1


def test_the_same_image_at_scale_1():
    source = image(30, 30)
    numbers = Yardstick(source, source).measure(source)
    assert numbers.ssim == pytest.approx(1) and numbers.psnr > 200
    assert numbers.contrast_to_input == numbers.gradient_to_input == 1


# As text


def test_numbers_as_text():
    assert [formatted(v, 2) for v in (None, math.inf, 0.123, 1234.5)] == ["", "∞", "0.12", "1234"]
    numbers = Numbers(None, math.inf, 0, 1, 1, 0, 1, 1, 0, 2.0)
    assert as_json(numbers)["psnr"] is None and as_json(numbers)["noise_gain"] == 2
    black = picture(np.zeros((4, 3), np.uint8))
    result = VariantResult(Variant("box"), {}, black, numbers)
    rows = rows_of(Comparison("a, b.png", black, black, (result,), ()))
    heading, line = csv_of(rows).splitlines()
    assert heading == ",".join(["input", "width", "height", "variant", *FIELDS])
    assert line == '"a, b.png",3,4,box,,inf,0,1,1,0,1,1,0,2,,'


def test_mean_and_spread():
    made = [
        Numbers(None, psnr, 0, 1, 1, 0, 1, 1, 0, gain) for psnr, gain in ((30, 1), (math.inf, 2), (34, 6))
    ]
    told = summary(made)
    assert told[0] == ("", "") and told[1] == ("32.00", "2.83") and told[6] == ("3.00", "2.65")
    assert summary(made[:1])[1] == ("30.00", "")
