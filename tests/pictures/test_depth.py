"""Images of 16 bits and of floats: read, downscaled and written without becoming 8 bits."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import dpid_cli
from dpid_cli.errors import DpidWarning, FileError, collected
from dpid_cli.pictures import read
from support.command import is_one_error_line
from support.high_depth import DTYPES, LAYOUTS, chunk, png, shown, tiff, values
from support.orientation import TURNED


def straight_means(pixels: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 blocks, colours weighted by alpha, in float64."""
    blocks = pixels.astype(float).reshape(pixels.shape[0] // 2, 2, pixels.shape[1] // 2, 2, -1)
    weights = blocks[..., -1:]
    colours = (blocks[..., :-1] * weights).sum((1, 3)) / weights.sum((1, 3))
    return np.concatenate([colours, weights.mean((1, 3))], axis=-1)


@pytest.mark.parametrize("extension", ["png", "tif"])
@pytest.mark.parametrize("mode", LAYOUTS)
@pytest.mark.parametrize("depth", DTYPES)
def test_every_depth_and_mode(dpid, folder, depth, mode, extension):
    pixels = values(mode, depth)
    source = "a.tif" if depth == "float" else f"a.{extension}"
    Path(source).write_bytes(png(pixels) if source.endswith("png") else tiff(pixels))
    method = "dpid" if (mode, depth) == ("RGB", "16") else "box"
    result = dpid("downscale", source, "-s", "2", "-m", method, "-o", f"out.{extension}")
    if (depth, extension) == ("float", "png"):
        assert result.exit_code == 1 and is_one_error_line(result.stderr)
        assert result.stderr.endswith("write TIFF, or use --depth 16 or 8\n")
        return
    assert (result.exit_code, result.stderr) == (0, "")
    found = shown(f"out.{extension}")
    if mode == "LA" and found.shape[2:] == (4,):  # how OpenCV has it
        found = found[..., [0, 3]]
    assert found.dtype == pixels.dtype and found.shape == (10, 15, *LAYOUTS[mode])
    if not mode.endswith("A"):
        np.testing.assert_array_equal(found, dpid_cli.downscale(pixels, scale=2, method=method))
    else:
        tolerance = 1e-6 if depth == "float" else 0.51
        np.testing.assert_allclose(found, straight_means(pixels), atol=tolerance)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_netpbm(dpid, folder, mode):
    pixels = values(mode, "16")
    kind = {"L": "P5", "RGB": "P6"}[mode]
    Path("a.ppm").write_bytes(f"{kind} 30 20 65535\n".encode() + pixels.astype(">u2").tobytes())
    assert dpid("downscale", "a.ppm", "-s", "2", "-m", "box", "-o", "b.ppm").stderr == ""
    np.testing.assert_array_equal(shown("b.ppm"), dpid_cli.downscale(pixels, scale=2, method="box"))


def test_netpbm_of_other_largest_values():
    stored = np.array([[0, 1, 500, 1023, 2000]], np.uint16)
    picture = read(io.BytesIO(b"P5 5 1 1023\n" + stored.astype(">u2").tobytes()), "a")
    np.testing.assert_array_equal(picture.pixels[0], [0, 64, 32031, 65535, 65535])


@pytest.mark.parametrize("mode", LAYOUTS)
def test_interlaced(mode):
    for height, width in (20, 30), (1, 1), (3, 5):
        pixels = values(mode, "16", height, width)
        np.testing.assert_array_equal(read(io.BytesIO(png(pixels, interlaced=True)), "a").pixels, pixels)


@pytest.mark.parametrize("interlaced", [False, True])
def test_transparent_colours(interlaced):
    gray = np.array([[25700, 5], [6, 25700]], np.uint16)
    picture = read(io.BytesIO(png(gray, struct.pack(">H", 25700), interlaced)), "a")
    np.testing.assert_array_equal(picture.pixels, np.stack([gray, [[0, 65535], [65535, 0]]], axis=-1))
    colours = np.stack([gray] * 3, axis=-1)
    picture = read(io.BytesIO(png(colours, struct.pack(">3H", 5, 5, 5), interlaced)), "a")
    np.testing.assert_array_equal(picture.pixels[..., 3], [[65535, 0], [65535, 65535]])
    np.testing.assert_array_equal(picture.pixels[..., :3], colours)
    assert picture.alpha


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "lzw"},
        {"compression": "lzw", "predictor": True},
        {"compression": "adobe_deflate", "predictor": True},
        {"compression": "packbits"},
        {"compression": "zstd"},
        {"compression": "lzma"},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "adobe_deflate", "predictor": True},
        {"bigtiff": True},
        {"tile": (16, 16), "compression": "adobe_deflate"},
        {"rowsperstrip": 3},
        {"planarconfig": "separate"},
        {"planarconfig": "separate", "tile": (16, 16), "compression": "lzw", "predictor": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("depth", ["16", "float"])
def test_layouts_of_tiff(options, depth):
    pixels = values("RGB", depth)
    stored = np.moveaxis(pixels, -1, 0) if options.get("planarconfig") == "separate" else pixels
    stream = io.BytesIO()
    tifffile.imwrite(stream, stored, photometric="rgb", **options)
    stream.seek(0)
    picture = read(stream, "a")
    assert picture.mode == {"16": "RGB;16", "float": "RGB;F"}[depth]
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_associated_alpha():
    straight = np.array([[(65535, 65535), (40000, 30000), (123, 0)]], np.uint16)
    product = straight.copy()
    product[..., 0] = np.round(straight[..., 0] * (straight[..., 1] / 65535))
    picture = read(io.BytesIO(tiff(product, {338: [1]})), "a")
    assert picture.alpha
    np.testing.assert_allclose(picture.pixels, [[(65535, 65535), (40000, 30000), (0, 0)]], atol=2)
    floats = np.array([[(0.25, 0.5), (1.5, 1), (0.3, 0)]], np.float32)
    picture = read(io.BytesIO(tiff(floats, {338: [1]})), "a")
    np.testing.assert_array_equal(picture.pixels, np.float32([[(0.5, 0.5), (1.5, 1), (0, 0)]]))


def test_extra_samples_that_are_not_alpha():
    pixels = values("RGBA", "16")
    with pytest.warns(DpidWarning, match=r"^a: 4 channels: only colours and alpha are read, and none is "):
        picture = read(io.BytesIO(tiff(pixels, {338: [0]})), "a")
    assert not picture.alpha
    np.testing.assert_array_equal(picture.pixels, pixels[..., :3])


def test_kinds_of_gray():
    pixels = values("L", "16")
    white = read(io.BytesIO(tiff(pixels, {262: [0]})), "a").pixels
    np.testing.assert_array_equal(white, 65535 - pixels)
    floats = values("L", "float")
    np.testing.assert_array_equal(read(io.BytesIO(tiff(floats, {262: [0]})), "a").pixels, 1 - floats)
    half = floats.astype(np.float16)
    np.testing.assert_array_equal(read(io.BytesIO(tiff(half)), "a").pixels, half)
    with pytest.warns(DpidWarning, match=r"^a: 64-bit floats are read as 32-bit floats$"):
        double = read(io.BytesIO(tiff(floats.astype(float))), "a")
    np.testing.assert_array_equal(double.pixels, floats)
    twelve = bytes([0xFF, 0xF0, 0x01])  # 4095 and 1
    pair = tiff(pixels[:1, :2], {258: [12]}, twelve)
    np.testing.assert_array_equal(read(io.BytesIO(pair), "a").pixels, [[65535, 16]])
    integers = read(io.BytesIO(tiff(pixels.astype(np.uint32))), "a")
    np.testing.assert_array_equal(integers.pixels, pixels)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (tiff(values("L", "16").astype(np.uint32) + 65536), "integers outside 0 to 65535: convert"),
        (tiff(np.full((2, 2), np.inf, np.float32)), "infinity"),
        (tiff(np.full((2, 2), 1e200)), "NaN or infinity"),
        (tiff(values("L", "16"), {259: [22610]}), "compression JPEGXR_NDPI is not supported"),
        (tiff(values("RGB", "16"), {258: [16, 16, 8]}), "samples of differing bits are not supported"),
    ],
)
@pytest.mark.filterwarnings("ignore::dpid_cli.errors.DpidWarning")
def test_what_is_not_read(stored, message):
    with pytest.raises(FileError, match=message):
        read(io.BytesIO(stored), "a")


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_depth_of_avif_is_kept(bits):
    gray = np.full((16, 16, 3), 2 ** (bits - 1) + 1, np.uint8 if bits == 8 else np.uint16)
    stream = io.BytesIO(imagecodecs.avif_encode(gray, bitspersample=bits))
    with collected() as told:
        picture = read(stream, "a")
    assert told == []
    assert (picture.mode, picture.bits) == (("RGB", None) if bits == 8 else ("RGB;16", bits))
    expected = np.round(gray * (np.iinfo(picture.pixels.dtype).max / (2**bits - 1)))
    np.testing.assert_array_equal(picture.pixels, expected)


