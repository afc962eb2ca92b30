"""The index of many pages: a contact sheet of one place of each image, and the links between pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dpid_cli.compare.documents import asset, name_of, policy, script_of, style_of
from dpid_cli.compare.embedding import exact_url, preview
from dpid_cli.compare.intensities import as_bytes, in_srgb, shrunk
from dpid_cli.compare.page_table import Row, summary_of
from dpid_cli.compare.regions import Region
from dpid_cli.compare.sheet import LETTERS
from dpid_cli.compare.table import HEADINGS, PLAIN, best_of, cells_of, summary
from dpid_cli.compare.variants import BOX, Variant
from dpid_cli.files.streams import called
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison
    from dpid_cli.compare.metrics import Numbers
    from dpid_cli.downscaling.sizes import Size
    from dpid_cli.pictures import Picture

# Sides of crops, in output pixels. All crops of an image have so many pixels together, unless the smallest
# have more. The screen shows a crop as large as fits so many pixels.
_SIDES, _PIXELS, _ON_SCREEN = (32, 24, 16), 8192, 128
_PLAIN = ("% detail", "noise", "likeness")  # what follows the plain numbers
_BEST = ' class="best"'


@dataclass(frozen=True)
class Crop:
    """What the contact sheet shows of one output: its pixels as a data URL, and its numbers if measured."""

    variant: Variant
    url: str
    numbers: Numbers | None


@dataclass(frozen=True)
class IndexEntry:
    """An image in the index."""

    number: int  # among the inputs, from 1
    address: str  # of its page
    name: str
    source: Size
    size: Size
    thumbnail: tuple[str, Size]  # a data URL, and its size
    place: str  # the letter of the place that the crops show, or empty
    crop_size: Size
    crops: Sequence[Crop]


def entry_of(comparison: Comparison, number: int, address: str) -> IndexEntry:
    """The entry of a comparison: crops of its most telling place, or of its middle if it has none."""
    regions, name = comparison.regions, called(comparison.source)
    outputs = [(result.variant, result.picture, result.numbers) for result in comparison.results]
    if all(variant.word != BOX for variant, *_ in outputs):
        outputs.insert(0, (Variant(BOX), comparison.box, None))
    fitting = (side for side in _SIDES if side**2 * len(outputs) <= _PIXELS)
    part = (regions[0] if regions else Region(0, 0, *comparison.size)).trimmed(next(fitting, _SIDES[-1]))
    return IndexEntry(
        number,
        address,
        name_of(comparison.source),
        comparison.picture.size,
        comparison.size,
        _thumbnail(comparison),
        LETTERS[0] if regions else "",
        part.size,
        [Crop(variant, _crop(picture, part, name), numbers) for variant, picture, numbers in outputs],
    )


def _thumbnail(comparison: Comparison) -> tuple[str, Size]:
    """A thumbnail of the input as a data URL, and its size."""
    width, height = comparison.picture.size
    part = min(1.0, _ON_SCREEN / max(width, height))
    size = max(1, round(width * part)), max(1, round(height * part))
    small = in_srgb(shrunk(comparison.picture, size), called(comparison.source))
    return preview(as_bytes(small)), size


def _crop(picture: Picture, part: Region, name: str) -> str:
    return exact_url(as_bytes(in_srgb(replace(picture, pixels=part.cut(picture.pixels)), name)))


def navigation(index: str, number: int, count: int, before: str | None, after: str | None) -> str:
    """The links of the page of image `number` of `count`: to the index, and to the pages next to it."""

    def link(address: str | None, name: str, relation: str, arrow: str) -> str:
        if address is None:
            return ""
        return (
            f'<a class="button" id="{name}" rel="{relation}" href="{escape(address)}" '
            f'aria-label="{name.title()} image">{arrow}</a>'
        )

    links = (
        f'<a href="{escape(index)}#image-{number}">All images</a>',
        link(before, "previous", "prev", "←"),
        f"<span>{number} of {count}</span>",
        link(after, "next", "next", "→"),
    )
    return f'<nav id="images" aria-label="Images">{" ".join(filter(None, links))}</nav>\n'


def index_of(
    entries: Sequence[IndexEntry],
    variants: Sequence[Variant],
    failed: Sequence[str],
    title: str,
    theme: str,
) -> str:
    """The index of many pages, with the errors in `failed`; `variants` are those that were asked for."""
    errors = "".join(f"<li>{escape(line)}</li>" for line in failed)
    css, js = style_of("page.css", "index.css"), script_of("index.js")
    rows = list(_means(entries, variants))
    return Template(asset("index.html")).substitute(
        theme=theme,
        policy=escape(policy(css, js)),
        title=escape(title),
        facts=f"{_counted(len(entries), 'image')}, {_counted(len(variants), 'variant')}",
        numbers=_section(summary_of("Means and standard deviations over the images", rows)) if rows else "",
        images="\n".join(map(_item, entries)),
        failed=f"<h2>Errors</h2>\n<ul>{errors}</ul>" if errors else "",
        version=__version__,
        css=css,
        js=js,
        data=json.dumps(_data(entries), separators=(",", ":")).replace("<", "\\u003c"),
    )


def _section(table: str) -> str:
    """A table of which the script hides all but the plain numbers."""
    more = '<button type="button" id="more" aria-expanded="false" hidden>More numbers</button>'
    return f'<section id="means" class="all">\n{table}\n{more}\n</section>'


def _counted(count: int, what: str) -> str:
    return f"one {what}" if count == 1 else f"{count} {what}s"


def _means(entries: Sequence[IndexEntry], variants: Sequence[Variant]) -> Iterator[Row]:
    """Mean and standard deviation of the numbers of each variant, if they were measured."""
    for variant in variants:
        crops = (crop for entry in entries for crop in entry.crops if crop.variant.word == variant.word)
        numbers = [crop.numbers for crop in crops if crop.numbers]
        if numbers:
            means, spreads = zip(*summary(numbers), strict=True)
            yield Row(variant.word, variant.label, means, spreads)


def _data(entries: Sequence[IndexEntry]) -> dict[str, Any]:
    """What the script sorts by: all numbers as texts, in the order of the images and their crops."""
    images = [[cells_of(crop.numbers) if crop.numbers else [] for crop in entry.crops] for entry in entries]
    used = [i for i in range(len(HEADINGS)) if any(cells and cells[i] for image in images for cells in image)]
    first = entries[0].crops if entries else ()
    return {
        "headings": [_heading(i) for i in used],
        "variants": [Variant(crop.variant.method, crop.variant.given).label for crop in first],
        "measured": [order for order, crop in enumerate(first) if crop.numbers],
        "names": [entry.name for entry in entries],
        "numbers": [[[cells[i] for i in used] if cells else [] for cells in image] for image in images],
    }


def _heading(column: int) -> str:
    return " ".join(filter(None, HEADINGS[column]))


def _item(entry: IndexEntry) -> str:
    """An image of the contact sheet: its name, its thumbnail, and a crop of every output with numbers."""
    measured = [crop.numbers for crop in entry.crops if crop.numbers]
    best = iter(
        zip(*([n in column for n in range(len(measured))] for column in best_of(measured)), strict=True)
    )
    crops = "\n".join(_figure(entry, crop, next(best) if crop.numbers else ()) for crop in entry.crops)
    url, (width, height) = entry.thumbnail
    sizes = f"{entry.source[0]}×{entry.source[1]} → {entry.size[0]}×{entry.size[1]}"
    return (
        f'<li id="image-{entry.number}">\n<h3><a href="{escape(entry.address)}">{escape(entry.name)}</a> '
        f'<span class="faint">{sizes}</span></h3>\n<div class="crops">\n'
        f'<figure><img class="whole" src="{url}" width="{width}" height="{height}" alt="">'
        f"<figcaption>whole image</figcaption></figure>\n{crops}\n</div></li>"
    )


def _figure(entry: IndexEntry, crop: Crop, best: Sequence[bool]) -> str:
    """A crop that leads to the place in the page, with its variant on the right."""
    label, place = crop.variant.label, f"&place={entry.place}" if entry.place else ""
    address = f"{entry.address}#right={quote(crop.variant.word)}{place}"
    side = max(1, _ON_SCREEN // max(entry.crop_size))
    width, height = (length * side for length in entry.crop_size)
    cells = cells_of(crop.numbers)[:PLAIN] if crop.numbers else ()
    numbers = "".join(
        f'<li data-name="{escape(_heading(i))}"{_BEST if is_best else ""}>{escape(cell)} '
        f"<span>{name}</span></li>"
        for i, (cell, name, is_best) in enumerate(zip(cells, _PLAIN, best, strict=False))
        if cell
    )
    return (
        f'<figure><a href="{escape(address)}"><img src="{crop.url}" width="{width}" height="{height}" '
        f'alt="{escape(label)}"></a><figcaption>{escape(label)}'
        f"{f'<ul>{numbers}</ul>' if numbers else ''}</figcaption></figure>"
    )
