"""Write the comparison of one image as HTML: a page that needs no other file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any

from dpid_cli.compare.documents import asset, policy, script_of, style_of
from dpid_cli.compare.embedding import compressed
from dpid_cli.compare.page_table import section_of
from dpid_cli.compare.workbench import engine
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.compare.page_data import PageData

# The parts of the script in the order in which they run: each uses those before it when it loads, and all
# others when it is called.
SCRIPTS = (
    "base.js", "unpack.js", "decoding.js", "layers.js", "view.js", "paint.js", "difference.js", "stage.js",
    "weights.js", "readout.js", "worker.js", "live.js", "scale.js", "sliders.js", "strip.js", "overview.js",
    "choices.js", "hands.js", "keys.js", "address.js", "neighbours.js", "table.js", "engine/png.js",
    "engine/canvas.js", "raster.js", "figure.js", "archive.js", "tikz.js", "download.js", "shell.js",
    "command.js", "results.js", "votes.js", "trial.js", "screen.js", "start.js",
)  # fmt: skip
_DECODER = ("packed.js", "unpack.js", "decoder.js")  # the parts of the worker that decodes pixels


def page_of(data: PageData, title: str, theme: str, navigation: str = "") -> str:
    """The page of one image; it opens in `theme` (auto, light or dark), with links to other pages."""
    css, js = style_of("page.css", "trial.css"), script_of(*SCRIPTS)
    loader = script_of("packed.js", "loader.js")
    values, first, rest = _apart(data.values)
    (width, height), (small_width, small_height) = data.values["source"], data.values["size"]
    scale = f"{width / small_width:.3g}× smaller"
    return Template(asset("page.html")).substitute(
        theme=theme,
        policy=escape(policy(css, loader, js)),
        title=escape(title),
        facts=escape(f"{width}×{height} → {small_width}×{small_height} pixels, {scale}"),
        lead=escape(data.lead),
        navigation=navigation,
        numbers=section_of(data.tables),
        footnote=escape(data.footnote),
        version=__version__,
        css=css,
        trial=asset("trial.html"),
        scripts=_scripts(js, bool(data.values["live"])),
        loader=loader,
        first=first,
        rest=rest,
        # An escaped < cannot end the script element.
        data=json.dumps(values, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _scripts(js: str, is_live: bool) -> str:
    """Scripts that the first one of the page inflates: those of workers, and that of the page, the last."""
    texts = {"decoder": script_of(*_DECODER)} | ({"engine": engine()} if is_live else {}) | {"script": js}
    parts = ((name, *compressed(text)) for name, text in texts.items())
    return "".join(
        f'<script type="text/plain" id="{name}" data-length="{length}">{text}</script>\n'
        for name, text, length in parts
    )


def _apart(values: Mapping[str, Any]) -> tuple[dict[str, Any], str, str]:
    """The data for the script without the texts of pixels, and elements that hold these.

    The first elements are those of the first pair: browsers show it while they load the others.
    """
    texts: dict[str, str] = {}

    def moved(holder: Mapping[str, Any]) -> dict[str, Any]:
        packed, name = dict(holder["packed"]), f"pixels-{len(texts)}"
        texts[name] = packed.pop("text")
        return {**holder, "packed": packed | {"element": name}}

    layers, source = [moved(layer) for layer in values["layers"]], dict(values["input"])
    if "packed" in source:
        source = moved(source)
    else:
        source["places"] = [moved(place) for place in source["places"]]
        texts["preview"] = source.pop("preview")
    pair = {layer["packed"]["element"] for layer in layers if layer["key"] in values["first"].values()}
    parts = {name: f'<script type="text/plain" id="{name}">{text}</script>\n' for name, text in texts.items()}
    first = "".join(part for name, part in parts.items() if name in pair)
    rest = "".join(part for name, part in parts.items() if name not in pair)
    return {**values, "layers": layers, "input": source}, first, rest
