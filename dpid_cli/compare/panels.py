"""The panels of a sheet: the input and the outputs, whole and cropped, as pixels to draw."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dpid_cli.compare.intensities import Bytes, as_bytes, enlarged
from dpid_cli.compare.regions import Region
from dpid_cli.compare.sheet import COLOURS, LETTERS, THEMES, Space, Style
from dpid_cli.compare.variants import named
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.sizes import Size

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison, VariantResult
    from dpid_cli.compare.metrics import Numbers

_WHOLE, _LARGEST_WHOLE, _OVERVIEW = 240, 420, 480  # preferred sides of panels with whole images, in pixels
_CROP, _LARGEST_CROP = 192, 640  # preferred side of crops, and up to which the input's is never reduced
_LEAST = 2 / 3  # of a found place must be shown
_INSETS = 360  # preferred width of a row of insets
# Sides of the checkerboard's squares, the best first, and how much they differ from those of pixels.
_SQUARES, _UNLIKE = (8, 9, 7, 6, 5, *range(10, 40)), 1.5


@dataclass(frozen=True)
class Panel:
    """Pixels (H, W, 3) with a caption above them."""

    pixels: Bytes
    caption: str = ""
    colour: str | None = None  # of the frame around the crop of a region
    marks: tuple[Region, ...] = ()  # regions to mark, in pixels of the panel

    @property
    def width(self) -> int:
        """Of the pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Of the pixels."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True)
class Cell:
    """A column of panels below a label of two parts; `insets` stand in a row below the first panel."""

    name: str
    detail: str
    panels: tuple[Panel, ...]
    insets: tuple[Panel, ...] = ()


@dataclass(frozen=True)
class Grid:
    """The outputs of two sweeps at one place: a panel, or None, for each row and column."""

    name: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    panels: tuple[tuple[Panel | None, ...], ...]


@dataclass(frozen=True)
class Content:
    """Everything that a sheet shows."""

    cells: tuple[Cell, ...]  # the input first
    grids: tuple[Grid, ...]
    painter: Painter  # of the overview, as large as the layout has space
    numbers: tuple[tuple[str, Numbers], ...]  # with the label of each output; empty without numbers

    @property
    def has_overview(self) -> bool:
        """Whether the cells do not show where their crops lie."""
        return not self.painter.whole


def content_of(comparison: Comparison, style: Style, space: Space) -> Content:
    """Cut and enlarge what a sheet of this comparison shows."""
    painter = Painter(comparison, style, space)
    results = comparison.results
    single = [result for result in results if style.style == "inset" or not _is_in_grid(result)]
    return Content(
        (painter.input_cell(), *(painter.result_cell(result) for result in single)),
        tuple(painter.grids([result for result in results if result not in single])),
        painter,
        tuple((result.variant.label, result.numbers) for result in results if result.numbers),
    )


def _is_in_grid(result: VariantResult) -> bool:
    return len(result.variant.swept) == 2


