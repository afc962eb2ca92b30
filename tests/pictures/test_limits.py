"""Limits on what is read, and truncated files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

import dpid_cli
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.choices import MetadataPolicy, Truncated
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.pictures import MAX_PIXELS
from support.command import is_one_error_line, listing, pixels
from support.described import chunk


@pytest.mark.parametrize(
    ("limit", "passes"),
    [("2400", True), ("2399", False), ("2k", False), ("3k", True), ("1M", True), ("1G", True)],
)
def test_most_pixels(dpid, photo, limit, passes):
    before = listing(photo.parent)
    result = dpid("downscale", "photo.png", "-s", "2", "-m", "box", "--max-pixels", limit)
    assert result.exit_code == (0 if passes else 1)
    if not passes:
        number = limit.replace("k", "000")
        assert is_one_error_line(result.stderr) and listing(photo.parent) == before
        assert f"more than {number} pixels" in result.stderr and "--max-pixels" in result.stderr


@pytest.mark.parametrize("limit", ["0", "-1", "1.5M", "1 M", "many", "5m", ""])
def test_limits_that_are_none(dpid, photo, limit):
    result = dpid("downscale", "photo.png", "-s", "2", "--max-pixels", limit)
    assert result.exit_code == 2 and is_one_error_line(result.stderr)


@pytest.mark.parametrize(
    ("limit", "told"), [("899M", "899 million"), ("900M", "truncated"), ("400M", "400 million")]
)
def test_the_limit_is_compared_with_the_header(dpid, folder, limit, told):
    """30000 x 30000 pixels of which none is there; Pillow's own limit is a tenth of it."""
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    Path("huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))
    result = dpid("downscale", "huge.png", "-s", "100", "--max-pixels", limit)
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and told in result.stderr


def test_settings_of_the_process_are_left_alone(dpid, photo):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Path("cut.png").write_bytes(photo.read_bytes()[:3000])
    for limit in "1", "900M":
        args = ("downscale", "photo.png", "cut.png", "-s", "2", "-m", "box", "--overwrite")
        dpid(*args, "--max-pixels", limit, "--truncated", "accept")
        assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


@pytest.mark.parametrize("extension", ["png", "jpg"])
def test_truncated_files(dpid, folder, extension):
    y, x = np.mgrid[:400, :600]
    smooth = np.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(np.uint8)
    Image.fromarray(smooth).save(f"whole.{extension}")
    whole = Path(f"whole.{extension}").read_bytes()
    Path(f"cut.{extension}").write_bytes(whole[: len(whole) * 2 // 3])
    args = ("downscale", f"cut.{extension}", "-s", "2", "-m", "box", "-o", "cut_out.png")
    refused = dpid(*args)
    assert refused.exit_code == 1 and is_one_error_line(refused.stderr) and "truncated" in refused.stderr
    assert not Path("cut_out.png").exists()
    taken = dpid(*args, "--truncated", "accept")
    assert (taken.exit_code, taken.stdout) == (0, "cut_out.png\n")
    assert taken.stderr.startswith(f"cut.{extension}: ") and "blank" in taken.stderr
    dpid("downscale", f"whole.{extension}", "-s", "2", "-m", "box", "-o", "whole_out.png")
    cut, full = pixels("cut_out.png"), pixels("whole_out.png")
    np.testing.assert_array_equal(cut[:50], full[:50])
    assert (cut[-20:] == cut[-1, -1]).all() and (cut[-20:] != full[-20:]).any()


@pytest.mark.parametrize(
    ("extension", "code"), [("gif", 0), ("bmp", 0), ("ppm", 0), ("tif", 0), ("webp", 1), ("avif", 1)]
)
def test_which_truncated_files_show_something(dpid, folder, noise, extension, code):
    Image.fromarray(noise).save(f"whole.{extension}")
    whole = Path(f"whole.{extension}").read_bytes()
    Path(f"cut.{extension}").write_bytes(whole[: len(whole) * 2 // 3])
    args = ("downscale", f"cut.{extension}", "-s", "2", "-m", "box", "-o", "out.png")
    assert dpid(*args).exit_code == 1
    result = dpid(*args, "--truncated", "accept")
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert Path("out.png").exists() is (code == 0)


def test_whole_files_are_not_called_truncated(dpid, photo):
    args = ("downscale", "photo.png", "-s", "2", "-m", "box", "-o")
    assert dpid(*args, "a.png", "--truncated", "accept").stderr == ""
    dpid(*args, "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_accepting_what_is_cut_accepts_nothing_else(dpid, folder):
    Path("text.png").write_text("a letter")
    Path("empty.png").touch()
    result = dpid("downscale", "text.png", "empty.png", "-s", "2", "--truncated", "accept")
    assert result.exit_code == 1 and "not an image" in result.stderr and "is empty" in result.stderr


def test_options_are_those_of_the_job():
    from dpid_cli.cli.downscale import downscale_command

    options = {option.name: option for option in downscale_command.params}
    assert tuple(options["metadata"].type.choices) == MetadataPolicy.words()
    assert tuple(options["truncated"].type.choices) == Truncated.words()
    limit = options["max_pixels"]
    assert limit.type_cast_value(None, limit.default) == MAX_PIXELS


@pytest.mark.parametrize("wrong", [{"metadata": "some"}, {"truncated": "yes"}, {"max_pixels": 0}])
def test_jobs_that_cannot_work(wrong):
    with pytest.raises(dpid_cli.DpidError, match=next(iter(wrong)).replace("_", "-")):
        Recipe(SizeRequest("scale", 2.0), **wrong).checked()
