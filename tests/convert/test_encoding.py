"""The encoder's options: what they change, and where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli.cli.options import ENCODING
from dpid_cli.pictures import FORMATS
from support.command import is_one_error_line, listing, pixels


def written(dpid, name: str, *options: str) -> int:
    """Downscale ``photo.png`` to a file and return that file's length."""
    result = dpid("downscale", "photo.png", "-s", "2", "-m", "box", "-o", name, "--overwrite", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return Path(name).stat().st_size


@pytest.mark.parametrize("extension", ["jpg", "webp", "avif"])
def test_quality(dpid, photo, extension):
    name = f"out.{extension}"
    low, default, high = (
        written(dpid, name, *options) for options in (["--quality", "1"], [], ["--quality", "100"])
    )
    assert low < default < high


def test_compress_level(dpid, folder):
    Image.effect_noise((600, 400), 9).save("photo.png")
    sizes = {level: written(dpid, "out.png", "--compress-level", str(level)) for level in (0, 1, 9)}
    assert sizes[0] > sizes[1] > sizes[9]
    lossless = pixels("out.png")
    written(dpid, "out.png", "--compress-level", "0")
    np.testing.assert_array_equal(pixels("out.png"), lossless)


@pytest.mark.parametrize(("level", "same"), [("4", True), ("0", False)])
def test_default_level(dpid, photo, level, same):
    default = written(dpid, "default.png")
    assert (written(dpid, "given.png", "--compress-level", level) == default) is same


def test_help_tells_the_defaults():
    told = {option.name: option.note for option in ENCODING}
    quality = {name: f.options["quality"] for name, f in FORMATS.items() if "quality" in f.options}
    assert quality == {"jpeg": 95, "webp": 95, "avif": 90, "heif": 90, "jxl": 95}
    assert told["quality"] == "default: 95, 90 (avif, heif)"
    assert told["compress_level"] == f"default: {FORMATS['png'].options['compress_level']}"


@pytest.mark.parametrize(
    "words",
    [
        "-o out.png --quality 50",
        "-o out.jpg --compress-level 5",
        "-o out.tif --compress-level 5",
        "-o out.jpg --quality 50 --compress-level 5",
        "--format png --quality 50",
        "--format gif --compress-level 5 -o new/",
        "--format bmp --quality 50 -o out.jpg",
        "--quality 0 -o out.jpg",
        "--quality 101 -o out.jpg",
        "--compress-level -1",
        "--compress-level 10",
    ],
)
def test_known_before_reading(dpid, photo, words):
    before = listing(photo.parent)
    result = dpid("downscale", "missing", "-s", "2", *words.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert is_one_error_line(result.stderr) and "missing" not in result.stderr
    assert listing(photo.parent) == before


@pytest.mark.parametrize("options", [[], ["-o", "new/"]])
def test_known_by_file(dpid, photo, noise, options):
    Image.fromarray(noise).save("other.jpg")
    result = dpid("downscale", "photo.png", "other.jpg", "-s", "2", "--quality", "50", *options)
    assert result.exit_code == 1
    assert Path(result.stdout.strip()).name == "other_dpid_x2.jpg"
    assert is_one_error_line(result.stderr)
    assert result.stderr.startswith("photo.png: quality: PNG has no such option: ")
    assert "JPEG or WEBP or AVIF" in result.stderr
    assert dpid("downscale", "photo.png", "-s", "2", "--quality", "50", *options).exit_code == 1


def test_standard_output(dpid, photo):
    whole = {
        level: dpid("downscale", "-", "-s", "1", "--compress-level", level, stdin=photo.read_bytes())
        for level in ("0", "9")
    }
    assert all(result.exit_code == 0 for result in whole.values())
    assert whole["0"].stdout_bytes != whole["9"].stdout_bytes