class Painter:
    """Makes the panels of one comparison."""

    def __init__(self, comparison: Comparison, style: Style, space: Space) -> None:
        self.comparison, self.style, self.space = comparison, style, space
        self.size, self.source = comparison.size, comparison.picture.size
        self.scales = self.source[0] / self.size[0], self.source[1] / self.size[1]
        self.regions = regions = comparison.regions
        self.is_inset = style.style == "inset" and bool(regions)
        has_grid = bool(regions) and any(map(_is_in_grid, comparison.results))
        small = max(self.size) <= _LARGEST_WHOLE and not has_grid
        self.whole = self.is_inset or small or not regions
        self.regions = self._trimmed(comparison)
        self.crop_zoom = style.zoom or self._crop_zoom()
        self.whole_size = self._whole_size()
        zooms = {max(1, self.whole_size[0] // self.size[0])}
        if regions:
            zooms |= {self.crop_zoom, round(self.crop_zoom / self.scales[0])}
        self.square = _square(zooms, self.space.unit)

    def _crop_width(self) -> float:
        """The preferred longer side of the largest crop."""
        frame = 2 * self.space.frame
        if not self.is_inset:
            return self.space.cell - frame if self.space.cell else _CROP * self.space.unit
        count = len(self.regions)
        whole = self.space.cell or _INSETS * self.space.unit
        return max(1.0, (whole - (count - 1) * self.space.gap) / count - frame)

    def _crop_zoom(self) -> int:
        """A zoom near the preferred size of crops at which the input's pixels are repeated as a whole."""
        longest = max((max(region.size) for region in self.regions), default=1)
        wanted = self._crop_width() / longest
        limit = math.floor(wanted) if self.space.strict else math.inf
        step = self._step()
        if limit < step or step * longest > _LARGEST_CROP * self.space.unit:
            return max(1, math.floor(wanted))
        times = range(1, max(1, round(2 * wanted / step)) + 1)
        fitting = [step * n for n in times if step * n <= limit]
        return min(fitting, key=lambda zoom: abs(math.log(zoom / wanted)))

    def _trimmed(self, comparison: Comparison) -> tuple[Region, ...]:
        """The regions; in narrow cells, the middle of found ones if that shows the input exactly."""
        longest = max((region.size[0] for region in comparison.regions), default=0)
        fitting = int(self._crop_width() // self._step())
        if not (self.space.strict and comparison.is_found and longest * _LEAST <= fitting < longest):
            return comparison.regions
        return tuple(region.trimmed(fitting) for region in comparison.regions)

    def exact_width(self) -> int:
        """The least width of a cell whose crops show all pixels of the input."""
        if not self.regions:
            return min(self.size[0], _WHOLE)
        longest = max(region.size[0] for region in self.regions)
        inner = (math.ceil(longest * _LEAST) if self.comparison.is_found else longest) * self._step()
        count = len(self.regions) if self.is_inset else 1
        return count * (inner + 2 * self.space.frame + self.space.gap) - self.space.gap

    def _step(self) -> int:
        """The least zoom at which no pixel of the input is lost.

        If the scale is a whole number, its multiples repeat all pixels of the input equally often.
        """
        return round(self.scales[0]) if self._is_whole() else math.ceil(max(self.scales))

    def _is_whole(self) -> bool:
        """Whether the scale is a whole number, but for less than a pixel of the input across a crop."""
        longest = max((max(region.size) for region in self.regions), default=1)
        step = round(self.scales[0])
        return all(abs(scale - step) * longest < 1 for scale in self.scales)

    def _whole_size(self) -> Size:
        """The size in which whole outputs are shown, and the whole input."""
        width, height = self.size
        if self.style.zoom and not self.regions:
            return width * self.style.zoom, height * self.style.zoom
        wanted = self.space.cell or _WHOLE * self.space.unit * width / max(width, height)
        if self.is_inset:
            wanted = self._insets_width()
        if wanted < width and (self.is_inset or self.space.strict):
            return int(wanted), max(1, round(height * wanted / width))
        larger = wanted / width
        exact = self.space.strict or not (self.space.cell or self.is_inset)
        zoom = max(1, math.floor(larger) if exact else round(larger))
        return width * zoom, height * zoom

    def _insets_width(self) -> int:
        """Width of a row of insets, without the frames at its ends."""
        regions, gaps = self.regions, len(self.regions) - 1
        inner = sum(region.size[0] for region in regions) * self.crop_zoom
        return inner + gaps * (self.space.gap + 2 * self.space.frame)

    def overview(self, width: int, height: int) -> Panel:
        """The input with its regions marked, fitted into a size."""
        part = min(width / self.size[0], height / self.size[1])
        return self._marked((max(1, int(self.size[0] * part)), max(1, int(self.size[1] * part))))

    def _marked(self, size: Size) -> Panel:
        pixels = self._flattened(self._fitted(as_bytes(self.comparison.picture), size))
        seen = pixels.shape[1], pixels.shape[0]
        return Panel(pixels, marks=self._marks(seen))

    def _marks(self, size: Size) -> tuple[Region, ...]:
        return tuple(region.on(self.size, size) for region in self.regions)

    def input_cell(self) -> Cell:
        """The input, and its crops as large as those of the outputs."""
        pixels = as_bytes(self.comparison.picture)
        scale = round(self.scales[0]) if self._is_whole() else self.scales[0]
        crops = [
            self._crop(index, self._input_crop(pixels, region), self.crop_zoom / scale)
            for index, region in enumerate(self.regions)
        ]
        whole = [self._marked(self.whole_size)] if self.whole else []
        (width, height), (small_width, small_height) = self.source, self.size
        zoom = f", ×{self.crop_zoom}" if self.is_inset else ""
        sizes = f"{width}×{height} to {small_width}×{small_height}"
        return self._cell("input", sizes + zoom, whole, crops)

    def result_cell(self, result: VariantResult) -> Cell:
        """One output, and its crops."""
        pixels = as_bytes(result.picture)
        crops = [self._output_crop(pixels, index, region) for index, region in enumerate(self.regions)]
        whole = []
        if self.whole:
            shown = self._flattened(self._fitted(pixels, self.whole_size))
            marks = self._marks(self.whole_size) if self.is_inset else ()
            whole = [Panel(shown, marks=marks)]
        return self._cell(result.variant.method, result.variant.detail, whole, crops)

    def _cell(self, name: str, detail: str, whole: list[Panel], crops: list[Panel]) -> Cell:
        if self.is_inset:
            return Cell(name, detail, tuple(whole), tuple(replace(crop, caption="") for crop in crops))
        return Cell(name, detail, (*whole, *crops))

    def grids(self, results: Iterable[VariantResult]) -> Iterable[Grid]:
        """A grid for each method with two sweeps and each region, or of whole outputs without regions."""
        families: dict[int, list[VariantResult]] = {}
        for result in results:
            families.setdefault(result.variant.family, []).append(result)
        regions: list[tuple[int, Region | None]] = [*enumerate(self.regions)] or [(-1, None)]
        for family in families.values():
            for index, region in regions:
                yield self._grid(family, index, region)

    def _grid(self, results: list[VariantResult], index: int, region: Region | None) -> Grid:
        down, across = results[0].variant.swept
        rows, columns = (
            tuple(dict.fromkeys(result.variant.swept[name] for result in results)) for name in (down, across)
        )
        at = {(r.variant.swept[down], r.variant.swept[across]): as_bytes(r.picture) for r in results}

        def panel(pixels: Bytes | None) -> Panel | None:
            if pixels is None:
                return None
            if region is None:
                return Panel(self._flattened(self._fitted(pixels, self.whole_size)))
            return replace(self._output_crop(pixels, index, region), caption="")

        place = f", place {LETTERS[index]} ×{self.crop_zoom}" if region else ""
        return Grid(
            results[0].variant.common + place,
            tuple(named(down, value) for value in rows),
            tuple(named(across, value) for value in columns),
            tuple(tuple(panel(at.get((row, column))) for column in columns) for row in rows),
        )

    def _output_crop(self, pixels: Bytes, index: int, region: Region) -> Panel:
        return self._crop(index, enlarged(region.cut(pixels), self.crop_zoom), self.crop_zoom)

    def _crop(self, index: int, pixels: Bytes, factor: float) -> Panel:
        """The panel of a region whose pixels were enlarged by a factor."""
        zoom = f"×{factor:.3g}" if factor >= 1 else f"÷{1 / factor:.3g}"
        return Panel(self._flattened(pixels), f"{LETTERS[index]} {zoom}", COLOURS[index % len(COLOURS)])

    def _input_crop(self, pixels: Bytes, region: Region) -> Bytes:
        """What the input shows in a region, as large as the outputs' crops, each of its pixels repeated."""
        width, height = (side * self.crop_zoom for side in region.size)
        if self.crop_zoom < max(self.scales):
            return self._fitted(region.on(self.size, self.source).cut(pixels), (width, height))
        x = self._seen(region.left, width, 0)
        y = self._seen(region.top, height, 1)
        return pixels[y[:, None], x]

    def _seen(self, start: int, length: int, axis: int) -> NDArray[np.int64]:
        """Which rows or columns of the input are shown in `length` pixels, from `start` in the output on."""
        zoom, scale = self.crop_zoom, self.scales[axis]
        steps = np.arange(length)
        step = self._step()
        if self._is_whole() and zoom % step == 0:
            repeated = steps // (zoom // step)
            first = min(round(start * scale), self.source[axis] - 1 - int(repeated[-1]))
            return first + repeated
        places: NDArray[np.int64] = ((start + (steps + 0.5) / zoom) * scale).astype(np.int64)
        return places

    def _fitted(self, pixels: Bytes, size: Size) -> Bytes:
        """An image enlarged by a whole number or box-filtered to fit into `size`."""
        height, width = pixels.shape[:2]
        if width <= size[0] and height <= size[1]:
            return enlarged(pixels, min(size[0] // width, size[1] // height))
        picture = replace(self.comparison.picture, pixels=pixels, alpha=pixels.shape[2] == 4)
        return downscale_picture(picture, (min(size[0], width), min(size[1], height)), method="box").pixels

    def _flattened(self, pixels: Bytes) -> Bytes:
        """Composite transparent pixels onto the ground."""
        if pixels.shape[2] == 3:
            return pixels
        ground: NDArray[np.int64] | int = 255 if self.style.ground == "white" else 0
        if self.style.ground == "checker":
            rows, columns = np.indices(pixels.shape[:2]) // self.square
            ground = np.array(THEMES[self.style.theme].squares)[(rows + columns) % 2, None]
        alpha = pixels[..., 3:].astype(np.uint32)
        flat: Bytes = ((pixels[..., :3] * alpha + ground * (255 - alpha) + 127) // 255).astype(np.uint8)
        return flat


def _square(zooms: set[int], unit: float) -> int:
    """A side of the checkerboard's squares that no zoom resembles or divides: none looks like pixels."""
    enlarging = [zoom for zoom in zooms if zoom > 1]
    sides: list[int] = [max(2, round(side * unit)) for side in _SQUARES]

    def is_unlike(side: int, zoom: int) -> bool:
        larger, smaller = max(side, zoom), min(side, zoom)
        return larger >= _UNLIKE * smaller and larger % smaller != 0

    free = [side for side in sides if all(is_unlike(side, zoom) for zoom in enlarging)]
    return (free or sides)[0]