LEVELS = np.arange(65536, dtype=np.uint16).reshape(256, 256)


def test_16_bits_to_8(dpid, folder):
    Path("a.png").write_bytes(png(LEVELS))
    assert dpid("downscale", "a.png", "-s", "1", "--depth", "8", "-o", "b.png").exit_code == 0
    found = shown("b.png")
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, np.round(LEVELS / 257))
    assert dpid("downscale", "a.png", "-s", "1", "--depth", "8", "-o", "b.jpg").exit_code == 0


def test_8_bits_to_16_are_computed_in_16(dpid, folder):
    pixels = values("RGB", "8")
    Path("a.png").write_bytes(png(pixels))
    assert dpid("downscale", "a.png", "-s", "2", "-m", "box", "--depth", "16", "-o", "b.tif").exit_code == 0
    means = pixels.astype(float).reshape(10, 2, 15, 2, 3).mean((1, 3))
    found = shown("b.tif")
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found, means * 257, atol=0.51)
    assert (found % 257 != 0).any()  # levels that 8 bits do not have


@pytest.mark.parametrize(("depth", "full"), [("8", 255), ("16", 65535)])
def test_floats_to_integers(dpid, folder, depth, full):
    floats = np.array([[-0.5, 0, 0.2, 0.50001], [0.7, 1, 1.5, 300]], np.float32)
    Path("a.tif").write_bytes(tiff(floats))
    assert dpid("downscale", "a.tif", "-s", "1", "--depth", depth, "-o", "b.png").exit_code == 0
    np.testing.assert_array_equal(shown("b.png"), np.floor(np.clip(floats.astype(float), 0, 1) * full + 0.5))


