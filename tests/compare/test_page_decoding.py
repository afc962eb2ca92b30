"""Pixels of a page are decoded when they are needed: in workers, the first pair first."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dpid_cli
from support.browsing import agree, choose, expected, shown
from support.chromium import until
from support.embedded import data_of

METHODS = ("box", "dpid", "dpp", "max", "min", "nearest")


def test_the_first_pair_stands_before_the_script_and_needs_no_other_output(written):
    text = written.read_text()
    layers = {layer["key"]: layer for layer in data_of(text)["layers"]}
    assert "from" not in layers["box"] and layers["dpid:lambda=1"]["from"] == 0
    start = text.index("<script>")
    for key, layer in layers.items():
        is_first = text.index(f'id="{layer["packed"]["element"]}"') < start
        assert is_first == (key in ("box", "dpid:lambda=1"))


def test_the_page_is_used_before_all_outputs_are_decoded(browser, written, results):
    """The other outputs are missing until a variant is chosen."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.add_init_script(
        "const post = Worker.prototype.postMessage; globalThis.held = [];"
        "Worker.prototype.postMessage = function (message, ...rest) {"
        "  const go = () => post.call(this, message, ...rest);"
        "  if (message.packed && held.count >= 2) held.push(go); else go();"
        "  held.count = (held.count ?? 0) + 1; };"
    )
    page.goto(written.as_uri())
    until(page, "performance.getEntriesByName('pair shown').length === 1")
    assert agree(shown(page)[:, :200], expected(page, results["box"])[:, :200])
    choose(page, "max", "box")
    assert "(loading)" in page.inner_text("#left-tag")
    page.evaluate("held.count = -1e9; held.splice(0).forEach((go) => go())")
    page.wait_for_selector("html[data-ready]")
    page.evaluate("View.setSplit(1)")
    assert page.inner_text("#left-tag") == "1 max" and agree(shown(page), expected(page, results["max"]))
    page.close()


@pytest.mark.parametrize(
    "refusal", ["throw new Error('no workers')", "setTimeout(() => this.onerror({ preventDefault() {} }))"]
)
def test_without_workers_the_page_decodes_by_itself(browser, written, results, refusal):
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.add_init_script(f"window.Worker = class {{ constructor() {{ {refusal} }} postMessage() {{}} }}")
    page.goto(written.as_uri())
    page.wait_for_selector("html[data-ready]")
    for label in ("max", "dpid, λ = 0.5"):
        choose(page, label, label)
        assert agree(shown(page), expected(page, results[label]))
    page.close()


def test_large_outputs_that_were_dropped_are_decoded_again(opened, paged):
    ramp = np.add.outer(np.arange(2000), np.arange(2400)).astype(np.uint8)
    image = np.dstack([ramp, ramp[::-1], 255 - ramp])
    page = opened(paged(image, " ".join(["-s 1.2 --no-metrics", *(f"-m {method}" for method in METHODS)])))
    kept = page.evaluate("Layers.all.filter((layer) => !layer.isInput && layer.pixels).length")
    assert 2 <= kept < len(METHODS)
    page.evaluate("View.setSplit(1)")
    for method in METHODS:
        label = page.evaluate(f"Layers.all[Layers.indexOf('{method}')].label")
        choose(page, label, "box")
        until(page, "Boolean(Layers.all[View.state.left].pixels)")
        wanted = dpid_cli.downscale(image, scale=1.2, method=method)
        assert agree(shown(page), expected(page, wanted)), method
    assert re.fullmatch("1 nearest", page.inner_text("#left-tag"))
