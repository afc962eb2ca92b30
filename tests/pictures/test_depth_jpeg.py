"""JPEG 2000 and JPEG XL of more than 8 bits."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import tracemalloc
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from dpid_cli.errors import FileError
from dpid_cli.pictures import FORMATS, Metadata, Picture, read, read_size, write
from dpid_cli.pictures.codecs.isobmff import boxes
from support.command import is_one_error_line
from support.high_depth import LAYOUTS, png, shown, values
from support.orientation import TURNED


@pytest.mark.parametrize("kind", ["jp2", "j2k", "jxl", "jxl in boxes"])
@pytest.mark.parametrize("bits", [9, 10, 12, 16])
@pytest.mark.parametrize("mode", LAYOUTS)
def test_depths_of_jpeg_2000_and_jpeg_xl(kind, bits, mode):
    """Spread over all levels, so that white is white; by an encoder that Pillow does not use."""
    pixels = values(mode, "16") >> (16 - bits)
    pixels[0, 0], pixels[0, 1] = 2**bits - 1, 0
    if kind.startswith("jxl"):
        data = imagecodecs.jpegxl_encode(
            pixels, lossless=True, bitspersample=bits, usecontainer=len(kind) > 3
        )
    else:
        data = imagecodecs.jpeg2k_encode(pixels, level=0, bitspersample=bits, codecformat=kind)
    picture = read(io.BytesIO(data), "a")
    assert (picture.mode, picture.format) == (f"{mode};16", kind[:3].replace("j2k", "jp2"))
    np.testing.assert_array_equal(picture.pixels, np.round(pixels / (2**bits - 1) * 65535))


@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("mode", LAYOUTS)
def test_floats_of_jpeg_xl(mode, dtype):
    pixels = values(mode, "float").astype(dtype)
    pixels[0, 0] = 1.5  # brighter than white
    picture = read(io.BytesIO(imagecodecs.jpegxl_encode(pixels, lossless=True)), "a")
    assert picture.mode == f"{mode};F"
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_what_jpeg_xl_of_16_bits_tells(dpid, folder):
    """The encoder calls its colours linear, and the profile says so in the result."""
    pixels = values("RGB", "16")
    Path("a.jxl").write_bytes(imagecodecs.jpegxl_encode(pixels, lossless=True))
    assert dpid("downscale", "a.jxl", "-s", "1", "-m", "box", "-o", "b.png").stderr == ""
    np.testing.assert_array_equal(shown("b.png"), pixels)
    with Image.open("b.png") as image:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    assert "Lin" in ImageCms.getProfileDescription(profile)
    result = dpid("downscale", "a.jxl", "-s", "1", "-m", "box", "-o", "b.jxl")
    assert result.stderr == "b.jxl: JPEG XL cannot store colour profiles: colours are converted to sRGB\n"
    light = pixels / 65535
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 65535
    np.testing.assert_allclose(imagecodecs.jpegxl_decode(Path("b.jxl").read_bytes()), expected, atol=20)


@pytest.mark.parametrize("size", [(20, 30), (8, 8), (77, 513)])
@pytest.mark.parametrize("mode", LAYOUTS)
def test_jpeg_xl_of_16_bits_by_other_readers(dpid, folder, mode, size):
    """Pixels by libjxl in imagecodecs, the profile by that in another package, whose colours are sRGB."""
    from pillow_jxl import Decoder

    pixels = values(mode, "16", *size)
    Path("a.png").write_bytes(png(pixels))
    args = ("downscale", "a.png", "-s", "1", "-m", "nearest", "-o", "a.jxl")
    assert dpid(*args).stderr == ""
    content = Path("a.jxl").read_bytes()
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(content), pixels)
    profile = Decoder(num_threads=1)(content)[3]
    name = "Gra_D65_Rel_SRG" if mode in ("L", "LA") else "sRGB"
    assert name in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    picture = read(io.BytesIO(content), "a")
    assert (picture.mode, picture.icc_profile) == (f"{mode};16", None)
    np.testing.assert_array_equal(picture.pixels, pixels)
    refused = dpid(*args, "--overwrite", "--quality", "80")
    assert refused.exit_code == 1 and refused.stderr == (
        "a.jxl: JPEG XL of 16 bits is lossless: leave --quality out, or use --depth 8\n"
    )
    assert dpid(*args, "--overwrite", "--quality", "80", "--depth", "8").exit_code == 0


def test_what_jpeg_xl_of_16_bits_keeps(dpid, folder):
    """EXIF, XMP and resolution, by exiftool."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    exif = Image.Exif()
    exif[271], exif[315] = "Camera", "Zoë".encode()
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    packet += (
        b'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
    )
    told = Metadata(exif=exif.tobytes(), xmp=packet, dpi=(300.0, 72.0), software="maker")
    with Path("a.jxl").open("w+b") as stream:
        write(Picture(values("RGBA", "16"), True, None, "png", told), stream, FORMATS["jxl"], "a")
    command = ["exiftool", "-json", "-n", "a.jxl"]
    (found,) = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert "Warning" not in found and "Error" not in found
    assert [found[key] for key in ("Make", "Artist", "Software", "Rating", "XResolution", "YResolution")] == [
        "Camera", "Zoë", "maker", 4, 300, 72,
    ]  # fmt: skip
    assert (found["ImageWidth"], found["ImageHeight"]) == (30, 20)


