"""The panels of a sheet: the input and the outputs, whole and cropped, as pixels to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dpid_cli.compare.intensities import Bytes, as_bytes, enlarged
from dpid_cli.compare.regions import Region
from dpid_cli.compare.sheet import COLOURS, LETTERS, THEMES, Style
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.sizes import Size

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison, VariantResult
    from dpid_cli.compare.metrics import Numbers

_WHOLE, _LARGEST_WHOLE, _OVERVIEW, _CROP = 240, 420, 480, 192  # preferred sides of panels, in pixels
_SQUARE = 8  # side of a square of the checkerboard, in pixels


@dataclass(frozen=True)
class Panel:
    """Pixels (H, W, 3) with a caption above them."""

    pixels: Bytes
    caption: str = ""
    colour: str | None = None  # of the frame around the crop of a region
    marks: tuple[Region, ...] = ()  # regions to mark, in pixels of the panel


@dataclass(frozen=True)
class Cell:
    """A column of panels below a label of two parts."""

    name: str
    detail: str
    panels: tuple[Panel, ...]
    group: int = 0  # cells of one group other than 0 form a grid
    across: int | None = None  # number of columns of the grid

    @property
    def width(self) -> int:
        """Of the widest panel."""
        return max((panel.pixels.shape[1] for panel in self.panels), default=0)


@dataclass(frozen=True)
class Content:
    """Everything that a sheet shows."""

    cells: tuple[Cell, ...]  # the input first, grids last
    overview: Panel | None  # the input with its regions, if the cells do not show whole images
    numbers: tuple[tuple[str, Numbers], ...]  # with the label of each output; empty without numbers


def content_of(comparison: Comparison, style: Style) -> Content:
    """Cut and enlarge what a sheet of this comparison shows."""
    painter = _Painter(comparison, style)
    results = comparison.results
    outputs = [painter.result_cell(result, _across(result, results)) for result in results]
    cells = [painter.input_cell(), *outputs]
    return Content(
        tuple(sorted(cells, key=lambda cell: cell.group)),  # above the grids what they are compared with
        None if painter.whole else painter.overview(),
        tuple((result.variant.label, result.numbers) for result in results if result.numbers),
    )


def _across(result: VariantResult, results: tuple[VariantResult, ...]) -> int | None:
    """How many values the second of two sweeps has; None without two sweeps."""
    names = list(result.variant.swept)
    if len(names) != 2:
        return None
    family = [other.variant for other in results if other.variant.family == result.variant.family]
    return len({variant.swept[names[1]] for variant in family})


class _Painter:
    """Makes the panels of one comparison."""

    def __init__(self, comparison: Comparison, style: Style) -> None:
        self.comparison, self.style = comparison, style
        self.squares = np.array(THEMES[style.theme].squares)
        longest = max(comparison.size)
        self.whole = longest <= _LARGEST_WHOLE or not comparison.regions
        chosen = style.zoom if not comparison.regions else None
        self.whole_zoom = chosen or max(1, _WHOLE // longest)
        self.crop_zoom = style.zoom or self._crop_zoom()

    def _crop_zoom(self) -> int:
        """A zoom near the preferred size of crops and a multiple of the scale, so that the input matches."""
        longest = max((max(region.size) for region in self.comparison.regions), default=_CROP)
        wanted = max(2, _CROP // longest)
        scale = self.comparison.picture.size[0] / self.comparison.size[0]
        near = range(max(2, math.ceil(0.75 * wanted)), 5 * wanted // 4 + 1)
        return max(near, key=lambda zoom: (zoom // scale * scale / zoom, -abs(zoom - wanted)))

    def overview(self) -> Panel:
        """The input with its regions marked, as large as the outputs, or fitted into a square."""
        width, height = self.comparison.size
        if self.whole:
            size = width * self.whole_zoom, height * self.whole_zoom
        else:
            part = _OVERVIEW / max(width, height)
            size = max(1, round(width * part)), max(1, round(height * part))
        pixels = self._flattened(self._fitted(as_bytes(self.comparison.picture), size))
        seen = pixels.shape[1], pixels.shape[0]
        marks = tuple(region.on((width, height), seen) for region in self.comparison.regions)
        return Panel(pixels, marks=marks)

    def input_cell(self) -> Cell:
        """The input, and its crops as large as those of the outputs."""
        whole, result = self.comparison.picture.size, self.comparison.size
        pixels = as_bytes(self.comparison.picture)
        panels = [self.overview()] if self.whole else []
        for index, region in enumerate(self.comparison.regions):
            size = region.size[0] * self.crop_zoom, region.size[1] * self.crop_zoom
            part = region.on(result, whole).cut(pixels)
            panels.append(self._crop(index, self._fitted(part, size), part.shape[1]))
        return Cell("input", f"{whole[0]}×{whole[1]} to {result[0]}×{result[1]}", tuple(panels))

    def result_cell(self, result: VariantResult, across: int | None) -> Cell:
        """One output, enlarged, and its crops."""
        pixels = as_bytes(result.picture)
        panels = [Panel(self._flattened(enlarged(pixels, self.whole_zoom)))] if self.whole else []
        panels += [
            self._crop(index, enlarged(region.cut(pixels), self.crop_zoom), region.size[0])
            for index, region in enumerate(self.comparison.regions)
        ]
        variant = result.variant
        group = variant.family + 1 if across else 0
        return Cell(variant.method, variant.detail, tuple(panels), group, across)

    def _crop(self, index: int, pixels: Bytes, width: int) -> Panel:
        """The panel of a region that was `width` pixels wide before it was enlarged."""
        factor = pixels.shape[1] / width
        zoom = f"×{factor:.3g}" if factor >= 1 else f"÷{1 / factor:.3g}"
        return Panel(self._flattened(pixels), f"{LETTERS[index]} {zoom}", COLOURS[index % len(COLOURS)])

    def _fitted(self, pixels: Bytes, size: Size) -> Bytes:
        """Pixels of the input, enlarged by a whole number or box-filtered to fit into `size`."""
        height, width = pixels.shape[:2]
        if width <= size[0] and height <= size[1]:
            return enlarged(pixels, min(size[0] // width, size[1] // height))
        picture = replace(self.comparison.picture, pixels=pixels, alpha=pixels.shape[2] == 4)
        return downscale_picture(picture, (min(size[0], width), min(size[1], height)), method="box").pixels

    def _flattened(self, pixels: Bytes) -> Bytes:
        """Composite transparent pixels onto a checkerboard."""
        if pixels.shape[2] == 3:
            return pixels
        rows, columns = np.indices(pixels.shape[:2]) // _SQUARE
        ground = self.squares[(rows + columns) % 2, None]
        alpha = pixels[..., 3:].astype(np.uint32)
        flat: Bytes = ((pixels[..., :3] * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)
        return flat
