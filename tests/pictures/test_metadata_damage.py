"""Metadata that is damaged or too long costs no image."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.PngImagePlugin import PngInfo

from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import DpidWarning
from dpid_cli.pictures import FORMATS, Metadata, Picture, write
from support.command import pixels
from support.described import SRGB, camera, chunk, photo_jpg, segment

LONG = zlib.compress(b"long " * 500_000)


PNG_DAMAGE = {
    "long": chunk(b"zTXt", b"Comment\0\0" + LONG),
    "long plain": chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000),
    "very long": chunk(b"tEXt", b"Comment\0" + b"x" * 1_000_000) * 70,
    "checksum": chunk(b"tEXt", b"Comment\0text", flip=1),
    "compression": chunk(b"zTXt", b"Comment\0\7abc"),
    "keyword": chunk(b"tEXt", b"k" * 200 + b"\0text"),
    "exif": chunk(b"eXIf", b"not a directory"),
    "exif checksum": chunk(b"eXIf", camera()[6:], flip=1),
    "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>"),
    "xmp entities": chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
    "xmp encoding": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<a>\xff</a>"),
    "long profile": chunk(b"iCCP", b"name\0\0" + LONG),
    "gamma": chunk(b"gAMA", b"\0"),
}


@pytest.mark.parametrize("damage", PNG_DAMAGE)
def test_damage_in_a_png_costs_no_picture(dpid, photo, noise, damage):
    whole = photo.read_bytes()
    Path("bad.png").write_bytes(whole[:33] + PNG_DAMAGE[damage] + whole[33:])
    result = dpid("downscale", "bad.png", "-s", "1", "-m", "box", "-o", "out.png")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1
    assert result.stderr.startswith("bad.png: ") and "dropped" in result.stderr
    np.testing.assert_array_equal(pixels("out.png"), noise)
    with Image.open("out.png") as image:
        assert set(image.text) == {"Software"}


@pytest.mark.parametrize("keyword", ["transparency", "icc_profile", "dpi", "exif", "xmp", "comment", "loop"])
def test_keywords_that_are_called_like_findings(dpid, photo, noise, keyword):
    whole = photo.read_bytes()
    Path("bad.png").write_bytes(whole[:33] + chunk(b"tEXt", keyword.encode() + b"\0text") + whole[33:])
    assert dpid("downscale", "bad.png", "-s", "1", "-m", "box", "-o", "out.png").exit_code == 0
    np.testing.assert_array_equal(pixels("out.png"), noise)


JPEG_DAMAGE = {
    "exif": segment(0xE1, b"Exif\0\0not a directory"),
    "exif cut": segment(0xE1, camera()[:60]),
    "xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<a><b></a>"),
    "exif resolution": segment(0xE1, camera().replace(b"\x01\x1a\0\x05\0\0\0\1", b"\x01\x1a\0\x01\0\0\0\1")),
    "photoshop": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed"),
}


@pytest.mark.parametrize("damage", JPEG_DAMAGE)
def test_damage_in_a_jpeg_costs_no_picture(dpid, folder, noise, damage):
    Image.fromarray(noise).save("good.jpg", icc_profile=SRGB)
    whole = Path("good.jpg").read_bytes().replace(b"JFIF", b"none")  # which may tell the resolution
    Path("bad.jpg").write_bytes(whole[:2] + JPEG_DAMAGE[damage] + whole[2:])
    result = dpid("downscale", "bad.jpg", "-s", "1", "-m", "box", "-o", "out.png")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1 and "dropped" in result.stderr
    np.testing.assert_array_equal(pixels("out.png"), pixels("good.jpg"))
    with Image.open("out.png") as image:
        assert image.info["icc_profile"] == SRGB


@pytest.mark.parametrize("extension", ["webp", "avif"])
def test_damaged_exif_of_other_formats(dpid, folder, noise, extension):
    Image.fromarray(noise).save(f"good.{extension}", exif=camera())
    whole = Path(f"good.{extension}").read_bytes()
    header = b"MM\0*\0\0\0\x08"
    assert whole.count(header) == 1
    Path(f"bad.{extension}").write_bytes(whole.replace(header, b"not tags"))
    result = dpid("downscale", f"bad.{extension}", "-s", "1", "-m", "box", "-o", "out.png")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1 and "dropped" in result.stderr
    np.testing.assert_array_equal(pixels("out.png"), pixels(f"good.{extension}"))


def test_damaged_remarks_leave_the_orientation(dpid, folder, noise):
    photo_jpg(noise)
    whole = Path("photo.jpg").read_bytes()
    Path("bad.jpg").write_bytes(whole[:2] + JPEG_DAMAGE["photoshop"] + whole[2:])
    result = dpid("downscale", "bad.jpg", "-s", "2", "-m", "box", "-o", "out.jpg")
    assert result.exit_code == 0 and result.stderr.count("\n") == 1
    with Image.open("out.jpg") as image:
        assert image.size == (20, 30) and image.getexif()[Base.Make] == "Camera"


def test_resolution_that_makes_no_sense(dpid, folder, noise, capfd):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif[Base.XResolution], exif[Base.YResolution], exif[Base.ResolutionUnit] = 0.0, 72.0, 77
    Image.fromarray(noise).save("a.webp", exif=exif)
    for name in "b.tif", "b.jpg", "b.png", "b.webp":
        assert dpid("downscale", "a.webp", "-s", "2", "-m", "box", "-o", name).stderr == ""
        with Image.open(name) as image:
            assert list(image.getexif().keys() & {Base.Make, Base.XResolution, Base.ResolutionUnit}) == [
                Base.Make
            ]
    assert capfd.readouterr() == ("", "")  # libtiff prints its own warnings


def test_what_is_too_long_for_a_jpeg(dpid, folder, noise):
    texts = PngInfo()
    texts.add_text("Comment", "x" * 70_000)
    Image.fromarray(noise).save("a.png", pnginfo=texts, dpi=(200, 100))
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "b.jpg: too long for JPEG: comment: dropped\n")
    with Image.open("b.jpg") as image:
        assert "comment" not in image.info and image.info["dpi"] == (200, 100)


def test_the_record_stays_where_the_rest_is_too_long(dpid, folder, noise):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif[IFD.Exif] = {Base.MakerNote: b"m" * 70_000}
    Image.fromarray(noise).save("a.png", exif=exif)
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "b.jpg: too long for JPEG: EXIF: dropped\n")
    with Image.open("b.jpg") as image:
        assert list(image.getexif()) == [Base.Software]


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_metadata_that_cannot_be_written_costs_no_picture(noise, name):
    broken = {"png": {"text": (("山", "text"),)}, "tiff": {"exif": camera(), "iptc": "no bytes"}}[name]
    stream = io.BytesIO()
    with pytest.warns(DpidWarning, match="^out: .* cannot store its metadata: dropped$"):
        picture = Picture(noise, False, SRGB, "png", Metadata(software="maker", **broken))
        write(picture, stream, FORMATS[name], "out")
    with Image.open(stream) as image:
        np.testing.assert_array_equal(np.array(image), noise)
        assert image.info["icc_profile"] == SRGB
        assert (image.text["Software"] if name == "png" else image.tag_v2[Base.Software]) == "maker"


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6),
    extension=st.sampled_from(["jpg", "png", "webp", "tif"]),
    target=st.sampled_from(["jpeg", "png", "webp", "tiff"]),
)
def test_any_exif_gives_a_picture(tmp_path_factory, changes, extension, target):
    folder = tmp_path_factory.getbasetemp()
    exif = bytearray(camera())
    for place, value in changes:
        exif[6 + place % (len(exif) - 6)] = value
    picture = Image.new("RGB", (6, 4), (200, 100, 50))
    stream = io.BytesIO()
    if extension == "tif":  # whose tags are not a part of their own
        picture.save(stream, "TIFF", exif=camera())
        data = bytearray(stream.getvalue())
        start = data.find(b"Camera")  # behind the directory: texts, and the directory of details
        for place, value in changes:
            data[start + place % (len(data) - start - 100)] = value
    else:
        picture.save(stream, {"jpg": "JPEG"}.get(extension, extension), exif=bytes(exif))
        data = bytearray(stream.getvalue())
    source, out = folder / f"fuzz.{extension}", folder / "fuzz.out"
    source.write_bytes(data)
    job = Job(
        (str(source),),
        Recipe(SizeRequest("scale", 1.0), "box"),
        output=str(out),
        format=target,
        overwrite=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DpidWarning)
        job.run(str(source))
    with Image.open(out) as image:
        assert sorted(image.size) == [4, 6]
        image.load()
