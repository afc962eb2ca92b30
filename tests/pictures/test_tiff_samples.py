"""The samples of TIFFs: what other readers find in them, or an error that says why they are not read."""

from __future__ import annotations

import io
import tracemalloc
import warnings

import imagecodecs
import numpy as np
import PIL
import pytest
import tifffile
from PIL import Image

from dpid_cli.errors import FileError, collected
from dpid_cli.pictures import read
from support.high_depth import tiff, values
from support.profiles import ink_profile


def written(pixels: np.ndarray, **options) -> io.BytesIO:
    stream = io.BytesIO()
    options.setdefault("photometric", "rgb" if pixels.shape[2:] in ((3,), (4,)) else "minisblack")
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream


def read_with_notes(stream: io.BytesIO):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = read(stream, "a")
    return picture, [str(warning.message) for warning in caught]


# Channels


@pytest.mark.parametrize("depth", ["8", "16", "float"])
@pytest.mark.parametrize(
    ("channels", "photometric", "extra", "kept", "note"),
    [
        (4, "rgb", [0], 3, "4 channels: only colours and alpha are read, and none is marked as alpha"),
        (5, "rgb", [2, 0], 4, "5 channels: only colours and alpha are read"),
        (2, "minisblack", [0], 1, "2 channels: only colours and alpha are read, and none is marked as alpha"),
        (5, "minisblack", [0] * 4, 1, "5 channels: only colours and alpha are read, and none is marked as"),
    ],
)
def test_channels_that_are_dropped(channels, photometric, extra, kept, note, depth):
    pixels = values("RGBA", depth)[..., [0, 1, 2, 3, 0]][..., :channels]
    for planar in "contig", "separate":
        stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if planar == "separate" else pixels
        stream = written(stored, photometric=photometric, extrasamples=extra, planarconfig=planar)
        picture, notes = read_with_notes(stream)
        np.testing.assert_array_equal(picture.pixels, pixels[..., :kept] if kept > 1 else pixels[..., 0])
        assert picture.alpha == (kept == 4) and len(notes) == 1 and notes[0].startswith(f"a: {note}")


@pytest.mark.parametrize("profile", [None, "ink"])
def test_cmyk_of_8_bits_with_a_further_channel(profile):
    """As without the channel, which Pillow reads."""
    inks = values("RGBA", "8")
    options = {"photometric": "separated", "iccprofile": ink_profile() if profile else None}
    expected = read(written(inks, planarconfig="contig", **options), "a")
    more = np.dstack([inks, inks[..., :1]])
    picture, notes = read_with_notes(written(more, planarconfig="contig", extrasamples=[0], **options))
    np.testing.assert_array_equal(picture.pixels, expected.pixels)
    assert picture.icc_profile == expected.icc_profile and "5 channels" in notes[0]
    picture, notes = read_with_notes(written(more, planarconfig="contig", extrasamples=[2], **options))
    np.testing.assert_array_equal(picture.pixels, np.dstack([expected.pixels, more[..., 4]]))
    assert picture.alpha and not notes


# Types


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32"])
def test_signed_integers(dtype):
    pixels = np.arange(120, dtype=dtype).reshape(10, 12)
    picture = read(written(pixels), "a")
    assert picture.pixels.dtype == ("uint8" if dtype == "int8" else "uint16")
    np.testing.assert_array_equal(picture.pixels, pixels)
    pixels[3, 4] = -1
    limit = 255 if dtype == "int8" else 65535
    for array in pixels, np.dstack([pixels] * 3):
        with pytest.raises(FileError, match=rf"^a: it has integers outside 0 to {limit}: convert it to "):
            read(written(array), "a")


