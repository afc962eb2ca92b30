"""IPTC records in every format that stores them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dpid_cli.pictures import format_of, iptc
from dpid_cli.pictures.codecs.png import iptc_of_text, text_of_iptc
from support.command import pixels
from support.described import segment, tags_of, with_texts

IPTC = (
    b"\x1c\x02\x19\0\x03one" + b"\x1c\x02\x78\x80\x02\0\x0aa capti\xf6n."
)  # a length of its own length, too


def resource(number: int, content: bytes, name: bytes = b"") -> bytes:
    """One of Photoshop's, as its file format has it."""
    head = b"8BIM" + struct.pack(">HB", number, len(name)) + name + bytes((len(name) + 1) % 2)
    return head + struct.pack(">L", len(content)) + content + bytes(len(content) % 2)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool, a reader that is not Pillow")
@pytest.mark.parametrize("target", ["jpg", "tif", "png", "jp2"])
@pytest.mark.parametrize("source", ["jpg", "tif", "png", "jp2"])
@pytest.mark.parametrize("depth", ["8", "16"])
def test_iptc_by_another_writer_and_reader(dpid, folder, noise, source, target, depth):
    if depth == "16" and not {source, target} <= {"tif", "png"}:
        pytest.skip("holds 8 bits")
    Image.fromarray(noise).save("a.png")
    assert dpid("downscale", "a.png", "-s", "1", "--depth", depth, "-o", f"in.{source}").exit_code == 0
    words = ["-Keywords=one", "-Keywords=two", "-Caption-Abstract=a caption of odd length", "-By-line=Zoe"]
    command = [
        "exiftool",
        "-q",
        "-charset",
        "iptc=UTF8",
        *(f"-IPTC:{word[1:]}" for word in words),
        f"in.{source}",
    ]
    if source == "jp2":  # which it reads, but does not write
        dpid("downscale", "a.png", "-s", "1", "-o", "in.jpg")
        command[-1] = "in.jpg"
        subprocess.run(command, check=True)
        assert dpid("downscale", "in.jpg", "-s", "1", "-o", "in.jp2", "--overwrite").stderr == ""
    else:
        subprocess.run(command, check=True)
    result = dpid("downscale", f"in.{source}", "-s", "2", "-m", "box", "-o", f"out.{target}")
    assert (result.exit_code, result.stderr) == (0, "")
    names = ["IPTC:Keywords", "IPTC:Caption-Abstract", "IPTC:By-line", "Warning", "Error"]
    expected = [["one", "two"], "a caption of odd length", "Zoe", None, None]
    assert tags_of(f"in.{source}", *names) == tags_of(f"out.{target}", *names) == expected
    bare = dpid("downscale", f"in.{source}", "-s", "2", "--metadata", "strip", "-o", f"bare.{target}")
    assert bare.stderr == "" and b"a caption" not in Path(f"bare.{target}").read_bytes()


@pytest.mark.parametrize("kind", ["LONG", "swapped", "BYTE", "UNDEFINED", "ASCII", "resources"])
def test_types_of_iptc_in_a_tiff(dpid, folder, noise, kind):
    padded = IPTC + bytes(-len(IPTC) % 4)
    count = len(padded) // 4
    stored = {
        "LONG": (33723, "I", count, struct.unpack(f"<{count}I", padded)),
        "swapped": (33723, "I", count, struct.unpack(f">{count}I", padded)),
        "BYTE": (33723, "B", len(IPTC), IPTC),
        "UNDEFINED": (33723, 7, len(IPTC), IPTC),
        "ASCII": (33723, "s", len(padded), padded),
    }
    irb = resource(0x03ED, bytes(16)) + resource(0x0404, IPTC, b"odd") + resource(0x0405, b"more")
    tag = stored.get(kind, (34377, "B", len(irb), irb))
    tifffile.imwrite("a.tif", noise, photometric="rgb", metadata=None, extratags=[(*tag, True)])
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.jpg").stderr == ""
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif").stderr == ""
    with Image.open("b.jpg") as image:
        assert image.info["photoshop"] == {0x0404: IPTC}
    with tifffile.TiffFile("b.tif") as tiff:
        found = tiff.pages[0].tags[33723]
        assert found.dtype == 4 and found.value == padded


@pytest.mark.parametrize("name", ["iptc", "8bim", "APP13"])
def test_iptc_as_imagemagick_writes_it_into_a_png(dpid, folder, noise, name):
    content = IPTC if name == "iptc" else resource(0x0404, IPTC)
    digits = content.hex()
    lines = "\n".join(digits[k : k + 72] for k in range(0, len(digits), 72))
    with_texts(noise, **{f"Raw profile type {name}": f"\n{name}\n{len(content):8d}\n{lines}\n"})
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open("b.jpg") as image:
        assert image.info["photoshop"] == {0x0404: IPTC}


