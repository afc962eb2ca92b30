"""Pixels in the memory of others: Pillow's images, and arrays of four bytes a pixel."""

from __future__ import annotations

import gc
import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided
from PIL import Image

from dpid_cli.downscaling.raster import Raster
from dpid_cli.pictures import decoders, pillow, read


def encoded(mode: str, **options) -> io.BytesIO:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (70, 90, 4), np.uint8)
    Image.fromarray(noise, "RGBA").convert(mode).save(stream, **options)
    return stream


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_decoded_pixels_are_not_copied(mode, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    stream = encoded(mode, format="PNG", exif=exif)
    with Image.open(stream) as image:
        expected = np.array(image if orientation == 1 else image.transpose(Image.Transpose.ROTATE_270))
    picture = read(stream, "noise")
    gc.collect()
    np.testing.assert_array_equal(picture.pixels, expected)
    assert not picture.pixels.flags.owndata
    assert not picture.pixels.flags.writeable
    assert Raster.of(picture.pixels).packed == (mode != "L")
    assert np.shares_memory(Raster.of(picture.pixels).rows, picture.pixels)


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(), reason="the system has no huge pages"
)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF"])
def test_large_images_are_decoded_into_huge_pages(format_):
    stream = io.BytesIO()
    Image.new("RGB", (3000, 3000), (1, 2, 3)).save(stream, format_)
    pixels = read(stream, "photo").pixels
    middle = pixels.ctypes.data + pixels.nbytes // 2
    mappings = re.split(
        r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE
    )
    for mapping in mappings[1:]:
        start, end = (int(number, 16) for number in mapping.split(" ")[0].split("-"))
        if start <= middle < end:
            assert "hg" in re.search(r"^VmFlags: (.*)$", mapping, re.MULTILINE)[1].split()
            return
    raise AssertionError("the pixels lie nowhere")


def test_the_array_keeps_the_memory_alive():
    with decoders.one_block():
        image = Image.new("RGB", (2000, 2000), (1, 2, 3))
    array = pillow.shared(image)
    image.close()
    del image
    gc.collect()
    others = [np.full((2000, 2000, 4), 9, np.uint8) for _ in range(4)]
    assert (array == (1, 2, 3)).all() and len(others) == 4


def test_images_in_several_blocks_are_refused():
    image = Image.new("RGB", (3000, 3000))
    with pytest.raises(ValueError, match="contiguous"):
        pillow.shared(image)


def test_the_setting_lasts_no_longer_than_reading():
    before = vars(Image)["core"].get_use_block_allocator()
    with pytest.raises(ZeroDivisionError), decoders.one_block():
        assert vars(Image)["core"].get_use_block_allocator() == 1
        raise ZeroDivisionError
    assert vars(Image)["core"].get_use_block_allocator() == before


def test_what_is_read_as_packed():
    four = np.zeros((5, 7, 4), np.uint8)
    assert Raster.of(four).packed and Raster.of(four[..., :3]).packed
    assert Raster.of(four[..., :3]).size == Raster.of(four).size == (7, 5)
    assert not Raster.of(four[..., 1:]).packed  # begins between two numbers
    assert not Raster.of(four[..., :2]).packed
    assert not Raster.of(four[..., :3].copy()).packed
    assert not Raster.of(four[:, ::2, :3]).packed
    assert not Raster.of(four[..., :3].astype(np.uint16)).packed


def test_bytes_behind_the_memory_are_not_read():
    """Three of four bytes a pixel, where the last pixel has only three."""
    memory = np.arange(4 * 5 * 7 - 1, dtype=np.uint8)
    image = as_strided(memory, (5, 7, 3), (28, 4, 1), writeable=False)
    raster = Raster.of(image)
    assert not raster.packed
    np.testing.assert_array_equal(raster.rows.reshape(5, 7, 3), image)


def test_unpacked():
    four = np.random.default_rng(2).integers(0, 256, (5, 7, 4), np.uint8)
    for channels in 3, 4:
        rows = Raster.of(four[..., :channels]).unpacked().rows
        np.testing.assert_array_equal(rows.reshape(5, 7, channels), four[..., :channels])
