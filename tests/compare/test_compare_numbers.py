"""Variants, regions and numbers, each against an independent, plain computation."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

import dpid_cli
from dpid_cli.compare.comparison import Comparison, VariantResult
from dpid_cli.compare.intensities import as_bytes, intensities
from dpid_cli.compare.metrics import BLOCK, Numbers, PlainNumbers, Yardstick, lightness
from dpid_cli.compare.regions import Region, crop_of, in_output, most_different
from dpid_cli.compare.table import FIELDS, as_json, best_of, cells_of, csv_of, formatted, rows_of, summary
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
    # The sides are rounded to whole windows, wherever the crop lies.
    assert in_output(Region(4, 8, 20, 40), (100, 100), (25, 25)) == Region(1, 2, 5, 10)
    for side, windows in ((81, 20), (84, 21), (85, 21), (1, 1)):
        for at in range(100 - side + 1):
            found = in_output(Region(at, at, at + side, at + side), (100, 100), (25, 25))
            assert found.size == (windows, windows) and abs(4 * found.left - at) <= 2 + 4 * (at + side > 98)
            assert found.left >= 0 and found.right <= 25
    assert in_output(Region(5, 9, 6, 10), (100, 100), (25, 25)) == Region(1, 2, 2, 3)
    assert in_output(Region(0, 0, 100, 100), (100, 100), (7, 9)) == Region(0, 0, 7, 9)
    assert Region(1, 2, 5, 10).on((25, 25), (100, 100)) == Region(4, 8, 20, 40)
    for word in ("1,2,3", "a,b,c,d", "0,0,0,5", "-1,0,4,4", "1.5,0,4,4"):
        with pytest.raises(dpid_cli.DpidError, match="--closeup"):
            crop_of(word)
    with pytest.raises(dpid_cli.DpidError, match="exceeds the image, which has 100x100 pixels"):
        in_output(Region(90, 0, 101, 5), (100, 100), (25, 25))


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
    sums = [region.cut(apart).sum() for region in found]
    assert len(found) > 4 and sums == sorted(sums, reverse=True)
    for i, one in enumerate(found):
        assert one.left >= 0 and one.top >= 0 and one.right <= 420 and one.bottom <= 300
        for other in found[:i]:
            across = max(one.left - other.right, other.left - one.right)
            down = max(one.top - other.bottom, other.top - one.bottom)
            assert max(across, down) >= min(one.size) // 2 - 1


def test_regions_of_outputs_that_do_not_differ():
    assert most_different(np.zeros((60, 80)), 2) == [Region(32, 22, 48, 38)]
    assert most_different(np.ones((8, 8)), 2) == []  # a region would be the whole output


@pytest.mark.parametrize(("scale", "side"), [(1, 48), (8, 48), (16, 24), (32, 12), (64, 8)])
def test_regions_of_large_scales_are_smaller(scale, side):
    """So that the input can be shown pixel for pixel."""
    assert most_different(np.ones((400, 600)), 1, scale)[0].size == (side, side)


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
        "ms_ssim": np.mean([ms_ssim_by_hand(source[..., c], enlarged[..., c]) for c in range(channels)])
        if min(height, width) >= 176
        else None,
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


def moments(a: np.ndarray, b: np.ndarray, side: int = 1) -> tuple[np.ndarray, ...]:
    """Means, variances and covariance in Gaussian windows of 11 by 11 squares of `side` pixels each."""
    weights = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.kron(np.outer(weights, weights) / weights.sum() ** 2, np.full((side, side), 1 / side**2))

    def mean(values):
        windows = np.lib.stride_tricks.sliding_window_view(values, weights.shape)[::side, ::side]
        return np.einsum("ijkl,kl->ij", windows, weights)

    m, n = mean(a), mean(b)
    return m, n, mean(a * a) - m * m, mean(b * b) - n * n, mean(a * b) - m * n


def ssim_map(a: np.ndarray, b: np.ndarray, side: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The factors of SSIM by Wang et al. 2004: lightness, and contrast with structure."""
    m, n, va, vb, vab = moments(a, b, side)
    c1, c2 = 0.01**2, 0.03**2
    return (2 * m * n + c1) / (m * m + n * n + c1), (2 * vab + c2) / (va + vb + c2)


def ssim_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    return np.mean(np.prod(ssim_map(a, b), axis=0))


