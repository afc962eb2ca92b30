"""Other spellings of words give the same bytes; sizes of images that are too small. See spellings.txt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.command import pixels

WORDS = [
    ("-m DPID", "-m dpid"),
    ("-m Lanczos", "-m lanczos"),
    ("-m dpp --variant ASYM", "-m dpp --variant asym"),
    ("--guidance Box", "--guidance box"),
    ("--lambda AUTO", "--lambda auto"),
    ("-m subsample --position center", "-m subsample --position centre"),
    ("--depth KEEP", "--depth keep"),
    ("--metadata color", "--metadata colour"),
    ("--transparency Drop", "--transparency drop"),
    ("--format jpg", "--format jpeg"),
    ("--format JPEG", "--format jpeg"),
    ("--format .jpg", "--format jpeg"),
    ("--format tif", "--format tiff"),
    ("--format WebP", "--format webp"),
]


@pytest.fixture
def small_photo(folder: Path) -> Path:
    """80x60 pixels of noise."""
    noise = np.random.default_rng(5).integers(0, 256, (60, 80, 3), np.uint8)
    Image.fromarray(noise).save("photo.png")
    return folder


def size_of(path: str) -> tuple[int, int]:
    return pixels(path).shape[1::-1]


@pytest.mark.parametrize(("words", "usual"), WORDS)
def test_words(dpid, small_photo, words, usual):
    for name, given in ("a", words), ("b", usual):
        result = dpid("downscale", "photo.png", "-s", "4", "-o", f"{name}/", *given.split())
        assert (result.exit_code, result.stderr) == (0, "")
    (one,), (other,) = Path("a").iterdir(), Path("b").iterdir()
    assert one.suffix == other.suffix and one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("percent", [10, 20, 30, 60, 70, 85, 12.5, 33.3])
def test_a_percentage_is_the_same_as_scale_and_as_percent(dpid, folder, percent):
    """Sides that end on half a pixel, too."""
    for side in 5, 15, 25, 35, 45:
        Image.new("L", (side, side)).save("gray.png")
        for name, option in ("a.png", "-s"), ("b.png", "--percent"):
            assert (
                dpid("downscale", "gray.png", option, f"{percent}%", "-o", name, "--overwrite").exit_code == 0
            )
        assert size_of("a.png") == size_of("b.png")


def test_several_scales_in_a_batch(dpid, small_photo):
    (small_photo / "in").mkdir()
    Path("photo.png").rename("in/photo.png")
    assert dpid("batch", "in", "out", "-s", "1/2", "-s", "25%").exit_code == 0
    assert (size_of("out/x2/photo.png"), size_of("out/x4/photo.png")) == ((40, 30), (20, 15))


def test_images_that_are_smaller_than_the_requested_size(dpid, small_photo):
    before = Path("photo.png").read_bytes()
    told = "photo.png: longest: 100 would enlarge the image, which is 80x60"
    words = ("downscale", "photo.png", "--longest", "100")
    failed = dpid(*words, "-o", "a.png")
    assert (failed.exit_code, failed.stdout, failed.stderr) == (2, "", f"{told}: use at most 80\n")
    skipped = dpid(*words, "-o", "a.png", "--if-smaller", "skip")
    assert (skipped.exit_code, skipped.stdout, skipped.stderr) == (0, "", f"{told}: skipped\n")
    assert not Path("a.png").exists()
    copied = dpid(*words, "-o", "a.png", "--if-smaller", "copy")
    assert (copied.exit_code, copied.stdout, copied.stderr) == (0, "a.png\n", f"{told}: copied\n")
    assert Path("a.png").read_bytes() == before
    other = dpid(*words, "-o", "a.tif", "--if-smaller", "copy", "-q")
    assert (other.exit_code, other.stdout, other.stderr) == (0, "", "")
    np.testing.assert_array_equal(pixels("a.tif"), pixels("photo.png"))


def test_small_and_large_images_together(dpid, small_photo):
    with Image.open("photo.png") as image:
        image.resize((160, 120)).save("large.png")
    words = ("downscale", "photo.png", "large.png", "--width", "100", "-o", "out/", "--json")
    result = dpid(*words, "--if-smaller", "copy")
    small, large = map(json.loads, result.stdout.splitlines())
    assert (small["status"], small["output_size"], small["method"]) == ("copied", [80, 60], None)
    assert small["parameters"] == {} and small["reason"].startswith("width: 100 would enlarge")
    assert (large["status"], large["output_size"], large["reason"]) == ("done", [100, 75], None)
    assert Path("out/photo_80x60.png").read_bytes() == Path("photo.png").read_bytes()
    (small, large) = map(json.loads, dpid(*words, "--if-smaller", "skip", "--overwrite").stdout.splitlines())
    assert (small["status"], small["output"], small["output_size"]) == ("skipped", None, None)


def test_a_small_image_from_standard_input(dpid, small_photo):
    content = Path("photo.png").read_bytes()
    result = dpid("downscale", "-", "--width", "100", "--if-smaller", "copy", "-o", "a.png", stdin=content)
    assert (result.exit_code, result.stdout) == (0, "a.png\n")
    np.testing.assert_array_equal(pixels("a.png"), pixels("photo.png"))