def test_depth_that_a_format_has_not(dpid, folder):
    Path("a.png").write_bytes(png(values("RGB", "16")))
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "-o", "b.jpg")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert (
        "JPEG cannot store 16 bits: write PNG, TIFF, PPM, AVIF, JPEG 2000, HEIF or JPEG XL, or use"
        in result.stderr
    )
    for options in (["-o", "b.jpg"], ["--format", "webp"]):
        result = dpid("downscale", "a.png", "-s", "2", "--depth", "16", *options)
        assert result.exit_code == 2 and "cannot store 16 bits" in result.stderr
    assert not Path("b.jpg").exists()


def photo_with_all() -> None:
    """``photo.png`` and ``photo.tif``, whose remarks are of every kind."""
    exif = Image.Exif()
    exif[271] = "Camera"
    exif[305] = "firmware"
    exif.get_ifd(34665).update({0x9003: "2024:05:06 07:08:09", 0xA002: 60, 0xA003: 40})
    exif.get_ifd(34853).update({1: "N", 2: (48.0, 30.0, 0.0)})
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a tiff:ImageWidth='60' xmlns:tiff='t'/></x:xmpmeta>"
    texts = PngInfo()
    texts.add_text("Title", "Ünïcode " * 200)
    texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8))
    image.save("photo.png", exif=exif, dpi=(150, 150), icc_profile=srgb, pnginfo=texts)
    exif[700] = xmp
    image.save("photo.tif", exif=exif, dpi=(150, 150), icc_profile=srgb)


