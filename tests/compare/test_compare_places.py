"""The places that `dpid compare` finds by itself: where detail is, not where noise is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dpid_cli

SCALE = 4


def lines_and_noise(kind: str) -> np.ndarray:
    """Faint hairs in the right half, and much noise, white or smooth as of cameras, in the left one."""
    rng = np.random.default_rng(11)
    pixels = np.full((320, 640), 120.0)
    noise = rng.normal(0, 60, (320, 320))
    if kind == "smooth":
        noise = sum(np.roll(noise, shift, axis) for shift in (0, 1) for axis in (0, 1)) / 2.2
    pixels[:, :320] += noise
    for row in range(96, 224, 9):
        pixels[row, 420:580] += 22
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def first_place(dpid, *words: str) -> dict:
    result = dpid(
        "compare",
        "photo.png",
        "-s",
        str(SCALE),
        *words,
        "--closeups",
        "1",
        "--no-metrics",
        "--json",
        "-o",
        "a.png",
        "--overwrite",
    )
    return json.loads(result.stdout)["regions"][0]


@pytest.mark.parametrize("kind", ["white", "smooth"])
def test_flat_noise_is_no_place(dpid, folder, kind):
    pixels = lines_and_noise(kind)
    Image.fromarray(pixels).save("photo.png")
    box, detail, most = (
        dpid_cli.downscale(pixels, scale=SCALE, method=method).astype(float)
        for method in ("box", "dpid", "max")
    )
    for output in detail, most:  # noise differs more from box than hairs do
        differences = (output - box) ** 2
        assert differences[:, :80].mean() > 2 * differences[24:56, 105:145].mean()
    place = first_place(dpid)
    assert place["left"] >= 100 and place["right"] <= 150 and place["top"] >= 20 and place["bottom"] <= 60


def test_places_do_not_depend_on_what_is_compared(dpid, folder):
    Image.fromarray(lines_and_noise("white")).save("photo.png")
    usual = first_place(dpid)
    for words in (["max"], ["box", "max"], ["dpid:lambda=0", "lanczos"]):
        assert first_place(dpid, *(part for word in words for part in ("-m", word))) == usual


def test_single_stars_are_places(dpid, folder):
    sky = np.clip(np.random.default_rng(4).normal(30, 4, (320, 480)), 0, 255).astype(np.uint8)
    sky[42:72:5, 361:392:5] = 255
    Image.fromarray(sky).save("photo.png")
    place = first_place(dpid)
    assert place["left"] <= 92 and place["right"] >= 96 and place["top"] <= 12 and place["bottom"] >= 16


def test_the_most_telling_place_comes_first(dpid, folder):
    pixels = np.full((320, 480), 90, np.uint8)
    pixels[40:72:6, 40:120] = 130
    pixels[240:272:6, 340:420] = 250  # below, but with more contrast
    Image.fromarray(pixels).save("photo.png")
    result = dpid("compare", "photo.png", "-s", "4", "--json", "-o", "a.svg")
    first, second = json.loads(result.stdout)["regions"]
    assert first["top"] > 40 and second["top"] < 20
    assert Path("a.svg").read_text().count(">A ×") == 5
