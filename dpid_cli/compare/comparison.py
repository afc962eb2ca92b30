"""Downscale one image by every variant: its outputs, the regions to look at, and the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dpid_cli.compare.intensities import Array, intensities
from dpid_cli.compare.metrics import Yardstick
from dpid_cli.compare.regions import in_output, most_different
from dpid_cli.compare.structure import structured
from dpid_cli.convert.recipe import Recipe
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.files.streams import called, opened

if TYPE_CHECKING:
    from dpid_cli.compare.metrics import Numbers, PlainNumbers
    from dpid_cli.compare.regions import Region
    from dpid_cli.compare.variants import Variant
    from dpid_cli.downscaling.sizes import Size
    from dpid_cli.pictures import Picture

_USUAL = "dpid"  # with its default parameters, differs from box where details are, whatever is compared
_RUNS, _ENOUGH = 3, 0.5  # time so many runs, fewer if they take so many seconds


@dataclass(frozen=True)
class VariantResult:
    """The output of one variant, with all parameters of its method."""

    variant: Variant
    parameters: Mapping[str, Any]
    picture: Picture
    numbers: Numbers | None = None
    places: tuple[PlainNumbers, ...] = ()  # at the regions, if measured


def _result(variant: Variant, recipe: Recipe, picture: Picture, size: Size, name: str) -> VariantResult:
    """Downscale an image by a variant, which then names what "auto" stood for."""
    output, settled = recipe.rendered(picture, size, name)
    found = {key: value for key, value in settled.used.items() if value != recipe.used[key]}
    return VariantResult(replace(variant, found=found), settled.used, output)


@dataclass(frozen=True)
class Comparison:
    """One image, downscaled by every variant."""

    source: str  # path of the input, or -
    picture: Picture  # the input, in the colours of the outputs
    box: Picture  # the input, box-filtered to the size of the outputs
    results: tuple[VariantResult, ...]
    regions: tuple[Region, ...]  # to look at, in pixels of the outputs, the most telling first
    is_found: bool = False  # whether these were found rather than requested
    crop: Sequence[float] | None = None  # left, top, width and height of the input in its file, if not all

    @property
    def size(self) -> Size:
        """Width and height of the outputs."""
        return self.box.size

    @property
    def numbers(self) -> tuple[Numbers, ...]:
        """The numbers of all outputs; empty if they were not measured."""
        return tuple(result.numbers for result in self.results if result.numbers)


@dataclass(frozen=True)
class ComparisonSpec:
    """What to compare, and how."""

    recipe: Recipe  # how to read and downscale; the variants replace its method and parameters
    variants: tuple[Variant, ...]
    crops: tuple[Region, ...] = ()  # to look at, in pixels of the input; empty to choose them
    count: int = 2  # how many regions to choose
    measured: bool = False  # whether to measure the outputs
    timed: bool = True  # whether to time them, too
    thorough: bool = True  # whether to enlarge them, too, for the numbers that need it
    recipes: tuple[Recipe, ...] = field(init=False)

    def __post_init__(self) -> None:
        # Images are read as intensities.
        known = None if self.recipe.value_range is None else (0, 1)
        recipes = (
            replace(self.recipe, method=v.method, parameters=v.given, value_range=known)
            for v in self.variants
        )
        object.__setattr__(self, "recipes", tuple(recipes))

    def check(self) -> None:
        """Raise an `ArgumentError` for arguments that fit no file."""
        self.recipe.checked()
        object.__setattr__(self, "recipes", tuple(recipe.checked() for recipe in self.recipes))

    def run(self, source: str) -> Comparison:
        """Read an image and downscale it by every variant.

        Raise a `DpidError` if it cannot be read, is smaller than the output, or does not contain the crops.
        """
        name = called(source)
        with opened(source) as stream:
            picture = self.recipe.read(stream, name)
        return self.run_on(picture, source)

    def run_on(self, picture: Picture, source: str) -> Comparison:
        """Downscale an image that has been read from `source` by every variant; raise as `run`."""
        name = called(source)
        picture = self.recipe.intensities(picture)
        placed = self.recipe.placed(picture, name)
        picture, part = placed.cut(picture, name)
        if part is not None:
            raise ArgumentError(f"{name}: crop: compare takes whole pixels only: use whole numbers")
        size = self.recipe.size_of(picture.size, name)
        crops = [in_output(crop, picture.size, size) for crop in self.crops]
        try:
            return replace(self._compared(source, picture, crops, size), crop=placed.crop)
        except MemoryError:
            raise FileError(f"{name}: not enough memory: use a smaller image, or fewer variants") from None

    def _compared(self, source: str, picture: Picture, crops: Sequence[Region], size: Size) -> Comparison:
        name = called(source)
        box_recipe = replace(self.recipes[0], method="box", parameters={}, guidance=None, maps={})
        box = box_recipe.apply(picture, size, name)
        results = [
            _result(variant, recipe, picture, size, name)
            for variant, recipe in zip(self.variants, self.recipes, strict=True)
        ]
        times = [self._seconds(recipe, picture, size, name) for recipe in self.recipes]
        shown = picture
        if self.recipe.to_srgb or self.recipe.transparency == "drop":
            # Box-filtered to its own size, an image changes nothing but its colours.
            shown = box_recipe.apply(picture, picture.size, name)
        regions = crops or self._found(picture, box, replace(box_recipe, method=_USUAL), name)
        if self.measured:
            results = self._measured(results, times, (shown, box), regions)
        return Comparison(source, shown, box, tuple(results), tuple(regions), not crops)

    def _found(self, picture: Picture, box: Picture, recipe: Recipe, name: str) -> list[Region]:
        """The regions in which the output of a recipe differs most from that of box, without flat noise."""
        if not self.count:
            return []

        def rows_of(top: int, bottom: int) -> Array:
            return intensities(replace(picture, pixels=picture.pixels[top:bottom]))

        output = recipe.apply(picture, box.size, name)
        differences = ((intensities(output) - intensities(box)) ** 2).sum(axis=2)
        scale = max(picture.size[0] / box.size[0], picture.size[1] / box.size[1])
        part = structured(rows_of, picture.size, box.size)
        return most_different(differences * part, self.count, scale)

    def _measured(
        self,
        results: Sequence[VariantResult],
        times: Sequence[float | None],
        references: tuple[Picture, Picture],
        regions: Sequence[Region],
    ) -> list[VariantResult]:
        """Outputs with their numbers, measured against the input and the box-filtered input."""
        yardstick = Yardstick(*map(intensities, references))
        bounds = [(region.left, region.top, region.right, region.bottom) for region in regions]
        measured = []
        for result, seconds in zip(results, times, strict=True):
            values = intensities(result.picture)
            numbers = yardstick.measure(values, seconds, self.thorough)
            measured.append(replace(result, numbers=numbers, places=yardstick.places(values, bounds)))
        return measured

    def _seconds(self, recipe: Recipe, picture: Picture, size: Size, name: str) -> float | None:
        """The shortest of up to three runs; kernels are compiled by then."""
        if not (self.measured and self.timed):
            return None
        times: list[float] = []
        while len(times) < _RUNS and sum(times) < _ENOUGH:
            start = perf_counter()
            recipe.apply(picture, size, name)
            times.append(perf_counter() - start)
        return min(times)
