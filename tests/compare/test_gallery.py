"""The gallery: its pictures are those that its commands make, and still what they would make."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest

import dpid_cli
from support.command import ROOT, pixels, places

TEXT = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    spec = importlib.util.spec_from_file_location("make_gallery", ROOT / "docs" / "make_gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commands()


def test_every_picture_has_its_command_and_its_words():
    shown = re.findall(r"^!\[(.*)\]\((.*)\)$", TEXT, re.M)
    made = [words[words.index("-o") + 1] for words in commands()]
    assert [f"docs/{path}" for _, path in shown] == made and len(made) >= 5
    assert all(len(told) > 60 for told, _ in shown)
    assert all((ROOT / path).is_file() for path in made)
    assert sum((ROOT / path).stat().st_size for path in made) < 3_000_000
    assert {f"docs/figures/gallery/{p.name}" for p in (ROOT / "docs/figures/gallery").iterdir()} == set(made)


@pytest.mark.parametrize(("method", "options"), [("box", {}), ("max", {}), ("dpid", {"lambda_": 0.5})])
def test_pictures_are_up_to_date(method, options):
    sample = pixels(ROOT / "samples" / "hubble_deep_field.jpg")
    result = dpid_cli.downscale(sample, scale=4, method=method, **options)
    sheet = pixels(ROOT / "docs" / "figures" / "gallery" / "stars.png")[..., :3]
    assert len(places(sheet, np.ascontiguousarray(result))) == 1