def test_every_page_keeps_its_iptc(dpid, folder, noise):
    captions = [IPTC.replace(b"one", word) for word in (b"1st", b"2nd")]
    with tifffile.TiffWriter("a.tif") as tiff:
        for records in captions:
            tag = (33723, 7, len(records), records, True)
            tiff.write(noise, photometric="rgb", metadata=None, extratags=[tag])
    assert dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif").stderr == ""
    with tifffile.TiffFile("b.tif") as tiff:
        found = [page.tags[33723].value for page in tiff.pages]
    assert [records[: len(IPTC)] for records in found] == captions


@pytest.mark.parametrize("extension", ["webp", "avif", "gif", "bmp", "heic", "jxl", "qoi", "tga"])
def test_iptc_that_has_no_place_is_told_of(dpid, folder, noise, extension):
    Image.fromarray(noise).save("a.jpg", extra=segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, IPTC)))
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", f"b.{extension}")
    kind = format_of(Path(f"b.{extension}")).title
    assert (result.exit_code, result.stderr) == (
        0,
        f"b.{extension}: {kind} cannot store IPTC: dropped\n",
    )


def test_iptc_too_long_for_a_segment(dpid, folder, noise):
    def records(length: int) -> bytes:
        return b"\x1c\x02\x78\x80\x04" + struct.pack(">L", length - 9) + b"x" * (length - 9)

    for length, lost in ((65506, ""), (65507, "b.jpg: too long for JPEG: IPTC: dropped\n")):
        tag = (33723, 7, length, records(length), True)
        tifffile.imwrite("a.tif", noise, photometric="rgb", metadata=None, extratags=[tag])
        result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.jpg", "--overwrite")
        assert (result.exit_code, result.stderr) == (0, lost)
        with Image.open("b.jpg") as image:
            assert image.info.get("photoshop") == (None if lost else {0x0404: records(length)})
    tag = (33723, 7, 600_000, records(600_000), True)
    tifffile.imwrite("a.tif", noise, photometric="rgb", metadata=None, extratags=[tag])
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.png")
    assert result.stderr == "b.png: too long for PNG: IPTC: dropped\n"


@pytest.mark.parametrize(
    "records", [IPTC[:-1], IPTC + b"more", b"no records", b"\x1c\2\5", IPTC[:5] + b"\x1c"]
)
def test_damaged_iptc_is_left_out(dpid, folder, noise, records):
    Image.fromarray(noise).save("a.jpg", extra=segment(0xED, b"Photoshop 3.0\0" + resource(0x0404, records)))
    tifffile.imwrite("a.tif", noise, photometric="rgb", extratags=[(33723, 7, len(records), records, True)])
    for name in "a.jpg", "a.tif":
        result = dpid("downscale", name, "-s", "1", "-m", "box", "-o", "b.png", "--overwrite")
        assert (result.exit_code, result.stderr) == (0, f"{name}: damaged or too long: IPTC: dropped\n")
    with_texts(noise, **{"Raw profile type iptc": records.decode("latin-1")})
    result = dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", "b.jpg", "--overwrite")
    assert (result.exit_code, result.stderr) == (0, "a.png: damaged or too long: IPTC: dropped\n")
    for name in "a.jpg", "a.tif":
        dpid("downscale", name, "-s", "1", "-m", "box", "-o", "b.png", "--overwrite")
        with Image.open("b.png") as image:
            assert set(image.text) == {"Software"}
        np.testing.assert_array_equal(pixels("b.png"), pixels(name))


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=5),
    length=st.integers(0, 200),
)
def test_any_bytes_are_records_or_none(changes, length):
    """What is taken is what a plain reader takes for records up to the end, and wrapping loses none of it."""
    damaged = bytearray(IPTC * 3)[:length]
    for place, value in changes:
        if damaged:
            damaged[place % len(damaged)] = value
    data = bytes(damaged)
    found = iptc.whole(data)
    assert found in (b"", data.rstrip(b"\0"), data) or data.startswith(found)
    assert not data[len(found) :].strip(b"\0") or not found
    for wrapped in (
        resource(0x0404, data),
        b"Photoshop 3.0\0" + resource(1, data) + resource(0x0404, data, b"n"),
    ):
        assert iptc.in_resources(wrapped) == data
        iptc.in_resources(wrapped[: length // 2])
    if data:
        assert iptc_of_text(text_of_iptc(data)) == data
