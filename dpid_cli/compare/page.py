"""A study as one HTML file that needs nothing else: results, numbers, and what moves them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.compare.intensities import as_bytes, channels
from dpid_cli.compare.study import Study
from dpid_cli.compare.table import HEADINGS, MEANINGS, cells_of, summary
from dpid_cli.compare.variants import Variant, shown, symbol
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.registry import PARAMETERS
from dpid_cli.downscaling.sizes import Size
from dpid_cli.pictures import Picture, write
from dpid_cli.pictures.formats import COMPACT, FALLBACK
from dpid_cli.version import __version__

# Lossless; `exact` keeps colours where alpha is 0. More effort took twice as long and saved no half per cent.
_LOSSLESS = {"lossless": True, "quality": 50, "method": 2, "exact": True}
_PREVIEW = {"quality": 80, "method": 4}
_EXACT_INPUT, _LARGEST_INPUT = 1_000_000, 4_000_000  # pixels of an input that is kept, and of a preview
_THUMBNAIL = 240


def template(name: str) -> str:
    """A file of the page."""
    return (files("dpid_cli.compare") / "assets" / name).read_text(encoding="utf-8")


def page_of(study: Study, title: str, theme: str, back: str = "") -> str:
    """The page of a study.

    Parameters
    ----------
    study : Study
    title : str
    theme : {'auto', 'light', 'dark'}
        With which it opens.
    back : str, optional
        Address of the index it belongs to.
    """
    preview, kind = _preview(study.picture)
    data = {
        "name": study.source,
        "size": study.size,
        "layers": layers_of(study),
        "input": {"label": "input", "colours": preview, "alpha": not study.picture.opaque},
        "regions": [(region.left, region.top, region.right, region.bottom) for region in study.regions],
        "sweeps": _sweeps([result.variant for result in study.results]),
    }
    footnote = "Every pixel of a result is shown as it is" + (
        "." if study.results[0].picture.pixels.dtype == np.uint8 else ", rounded to 8 bits."
    )
    return Template(template("page.html")).substitute(
        theme=theme,
        title=escape(title or study.source),
        facts=escape(_facts(study)),
        back=f'<p><a href="{escape(back)}">All images</a></p>\n' if back else "",
        numbers=_numbers(study),
        footnote=f"{footnote} The input is {kind}.",
        version=__version__,
        css=template("page.css"),
        js=template("page.js"),
        data=_script(data),
    )


def _facts(study: Study) -> str:
    (width, height), (small_width, small_height) = study.picture.size, study.size
    return (
        f"{width}×{height} pixels, downscaled to {small_width}×{small_height} by {_many(len(study.results))}"
    )


def _many(count: int) -> str:
    return "one variant" if count == 1 else f"{count} variants"


def _script(data: Mapping[str, Any]) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def layers_of(study: Study) -> list[dict[str, Any]]:
    """The results, each as its differences from the one before, modulo 256.

    Neighbours of a sweep differ little, and so their differences take a fraction of the bytes. The first is
    that from black.
    """
    images = [as_bytes(result.picture) for result in study.results]
    transparent = any(alpha is not None for _, alpha in images)
    before = np.zeros((*images[0][0].shape[:2], 4), np.uint8)
    layers = []
    for result, (colours, alpha) in zip(study.results, images, strict=True):
        opaque = np.full(colours.shape[:2], 255, np.uint8) if alpha is None else alpha
        now = np.dstack([colours, opaque])
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
    """Symbol and values of the parameters that are swept, in their order."""
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
    """The input as it is embedded, and what is said of it."""
    width, height = picture.size
    if width * height <= _EXACT_INPUT:
        return _embedded(channels(picture), _LOSSLESS), "kept as it is, too"
    part = min(1.0, (_LARGEST_INPUT / (width * height)) ** 0.5)
    small = _at_most(picture, (max(1, int(width * part)), max(1, int(height * part))))
    size = "" if part == 1 else f" of {small.size[0]}×{small.size[1]} pixels"
    return _embedded(channels(small), _PREVIEW), f"a preview{size}, with some loss"


def _at_most(picture: Picture, size: Size) -> Picture:
    return picture if picture.size == size else downscale_picture(picture, size, method="box")


def thumbnail(study: Study) -> tuple[str, Size]:
    """A small picture of the input as a data URL, and its size."""
    width, height = study.picture.size
    part = min(1.0, _THUMBNAIL / max(width, height))
    size = max(1, round(width * part)), max(1, round(height * part))
    return _embedded(channels(_at_most(study.picture, size)), _PREVIEW), size


def _headings() -> str:
    cells = "".join(f"<th scope='col'>{escape(a)}<br>{escape(b)}</th>" for a, b in HEADINGS)
    return f"<thead><tr><th scope='col'>variant</th>{cells}</tr></thead>"


def _meanings() -> str:
    told = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(what)}</dd>" for name, what in MEANINGS)
    return f"<details>\n<summary>What the numbers say</summary>\n<dl>\n{told}\n</dl>\n</details>"


def _table(caption: str, rows: Sequence[str]) -> str:
    """The table below its heading; a caption would be as wide as the table, and cut off with it."""
    body = "\n".join(rows)
    named = "aria-labelledby='numbers'"
    return (
        f"<h2 id='numbers'>{escape(caption)}</h2>\n"
        f"<div class='scroll' tabindex='0' role='region' {named}><table {named}>\n"
        f"{_headings()}\n<tbody>\n{body}\n</tbody>\n</table></div>\n{_meanings()}"
    )


def _row(variant: Variant, cells: Sequence[str]) -> str:
    values = "".join(f"<td>{cell}</td>" for cell in cells)
    return f"<tr><th scope='row'>{escape(variant.label)}</th>{values}</tr>"


def _numbers(study: Study) -> str:
    """The table of a study, or nothing where it was not measured."""
    measured = [(result.variant, result.numbers) for result in study.results if result.numbers]
    rows = [_row(variant, list(map(escape, cells_of(numbers)))) for variant, numbers in measured]
    return _table("Numbers", rows) if rows else ""


def index_of(
    studies: Sequence[tuple[str, str, str, Size]],
    numbers: Sequence[tuple[Variant, Sequence[Any]]],
    failed: Sequence[str],
    title: str,
    theme: str,
) -> str:
    """The index of many pages.

    Parameters
    ----------
    studies : sequence of (address, name, thumbnail, size)
    numbers : sequence of (Variant, sequence of Numbers)
        Of every variant those of all images; none where they were not measured.
    failed : sequence of str
        What went wrong, one line each.
    title : str
    theme : {'auto', 'light', 'dark'}
    """
    rows = [
        _row(variant, [_mean(mean, spread) for mean, spread in summary(many)])
        for variant, many in numbers
        if many
    ]
    images = "\n".join(
        f'<li><a href="{escape(address)}"><img src="{source}" width="{size[0]}" height="{size[1]}" alt="" '
        f'loading="lazy">{escape(name)}</a></li>'
        for address, name, source, size in studies
    )
    problems = "".join(f"<li>{escape(line)}</li>" for line in failed)
    return Template(template("index.html")).substitute(
        theme=theme,
        title=escape(title),
        facts=f"{len(studies)} images, {_many(len(numbers))}",
        numbers=_table("Means, and standard deviations over the images", rows) if rows else "",
        images=images,
        failed=f"<h2>Not compared</h2>\n<ul>{problems}</ul>" if problems else "",
        version=__version__,
        css=template("page.css"),
    )


def _mean(mean: str, spread: str) -> str:
    return f"{escape(mean)} <span class='spread'>± {escape(spread)}</span>" if spread else escape(mean)
