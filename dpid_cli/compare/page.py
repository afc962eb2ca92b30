"""Write comparisons as HTML: a page for one image that needs no other file, and an index of many pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from string import Template
from typing import TYPE_CHECKING

from dpid_cli.compare.documents import asset, policy
from dpid_cli.compare.embedding import compressed
from dpid_cli.compare.page_table import Row, section_of, summary_of
from dpid_cli.compare.table import summary
from dpid_cli.compare.variants import Variant
from dpid_cli.compare.workbench import engine
from dpid_cli.downscaling.sizes import Size
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.compare.metrics import Numbers
    from dpid_cli.compare.page_data import PageData

# The parts of the script in the order in which they run: each uses those before it when it loads, and all
# others when it is called.
SCRIPTS = (
    "base.js", "unpack.js", "layers.js", "view.js", "paint.js", "difference.js", "stage.js", "weights.js",
    "readout.js", "worker.js", "live.js", "sliders.js", "strip.js", "overview.js", "choices.js", "hands.js",
    "keys.js", "address.js", "table.js", "engine/png.js", "engine/canvas.js", "raster.js", "figure.js",
    "archive.js", "tikz.js", "download.js", "shell.js", "command.js", "results.js", "votes.js",
    "trial.js", "screen.js", "start.js",
)  # fmt: skip


@dataclass(frozen=True)
class IndexEntry:
    """An image in the index: link and name, and a thumbnail with its address and size."""

    address: str
    name: str
    thumbnail: str
    size: Size


def script() -> str:
    """The script of a page, put together from its parts, without indentation and comments."""
    lines = (line.strip() for name in SCRIPTS for line in asset(name).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def style(*names: str) -> str:
    """The style of pages, and more of it from these files, in one line."""
    return " ".join("".join(map(asset, ("page.css", *names))).split())


def page_of(data: PageData, title: str, theme: str, back: str = "") -> str:
    """The page of one image; it opens in `theme` (auto, light or dark), and links to the index at `back`."""
    css, loader, js = style("trial.css"), asset("loader.js"), script()
    text, length = compressed(js)
    (width, height), (small_width, small_height) = data.values["source"], data.values["size"]
    scale = f"{width / small_width:.3g}× smaller"
    return Template(asset("page.html")).substitute(
        theme=theme,
        policy=escape(policy(css, loader, js)),
        title=escape(title),
        facts=escape(f"{width}×{height} → {small_width}×{small_height} pixels, {scale}"),
        lead=escape(data.lead),
        back=f'<p><a href="{escape(back)}">All images</a></p>\n' if back else "",
        numbers=section_of(data.tables),
        footnote=escape(data.footnote),
        version=__version__,
        css=css,
        trial=asset("trial.html"),
        engine=_engine() if data.values["live"] else "",
        loader=loader,
        js=text,
        length=length,
        # An escaped < cannot end the script element.
        data=json.dumps(data.values, separators=(",", ":")).replace("<", "\\u003c"),
    )


def _engine() -> str:
    """The script of the worker that computes outputs, which the first script of the page inflates."""
    text, length = compressed(engine())
    return f'<script type="text/plain" id="engine" data-length="{length}">{text}</script>\n'


def _counted(count: int, what: str) -> str:
    return f"one {what}" if count == 1 else f"{count} {what}s"


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
    rows = []
    for variant, images in numbers:
        if images:
            means, spreads = zip(*summary(images), strict=True)
            rows.append(Row(variant.word, variant.label, means, spreads))
    gallery = "\n".join(
        f'<li><a href="{escape(entry.address)}"><img src="{entry.thumbnail}" width="{entry.size[0]}" '
        f'height="{entry.size[1]}" alt="" loading="lazy">{escape(entry.name)}</a></li>'
        for entry in entries
    )
    errors = "".join(f"<li>{escape(line)}</li>" for line in failed)
    css = style()
    return Template(asset("index.html")).substitute(
        theme=theme,
        policy=escape(policy(css)),
        title=escape(title),
        facts=f"{_counted(len(entries), 'image')}, {_counted(len(numbers), 'variant')}",
        numbers=summary_of("Means and standard deviations over the images", rows) if rows else "",
        images=gallery,
        failed=f"<h2>Errors</h2>\n<ul>{errors}</ul>" if errors else "",
        version=__version__,
        css=css,
    )
