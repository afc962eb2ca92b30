"""JPEGs of more than 8 bits, lossless ones and JPEG-LS, against what imagecodecs wrote into them."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.pictures import FORMATS, read, read_size
from support.command import is_one_error_line

ENCODERS = {
    "lossless": lambda pixels, bits: imagecodecs.jpeg8_encode(pixels, bitspersample=bits, lossless=True),
    "JPEG-LS": lambda pixels, bits: imagecodecs.jpegls_encode(pixels),
}


def smooth(channels: int, bits: int) -> np.ndarray:
    """Colours that change slowly, over all levels of so many bits."""
    y, x = np.mgrid[:40, :56] / 55
    planes = np.stack([x, (x + y) / 2, y * 40 / 39], axis=-1)[..., :channels]
    values = np.round(planes / planes.max() * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    return values if channels == 3 else values[..., 0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("kind", "bits"),
    [*(("lossless", bits) for bits in (8, 10, 12, 14, 16)), *(("JPEG-LS", bits) for bits in (8, 16))],
)
def test_lossless_kinds(kind, bits, channels):
    """Spread over all levels, so that white is white."""
    pixels = smooth(channels, bits)
    picture = read(io.BytesIO(ENCODERS[kind](pixels, bits)), "a")
    full = 255 if bits == 8 else 65535
    np.testing.assert_array_equal(picture.pixels, np.round(pixels / (2**bits - 1) * full))
    assert picture.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("channels", [1, 3])
def test_twelve_bits(channels):
    """Closer to the original than 8 bits can be."""
    pixels = smooth(channels, 12)
    data = imagecodecs.jpeg8_encode(pixels, level=100, bitspersample=12, subsampling="444")
    picture = read(io.BytesIO(data), "a")
    assert np.abs(picture.pixels / 65535 - pixels / 4095).max() < 0.001


def test_default_outputs(dpid, folder):
    """What JPEG cannot store is written as PNG, whatever the extension of the input is."""
    pixels = smooth(3, 12)
    Path("a.jpg").write_bytes(imagecodecs.jpeg8_encode(pixels, bitspersample=12, lossless=True))
    Path("b.jls").write_bytes(imagecodecs.jpegls_encode(smooth(1, 16)))
    assert dpid("downscale", "a.jpg", "b.jls", "-s", "2", "-m", "box").stderr == ""
    with Image.open("b_box_x2.png") as image:
        assert (image.mode, image.size) == ("I;16", (28, 20))
    means = pixels.reshape(20, 2, 28, 2, 3).mean(axis=(1, 3)) / 4095
    written = imagecodecs.png_decode(Path("a_box_x2.png").read_bytes())
    assert np.abs(written / 65535 - means).max() < 1e-4


def test_metadata_and_orientation(folder):
    """The tags stand before the pixels, like in other JPEGs."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif, dpi=(300, 300))
    head = buffer.getvalue()
    tags = head[head.index(b"\xff\xe1") : head.index(b"\xff\xdb")]
    data = imagecodecs.jpeg8_encode(smooth(3, 12), bitspersample=12, lossless=True)
    data = data[:2] + tags + data[2:]
    picture = read(io.BytesIO(data), "a")
    assert picture.size == read_size(io.BytesIO(data), "a") == (40, 56)
    assert b"Maker" in picture.metadata.exif
    np.testing.assert_array_equal(picture.pixels, np.round(np.rot90(smooth(3, 12), -1) / 4095 * 65535))


@pytest.mark.parametrize("kind", [*ENCODERS, "12 bits"])
def test_truncated(kind):
    """An error, as decoders would go on in gray; with part of the pixels if that is accepted."""
    pixels = smooth(3, 12)
    encode = ENCODERS.get(kind, lambda pixels, bits: imagecodecs.jpeg8_encode(pixels, bitspersample=bits))
    data = encode(pixels, 12)
    with pytest.raises(FileError, match="truncated"):
        read(io.BytesIO(data[: len(data) * 3 // 4]), "a")


def test_refused(dpid, folder):
    """Four channels, and layers of several sizes, are no damage."""
    Path("a.jpg").write_bytes(imagecodecs.jpeg8_encode(np.zeros((8, 8, 4), np.uint16), bitspersample=12))
    usual = imagecodecs.jpeg8_encode(np.zeros((8, 8, 3), np.uint8))
    Path("b.jpg").write_bytes(usual.replace(b"\xff\xc0", b"\xff\xc5"))
    lossless = imagecodecs.jpeg8_encode(smooth(3, 8), lossless=True)
    jfif = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
    Path("c.jpg").write_bytes(lossless[:2] + jfif + lossless[2:])
    problems = {
        "a.jpg": "12-bit JPEG of 4 channels",
        "b.jpg": "hierarchical",
        "c.jpg": "lossless JPEG in YCbCr",
    }
    for name, what in problems.items():
        result = dpid("downscale", name, "-s", "2")
        assert result.exit_code == 1
        assert is_one_error_line(result.stderr)
        assert what in result.stderr
        assert "damaged" not in result.stderr


def test_huge_header():
    """Nothing is allocated for what a few bytes claim."""
    data = bytearray(imagecodecs.jpeg8_encode(smooth(1, 12), bitspersample=12))
    place = data.index(b"\xff\xc1")
    data[place + 5 : place + 9] = b"\x50\x00\x50\x00"
    with pytest.raises(FileError, match="cannot hold"):
        read(io.BytesIO(bytes(data)), "a")


def test_extension_is_only_read():
    assert not FORMATS["jls"].modes
    assert FORMATS["jls"].target is FORMATS["png"]
