"""Draw the figures of README.md, docs/methods.md and docs/gallery.md: `python docs/make_figures.py`.

Needs Matplotlib for its font. Each sample is downscaled whole by the library; the panels show a crop of the
input and of every output. Pixels are repeated a whole number of times, never interpolated.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageCms, ImageDraw, ImageFont

import dpid_cli
from dpid_cli.compare.variants import Variant

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "figures"
GAP = 8
PAPER, INK, FAINT = (36, 40, 46), (240, 243, 246), (190, 198, 207)


@dataclass(frozen=True)
class Crop:
    """A part of a sample, in pixels of the output; each is shown as `zoom` by `zoom` pixels."""

    sample: str
    title: str
    scale: int
    left: int
    top: int
    width: int
    height: int
    zoom: int

    @property
    def caption(self) -> str:
        return f"{self.title}, {self.scale} times smaller"

    def panel(self, options: dict[str, Any] | None) -> Image.Image:
        """The crop of the output with these options, or of the input for None, in sRGB."""
        pixels, profile = sample(self.sample, self.scale)
        density = self.scale if options is None else 1
        if options is not None:
            pixels = dpid_cli.downscale(pixels, scale=self.scale, **options)
        left, top, width, height = (n * density for n in (self.left, self.top, self.width, self.height))
        part = pixels[top : top + height, left : left + width]
        if part.shape[:2] != (height, width) or self.zoom % density:
            raise ValueError(f"{self.sample}: the crop leaves the image, or zoom is no multiple of scale")
        return srgb(Image.fromarray(part), profile).resize(
            (self.width * self.zoom, self.height * self.zoom), Image.Resampling.NEAREST
        )


# The columns of detail.png: a title of two lines, and options; None for the input.
COLUMNS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("input", "", None),
    ("box", "", {"method": "box"}),
    ("Lanczos", "", {"method": "lanczos"}),
    ("max", "", {"method": "max"}),
    ("DPID", "λ = 0.5", {"method": "dpid", "lambda_": 0.5}),
    ("DPID", "λ = 1", {"method": "dpid", "lambda_": 1}),
    ("DPP", "λ = 1", {"method": "dpp"}),
)
DETAILS = (
    Crop("hubble_deep_field.jpg", "Stars and galaxies", 4, 120, 112, 57, 50, 4),
    Crop("page.png", "Printed text", 2, 0, 24, 57, 50, 4),
    Crop("rocket.jpg", "Lattice masts", 4, 0, 48, 57, 50, 4),
)

# The crops in the figures of single methods, and variants that have a figure, too.
CROPS = (
    Crop("hubble_deep_field.jpg", "Stars", 4, 140, 118, 54, 44, 4),
    Crop("page.png", "Text", 2, 0, 24, 54, 44, 4),
    Crop("rocket.jpg", "Masts", 4, 8, 54, 54, 44, 4),
)
VARIANTS = {
    "softpool-window": Variant("softpool", {"window": 6}),
    "stochastic-expected": Variant("stochastic", {"form": "expected"}),
    "s3dpp-expected": Variant("s3dpp", {"form": "expected"}),
}

GALAXIES = Crop("hubble_deep_field.jpg", "Stars and galaxies", 4, 120, 112, 30, 27, 8)
LAMBDAS, ALPHAS = (0.5, 1, 2), (0, 0.01, 0.1)


@cache
def sample(name: str, scale: int) -> tuple[np.ndarray, bytes | None]:
    """Pixels and colour profile of a sample, without what is left over by windows of `scale` pixels."""
    with Image.open(ROOT / "samples" / name) as image:
        width, height = (side - side % scale for side in image.size)
        return np.asarray(image)[:height, :width], image.info.get("icc_profile")


def srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert an image through its colour profile to sRGB."""
    if profile is None:
        return image.convert("RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # a new image, as inPlace is not asked for
    return converted


class Figure:
    """A dark canvas for panels and text."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def write(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        *,
        bold: bool = False,
        anchor: str = "lm",
        colour: tuple[int, int, int] = INK,
    ) -> None:
        weight = "bold" if bold else "normal"
        path = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
        self.draw.text(at, text, colour, ImageFont.truetype(path, size), anchor=anchor)

    def put(self, panels: Sequence[Image.Image], left: int, top: int) -> None:
        """Put panels of one size side by side."""
        for index, panel in enumerate(panels):
            self.image.paste(panel, (left + index * (panel.width + GAP), top))

    def save(self, name: str) -> None:
        path = FIGURES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.image.save(path, optimize=True)
        print(path.relative_to(ROOT), path.stat().st_size, "bytes")


def details() -> Figure:
    """Three samples by several methods, under one line of column titles."""
    header, caption = 84, 48
    rows = [[crop.panel(options) for *_, options in COLUMNS] for crop in DETAILS]
    width, height = rows[0][0].size
    figure = Figure(GAP + len(COLUMNS) * (width + GAP), header + len(rows) * (caption + height + GAP))
    for index, (name, detail, _) in enumerate(COLUMNS):
        centre = GAP + index * (width + GAP) + width // 2
        if detail:
            figure.write((centre, 28), name, 34, bold=True, anchor="mm")
            figure.write((centre, 64), detail, 28, anchor="mm")
        else:
            figure.write((centre, header // 2 + 2), name, 34, bold=True, anchor="mm")
    top = header
    for crop, panels in zip(DETAILS, rows, strict=True):
        figure.write((GAP, top + caption // 2), crop.caption, 28, colour=FAINT)
        figure.put(panels, GAP, top + caption)
        top += caption + height + GAP
    return figure


def strip(title: str, options: dict[str, Any] | None) -> Figure:
    """The three crops by one method, or of the input for None, below the name of the method."""
    header, caption = 36, 26
    panels = [crop.panel(options) for crop in CROPS]
    width, height = panels[0].size
    figure = Figure(GAP + len(panels) * (width + GAP), header + caption + height + GAP)
    figure.write((GAP, header // 2 + 2), title, 19, bold=True)
    for index, crop in enumerate(CROPS):
        text = crop.title if options is None else crop.caption
        figure.write((GAP + index * (width + GAP), header + caption // 2), text, 15, colour=FAINT)
    figure.put(panels, GAP, header + caption)
    return figure


def grid() -> Figure:
    """Galaxies by `dpp`, one row for each lambda and one column for each alpha, below the input and `box`."""
    side, header = 112, 40
    width, height = GALAXIES.width * GALAXIES.zoom, GALAXIES.height * GALAXIES.zoom
    first = header + height + 3 * GAP  # top of the grid
    figure = Figure(side + 3 * (width + GAP), first + header + len(LAMBDAS) * (height + GAP))
    references = {"input": None, "box": {"method": "box"}}
    for index, name in enumerate(references):
        figure.write(
            (side + index * (width + GAP) + width // 2, header // 2), name, 22, bold=True, anchor="mm"
        )
    figure.put([GALAXIES.panel(options) for options in references.values()], side, header)
    figure.write((GAP, first + header // 2), "dpp", 22, bold=True)
    for index, alpha in enumerate(ALPHAS):
        centre = side + index * (width + GAP) + width // 2
        figure.write((centre, first + header // 2), f"α = {alpha}", 22, bold=True, anchor="mm")
    for index, lambda_ in enumerate(LAMBDAS):
        top = first + header + index * (height + GAP)
        figure.write((GAP, top + height // 2), f"λ = {lambda_}", 22, bold=True)
        panels = [GALAXIES.panel({"method": "dpp", "lambda_": lambda_, "alpha": alpha}) for alpha in ALPHAS]
        figure.put(panels, side, top)
    return figure


def main() -> None:
    """Draw all figures."""
    details().save("detail.png")
    grid().save("gallery/grid.png")
    strip("input", None).save("methods/input.png")
    # Without a gate, gated is mixed.
    methods = {name: Variant(name) for name in sorted(dpid_cli.METHODS.keys() - {"gated"})}
    for name, variant in (methods | VARIANTS).items():
        strip(variant.label, {"method": variant.method, **variant.given}).save(f"methods/{name}.png")


if __name__ == "__main__":
    main()
