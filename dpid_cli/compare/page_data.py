"""What a page's script needs to know of a comparison: images, places, parameters, and what to show first."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dpid_cli.compare import latex
from dpid_cli.compare.documents import name_of
from dpid_cli.compare.embedding import packed, preview
from dpid_cli.compare.intensities import Bytes, as_bytes, in_srgb, shrunk
from dpid_cli.compare.page_table import Row, Table
from dpid_cli.compare.regions import Region
from dpid_cli.compare.sheet import LETTERS
from dpid_cli.compare.table import cells_of, plain_cells_of
from dpid_cli.compare.variants import BOX, Variant, symbol
from dpid_cli.convert.recipe import labelled
from dpid_cli.downscaling.parameters import shown
from dpid_cli.downscaling.registry import PARAMETERS, method_named
from dpid_cli.files.streams import called
from dpid_cli.pictures import Picture, icc
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison, VariantResult
    from dpid_cli.convert.recipe import Recipe
    from dpid_cli.downscaling.sizes import Size

# Pixels: embed the input without loss up to, its places up to, and a preview of at least.
_EXACT_INPUT, _EXACT_PLACES, _LARGEST_PREVIEW = 1_000_000, 4_000_000, 4_000_000
_RANGES = {"lambda": (0, 2), "alpha": (0, 1), "epsilon": (0, 0.2)}  # of sliders that compute


@dataclass(frozen=True)
class PageData:
    """The data for the script, and what the page says about it in words."""

    values: Mapping[str, Any]
    lead: str
    footnote: str
    tables: Sequence[Table]  # none if nothing was measured


def is_plain(recipe: Recipe) -> bool:
    """Whether methods see the pixels as a page shows them, so that its script can compute outputs."""
    treated = recipe.linear or recipe.transparency == "separate" or recipe.depth == "16"
    return not (treated or recipe.importance or recipe.guidance or recipe.maps)


def data_of(comparison: Comparison, plain: bool, command: Mapping[str, str]) -> PageData:
    """Collect the data of a comparison; `plain` is that of `is_plain`, and `command` that of `command_of`."""
    embedded = _Embedded(comparison)
    layers = embedded.layers()
    first = _first(layers)
    values = {
        "name": name_of(comparison.source),
        "size": comparison.size,
        "source": comparison.picture.size,
        "layers": layers,
        "input": embedded.input(),
        "regions": [(region.left, region.top, region.right, region.bottom) for region in comparison.regions],
        "sweeps": _sweeps([result.variant for result in comparison.results]),
        "symbols": {PARAMETERS[name].label: symbol(name) for name in PARAMETERS},
        "ranges": _RANGES,
        "choices": {name: PARAMETERS[name].choices for name in ("variant", "guidance")},
        "first": first,
        "command": command,
        "tex": {"special": latex.SPECIAL, "preamble": latex.preamble()},
        "version": __version__,
        "live": not (reason := embedded.reason(plain)),
    }
    footnote = embedded.footnote() + (
        f" The page computes no other outputs, because {reason}." if reason else ""
    )
    return PageData(values, _lead(first, layers), footnote, _tables(comparison))


def _tables(comparison: Comparison) -> list[Table]:
    """The numbers everywhere, and the plain ones at each place."""
    if not comparison.numbers:
        return []

    def rows(cells: Callable[[VariantResult], list[str]]) -> list[Row]:
        return [Row(one.variant.word, one.variant.label, cells(one)) for one in comparison.results]

    tables = [
        Table("everywhere", "Everywhere", rows(lambda one: cells_of(one.numbers) if one.numbers else []))
    ]
    for place, letter in enumerate(LETTERS[: len(comparison.regions)]):
        tables.append(Table(letter, f"At {letter}", rows(partial(_cells_at, place))))
    return tables


def _cells_at(place: int, result: VariantResult) -> list[str]:
    return plain_cells_of(result.places[place])


class _Embedded:
    """The images of a comparison as pages embed them: in sRGB, with 8 bits and as many channels as needed."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        name = called(comparison.source)
        self.picture = in_srgb(comparison.picture, name)
        self.pictures = [in_srgb(result.picture, name) for result in comparison.results]
        self.box = in_srgb(comparison.box, name)
        self.converted = self.box is not comparison.box
        every = [self.picture, self.box, *self.pictures]
        self.has_alpha = not all(picture.opaque for picture in every)
        self.is_gray = not self.has_alpha and all(icc.colours_of(picture).shape[2] == 1 for picture in every)
        self.parts = self._parts()

    def reason(self, plain: bool) -> str:
        """Why the script cannot compute outputs with the bytes of the command; empty if it can."""
        pixels = self.comparison.picture.pixels
        if self.converted:
            # Outputs would be exact, but not their colours: only LittleCMS rounds as it does.
            return (
                "its script cannot convert colours from the input's profile exactly: --to-srgb does so before"
            )
        if not plain:
            return "it does not know the options for colour, depth, transparency and maps that were used"
        if pixels.dtype != np.uint8:
            return "it computes with 8 bits only"
        if pixels.shape[2:] == (2,):
            return "it computes gray images without alpha only"
        return "" if self.is_whole else "it contains inputs of up to 1 megapixel only"

    @property
    def is_whole(self) -> bool:
        """Whether the whole input is embedded without loss."""
        return math.prod(self.picture.size) <= _EXACT_INPUT

    def bytes_of(self, picture: Picture) -> Bytes:
        pixels = as_bytes(picture)
        if self.is_gray:
            return pixels[..., :1]
        if self.has_alpha and pixels.shape[2] == 3:
            return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
        return pixels

    def layers(self) -> list[dict[str, Any]]:
        """The outputs, box first, each as its difference from another one, modulo 256.

        Similar outputs differ little, so their differences take a fraction of the bytes.
        """
        pairs = list(zip(self.comparison.results, self.pictures, strict=True))
        known = [(_layer(result.variant, result.parameters), picture) for result, picture in pairs]
        plain = [pair for pair in known if pair[0]["key"] == BOX]
        others = [pair for pair in known if pair[0]["key"] != BOX]
        plain = plain or [(_layer(Variant(BOX), method_named(BOX).defaults), self.box)]
        ordered = plain + others
        layers = [layer for layer, _ in ordered]
        every = [self.bytes_of(picture) for _, picture in ordered]
        for layer, pixels, base in zip(layers, every, _bases(layers), strict=True):
            if base is not None:
                layer["from"] = 0 if np.array_equal(pixels, every[0]) else base
                pixels = pixels - every[layer["from"]]  # noqa: PLW2901
            layer["packed"] = packed(pixels)
        return layers

    def input(self) -> dict[str, Any]:
        """The input: all of it without loss, or a preview and its places without loss."""
        if self.is_whole:
            return {"label": "input", "packed": packed(self.bytes_of(self.picture))}
        pixels = as_bytes(self.picture)
        parts = [
            {"at": (part.left, part.top), "packed": packed(self._with_channels(part.cut(pixels)))}
            for part in self.parts
        ]
        return {"label": "input", "preview": preview(as_bytes(self.small)), "places": parts}

    def _with_channels(self, pixels: Bytes) -> Bytes:
        return self.bytes_of(replace(self.picture, pixels=pixels, alpha=pixels.shape[2] == 4))

    def _parts(self) -> list[Region]:
        """Of the input, what lies below the places and the windows around them, up to a limit."""
        parts, left = [], _EXACT_PLACES
        for region in self.comparison.regions:
            part = _below(region, self.comparison.size, self.picture.size)
            left -= math.prod(part.size)
            if left >= 0:
                parts.append(part)
        return parts

    @cached_property
    def small(self) -> Picture:
        """The input for a preview: as large as fits the limit, and never smaller than the outputs."""
        part = min(1.0, (_LARGEST_PREVIEW / math.prod(self.picture.size)) ** 0.5)
        pairs = zip(self.comparison.size, self.picture.size, strict=True)
        width, height = (max(output, int(side * part)) for output, side in pairs)
        return shrunk(self.picture, (width, height))

    def footnote(self) -> str:
        """What is exact, in whole sentences."""
        rounded = "" if self.comparison.box.pixels.dtype == np.uint8 else ", rounded to 8 bits"
        sentences = [f"Outputs are embedded pixel for pixel{rounded}."]
        if self.is_whole:
            sentences.append("So is the input.")
        else:
            width, height = self.small.size
            exact = len(self.parts)
            where = f"; at {_listed(LETTERS[:exact])} it is exact" if exact else ""
            sentences.append(f"The input is a lossy preview of {width}×{height} pixels{where}.")
        if self.converted:
            sentences.append("Colours are converted from the input's profile to sRGB for display.")
        return " ".join(sentences)


