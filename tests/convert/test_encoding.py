"""The encoder's options: what they change, and where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpid_cli.pictures.formats import ENCODER_OPTIONS, FORMATS, option_default, option_help
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


def test_help_tells_formats_and_defaults(dpid):
    quality = {f.name: f.options["quality"] for f in FORMATS.values() if "quality" in f.options}
    assert quality == {"jpeg": 95, "webp": 95, "avif": 90, "heif": 90, "jxl": 95}
    assert option_default(ENCODER_OPTIONS["quality"]) == "95, 90 (AVIF, HEIF)"
    assert "quality of JPEG, WebP, AVIF, HEIF and JPEG XL, " in option_help(ENCODER_OPTIONS["quality"])
    assert option_default(ENCODER_OPTIONS["effort"]) == "4, 6 (WebP), 7 (JPEG XL)"
    assert option_default(ENCODER_OPTIONS["colors"]) == "256 for GIF"
    shown = " ".join(dpid("downscale", "--help").stdout.split())
    for option in ENCODER_OPTIONS.values():
        default = option_default(option)
        assert option_help(option) + (f" [default: {default}" if default else "") in shown


def test_every_declared_option_has_a_default():
    for format_ in FORMATS.values():
        declared = {option.name for option in format_.encoder_options}
        assert declared == ENCODER_OPTIONS.keys() & format_.options.keys()
        for option in format_.encoder_options:
            if format_.options[option.name] is not None:
                option.check(format_.options[option.name])


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
        "-o out.jpg --effort 5",
        "-o out.tif --effort 5",
        "-o out.webp --effort 10",
        "-o out.jpg --lossless",
        "-o out.heic --lossless",
        "-o out.gif --lossless",
        "-o out.webp --lossless --quality 90",
        "-o out.avif --lossless --subsampling 4:2:0",
        "-o out.webp --lossless --target-size 9kB",
        "-o out.png --lossless --colors 9",
        "-o out.webp --subsampling 4:2:0",
        "-o out.png --subsampling 4:4:4",
        "-o out.jpg --subsampling 4:1:1",
        "-o out.webp --progressive",
        "-o out.jxl --progressive",
        "-o out.png --target-size 9kB",
        "-o out.gif --target-size 9kB",
        "-o out.jpg --target-size 9kB --quality 90",
        "-o out.jpg --target-size 0",
        "-o out.jpg --target-size -1",
        "-o out.jpg --target-size 9kX",
        "-o out.jpg --target-size 9iB",
        "-o out.jpg --target-size kB",
        "-o out.jpg --colors 9",
        "-o out.png --colors 1",
        "-o out.png --colors 257",
        "-o out.png --colors 9 --palette keep -m nearest",
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
    assert "JPEG, WebP, AVIF" in result.stderr
    assert dpid("downscale", "photo.png", "-s", "2", "--quality", "50", *options).exit_code == 1


def test_standard_output(dpid, photo):
    whole = {
        level: dpid("downscale", "-", "-s", "1", "--compress-level", level, stdin=photo.read_bytes())
        for level in ("0", "9")
    }
    assert all(result.exit_code == 0 for result in whole.values())
    assert whole["0"].stdout_bytes != whole["9"].stdout_bytes