def test_big_endian_big_tiff():
    """Which Pillow does not know."""
    pixels = values("RGB", "16")
    tags = [(271, 2, 0, "Camera", True), (274, 3, 1, 6, True)]
    options = {"resolution": (300, 300), "resolutionunit": 2, "iccprofile": b"p" * 150, "extratags": tags}
    for array in pixels, (pixels >> 8).astype(np.uint8):
        stream = written(array, bigtiff=True, byteorder=">", compression="lzw", **options)
        picture, notes = read_with_notes(stream)
        np.testing.assert_array_equal(picture.pixels, np.rot90(array, -1))
        assert b"Camera" in picture.metadata.exif and picture.metadata.dpi == (300, 300)
        assert picture.icc_profile == b"p" * 150 and not notes


# Compressions


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_colours_of_jpeg_within_tiff(subsampling, tile):
    """As libtiff converts them."""
    y, x = np.mgrid[:40, :56]
    pixels = np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], axis=-1).astype(np.uint8)
    options = {"photometric": "ycbcr", "compression": "jpeg", "subsampling": subsampling, "tile": tile}
    data = written(pixels, **options).getvalue()
    expected = imagecodecs.tiff_decode(data, asrgb=True)[..., :3]
    for nodata in "", "-5":  # with a mark that no pixel has, tifffile decodes it
        stream = written(pixels, **options, extratags=[(42113, 2, 0, nodata, True)] if nodata else [])
        found = read(stream, "a").pixels
        assert np.abs(found.astype(int) - expected).max() <= 2


def test_jpeg_of_12_bits_within_tiff():
    ramp = np.add.outer(np.arange(32) * 40, np.arange(48) * 50).astype(np.uint16)
    found = read(written(ramp, compression="jpeg", compressionargs={"level": 99}), "a").pixels
    np.testing.assert_allclose(found / 65535, ramp / 4095, atol=0.002)


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "jpegxl", "png", "webp", "lerc"])
def test_a_strip_that_holds_a_larger_image(compression):
    """It takes no memory."""
    dtype = np.float32 if compression == "lerc" else np.uint8
    large = np.zeros((3000, 3000, 3), dtype)
    data = written(large, compression=compression, rowsperstrip=3000).getvalue()
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    start, count = page.dataoffsets[0], page.databytecounts[0]
    # The last is GDAL_NODATA, for which Pillow is not asked.
    tags = {259: [int(page.compression)], 279: [count], 42113: [5]}
    stored = tiff(np.zeros((30, 30, 3), dtype), tags, data[start : start + count])
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=r"^a: damaged or truncated image: a part of 30 x 30 pixels"):
            read(io.BytesIO(stored), "a")
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def test_lerc_with_pixels_that_are_not_valid():
    valid = np.ones((20, 30), bool)
    pixels = values("L", "float")
    part = bytes(imagecodecs.lerc_encode(pixels, masks=valid))
    stored = tiff(pixels, {259: [34887], 279: [len(part)]}, part)
    np.testing.assert_array_equal(read(io.BytesIO(stored), "a").pixels, pixels)
    valid[3:5] = False
    part = bytes(imagecodecs.lerc_encode(pixels, masks=valid))
    with pytest.raises(FileError, match=r"^a: it has pixels without data, which would be averaged"):
        read(io.BytesIO(tiff(pixels, {259: [34887], 279: [len(part)]}, part)), "a")