def ms_ssim_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2003: contrast and structure at five scales, and lightness at the coarsest."""
    product = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        light, structure = ssim_map(a, b)
        product *= np.mean(light * structure if scale == 4 else structure) ** weight
        a, b = (
            sum(x[i : x.shape[0] // 2 * 2 : 2, j : x.shape[1] // 2 * 2 : 2] for i in (0, 1) for j in (0, 1))
            / 4
            for x in (a, b)
        )
    return product


def repeated(pixels: np.ndarray, side: int, border: int = 5) -> np.ndarray:
    """Pixels as squares of `side` pixels, mirrored in squares at the borders."""
    return np.kron(np.pad(pixels, border, mode="symmetric"), np.ones((side, side)))


def mirrored(plane: np.ndarray, side: int) -> np.ndarray:
    """An input with five more squares of `side` pixels around it, the squares mirrored as a whole."""
    h, w = plane.shape[0] // side, plane.shape[1] // side
    squares = plane.reshape(h, side, w, side).swapaxes(1, 2)
    padded = np.pad(squares, ((5, 5), (5, 5), (0, 0), (0, 0)), mode="symmetric")
    return padded.swapaxes(1, 2).reshape((h + 10) * side, (w + 10) * side)


def plain_by_hand(source: np.ndarray, result: np.ndarray, scale: int) -> tuple[np.ndarray, ...]:
    """Variance of the lightness of the input and of the output, and likeness, around each output pixel."""
    pairs = [
        (mirrored(source[..., c], scale), repeated(result[..., c], scale)) for c in range(source.shape[2])
    ]
    alike = np.mean([np.prod(ssim_map(*pair, scale), axis=0) for pair in pairs], axis=0)
    light = [a[..., 0] if a.shape[2] == 1 else a @ [0.2126, 0.7152, 0.0722] for a in (source, result)]
    _, _, before, after, _ = moments(mirrored(light[0], scale), repeated(light[1], scale), scale)
    return before, after, alike


@pytest.mark.parametrize(
    ("shape", "scale", "method"),
    [
        ((96, 130, 3), 4, "dpid"),
        ((90, 77, 1), 1.7, "max"),
        ((64, 256, 3), 2, "lanczos"),
        ((33, 200, 1), 3.3, "dpp"),
        ((180, 191, 1), 2, "dpid"),
    ],
)
def test_numbers(shape, scale, method):
    source = image(*shape)
    box, result = (downscaled(source, scale, m) for m in ("box", method))
    numbers = Yardstick(source, box).measure(result, 0.5)
    for name, value in by_hand(source, box, result).items():
        assert getattr(numbers, name) == (value if value is None else pytest.approx(value, rel=1e-9)), name
    assert numbers.seconds == 0.5
    assert numbers.megapixels_per_second == pytest.approx(shape[0] * shape[1] / 1e6 / 0.5)


@pytest.mark.parametrize(
    ("shape", "scale", "method"),
    [((96, 128, 3), 4, "dpid"), ((60, 90, 1), 3, "max"), ((64, 64, 3), 1, "box")],
)
def test_plain_numbers(shape, scale, method):
    source = image(*shape)
    box, result = (downscaled(source, scale, m) for m in ("box", method))
    yardstick = Yardstick(source, box)
    before, after, alike = plain_by_hand(source, result, scale)
    _, of_box, _ = plain_by_hand(source, box, scale)
    flat = np.argsort(before, axis=None)[: math.ceil(before.size / 10)]
    for part in (np.s_[:, :], np.s_[3:19, 2:18]):
        (y, x), (h, w) = ((0, 0), before.shape) if part[0] == np.s_[:] else ((3, 2), (16, 16))
        (numbers,) = yardstick.places(result, [(x, y, x + w, y + h)])
        detail = after[part].mean() - after.ravel()[flat].mean()
        detail /= before[part].mean() - before.ravel()[flat].mean()
        flat_here = np.argsort(before[part], axis=None)[: math.ceil(w * h / 10)]
        noise = [math.sqrt(values[part].ravel()[flat_here].mean()) for values in (after, of_box)]
        assert numbers.detail_kept == pytest.approx(math.sqrt(detail), rel=1e-6)
        assert numbers.noise_added == pytest.approx(noise[0] - noise[1], abs=1e-9)
        assert numbers.likeness == pytest.approx(alike[part].mean(), rel=1e-9)
    everywhere = yardstick.measure(result)
    (whole,) = yardstick.places(result, [(0, 0, *before.shape[::-1])])
    assert (everywhere.detail_kept, everywhere.noise_added, everywhere.likeness) == (
        whole.detail_kept,
        whole.noise_added,
        whole.likeness,
    )


def test_plain_numbers_at_scales_that_are_no_whole_numbers():
    """1.5 times smaller is three times smaller than pixels of 2 x 2."""
    source = image(48, 66, 1)
    result = downscaled(source, 1.5, "dpid")
    box = downscaled(source, 1.5, "box")
    *_, alike = plain_by_hand(np.kron(source, np.ones((2, 2, 1))), result, 3)
    numbers = Yardstick(source, box).measure(result)
    assert numbers.likeness == pytest.approx(alike.mean(), rel=1e-9)


def test_plain_numbers_say_what_they_promise():
    """Contrast doubled around the mean keeps twice the detail; a brighter image is less like the input."""
    rng = np.random.default_rng(3)
    source = np.full((256, 256, 1), 0.5)
    source[:128] += rng.uniform(-0.2, 0.2, (128, 256, 1))
    yardstick = Yardstick(source, source)
    same, double, brighter = (
        yardstick.measure(values) for values in (source, 2 * source - 0.5, source + 0.25)
    )
    assert (same.detail_kept, same.likeness, same.noise_added) == pytest.approx((1, 1, 0))
    assert double.detail_kept == pytest.approx(2) and brighter.detail_kept == pytest.approx(1)
    assert brighter.likeness < 0.95 and double.likeness < 0.95


def test_noise_added_in_levels():
    """Noise of 2 % in a flat image is 5.1 levels of 255; the mean of 16 pixels has a quarter of it."""
    source = 0.5 + 0.02 * np.random.default_rng(0).standard_normal((512, 512, 1))
    box = source.reshape(128, 4, 128, 4, 1).mean(axis=(1, 3))
    picked = Yardstick(source, box).measure(source[::4, ::4])
    assert picked.noise_added == pytest.approx(0.02 * 0.75, rel=0.1)
    assert float(cells_of(picked)[1]) == pytest.approx(255 * 0.015, rel=0.1)


def test_plain_numbers_alone():
    source = image(64, 64)
    box = downscaled(source, 2, "box")
    numbers = Yardstick(source, box).measure(box, thorough=False)
    assert numbers.ssim is numbers.psnr is numbers.ms_ssim is numbers.flip is None
    assert 0 < numbers.likeness < 1


def test_flip(monkeypatch):
    source = image(64, 64)
    box = downscaled(source, 2, "box")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "flip_evaluator", None)
        assert Yardstick(source, box).measure(box).flip is None
    pytest.importorskip(
        "flip_evaluator", reason="flip-evaluator is not installed: it is in the extra perceptual"
    )
    assert Yardstick(source, source).measure(source).flip == pytest.approx(0, abs=1e-6)
    near, far = (Yardstick(source, box).measure(values).flip for values in (box, 1 - box))
    assert 0 < near < far <= 1


def test_a_constant_image():
    source, small = np.full((40, 40, 3), 0.5), np.full((10, 10, 3), 0.5)
    numbers = Yardstick(source, small).measure(small)
    assert numbers.likeness == pytest.approx(1)
    assert numbers == Numbers(
        detail_kept=None,
        noise_added=0,
        likeness=numbers.likeness,
        ssim=numbers.ssim,
        psnr=math.inf,
        ms_ssim=None,
        flip=numbers.flip,
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
    assert 0 < numbers.likeness <= 1 + 1e-9 and numbers.noise_added == 0


def test_the_same_image_at_scale_1():
    source = image(30, 30)
    numbers = Yardstick(source, source).measure(source)
    assert numbers.ssim == pytest.approx(1) and numbers.psnr > 200
    assert numbers.contrast_to_input == numbers.gradient_to_input == 1


# As text


def test_numbers_as_text():
    assert [formatted(v, 2) for v in (None, math.inf, 0.123, 1234.5)] == ["", "∞", "0.12", "1234"]
    numbers = Numbers(None, -0.01, 0.5, None, math.inf, None, 0.25, 0, 1, 1, 0, 1, 1, 0, 2.0)
    assert as_json(numbers)["psnr"] is None and as_json(numbers)["noise_gain"] == 2
    assert cells_of(numbers)[:5] == ["", "-2.55", "0.500", "", "∞"]
    black = picture(np.zeros((4, 3), np.uint8))
    result = VariantResult(Variant("box"), {}, black, numbers)
    rows = rows_of(Comparison("a, b.png", black, black, (result,), ()))
    heading, line = csv_of(rows).splitlines()
    assert heading == ",".join(["input", "width", "height", "variant", *FIELDS])
    assert line == '"a, b.png",3,4,box,,-0.01,0.5,,inf,,0.25,0,1,1,0,1,1,0,2,,'


def test_mean_and_spread():
    made = [
        Numbers(gain / 4, 0, 1, None, psnr, None, None, 0, 1, 1, 0, 1, 1, 0, gain)
        for psnr, gain in ((30, 1), (math.inf, 2), (34, 6))
    ]
    told = summary(made)
    assert told[0] == ("75.0", "66.1") and told[3] == ("", "") and told[4] == ("32.00", "2.83")
    assert told[11] == ("3.00", "2.65") and summary(made[:1])[4] == ("30.00", "")


def test_the_best_numbers():
    """Detail nearest to that of the input, least noise, most likeness; what looks equal is equally good."""
    made = [PlainNumbers(*values) for values in ((1.3, 0, 0.9), (0.9, 0.00001, 0.95), (None, -0.1, 0.94999))]
    assert best_of(made) == [{1}, {2}, {1, 2}]
    assert best_of(made[:1]) == [{0}, {0}, {0}]