def turned_jxl(code: bytes, orientation: int) -> bytes:
    """A code stream of opaque colour without extra fields, with the field of orientation."""
    bits = [byte >> k & 1 for byte in code[2:60] for k in range(8)]
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return sum(bits[place - count + k] << k for k in range(count))

    def side(small: int) -> None:
        take(5 if small else (9, 13, 18, 30)[take(2)])

    def enumerated() -> None:
        take((0, 0, 4, 6)[take(2)])

    small = take(1)
    side(small)
    if not take(3):
        side(small)
    assert not take(2)  # something is told, but nothing extra
    extra = place - 1
    assert not take(1)
    take((0, 0, 0, 6)[take(2)])  # integers of so many bits
    take(1)
    assert not take(2) and not take(1) and not take(1)  # no alpha, not XYB, and its colours are told
    assert not take(1)
    for _ in range(3):  # which space, white and primaries
        enumerated()
    assert not take(1)
    for _ in range(2):  # transfer and intent
        enumerated()
    field = [(orientation - 1) >> k & 1 for k in range(3)]
    made = [*bits[:extra], 1, *field, 0, 0, 0, *bits[extra + 1 : place], 1, *bits[place : place + 3]]
    made += [0] * (-len(made) % 8)
    head = bytes(
        sum(bit << k for k, bit in enumerate(made[start : start + 8])) for start in range(0, len(made), 8)
    )
    return code[:2] + head + code[2 + -(-(place + 3) // 8) :]


@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_of_deep_jpeg_xl(orientation):
    pixels = values("RGB", "16")
    whole = imagecodecs.jpegxl_encode(pixels, lossless=True)
    code = next(content for kind, content in boxes(whole) if kind == b"jxlc")
    stream = io.BytesIO(turned_jxl(code, orientation))
    picture = read(stream, "a")
    np.testing.assert_array_equal(picture.pixels, TURNED[orientation](pixels))
    assert read_size(stream, "a") == picture.size


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_jpeg_2000_of_16_bits_by_other_readers(dpid, folder, mode):
    pixels = values(mode, "16")
    Path("a.png").write_bytes(png(pixels))
    with Image.open("a.png") as image:
        assert image.info == {}
    assert dpid("downscale", "a.png", "-s", "1", "-m", "nearest", "-o", "a.jp2").stderr == ""
    content = Path("a.jp2").read_bytes()
    found = imagecodecs.jpeg2k_decode(content[content.index(b"\xff\x4f\xff\x51") :])
    np.testing.assert_array_equal(found, pixels)
    with Image.open("a.jp2") as image:
        assert (image.size, image.mode) == ((30, 20), "I;16" if mode == "L" else mode)
        assert (b"cdef" in content) is ("A" in mode)
    if mode != "LA":  # of which it has none
        np.testing.assert_array_equal(shown("a.jp2"), pixels)


def test_what_jpeg_2000_of_16_bits_tells():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told = Metadata(xmp=b"<a/>", dpi=(300.0, 72.5), comment="a remärk".encode(), software="maker")
    stream = io.BytesIO()
    write(Picture(values("RGBA", "16"), True, srgb, "png", told), stream, FORMATS["jp2"], "a")
    found = read(stream, "a")
    assert (found.icc_profile, found.metadata.xmp, found.metadata.comment) == (srgb, told.xmp, told.comment)
    assert found.metadata.dpi == pytest.approx(told.dpi, abs=0.01)
    np.testing.assert_array_equal(found.pixels, values("RGBA", "16"))


@pytest.mark.parametrize("kind", ["signed", "20 bits", "space"])
def test_jpeg_2000_that_is_not_read(kind):
    pixels = values("RGB", "16")
    if kind == "signed":
        data = imagecodecs.jpeg2k_encode((pixels >> 1).astype(np.int16), level=0)
    elif kind == "20 bits":
        data = imagecodecs.jpeg2k_encode(pixels.astype(np.uint32), level=0, bitspersample=20)
    else:  # of luminance and two differences
        plain = imagecodecs.jpeg2k_encode(pixels, level=0)
        data = plain.replace(b"colr\1\0\0\0\0\0\x10", b"colr\1\0\0\0\0\0\x12")
        assert data != plain
    with pytest.raises(
        FileError, match=r"^a: JPEG 2000 of [-0-9, ]+ bits in colour space \d+ is not supported: convert"
    ):
        read(io.BytesIO(data), "a")


def test_a_jpeg_2000_is_not_larger_than_its_header(dpid, folder):
    """The limit is that of the box in front; the decoder takes memory for what stands behind it."""
    whole = bytearray(imagecodecs.jpeg2k_encode(values("RGB", "16"), level=0))
    place = whole.index(b"\xff\x4f\xff\x51")
    struct.pack_into(">L", whole, place + 8, 2**24)
    struct.pack_into(">L", whole, place + 24, 2**24)  # of tiles, too
    Path("a.jp2").write_bytes(whole)
    tracemalloc.start()
    result = dpid("downscale", "a.jp2", "-s", "2", "-o", "b.png")
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert result.exit_code == 1 and "its headers do not agree" in result.stderr


@pytest.mark.parametrize("kind", ["jp2", "jxl"])
def test_deep_files_that_are_damaged(kind, capfd):
    pixels = values("RGB", "16", 40, 50)
    encode = {"jp2": imagecodecs.jpeg2k_encode, "jxl": imagecodecs.jpegxl_encode}[kind]
    whole = bytes(encode(pixels, **({"level": 0} if kind == "jp2" else {"lossless": True})))
    random = np.random.default_rng(5)
    damaged = [whole[:cut] for cut in random.integers(0, len(whole), 40)]
    for _ in range(100):
        changed = bytearray(whole)
        for place in random.integers(0, random.choice([120, len(whole)]), random.integers(1, 4)):
            changed[place] ^= int(random.integers(1, 256))
        damaged.append(bytes(changed))
    errors = 0
    for data in damaged:
        try:
            read(io.BytesIO(data), "a", max_pixels=10**6)
        except FileError as error:
            errors += 1
            assert is_one_error_line(f"{error}\n")
    assert errors > 40
    assert capfd.readouterr() == ("", "")
