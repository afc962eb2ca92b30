"""Draw the pictures in the README and in docs/methods.md: `python docs/make_figures.py`.

docs/figures/detail.png compares methods; docs/figures/methods/ has the same three places by each method. Each
sample is downscaled whole by the library; the panels then show a part of the input and of every
result. Pixels are only ever repeated a whole number of times, never interpolated.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont

import dpid_cli

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "figures"

WIDTH, HEIGHT = 264, 216  # of a panel; multiples of every zoom below
SMALL = 192, 152  # of a panel of one method's picture
GAP, HEADER, CAPTION = 8, 44, 40
PAPER, INK, FAINT = (36, 40, 46), (240, 243, 246), (176, 184, 193)

COLUMNS: dict[str, dict[str, Any]] = {
    "box": {"method": "box"},
    "max": {"method": "max"},
    "DPID, lambda 0.5": {"method": "dpid", "lambda_": 0.5},
    "DPID, lambda 1": {"method": "dpid", "lambda_": 1},
    "DPP": {"method": "dpp"},
}


@dataclass(frozen=True)
class Row:
    """A place in a sample: `left` and `top` count pixels of the result, each shown `zoom` by `zoom`."""

    sample: str
    what: str
    scale: int
    left: int
    top: int
    zoom: int

    def panels(self, size: tuple[int, int], *columns: dict[str, Any] | None) -> Iterator[Image.Image]:
        """The result of every column's options, or the input for None, each panel of that size."""
        with Image.open(ROOT / "samples" / self.sample) as image:
            image.load()
        # Whole windows only, so that a place in the result is exactly `scale` times one in the input.
        width, height = (side - side % self.scale for side in image.size)
        pixels = np.asarray(image)[:height, :width]
        profile = image.info.get("icc_profile")
        for options in columns:
            if options is None:
                yield self._panel(pixels, size, self.scale, profile)
            else:
                result = dpid_cli.downscale(pixels, scale=self.scale, **options)
                yield self._panel(result, size, 1, profile)

    def _panel(
        self, pixels: np.ndarray, size: tuple[int, int], density: int, profile: bytes | None
    ) -> Image.Image:
        zoom, (width, height) = self.zoom // density, size
        left, top = self.left * density, self.top * density
        part = pixels[top : top + height // zoom, left : left + width // zoom]
        shown = np.repeat(np.repeat(part, zoom, axis=0), zoom, axis=1)
        if shown.shape[:2] != (height, width):
            raise ValueError(f"{self.sample}: the crop leaves the image or does not fill its panel")
        return _srgb(Image.fromarray(shown), profile)


ROWS = (
    Row("hubble_deep_field.jpg", "Stars and galaxies", scale=4, left=115, top=112, zoom=4),
    Row("page.png", "Printed text", scale=2, left=0, top=24, zoom=4),
    Row("rocket.jpg", "Lattice masts", scale=4, left=0, top=46, zoom=4),
)

# The places in the pictures of single methods: parts of those above.
PLACES = (
    Row("hubble_deep_field.jpg", "Stars and galaxies", scale=4, left=140, top=118, zoom=4),
    Row("page.png", "Printed text", scale=2, left=0, top=24, zoom=4),
    Row("rocket.jpg", "Lattice masts", scale=4, left=14, top=54, zoom=4),
)
VARIANTS: dict[str, dict[str, Any]] = {
    "softpool-window": {"method": "softpool", "window": 6},
    "stochastic-expected": {"method": "stochastic", "form": "expected"},
    "s3dpp-expected": {"method": "s3dpp", "form": "expected"},
}


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """What a viewer that knows the image's colour profile shows."""
    if profile is None:
        return image.convert("RGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # a new image, as inPlace is not asked for
    return converted


def figure() -> Image.Image:
    """All rows under one line of column titles."""
    titles = ["input", *COLUMNS]
    size = (
        GAP + len(titles) * (WIDTH + GAP),
        HEADER + len(ROWS) * (CAPTION + HEIGHT + GAP),
    )
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    large, small = ImageFont.load_default(size=28), ImageFont.load_default(size=23)
    for i, title in enumerate(titles):
        centre = GAP + i * (WIDTH + GAP) + WIDTH // 2
        draw.text((centre, HEADER // 2 + 2), title, INK, large, anchor="mm")
    top = HEADER
    for row in ROWS:
        scales = f"{row.scale} times smaller; results enlarged {row.zoom} times, the input to match"
        draw.text((GAP, top + CAPTION // 2), f"{row.what}: {scales}", FAINT, small, anchor="lm")
        top += CAPTION
        for i, panel in enumerate(row.panels((WIDTH, HEIGHT), None, *COLUMNS.values())):
            canvas.paste(panel, (GAP + i * (WIDTH + GAP), top))
        top += HEIGHT + GAP
    return canvas


def strip(options: dict[str, Any] | None) -> Image.Image:
    """The places of `PLACES` by one method, or in the input for None, side by side."""
    width, height = SMALL
    canvas = Image.new("RGB", (len(PLACES) * (width + GAP) - GAP, height), PAPER)
    for i, place in enumerate(PLACES):
        (panel,) = place.panels(SMALL, options)
        canvas.paste(panel, (i * (width + GAP), 0))
    return canvas


def save(image: Image.Image, name: str) -> None:
    """Write a figure and tell its size."""
    path = TARGET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, optimize=True)
    print(path.relative_to(ROOT), path.stat().st_size, "bytes")


def main() -> None:
    """Write all figures."""
    save(figure(), "detail.png")
    save(strip(None), "methods/input.png")
    for name in sorted(dpid_cli.METHODS.keys() - {"gated"}):  # which is "mixed" without a filter
        save(strip({"method": name}), f"methods/{name}.png")
    for name, options in VARIANTS.items():
        save(strip(options), f"methods/{name}.png")


if __name__ == "__main__":
    main()
