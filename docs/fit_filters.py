"""Fit the filters that come with the package: ``python docs/fit_filters.py PACKAGES [NAME...]``.

The images are those of `samples`, of scikit-image, and of Debian's packages gimp-help-en, debian-handbook,
lomiri-wallpapers-16.04, lomiri-wallpapers-20.04, mate-backgrounds, openclipart-png,
plasma-workspace-wallpapers, stellarium-data and ukui-wallpapers, unpacked into the folder PACKAGES
(`dpkg-deb -x FILE PACKAGES`). A filter is judged on images of other sources than those that it was fitted on,
but for `stars`, which is judged on other nebulae. It is written to dpid_cli/downscaling/data/NAME.json only
if it is better there than box, lambda 1 and lambda auto, by the SSIM of bilinearly and of bicubically
enlarged outputs: by more than 0.0005 on average, and for more than twice as many images as it is worse for.
The tables go between the marks of docs/learning.md. It takes about half an hour. The same images and versions
of NumPy, SciPy and scikit-image give the same files; the pages of text are lines of docs/*.md, which change.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont
from study import (
    ALIKE,
    ROOT,
    SAMPLES,
    SCIKIT,
    WALLPAPERS,
    Pixels,
    largest,
    middle,
    psnr,
    ssim,
    table,
    write,
)

import dpid_cli

PAGE = ROOT / "docs" / "learning.md"
DATA = ROOT / "dpid_cli" / "downscaling" / "data"
OPTIONS: dict[str, Any] = {"patches": 3, "held_out": 0.2, "seed": 1, "starts": 2}
SCALES = (2, 3, 4, 8)
ENLARGEMENTS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
PLAIN: dict[str, dict[str, Any]] = {
    "box": {"method": "box"},
    "lambda 1": {},
    "lambda auto": {"lambda_": "auto"},
}
MATE = ("Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "GreenMeadow", "LadyBird", "RainDrops", "Storm",
        "TwoWings", "Wood", "YellowFlower")  # fmt: skip

Images = Iterator[tuple[str, Pixels]]
Source = Callable[[Path], Images]


def opened(path: Path) -> Pixels:
    """The middle of an image, on white."""
    image = Image.open(path)
    if "transparency" in image.info or image.mode in ("LA", "PA", "RGBA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return middle(image)


def files(packages: Path, pattern: str, count: int, part: int = 0) -> Images:
    """Files with sides of 400 to 4000 pixels, evenly chosen from every second one that a pattern finds."""
    paths = [path for path in sorted(packages.glob(pattern)) if path.is_file()][part::2]
    random = np.random.default_rng(0)
    random.shuffle(paths)
    for path in paths:
        width, height = Image.open(path).size
        if min(width, height) >= 400 and max(width, height) <= 4000 and count > 0:
            count -= 1
            yield path.name, opened(path)


def wallpapers(packages: Path, kind: str, mate: bool) -> Images:
    """The study's wallpapers, those of mate-backgrounds or the others."""
    for name in MATE if mate else WALLPAPERS[kind]:
        if mate or name not in MATE:
            yield name, middle(Image.open(largest(packages, name)))


def samples(_: Path, kind: str) -> Images:
    for name in SAMPLES.get(kind, ()):
        yield name, middle(Image.open(ROOT / "samples" / name))
    for name in SCIKIT.get(kind, ()):
        yield f"skimage.data.{name}", middle(Image.fromarray(getattr(skimage.data, name)()))


