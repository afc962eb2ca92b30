"""The gallery: each of its sheets has a command, and still shows what the command would draw."""

from __future__ import annotations

import importlib.util
import re
import sys

import numpy as np
import pytest

import dpid_cli
from support.command import ROOT, pixels, places


def script(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("page", "drawn_by_others"), [("gallery", {"grid.png"}), ("choosing", set())])
def test_every_sheet_has_its_command_and_every_figure_a_text(page, drawn_by_others):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    figures = ROOT / "docs" / "figures" / page
    shown = {f"docs/{path}": text for text, path in re.findall(r"^!\[(.*)\]\((.*)\)$", text, re.M)}
    sheets = {words[words.index("-o") + 1] for words in script("make_gallery").commands(page)}
    assert shown.keys() - sheets == {f"docs/figures/{page}/{name}" for name in drawn_by_others}
    assert sheets <= shown.keys() and len(sheets) >= 2
    assert all(len(text) > 60 for text in shown.values())
    assert sum((ROOT / path).stat().st_size for path in shown) < 3_000_000
    assert {f"docs/figures/{page}/{p.name}" for p in figures.iterdir()} == shown.keys()


@pytest.mark.parametrize(("method", "options"), [("box", {}), ("max", {}), ("dpid", {"lambda_": 0.5})])
def test_sheets_are_up_to_date(method, options):
    sample = pixels(ROOT / "samples" / "hubble_deep_field.jpg")
    result = dpid_cli.downscale(sample, scale=4, method=method, **options)
    sheet = pixels(ROOT / "docs" / "figures" / "gallery" / "stars.png")[..., :3]
    assert len(places(sheet, np.ascontiguousarray(result))) == 1


@pytest.mark.parametrize("options", [{"lambda_": 2, "alpha": 0}, {"lambda_": 0.5, "alpha": 0.1}])
def test_the_grid_is_up_to_date(options):
    panel = script("make_figures").GALAXIES.panel({"method": "dpp", **options})
    grid = pixels(ROOT / "docs" / "figures" / "gallery" / "grid.png")
    assert len(places(grid, np.asarray(panel))) == 1
