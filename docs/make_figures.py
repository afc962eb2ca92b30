"""Draw docs/figures/detail.png, the picture in the README: `python docs/make_figures.py`.

Each sample is downscaled whole by the library; the panels then show the same place of the input and of
every result. Pixels are only ever repeated a whole number of times, never interpolated.
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
TARGET = ROOT / "docs" / "figures" / "detail.png"

WIDTH, HEIGHT = 264, 216  # of a panel; multiples of every zoom below
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

    def panels(self) -> Iterator[Image.Image]:
        """The input, then the result of every column, all WIDTH x HEIGHT."""
        with Image.open(ROOT / "samples" / self.sample) as image:
            image.load()
        # Whole windows only, so that a place in the result is exactly `scale` times one in the input.
        width, height = (side - side % self.scale for side in image.size)
        pixels = np.asarray(image)[:height, :width]
        profile = image.info.get("icc_profile")
        yield self._panel(pixels, self.scale, profile)
        for options in COLUMNS.values():
            yield self._panel(dpid_cli.downscale(pixels, scale=self.scale, **options), 1, profile)

    def _panel(self, pixels: np.ndarray, density: int, profile: bytes | None) -> Image.Image:
        zoom = self.zoom // density
        left, top = self.left * density, self.top * density
        part = pixels[top : top + HEIGHT // zoom, left : left + WIDTH // zoom]
        shown = np.repeat(np.repeat(part, zoom, axis=0), zoom, axis=1)
        if shown.shape[:2] != (HEIGHT, WIDTH):
            raise ValueError(f"{self.sample}: the crop leaves the image or does not fill its panel")
        return _srgb(Image.fromarray(shown), profile)


ROWS = (
    Row("hubble_deep_field.jpg", "Stars and galaxies", scale=4, left=115, top=112, zoom=4),
    Row("page.png", "Printed text", scale=2, left=0, top=24, zoom=4),
    Row("rocket.jpg", "Lattice masts", scale=4, left=0, top=46, zoom=4),
)


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
        for i, panel in enumerate(row.panels()):
            canvas.paste(panel, (GAP + i * (WIDTH + GAP), top))
        top += HEIGHT + GAP
    return canvas


def main() -> None:
    """Write the figure."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure().save(TARGET, optimize=True)
    print(TARGET.relative_to(ROOT), TARGET.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
