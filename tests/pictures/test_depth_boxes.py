"""HEIF and AVIF of 10 and 12 bits, and gain maps, which are dropped."""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from dpid_cli.errors import collected
from dpid_cli.pictures import read, read_sequence
from support.colour_marks import avif, first_pixel, heif
from support.command import is_one_error_line
from support.described import XMP
from support.gain_maps import OF_ADOBE, OF_APPLE, OF_ISO, two_images
from support.profiles import PROFILES
from support.specimens import NAMES, Told, chunk, png

WRITERS = {"avif": avif, **({"heic": heif} if "heif" in NAMES else {})}
SRGB = (1, 13)
LOSS = {"avif": 0.25 / 255, "heic": 0.5 / 255}  # on average, at the highest quality


def smooth(channels: int = 3, height: int = 32, width: int = 48) -> np.ndarray:
    """Gradients in 16 bits, each pixel four times."""
    rows, columns = np.mgrid[: height // 2, : width // 2]
    ramps = [rows / 15, columns / 23, (rows + columns) / 38, 1 - columns / 46][:channels]
    levels = np.round(np.stack(ramps, axis=-1) * 65535).astype(np.uint16)
    return levels.repeat(2, axis=0).repeat(2, axis=1)


def depth_of(data: bytes) -> int:
    """Bits a channel, by libavif's box or libheif."""
    if data[8:12] == b"avif":
        return data[data.find(b"pixi") + 9]
    import pillow_heif

    return pillow_heif.open_heif(io.BytesIO(data)).info["bit_depth"]


def decoded(data: bytes) -> np.ndarray:
    """The pixels, from 0 to 1."""
    if data[8:12] == b"avif":
        values = np.asarray(imagecodecs.avif_decode(data))
    else:
        import pillow_heif

        options = {"convert_hdr_to_8bit": False, "hdr_to_16bit": False}
        values = np.asarray(pillow_heif.open_heif(io.BytesIO(data), **options))
    return values / (2 ** depth_of(data) - 1)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("kind", WRITERS)
def test_depth_is_kept(dpid, folder, kind, bits, channels):
    levels = smooth(channels)
    Path(f"a.{kind}").write_bytes(WRITERS[kind](levels, SRGB, bits))
    command = ["downscale", f"a.{kind}", "-s", "2", "-m", "subsample"]
    assert dpid(*command, "-o", "b.png").stderr == ""
    in_png = np.asarray(imagecodecs.png_decode(Path("b.png").read_bytes()))
    source = decoded(Path(f"a.{kind}").read_bytes())[::2, ::2]
    np.testing.assert_array_equal(in_png, np.floor(source * 65535 + 0.5))
    assert np.abs(in_png.astype(int) - levels[::2, ::2]).max() <= 3 * 65535 / (2**bits - 1)
    for other in WRITERS:
        assert dpid(*command, "-o", f"b.{other}", "--quality", "100").stderr == ""
        data = Path(f"b.{other}").read_bytes()
        assert depth_of(data) == bits
        assert np.abs(decoded(data) - source).mean() < LOSS[other]
        assert dpid(*command, "-o", f"c.{other}", "--depth", "8").stderr == ""
        assert depth_of(Path(f"c.{other}").read_bytes()) == 8
        assert dpid(*command, "-o", f"d.{other}", "--depth", "16").stderr == ""
        assert depth_of(Path(f"d.{other}").read_bytes()) == 12


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", WRITERS)
def test_16_bits_become_12(dpid, folder, kind, mode):
    levels = smooth()[..., : len(mode)] if mode != "RGBA" else smooth(4)
    levels = levels[..., 0] if mode == "L" else levels
    Path("a.png").write_bytes(bytes(imagecodecs.png_encode(np.ascontiguousarray(levels))))
    command = ["downscale", "a.png", "-s", "2", "-m", "subsample", "-o", f"b.{kind}", "--quality", "100"]
    assert dpid(*command).stderr == ""
    data = Path(f"b.{kind}").read_bytes()
    found = decoded(data)
    assert depth_of(data) == 12
    expected = levels[::2, ::2] / 65535
    if mode.startswith("L") and found.ndim == 3:
        expected = expected.reshape(*expected.shape[:2], -1)
        expected = expected[..., [0, 0, 0, -1][: found.shape[2]]]
    if mode.endswith("A"):
        expected, found = (image[image[..., -1] > 0.05] for image in (expected, found))
    assert np.abs(found - expected).mean() < LOSS[kind]
    assert dpid(*command[:-2], "--depth", "8", "--overwrite").exit_code == 0
    assert depth_of(Path(f"b.{kind}").read_bytes()) == 8


@pytest.mark.parametrize("kind", WRITERS)
def test_metadata_of_high_depth(dpid, folder, kind):
    """EXIF, XMP, profile and resolution of a PNG of 16 bits, then of what was written."""
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    told = Told(profile=PROFILES["Display P3"], dpi=300)
    data = png(smooth(), told)
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    data = data[:33] + packet + chunk(b"eXIf", exif.tobytes()[6:]) + data[33:]
    Path("a.png").write_bytes(data)
    for source, target in ("a.png", f"b.{kind}"), (f"b.{kind}", f"c.{kind}"):
        assert dpid("downscale", source, "-s", "1.5", "-o", target).stderr == ""
        with Image.open(target) as image:
            image.load()
            tags = image.getexif()
            assert (tags[Base.Make], tags[Base.XResolution], tags[Base.Software][:4]) == (
                "Camera",
                300,
                "dpid",
            )
            assert b'xmp:Rating="4"' in image.info["xmp"]
            assert image.info["icc_profile"] == told.profile
        assert depth_of(Path(target).read_bytes()) == 12


def with_property(data: bytes, kind: bytes, content: bytes) -> bytes:
    """An AVIF whose colour box is replaced by another, of one byte, which is essential."""
    colr = data[data.index(b"colr") - 4 :][:19]
    other = struct.pack(">L4s", 9, kind) + content + struct.pack(">L4s", 10, b"free") + bytes(2)
    return data.replace(colr, other).replace(b"\1\4\1\2\x83\4", b"\1\4\1\2\x83\x84")


@pytest.mark.parametrize("kind", [b"irot", b"imir"])
@pytest.mark.parametrize("content", [b"\0", b"\1", b"\2", b"\3"])
def test_orientation_of_avif(kind, content):
    """As Pillow turns the same file, which it reads with 8 bits."""
    if kind == b"imir" and content > b"\1":
        return
    data = with_property(avif(smooth(), SRGB, 10), kind, content)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read(io.BytesIO(data), "a")
    assert picture.mode == "RGB;16" and (picture.orientation != 1) == ((kind, content) != (b"irot", b"\0"))
    assert np.abs(picture.pixels / 257 - expected).max() <= 2.5  # as it cuts bits off


@pytest.mark.parametrize("kind", WRITERS)
def test_chroma_of_half_the_size(kind):
    """As the same decoders show it with 8 bits."""
    if kind == "avif":
        values = (smooth() >> 6).astype(np.uint16)
        data = bytes(imagecodecs.avif_encode(values, level=95, bitspersample=10, matrix=1, pixelformat="420"))
    else:
        data = heif(smooth(), SRGB, 10, chroma=420)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB")).astype(float)
    picture = read(io.BytesIO(data), "a")
    assert picture.bits == 10
    assert np.abs(picture.pixels / 257 - expected).max() <= 3


def test_limited_range_of_avif():
    """Gray of 593, declared to be in the range from 64 to 940."""
    data = bytes(imagecodecs.avif_encode(np.full((16, 16, 3), 593, np.uint16), bitspersample=10, matrix=1))
    place = data.index(b"nclx")
    data = data[: place + 10] + b"\0" + data[place + 11 :]
    picture = read(io.BytesIO(data), "a")
    assert np.abs(picture.pixels - 65535 * (593 - 64) / (940 - 64)).max() <= 65535 / 1023


@pytest.mark.skipif("heic" not in WRITERS, reason="pillow-heif is not installed")
def test_limited_range_of_heif():
    data = heif(smooth(), SRGB, 10, full_range_flag=0)
    picture = read(io.BytesIO(data), "a")
    assert np.abs(picture.pixels - smooth().astype(int)).max() <= 4 * 65535 / 1023


@pytest.mark.skipif("heic" not in WRITERS, reason="pillow-heif is not installed")
def test_premultiplied_alpha_of_heif():
    """Colours are divided by alpha."""
    import pillow_heif

    levels = np.full((32, 32, 4), (100, 200, 300, 512), np.uint16)
    stream = io.BytesIO()
    pillow_heif.encode("RGBa;10", (32, 32), levels.tobytes(), stream, bit_depth=10, quality=-1, chroma=444)
    picture = read(stream, "a")
    assert picture.mode == "RGBA;16" and picture.alpha
    expected = np.array([100 * 1023 / 512, 200 * 1023 / 512, 300 * 1023 / 512, 512]) * (65535 / 1023)
    assert np.abs(picture.pixels - expected).max() <= 4 * 65535 / 1023


def test_an_animation_of_high_depth_says_so():
    frames = (np.stack([smooth(), smooth()[::-1]]) >> 6).astype(np.uint16)
    data = bytes(imagecodecs.avif_encode(frames, bitspersample=10))
    with collected() as told:
        sequence = read_sequence(io.BytesIO(data), "a")
        pictures = list(sequence.pictures)
    assert told == ["a: frames of more than 8 bits a channel are read as 8 bits"]
    assert [picture.mode for picture in pictures] == ["RGB", "RGB"]
    assert np.abs(pictures[1].pixels - smooth()[::-1] / 257.0).max() <= 2


@pytest.mark.parametrize("kind", WRITERS)
def test_the_limit_comes_before_decoding(dpid, folder, kind):
    Path(f"a.{kind}").write_bytes(WRITERS[kind](smooth(), SRGB, 10))
    result = dpid("downscale", f"a.{kind}", "-s", "2", "--max-pixels", "1000", "-o", "b.png")
    assert (
        result.exit_code == 1
        and is_one_error_line(result.stderr)
        and "more than 1000 pixels" in result.stderr
    )


GAIN_MAP = "its HDR gain map is dropped"


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        (OF_ADOBE, b"", True),
        (OF_ISO, b"", True),
        (b"", OF_APPLE, True),
        (b"", OF_ADOBE, True),
        (b"", b"", False),
    ],
)
def test_gain_maps_of_jpeg(dpid, folder, first, second, is_one):
    Path("a.jpg").write_bytes(two_images(first, second))
    result = dpid("downscale", "a.jpg", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stderr) == (0, f"a.jpg: {GAIN_MAP}\n" * is_one)
    assert np.abs(first_pixel(Path("b.jpg").read_bytes()) - (9, 99, 199)).max() <= 3


@pytest.mark.parametrize("kind", WRITERS)
def test_gain_maps_in_boxes(kind):
    """An item that is derived from the main image and a gain map, which no decoder here computes."""
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    stream = io.BytesIO()
    image = Image.fromarray((smooth() >> 8).astype(np.uint8))
    image.save(stream, {"avif": "AVIF", "heic": "HEIF"}[kind], exif=exif)
    changed = re.sub(rb"(infe\x02.{7})Exif", rb"\1tmap", stream.getvalue(), flags=re.DOTALL)
    assert changed != stream.getvalue()
    with collected() as told:
        read(io.BytesIO(stream.getvalue()), "a")
        assert told == []
        read(io.BytesIO(changed), "a")
    assert told == [f"a: {GAIN_MAP}"]
