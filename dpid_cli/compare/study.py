"""One picture by every variant: its results, the places to look at, and the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from dpid_cli.compare.intensities import intensities
from dpid_cli.compare.regions import Region, in_result, spread, telling
from dpid_cli.compare.variants import Variant
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import FileError
from dpid_cli.files.streams import called, opened
from dpid_cli.pictures import Picture

if TYPE_CHECKING:
    from dpid_cli.compare.metrics import Numbers

_RUNS, _ENOUGH = 3, 0.5  # runs that are timed, unless they take so many seconds


@dataclass(frozen=True)
class Result:
    """What one variant makes of the picture, with all parameters of its method."""

    variant: Variant
    parameters: Mapping[str, Any]
    picture: Picture
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Study:
    """One picture, compared.

    Attributes
    ----------
    source : str
        Its path.
    picture : Picture
        The input, in the colours of the results.
    box : Picture
        The input, box-filtered to the size of the results.
    results : tuple of Result
        In the order of the variants.
    regions : tuple of Region
        Where to look, in pixels of the results.
    """

    source: str
    picture: Picture
    box: Picture
    results: tuple[Result, ...]
    regions: tuple[Region, ...]

    @property
    def size(self) -> Size:
        """Width and height of the results."""
        return self.box.size


@dataclass(frozen=True)
class Inquiry:
    """What is done with each picture.

    Attributes
    ----------
    recipe : Recipe
        How pictures are read and downscaled; method and parameters are those of the variants.
    variants : tuple of Variant
    crops : tuple of Region
        Places in pixels of the input; empty to find some.
    count : int
        How many to find.
    measured, timed : bool
        Whether results get numbers, and with them times.
    """

    recipe: Recipe
    variants: tuple[Variant, ...]
    crops: tuple[Region, ...] = ()
    count: int = 2
    measured: bool = False
    timed: bool = True
    recipes: tuple[Recipe, ...] = field(init=False)

    def __post_init__(self) -> None:
        recipes = (replace(self.recipe, method=v.method, parameters=v.given) for v in self.variants)
        object.__setattr__(self, "recipes", tuple(recipes))

    def check(self) -> None:
        """Raise an `ArgumentError` if this cannot work whatever the files hold."""
        object.__setattr__(self, "recipes", tuple(recipe.checked() for recipe in self.recipes))

    def run(self, source: str) -> Study:
        """Read a picture and downscale it by every variant.

        Raises
        ------
        DpidError
            If it cannot be read, would be enlarged, or has no such places.
        """
        name = called(source)
        with opened(source) as stream:
            picture = self.recipe.read(stream, name)
        size = self.recipe.size_of(picture, name)
        crops = [in_result(crop, picture.size, size) for crop in self.crops]
        try:
            return self._study(source, picture, crops, size)
        except MemoryError:
            raise FileError(f"{name}: not enough memory: give a smaller image, or fewer variants") from None

    def _study(self, source: str, picture: Picture, crops: Sequence[Region], size: Size) -> Study:
        name = called(source)
        box = replace(self.recipe, method="box", parameters={}).apply(picture, size, name)
        results = [
            Result(variant, recipe.used, recipe.apply(picture, size, name))
            for variant, recipe in zip(self.variants, self.recipes, strict=True)
        ]
        times = [self._seconds(recipe, picture, name) for recipe in self.recipes]
        shown = self._treated(picture, name)
        if self.measured:
            results = _measured(shown, box, results, times)
        regions = crops or self._telling([result.picture for result in results], box)
        return Study(source, shown, box, tuple(results), tuple(regions))

    def _treated(self, picture: Picture, name: str) -> Picture:
        """The input in the colours of the results: box-filtered to its own size, so that all else stays."""
        if not (self.recipe.to_srgb or self.recipe.transparency == "drop"):
            return picture
        return replace(self.recipe, method="box", parameters={}).apply(picture, picture.size, name)

    def _seconds(self, recipe: Recipe, picture: Picture, name: str) -> float | None:
        """The least time of up to three runs; what has to be compiled has been, for the results."""
        if not (self.measured and self.timed):
            return None
        size, times = recipe.size_of(picture, name), [math.inf]
        while len(times) <= _RUNS and sum(times[1:]) < _ENOUGH:
            start = perf_counter()
            recipe.apply(picture, size, name)
            times.append(perf_counter() - start)
        return min(times)

    def _telling(self, pictures: Sequence[Picture], box: Picture) -> list[Region]:
        """Where the results differ most; one alone is compared with the box filter."""
        compared = [intensities(picture) for picture in (pictures if len(pictures) > 1 else [*pictures, box])]
        return telling(spread(compared), self.count)


def _measured(
    picture: Picture, box: Picture, results: Sequence[Result], times: Sequence[float | None]
) -> list[Result]:
    """The results with their numbers."""
    from dpid_cli.compare.metrics import Yardstick

    yardstick = Yardstick(intensities(picture), intensities(box))
    return [
        replace(result, numbers=yardstick.measure(intensities(result.picture), seconds))
        for result, seconds in zip(results, times, strict=True)
    ]