def pages(packages: Path, count: int) -> Images:
    """Pages of the project's own documentation, set in the fonts of Matplotlib."""
    from matplotlib import get_data_path

    del packages
    fonts = sorted(Path(get_data_path(), "fonts", "ttf").glob("DejaVuS*.ttf"))
    lines = "\n".join(p.read_text(encoding="utf-8") for p in sorted((ROOT / "docs").glob("*.md"))).split("\n")
    lines = [line for line in lines if len(line) > 60]
    random = np.random.default_rng(0)
    for number in range(count):
        paper, ink = sorted(random.integers(0, 256, 2) // 3 + (0, 170))[:: -1 if number % 4 else 1]
        image = Image.new("L", (720, 720), int(paper))
        font = ImageFont.truetype(fonts[number % len(fonts)], int(random.integers(11, 36)))
        start = int(random.integers(len(lines) - 80))
        text = "\n".join(lines[start : start + 60])
        ImageDraw.Draw(image).multiline_text((-8, -5), text, fill=int(ink), font=font, spacing=6)
        yield f"page {number}", np.asarray(image)


@dataclass(frozen=True)
class Training:
    """The scale to fit a filter at, the images to fit it on, and those of other sources to judge it on."""

    scale: int
    fitted: tuple[Source, ...]
    unseen: tuple[Source, ...]


_HANDBOOK = partial(files, pattern="usr/share/doc/debian-handbook/html/en-US/images/*.png", count=36)
_HELP = partial(files, pattern="usr/share/gimp/2.0/help/en/images/**/*.png", count=36)
_NEBULAE = partial(files, pattern="usr/share/stellarium/nebulae/default/*.png", count=36)
_CLIPS = partial(files, pattern="usr/share/openclipart/png/**/*.png", count=36)
TRAINING = {
    "photo": Training(
        4,
        (partial(wallpapers, kind="photo", mate=False),),
        (partial(wallpapers, kind="photo", mate=True), partial(samples, kind="photo")),
    ),
    "stars": Training(4, (_NEBULAE,), (partial(_NEBULAE, part=1), partial(samples, kind="stars"))),
    "text": Training(3, (partial(pages, count=18), _HELP), (_HANDBOOK, partial(samples, kind="text"))),
    "drawings": Training(
        4,
        (_CLIPS,),
        (partial(wallpapers, kind="drawing", mate=False), partial(samples, kind="drawing")),
    ),
}


def images(sources: tuple[Source, ...], packages: Path) -> dict[str, Pixels]:
    return {name: pixels for source in sources for name, pixels in source(packages)}


def judged(original: Pixels, scale: int, arguments: dict[str, Any]) -> dict[str, float]:
    small = dpid_cli.downscale(original, scale=scale, threads=1, **arguments)
    found = {name: ssim(original, small, filter_) for name, filter_ in ENLARGEMENTS.items()}
    large = Image.fromarray(small).resize(original.shape[1::-1], Image.Resampling.BICUBIC)
    return found | {"psnr": psnr(original, np.asarray(large))}


Numbers = dict[str, list[dict[str, float]]]


def measured(unseen: dict[str, Pixels], scale: int, fitted: dpid_cli.Filter, jobs: int) -> Numbers:
    """The quality of every image by the plain settings and by the filter."""
    with ProcessPoolExecutor(jobs) as pool:
        return {
            name: list(pool.map(partial(judged, scale=scale, arguments=arguments), unseen.values()))
            for name, arguments in {**PLAIN, "filter": {"guidance": fitted}}.items()
        }


def better(numbers: Numbers) -> bool:
    """Whether the filter is better than each plain setting by both enlargements.

    It must be so on average, and for more than twice as many images as it is worse for.
    """
    return all(
        gain(numbers, plain, kind) > ALIKE and more > 2 * less
        for plain in PLAIN
        for kind in ENLARGEMENTS
        for more, _, less in [counts(numbers, plain, kind)]
    )


def counts(numbers: Numbers, plain: str, kind: str) -> tuple[int, int, int]:
    """For how many images the filter is better, alike and worse."""
    gains = [a[kind] - b[kind] for a, b in zip(numbers["filter"], numbers[plain], strict=True)]
    more, less = sum(g > ALIKE for g in gains), sum(g < -ALIKE for g in gains)
    return more, len(gains) - more - less, less


def gain(numbers: Numbers, plain: str, kind: str) -> float:
    pairs = zip(numbers["filter"], numbers[plain], strict=True)
    return float(np.mean([mine[kind] - other[kind] for mine, other in pairs]))


def row(name: str, scale: int, numbers: Numbers) -> list[Any]:
    cells: list[Any] = [f"`{name}`", f"1/{scale}", len(numbers["filter"])]
    for plain in PLAIN:
        gains = (f"{gain(numbers, plain, kind):+.4f}" for kind in ENLARGEMENTS)
        cells.append(f"{', '.join(gains)}, {gain(numbers, plain, 'psnr'):+.2f} dB")
        cells.append(" / ".join(map(str, counts(numbers, plain, "bicubic"))))
    return cells


def main() -> None:
    """Fit the filters named on the command line, or all."""
    parser = argparse.ArgumentParser(description="Fit the filters that come with the package.")
    parser.add_argument("packages", type=Path, help="Debian's packages, unpacked")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(TRAINING)}")
    parser.add_argument("-j", type=int, default=1, help="processes")
    options = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None  # some clip art is huge, and not opened
    rows, lines = [], []
    for name in options.names or TRAINING:
        training = TRAINING[name]
        learned_on = images(training.fitted, options.packages)
        names, arrays = list(learned_on), list(learned_on.values())
        fitted = dpid_cli.learn(arrays, scale=training.scale, names=names, threads=options.j, **OPTIONS)
        unseen = images(training.unseen, options.packages)
        every = {scale: measured(unseen, scale, fitted, options.j) for scale in SCALES}
        kept, found = (
            better(every[training.scale]),
            [row(name, scale, numbers) for scale, numbers in every.items()],
        )
        lines.append(f"- `{name}`: {len(arrays)} images; {'kept' if kept else 'not better, so not kept'}.")
        if kept:
            rows += found
            fitted.save(DATA / f"{name}.json", overwrite=True)
        print(
            lines[-1], fitted.lambda_, fitted.alpha, fitted.bias, fitted.kernel.round(3).tolist(), flush=True
        )
        print(table(HEAD, found), flush=True)
    if not options.names:
        write(PAGE, "\n".join([*lines, "", table(HEAD, rows)]))


HEAD = ("filter", "scale", "images", *(word for plain in PLAIN for word in (f"to {plain}", "images")))


if __name__ == "__main__":
    main()
