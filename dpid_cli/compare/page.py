"""Write comparisons as HTML: a page for one image that needs no other file, and an index of many pages."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.compare.intensities import as_bytes
from dpid_cli.compare.table import HEADINGS, MEANINGS, cells_of, summary
from dpid_cli.compare.variants import Variant, symbol
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.parameters import shown
from dpid_cli.downscaling.registry import PARAMETERS
from dpid_cli.downscaling.sizes import Size
from dpid_cli.pictures import Picture, write
from dpid_cli.pictures.formats import COMPACT, FALLBACK
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.compare.comparison import Comparison, VariantResult
    from dpid_cli.compare.metrics import Numbers

# `exact` keeps colours where alpha is 0. A higher `method` takes twice as long and saves less than 0.5 %.
_LOSSLESS = {"lossless": True, "quality": 50, "method": 2, "exact": True}
_PREVIEW = {"quality": 80, "method": 4}
_EXACT_INPUT, _LARGEST_INPUT = 1_000_000, 4_000_000  # pixels: embed losslessly up to, embed at most
_THUMBNAIL = 240  # longer side, in pixels


@dataclass(frozen=True)
class IndexEntry:
    """An image in the index: link and name, and a thumbnail with its address and size."""

    address: str
    name: str
    thumbnail: str
    size: Size


def template(name: str) -> str:
    """The content of a file in ``assets``."""
    return (files("dpid_cli.compare") / "assets" / name).read_text(encoding="utf-8")


def page_of(comparison: Comparison, title: str, theme: str, back: str = "") -> str:
    """The page of one image; it opens in `theme` (auto, light or dark), and links to the index at `back`."""
    preview, note = _preview(comparison.picture)
    results = comparison.results
    data = {
        "name": comparison.source,
        "size": comparison.size,
        "layers": _layers(results),
        "input": {"label": "input", "colours": preview, "alpha": not comparison.picture.opaque},
        "regions": [(region.left, region.top, region.right, region.bottom) for region in comparison.regions],
        "sweeps": _sweeps([result.variant for result in results]),
    }
    rounded = "" if results[0].picture.pixels.dtype == np.uint8 else ", rounded to 8 bits"
    measured = [(result.variant, result.numbers) for result in results if result.numbers]
    rows = [_row(variant, map(escape, cells_of(numbers))) for variant, numbers in measured]
    (width, height), (small_width, small_height) = comparison.picture.size, comparison.size
    sizes = f"{width}×{height} pixels, downscaled to {small_width}×{small_height}"
    return Template(template("page.html")).substitute(
        theme=theme,
        title=escape(title or comparison.source),
        facts=escape(f"{sizes} by {_counted(len(results))}"),
        back=f'<p><a href="{escape(back)}">All images</a></p>\n' if back else "",
        numbers=_table("Numbers", rows) if rows else "",
        footnote=f"Outputs are embedded pixel for pixel{rounded}. The input is embedded {note}.",
        version=__version__,
        css=template("page.css"),
        js=template("page.js"),
        # An escaped < cannot end the script element.
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _counted(count: int) -> str:
    return "one variant" if count == 1 else f"{count} variants"


def _layers(results: Sequence[VariantResult]) -> list[dict[str, Any]]:
    """The outputs for the script, each as its difference from the one before, modulo 256.

    Neighbours of a sweep differ little, so their differences take a fraction of the bytes. The first output
    is its difference from black.
    """
    images = [as_bytes(result.picture) for result in results]
    transparent = any(pixels.shape[2] == 4 for pixels in images)
    before = np.zeros((*images[0].shape[:2], 4), np.uint8)
    opaque = before[..., 3] + np.uint8(255)
    layers = []
    for result, pixels in zip(results, images, strict=True):
        now = pixels if pixels.shape[2] == 4 else np.dstack([pixels, opaque])
        difference = now - before
        before = now
        layer = {
            "label": result.variant.label,
            "family": result.variant.family,
            "swept": {PARAMETERS[k].label: shown(v) for k, v in result.variant.swept.items()},
            "colours": _embedded(difference[..., :3], _LOSSLESS),
        }
        if transparent:
            layer["alpha"] = _embedded(np.repeat(difference[..., 3:], 3, axis=2), _LOSSLESS)
        layers.append(layer)
    return layers


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


def _embedded(pixels: NDArray[np.uint8], options: Mapping[str, Any]) -> str:
    """Pixels (H, W, 3 or 4) as a data URL, in the compact format if it stores images so large."""
    alpha = pixels.shape[2] == 4
    picture = Picture(np.ascontiguousarray(pixels), alpha, None)
    fits = max(picture.size) <= COMPACT.max_side
    format_ = replace(COMPACT, options=dict(options)) if fits else FALLBACK
    stream = io.BytesIO()
    write(picture, stream, format_, "page")
    return f"data:image/{format_.name};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _preview(picture: Picture) -> tuple[str, str]:
    """The input as a data URL, and how it is embedded."""
    width, height = picture.size
    if width * height <= _EXACT_INPUT:
        return _embedded(as_bytes(picture), _LOSSLESS), "pixel for pixel, too"
    part = min(1.0, (_LARGEST_INPUT / (width * height)) ** 0.5)
    small = _shrunk(picture, (max(1, int(width * part)), max(1, int(height * part))))
    size = "" if part == 1 else f" of {small.size[0]}×{small.size[1]} pixels"
    return _embedded(as_bytes(small), _PREVIEW), f"as a lossy preview{size}"


def _shrunk(picture: Picture, size: Size) -> Picture:
    return picture if picture.size == size else downscale_picture(picture, size, method="box")


def thumbnail(comparison: Comparison) -> tuple[str, Size]:
    """A thumbnail of the input as a data URL, and its size."""
    width, height = comparison.picture.size
    part = min(1.0, _THUMBNAIL / max(width, height))
    size = max(1, round(width * part)), max(1, round(height * part))
    return _embedded(as_bytes(_shrunk(comparison.picture, size)), _PREVIEW), size


def index_of(
    entries: Sequence[IndexEntry],
    numbers: Sequence[tuple[Variant, Sequence[Numbers]]],
    failed: Sequence[str],
    title: str,
    theme: str,
) -> str:
    """The index of many pages, with the errors in `failed`.

    `numbers` are those of all images for every variant, or none if they were not measured.
    """
    rows = [
        _row(variant, [_mean(mean, deviation) for mean, deviation in summary(images)])
        for variant, images in numbers
        if images
    ]
    images = "\n".join(
        f'<li><a href="{escape(entry.address)}"><img src="{entry.thumbnail}" width="{entry.size[0]}" '
        f'height="{entry.size[1]}" alt="" loading="lazy">{escape(entry.name)}</a></li>'
        for entry in entries
    )
    errors = "".join(f"<li>{escape(line)}</li>" for line in failed)
    return Template(template("index.html")).substitute(
        theme=theme,
        title=escape(title),
        facts=f"{len(entries)} images, {_counted(len(numbers))}",
        numbers=_table("Means and standard deviations over the images", rows) if rows else "",
        images=images,
        failed=f"<h2>Errors</h2>\n<ul>{errors}</ul>" if errors else "",
        version=__version__,
        css=template("page.css"),
    )


def _table(heading: str, rows: Sequence[str]) -> str:
    """The table of numbers below a heading; a caption would be cut off with a table that scrolls."""
    columns = "".join(f"<th scope='col'>{escape(a)}<br>{escape(b)}</th>" for a, b in HEADINGS)
    meanings = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in MEANINGS)
    body = "\n".join(rows)
    labelled = "aria-labelledby='numbers'"
    return (
        f"<h2 id='numbers'>{escape(heading)}</h2>\n"
        f"<div class='scroll' tabindex='0' role='region' {labelled}><table {labelled}>\n"
        f"<thead><tr><th scope='col'>variant</th>{columns}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table></div>\n"
        f"<details>\n<summary>What the numbers mean</summary>\n<dl>\n{meanings}\n</dl>\n</details>"
    )


def _row(variant: Variant, cells: Iterable[str]) -> str:
    values = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr><th scope='row'>{escape(variant.label)}</th>{values}</tr>"


def _mean(mean: str, deviation: str) -> str:
    spread = f" <span class='spread'>± {escape(deviation)}</span>" if deviation else ""
    return escape(mean) + spread
