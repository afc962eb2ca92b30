"""Files of several pages: every page is read, downscaled and written."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.ExifTags import Base

import dpid_cli
from dpid_cli.pictures import (
    FORMATS,
    PictureSequence,
    read_sequence,
    write_sequence,
)
from support.animations import PROFILE, frames_of, opaque_frames, saved
from support.command import is_one_error_line, listing, pixels


@pytest.fixture
def pages(folder) -> list[np.ndarray]:
    """``a.tif``: colour, gray, transparent, deep, turned, of several sizes; and a smaller version of one."""
    generator = np.random.default_rng(8)
    arrays = [
        generator.integers(0, 256, (40, 60, 3), np.uint8),
        generator.integers(0, 256, (50, 30), np.uint8),
        generator.integers(0, 65536, (20, 70), np.uint16),
        generator.integers(0, 256, (40, 60, 3), np.uint8),
    ]
    with tifffile.TiffWriter("a.tif") as stream:
        tags = [(Base.Make, 2, 0, "Camera", True)]
        stream.write(arrays[0], extratags=tags, iccprofile=PROFILE, compression="deflate")
        stream.write(arrays[0][::2, ::2].copy(), subfiletype=1)
        stream.write(arrays[1], resolution=(300, 300), resolutionunit=2)
        stream.write(arrays[2], rowsperstrip=3)
        stream.write(arrays[3], extratags=[(Base.Orientation, 3, 1, 8, True)], rowsperstrip=7)
    return [*arrays[:3], np.rot90(arrays[3])]


def test_every_page_of_a_tiff(dpid, pages):
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["frames"] == 4
    with tifffile.TiffFile("a_box_x2.tif") as found:
        for page, expected in zip(found.pages, pages, strict=True):
            small = dpid_cli.downscale(np.ascontiguousarray(expected), scale=2, method="box")
            np.testing.assert_array_equal(page.asarray(), small)
            assert page.tags.get("Orientation") is None or page.tags["Orientation"].value == 1
            assert page.tags["Software"].value.startswith("dpid-cli")
        first, second, *_, last = found.pages
        assert first.tags["Make"].value == "Camera" and first.iccprofile == PROFILE
        assert "Make" not in second.tags and second.iccprofile is None and last.iccprofile is None
        assert second.tags["XResolution"].value == (300, 1) and "XResolution" not in last.tags


def test_exif_of_pages_is_in_its_place(dpid, folder):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif.get_ifd(0x8769)[Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    frames = opaque_frames()[:3]
    frames[0].save("a.jpg", exif=exif)
    dpid("downscale", "a.jpg", "-s", "1", "-o", "a.tif")
    sequence = frames_of(Path("a.tif").read_bytes()) * 3
    with Path("b.tif").open("wb") as stream:
        write_sequence(PictureSequence("pages", iter(sequence), 3), stream, FORMATS["tiff"], "b")
    with tifffile.TiffFile("b.tif") as found:
        assert len(found.pages) == 3
        for page in found.pages:
            assert page.tags["ExifTag"].value["DateTimeOriginal"] == "2020:02:02 20:20:20"
            np.testing.assert_array_equal(page.asarray(), sequence[0].pixels)


def test_pages_keep_their_memory_to_themselves(pages):
    with Path("a.tif").open("rb") as stream:
        kept = list(read_sequence(stream, "a").pictures)
    for picture, expected in zip(kept, pages, strict=True):
        np.testing.assert_array_equal(picture.pixels, expected)


def test_a_page_that_would_be_enlarged(dpid, pages):
    before = listing(Path())
    result = dpid("downscale", "a.tif", "--width", "50", "-o", "b.tif")
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
    assert result.stderr.startswith("a.tif: page 1: ") and listing(Path()) == before


def test_smaller_versions_in_a_tiff_are_no_pages(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (40, 40, 3), np.uint8)
    with tifffile.TiffWriter("a.tif") as stream:
        stream.write(noise)
        stream.write(noise[::2, ::2].copy(), subfiletype=1)
    assert dpid("downscale", "a.tif", "-s", "2", "-o", "b.png").exit_code == 0


def test_large_tiffs(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (3, 40, 50, 3), np.uint8)
    for number, options in enumerate(({"bigtiff": True}, {"byteorder": ">"})):
        with tifffile.TiffWriter(f"{number}.tif", **options) as stream:
            for page in noise:
                stream.write(page)
        assert dpid("downscale", f"{number}.tif", "-s", "2", "-m", "box").exit_code == 0
        found = tifffile.imread(f"{number}_box_x2.tif", key=range(3))
        for page, source in zip(found, noise, strict=True):
            np.testing.assert_array_equal(page, dpid_cli.downscale(source, scale=2, method="box"))


@pytest.mark.parametrize(("number", "same"), [(0, 0), (2, 2), (-1, 3)])
def test_one_page(dpid, pages, number, same):
    assert (
        dpid("downscale", "a.tif", "-s", "2", "-m", "box", "--frame", str(number), "-o", "b.png").exit_code
        == 0
    )
    expected = dpid_cli.downscale(np.ascontiguousarray(pages[same]), scale=2, method="box")
    np.testing.assert_array_equal(pixels("b.png"), expected)


ANIMATED = "this is an animation: write PNG, WebP, GIF or AVIF"


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("gif", "jpg", f"JPEG stores one image, and {ANIMATED}"),
        ("gif", "tif", f"TIFF stores no animations, and {ANIMATED}"),
        ("tif", "gif", "GIF stores no pages, and this is a file of several pages: write TIFF"),
        ("tif", "bmp", "BMP stores one image, and this is a file of several pages: write TIFF"),
    ],
)
def test_targets_that_cannot_hold_them(dpid, pages, source, target, told):
    Path("a.gif").write_bytes(saved(opaque_frames(), "GIF").getvalue())
    before = listing(Path())
    result = dpid("downscale", f"a.{source}", "-s", "2", "-o", f"b.{target}")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert result.stderr == f"a.{source}: {told}, or use --frame N\n" and listing(Path()) == before


def test_pages_that_are_cut_off(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (3, 40, 50, 3), np.uint8)
    with tifffile.TiffWriter("a.tif") as stream:
        for page in noise:
            stream.write(page)
    Path("a.tif").write_bytes(Path("a.tif").read_bytes()[:-200])
    refused = dpid("downscale", "a.tif", "-s", "2", "-o", "b.tif")
    assert refused.exit_code == 1 and is_one_error_line(refused.stderr) and not Path("b.tif").exists()
    taken = dpid("downscale", "a.tif", "-s", "1", "-m", "box", "-o", "b.tif", "--truncated", "accept")
    assert taken.exit_code == 0
    np.testing.assert_array_equal(tifffile.imread("b.tif", key=0), noise[0])


def test_directories_that_go_round_in_circles(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (2, 40, 50, 3), np.uint8)
    with tifffile.TiffWriter("a.tif") as stream:
        for page in noise:
            stream.write(page)
    with tifffile.TiffFile("a.tif") as found:
        last = found.pages[1]
        place, first = last.offset + 2 + 12 * len(last.tags), found.pages[0].offset
    content = bytearray(Path("a.tif").read_bytes())
    struct.pack_into("<L", content, place, first)
    Path("a.tif").write_bytes(content)
    result = dpid("downscale", "a.tif", "-s", "2", "--json")
    assert json.loads(result.stdout)["frames"] == 2


def test_a_page_that_is_larger_than_allowed(dpid, pages):
    result = dpid("downscale", "a.tif", "-s", "2", "--max-pixels", "2k", "--frame", "0")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