STRUCTURE = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 338, 339}


@pytest.mark.parametrize("target", ["png", "tif"])
@pytest.mark.parametrize("source", ["png", "tif"])
@pytest.mark.parametrize("options", [[], ["--metadata", "colour"], ["--metadata", "strip"], ["--no-record"]])
def test_metadata_is_that_of_8_bits(dpid, folder, source, target, options):
    """Written with 16 bits, and again after that has been read."""
    photo_with_all()
    common = ("-s", "2", "-m", "box", *options)
    kept = options[:1] != ["--metadata"] and (source, target) == ("png", "tif")
    lost = ": TIFF cannot store text (Title): dropped\n" if kept else ""
    for depth, name in (("keep", f"8.{target}"), ("16", f"16.{target}")):
        result = dpid("downscale", f"photo.{source}", *common, "--depth", depth, "-o", name)
        assert result.stderr == (f"{name}{lost}" if lost else "")
    for name in "8", "16":
        assert dpid("downscale", f"{name}.{target}", *common, "-o", f"{name}again.{target}").stderr == ""
    for eight, sixteen in ("8", "16"), ("8again", "16again"):
        with Image.open(f"{eight}.{target}") as one, Image.open(f"{sixteen}.{target}") as other:
            assert shown(f"{sixteen}.{target}").dtype == np.uint16
            if target == "png":
                assert one.info == other.info and (options or one.info["icc_profile"])
                continue
            one_tags, other_tags = (
                {tag: value for tag, value in image.tag_v2.items() if tag not in STRUCTURE | {34665, 34853}}
                for image in (one, other)
            )
            assert one_tags == other_tags and (options or one_tags[271] == "Camera")
            for directory in (34665, 34853):
                found = one.getexif().get_ifd(directory)
                assert found == other.getexif().get_ifd(directory)
                assert options[:1] == ["--metadata"] or source == "tif" or found


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_of_16_bits(kind, orientation):
    pixels = values("L", "16")
    exif = Image.Exif()
    exif[274] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, exif=exif)
    picture = read(stream, "a")
    np.testing.assert_array_equal(picture.pixels, TURNED[orientation](pixels))


def test_remarks_behind_the_pixels():
    """Where ImageMagick and others write them."""
    pixels = values("RGB", "16")
    exif = Image.Exif()
    exif[274] = 3
    remarks = chunk(b"eXIf", exif.tobytes()[6:]) + chunk(b"tEXt", b"Title\0late")
    whole = png(pixels)
    picture = read(io.BytesIO(whole[:-12] + remarks + whole[-12:]), "a")
    np.testing.assert_array_equal(picture.pixels, pixels[::-1, ::-1])
    assert picture.metadata.text == (("Title", "late"),)


def test_learning_refuses_transparent_floats(dpid, folder):
    Path("a.tif").write_bytes(tiff(values("RGBA", "float")))
    result = dpid("learn", "a.tif", "-s", "2", "-o", "f.json")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert result.stderr == "a.tif: has transparent pixels: give an opaque image\n"


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_every_page_keeps_its_depth(dpid, folder, dtype):
    levels = np.random.default_rng(3).random((3, 8, 12, 3)) * (65535 if dtype == "u2" else 1)
    tifffile.imwrite("a.tif", levels.astype(dtype), photometric="rgb")
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    found = tifffile.imread("b.tif")  # as one array: nothing tells of the size that the pages had
    expected = np.stack([dpid_cli.downscale(page, scale=2, method="box") for page in levels.astype(dtype)])
    np.testing.assert_array_equal(found, expected)
