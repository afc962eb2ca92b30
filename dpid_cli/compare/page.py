"""Write the comparison of one image as HTML: a page that needs no other file."""

from __future__ import annotations

import json
from html import escape
from string import Template
from typing import TYPE_CHECKING

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
    "base.js", "unpack.js", "layers.js", "view.js", "paint.js", "difference.js", "stage.js", "weights.js",
    "readout.js", "worker.js", "live.js", "sliders.js", "strip.js", "overview.js", "choices.js", "hands.js",
    "keys.js", "address.js", "neighbours.js", "table.js", "start.js",
)  # fmt: skip


def page_of(data: PageData, title: str, theme: str, navigation: str = "") -> str:
    """The page of one image; it opens in `theme` (auto, light or dark), with links to other pages."""
    css, loader, js = style_of("page.css"), asset("loader.js"), script_of(*SCRIPTS)
    text, length = compressed(js)
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