def _below(region: Region, size: Size, source: Size) -> Region:
    """The part of the input below a region of the output and one more window on each side."""
    left, top = (max(0, at - 1) for at in (region.left, region.top))
    right, bottom = min(size[0], region.right + 1), min(size[1], region.bottom + 1)
    return Region(
        left * source[0] // size[0],
        top * source[1] // size[1],
        -(-right * source[0] // size[0]),
        -(-bottom * source[1] // size[1]),
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _layer(variant: Variant, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """An output for the script, without its pixels."""
    label = "box" if variant.word == BOX else variant.label
    return {
        "key": variant.word,
        "label": label,
        "note": "plain average" if variant.word == BOX else "",
        "detail": variant.detail,
        "method": variant.method,
        "family": variant.family,
        "swept": {PARAMETERS[name].label: shown(value) for name, value in variant.swept.items()},
        "parameters": labelled(parameters),
        "defaults": labelled(method_named(variant.method).defaults),
    }


def _bases(layers: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """Of each output, the index of the one from which it is embedded as the difference; none for box.

    In a sweep that is the next one towards the first pair, else box. So the first pair needs no other output.
    """
    right = _first(layers)["right"]
    first = next(i for i, layer in enumerate(layers) if layer["key"] == right)

    def base(i: int) -> int | None:
        near = i + 1 if i < first else i - 1
        is_swept = i != first and near > 0 and layers[i]["swept"] and layers[near]["swept"]
        return near if is_swept and layers[i]["family"] == layers[near]["family"] else 0

    return [base(i) if i else None for i in range(len(layers))]


def _sweeps(variants: Sequence[Variant]) -> dict[str, dict[str, Any]]:
    """Symbol and values of each swept parameter for the script, in their order."""
    sweeps: dict[str, dict[str, Any]] = {}
    for variant in variants:
        for name, value in variant.swept.items():
            label = PARAMETERS[name].label
            values = sweeps.setdefault(label, {"symbol": symbol(name), "values": []})["values"]
            if shown(value) not in values:
                values.append(shown(value))
    return sweeps


def _first(layers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The pair to show first: box, and dpid with lambda nearest to its default."""
    others = [layer for layer in layers if layer["key"] != BOX]
    if not others:
        return {"left": "input", "right": BOX}

    def misfit(layer: Mapping[str, Any]) -> tuple[bool, float]:
        value, default = layer["parameters"].get("lambda"), layer["defaults"].get("lambda")
        known = isinstance(value, float) and isinstance(default, float)
        return layer["method"] != "dpid", abs(value - default) if known else 0.0

    return {"left": BOX, "right": min(others, key=misfit)["key"]}


def _lead(first: Mapping[str, str], layers: Sequence[Mapping[str, Any]]) -> str:
    """One sentence about the first pair."""
    right = next(layer for layer in layers if layer["key"] == first["right"])
    if right["method"] == "dpid":
        return "DPID keeps fine details that a plain average (box) blends away. Drag the line."
    left = "the input" if first["left"] == "input" else "a plain average (box)"
    return f"On the left is {left}, on the right {right['label']}. Drag the line."