SUBSAMPLED = bytes([120, 120, 120, 120, 90, 200]) * 150  # 2 x 2 pixels each


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (tiff(values("RGB", "8"), {259: [12345]}), "compression 12345 is not supported: "),
        (tiff(values("L", "8"), {259: [34661]}), "compression JBIG is not supported: "),
        (tiff(values("L", "8"), {32997: [4]}, bytes(2400)), "it is a volume, not an image: split it "),
        (tiff(values("L", "16"), {32997: [4]}, bytes(4800)), "it is a volume, not an image: split it "),
        (tiff(values("RGB", "8"), {258: [5, 6, 5]}), "samples of differing bits are not supported: "),
        (tiff(values("RGB", "8"), {339: [1, 1, 2]}), "channels of different kinds are not supported: "),
        (tiff(values("RGB", "8"), {262: [6], 530: [2, 2]}, SUBSAMPLED), "this kind of YCbCr is not "),
        (tiff(values("RGB", "8"), {262: [9]}), "PhotometricInterpretation 9 and compression NONE is not "),
        (tiff(values("RGBA", "8"), {262: [5], 332: [2], 338: [2]}), "inks other than CMYK "),
        (tiff(values("LA", "8"), {262: [3], 338: [0], 320: [0] * 768}), "PhotometricInterpretation 3 "),
        (written(values("L", "float").astype(complex)).getvalue(), "complex numbers of 128 bits are not "),
        (written(-values("LA", "float").astype("i2"), extrasamples=[2]).getvalue(), "with alpha or inver"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_is_not_damaged_and_not_read(stored, message):
    with pytest.raises(FileError, match=message) as caught:
        read(io.BytesIO(stored), "a")
    assert "damaged" not in str(caught.value) and len(str(caught.value).split(": ")) >= 3


@pytest.mark.skipif(PIL.__version__ < "13", reason="older ones call it truncated")
def test_uncompressed_ycbcr_without_subsampling():
    pixels = values("RGB", "8")
    data = tiff(pixels, {262: [6], 530: [1, 1]})
    expected = np.asarray(Image.fromarray(pixels, "YCbCr").convert("RGB"))
    np.testing.assert_array_equal(read(io.BytesIO(data), "a").pixels, expected)


# Pixels without data


def marked(pixels: np.ndarray, mark: str, **options) -> io.BytesIO:
    return written(pixels, extratags=[(42113, 2, 0, mark, True)], **options)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "int32"])
def test_missing_data(dtype):
    heights = (values("L", "float") * 1000).astype(dtype)
    with collected():
        whole = read(marked(heights, "-9999"), "a")
    np.testing.assert_array_equal(whole.pixels, heights.astype(whole.pixels.dtype))
    heights[3, 4] = -9999
    mark = f"{float(heights[3, 4]):g}"
    with pytest.raises(FileError) as caught:
        read(marked(heights, mark), "a")
    wrong = "which would be averaged with the others: fill them first"
    assert str(caught.value) == f"a: it has pixels without data (GDAL_NODATA {mark}), {wrong}"


@pytest.mark.parametrize("mark", ["-3.4028234663852886e+38", "-3.40282346638529e+38\0"])
def test_missing_data_by_the_least_float(mark):
    heights = values("L", "float")
    heights[3, 4] = np.finfo(np.float32).min
    with pytest.raises(FileError, match="pixels without data"):
        read(marked(heights, mark), "a")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("depth", ["8", "16"])
def test_marks_that_are_also_colours(mode, depth):
    """A line says so, but where alpha tells the same."""
    pixels = values(mode, depth)
    pixels[..., :3] |= 1
    options = {"extrasamples": [2]} if mode == "RGBA" else {}
    picture, notes = read_with_notes(marked(pixels, "0", **options))
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert not notes
    pixels[3, 4] = 0
    picture, notes = read_with_notes(marked(pixels, "0", **options))
    np.testing.assert_array_equal(picture.pixels, pixels)
    line = "a: it has pixels without data (GDAL_NODATA 0): averaged with the others"
    assert notes == ([line] if mode != "RGBA" else [])


@pytest.mark.parametrize("mark", ["nan", "", "none", "1e999"])
def test_marks_that_no_pixel_has(mark):
    pixels = values("L", "8")
    picture, notes = read_with_notes(marked(pixels, mark))
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert not notes


def test_a_usual_mark_that_the_file_does_not_name():
    heights = values("L", "float") * 1000 - 500
    assert not read_with_notes(written(heights))[1]
    heights[3, 4] = -9999
    picture, notes = read_with_notes(written(heights))
    assert notes == ["a: its smallest value, -9999, often marks missing data: averaged"]
    np.testing.assert_array_equal(picture.pixels, heights)


def test_nan_is_refused():
    pixels = values("RGB", "float")
    pixels[0, 0, 0] = np.nan
    with pytest.raises(FileError, match=r"^a: it contains NaN or infinity: replace them first$"):
        read(marked(pixels, "nan"), "a")
