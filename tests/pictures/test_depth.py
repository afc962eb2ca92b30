"""Pictures of 16 bits and of floats: read, downscaled and written without becoming 8 bits."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
import tracemalloc
import warnings
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

import dpid_cli
from dpid_cli.convert import alpha
from dpid_cli.errors import DpidWarning, FileError, collected
from dpid_cli.pictures import FORMATS, Metadata, Picture, read, read_size, write
from dpid_cli.pictures.codecs.isobmff import boxes
from support.command import is_one_error_line
from support.orientation import TURNED
from support.profiles import ink_profile


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_premultiplying_and_back(dtype):
    full = 65535 if dtype == np.uint16 else 1
    levels = np.unique(np.geomspace(1, 65536, 300).astype(int)) - 1
    a, v = np.meshgrid(levels * (full / 65535), levels * (full / 65535), indexing="ij")
    straight = np.stack([v, a], axis=-1).astype(dtype)
    product = alpha.premultiply(straight)
    assert product.dtype == np.float32
    np.testing.assert_allclose(product[..., 0], v / full * (a / full), rtol=1e-6)
    back = alpha.unpremultiply(product, dtype)
    assert back.dtype == dtype and not back[0].any()
    if dtype == np.uint16:
        np.testing.assert_array_equal(back[1:], straight[1:])
    else:
        np.testing.assert_allclose(back[1:], straight[1:], rtol=3e-7)
        np.testing.assert_array_equal(back[-1], straight[-1])  # where alpha is full


@pytest.mark.parametrize(
    ("dtype", "shown"),
    [
        (np.uint8, [(0, 255), (0, 0), (255, 128), (0, 0)]),
        (np.uint16, [(0, 65535), (0, 0), (65535, 32768), (0, 0)]),
        (np.float32, [(-0.08, 1), (0, 0), (2, 0.5), (0, 0)]),
    ],
)
def test_what_filters_overshoot_is_clipped(dtype, shown):
    """Alpha always, colours of integers only: floats may be brighter than white."""
    ringing = np.array([[(-0.1, 1.25), (0.5, -0.01), (1, 0.5), (1e-9, 1e-9)]], np.float32)
    np.testing.assert_allclose(alpha.unpremultiply(ringing, dtype)[0], shown, rtol=1e-6)


LAYOUTS = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}
DTYPES = {"8": np.uint8, "16": np.uint16, "float": np.float32}


def values(mode: str, depth: str, height: int = 20, width: int = 30) -> np.ndarray:
    """Noise of which no alpha is zero."""
    noise = 0.05 + 0.95 * np.random.default_rng(9).random((height, width, *LAYOUTS[mode]))
    dtype = DTYPES[depth]
    return noise.astype(dtype) if depth == "float" else (noise * np.iinfo(dtype).max).astype(dtype)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def scanlines(pixels: np.ndarray) -> bytes:
    rows = pixels.astype(pixels.dtype.newbyteorder(">"))
    return b"".join(b"\0" + row.tobytes() for row in rows)


ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def png(pixels: np.ndarray, key: bytes = b"", interlaced: bool = False) -> bytes:
    """A PNG written plainly, after its specification."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[pixels[0, 0].size]
    header = struct.pack(">IIBBBBB", *pixels.shape[1::-1], 8 * pixels.itemsize, kind, 0, 0, int(interlaced))
    passes = [pixels[y::dy, x::dx] for y, x, dy, dx in ADAM7] if interlaced else [pixels]
    raw = b"".join(scanlines(part) for part in passes if part.size)
    keys = chunk(b"tRNS", key) if key else b""
    body = chunk(b"IHDR", header) + keys + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(pixels: np.ndarray, tags: dict[int, list[int]] | None = None, body: bytes | None = None) -> bytes:
    """A TIFF of one strip, not compressed, written plainly; `tags` are of type LONG."""
    height, width, channels = (*pixels.shape, 1)[:3]
    body = pixels.tobytes() if body is None else body
    entries = {
        256: [width],
        257: [height],
        258: [8 * pixels.itemsize] * channels,
        259: [1],
        262: [2 if channels > 2 else 1],
        273: [8],
        277: [channels],
        278: [height],
        279: [len(body)],
        339: [3 if pixels.dtype.kind == "f" else 1] * channels,
        **({338: [2]} if channels in (2, 4) else {}),
        **(tags or {}),
    }
    directory = struct.pack("<H", len(entries))
    behind, offset = b"", 8 + len(body) + 2 + 12 * len(entries) + 4
    for tag in sorted(entries):
        longs = struct.pack(f"<{len(entries[tag])}I", *entries[tag])
        stored = longs
        if len(longs) > 4:
            stored = struct.pack("<I", offset + len(behind))
            behind += longs
        directory += struct.pack("<HHI", tag, 4, len(entries[tag])) + stored
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + directory + bytes(4) + behind


def shown(path: str) -> np.ndarray:
    """What another reader finds: OpenCV of PNGs, libtiff of TIFFs."""
    if path.endswith(".tif"):
        return imagecodecs.tiff_decode(Path(path).read_bytes())
    found = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return found if found.ndim == 2 else found[..., [2, 1, 0, 3][: found.shape[2]]]


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
    with pytest.warns(DpidWarning, match=r"^a: 4 channels: only colours and alpha are read$"):
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
        (
            tiff(values("L", "16"), {259: [7]}),
            "compression 7 with more than 8 bits is not supported",
        ),
        (tiff(values("RGB", "16"), {258: [16, 16, 8]}), "samples of differing bits are not supported"),
    ],
)
@pytest.mark.filterwarnings("ignore::dpid_cli.errors.DpidWarning")
def test_what_is_not_read(stored, message):
    with pytest.raises(FileError, match=message):
        read(io.BytesIO(stored), "a")


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_depth_of_avif_is_not_lost_silently(bits):
    gray = np.full((16, 16, 3), 2 ** (bits - 1), np.uint8 if bits == 8 else np.uint16)
    stream = io.BytesIO(imagecodecs.avif_encode(gray, bitspersample=bits))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        picture = read(stream, "a")
    lost = ["a: more than 8 bits a channel are read as 8 bits"] if bits > 8 else []
    assert [str(warning.message) for warning in told] == lost
    assert picture.mode == "RGB" and abs(picture.pixels.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("bits", [8, 10])
def test_depth_of_heif_is_not_lost_silently(bits):
    import pillow_heif

    mode, dtype = ("RGB", np.uint8) if bits == 8 else ("RGB;16", np.uint16)
    gray = np.full((64, 64, 3), np.iinfo(dtype).max // 2 + 1, dtype)
    stream = io.BytesIO()
    pillow_heif.from_bytes(mode=mode, size=(64, 64), data=gray.tobytes()).save(stream, quality=90)
    with collected() as told:
        picture = read(stream, "a")
    assert told == (["a: more than 8 bits a channel are read as 8 bits"] if bits > 8 else [])
    assert picture.mode == "RGB" and abs(picture.pixels.astype(int) - 128).max() <= 2


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
        "JPEG cannot store 16 bits: write PNG or TIFF or PPM or JPEG 2000 or JPEG XL, or use --depth 8"
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


def deep_files() -> dict[str, bytes]:
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        values("RGBA", "16", 40, 50),
        photometric="rgb",
        extrasamples=["unassalpha"],
        compression="lzw",
        predictor=True,
        rowsperstrip=8,
    )
    tiles = io.BytesIO()
    tifffile.imwrite(
        tiles, values("RGB", "float", 40, 50), photometric="rgb", tile=(16, 16), compression="zlib"
    )
    return {
        "png": png(values("RGB", "16", 40, 50)),
        "interlaced": png(values("LA", "16", 40, 50), interlaced=True),
        "plain": tiff(values("RGB", "float", 40, 50)),
        "strips": stream.getvalue(),
        "tiles": tiles.getvalue(),
        "ppm": b"P6 50 40 65535\n" + values("RGB", "16", 40, 50).astype(">u2").tobytes(),
    }


FILES = deep_files()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("max_pixels", [10, 10**6])
@pytest.mark.filterwarnings("ignore::dpid_cli.errors.DpidWarning")
def test_damaged_files(name, max_pixels, capfd):
    """One line, and nothing of the decoders' own on standard error."""
    whole = FILES[name]
    random = np.random.default_rng(5)
    damaged = [whole[:cut] for cut in random.integers(0, len(whole), 40)]
    for _ in range(160):
        changed = bytearray(whole)
        # The headers are where it hurts.
        for place in random.integers(0, random.choice([60, len(whole)]), random.integers(1, 4)):
            changed[place] ^= int(random.integers(1, 256))
        damaged.append(bytes(changed))
    errors = 0
    for data in damaged:
        for truncated in False, True:
            try:
                read(io.BytesIO(data), "a", max_pixels=max_pixels, truncated=truncated)
            except FileError as error:
                errors += 1
                assert is_one_error_line(f"{error}\n")
    assert errors > 40
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("place", "value"), [(25, 3), (26, 1), (27, 64), (28, 2)])
def test_headers_that_no_png_of_16_bits_has(place, value, capfd):
    header = bytearray(FILES["png"][:33])
    header[place] = value
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    with pytest.raises(FileError):
        read(io.BytesIO(bytes(header) + FILES["png"][33:]), "a")
    assert capfd.readouterr() == ("", "")


def test_pngs_longer_than_libpng_takes(capfd):
    header = FILES["png"][:16] + struct.pack(">II", 10**6 + 1, 1) + FILES["png"][24:29]
    whole = header + struct.pack(">I", zlib.crc32(header[12:])) + FILES["png"][33:]
    with pytest.raises(FileError, match="more than 1000000 pixels a side"):
        read(io.BytesIO(whole), "a", truncated=True)
    long = Picture(np.zeros((1, 10**6 + 1), np.uint16), False, None, "tiff")
    with pytest.raises(FileError, match=r"^out: cannot be encoded as PNG: more than 1000000 pixels a side: "):
        write(long, io.BytesIO(), FORMATS["png"], "out")
    assert capfd.readouterr() == ("", "")


def test_odd_pngs_are_read_in_silence(capfd):
    pixels = values("RGB", "16")
    packed = zlib.compress(scanlines(pixels) + b"more rows than there are" * 99) + b"and more"
    whole = png(pixels)
    start = whole.index(b"IDAT") - 4
    stream = io.BytesIO(
        whole[:start] + chunk(b"IDAT", packed[:50]) + chunk(b"IDAT", packed[50:]) + whole[-12:]
    )
    picture = read(stream, "a")
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", FILES)
def test_what_there_is_of_a_file_that_is_cut_off(name):
    whole = FILES[name]
    complete = read(io.BytesIO(whole), "a").pixels
    half = whole[: len(whole) // 2] if name in ("png", "interlaced", "ppm") else None
    if half is None:  # the directory stands behind the pixels, which are overwritten
        half = whole[: len(whole) // 3] + bytes(len(whole) // 6) + whole[len(whole) // 2 :]
        if name == "plain":
            return
    with pytest.raises(FileError):
        read(io.BytesIO(half), "a")
    with pytest.warns(DpidWarning, match="damaged or truncated"):
        picture = read(io.BytesIO(half), "a", truncated=True)
    same = (picture.pixels == complete).reshape(*complete.shape[:2], -1).all(2)
    assert picture.pixels.shape == complete.shape and 0.1 < same.mean() < 0.95


HUGE = {
    "png": lambda: (
        png(values("RGB", "16"))[:16] + struct.pack(">II", 20000, 20000) + png(values("RGB", "16"))[24:]
    ),
    "limit": lambda: png(values("L", "16"))[:16] + struct.pack(">II", 100000, 100000),
    "strip": lambda: tiff(values("RGB", "16"), {256: [20000], 257: [20000], 278: [20000]}),
    "lzw": lambda: tiff(values("RGB", "16"), {256: [20000], 257: [20000], 278: [20000], 259: [5]}),
    "tile": lambda: tiff(values("RGB", "16"), {322: [60000], 323: [60000], 324: [8], 325: [10]}),
    "samples": lambda: tiff(values("L", "16"), {277: [60000]}),
    "bits": lambda: tiff(values("L", "16"), {258: [77]}),
    "offsets": lambda: tiff(values("RGB", "float"), {256: [20000], 257: [20000], 278: [1]}),
    "ppm": lambda: b"P6 20000 20000 65535\n12345678",
}


@pytest.mark.parametrize("name", HUGE)
def test_claims_take_no_memory(name):
    data = HUGE[name]()
    tracemalloc.start()
    try:
        with pytest.raises(FileError):
            read(io.BytesIO(data), "a")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_learning_refuses_transparent_floats(dpid, folder):
    Path("a.tif").write_bytes(tiff(values("RGBA", "float")))
    result = dpid("learn", "a.tif", "-s", "2", "-o", "f.json")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert result.stderr == "a.tif: parts of it are transparent: give an opaque image\n"


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_every_page_keeps_its_depth(dpid, folder, dtype):
    levels = np.random.default_rng(3).random((3, 8, 12, 3)) * (65535 if dtype == "u2" else 1)
    tifffile.imwrite("a.tif", levels.astype(dtype), photometric="rgb")
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "-o", "b.tif")
    assert (result.exit_code, result.stderr) == (0, "")
    found = tifffile.imread("b.tif")  # as one array: nothing tells of the size that the pages had
    expected = np.stack([dpid_cli.downscale(page, scale=2, method="box") for page in levels.astype(dtype)])
    np.testing.assert_array_equal(found, expected)


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


# Inks and Lab


def other_space(pixels: np.ndarray, photometric: str, **options) -> io.BytesIO:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric=photometric, metadata=None, **options)
    return stream


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_cmyk_of_16_bits_without_a_profile(planes):
    inks = values("RGBA", "16")
    stored = np.moveaxis(inks, -1, 0) if planes == "separate" else inks
    picture = read(other_space(stored, "separated", planarconfig=planes, compression="lzw"), "a")
    paper = 1 - inks / 65535
    assert (picture.mode, picture.icc_profile) == ("RGB;16", None)
    np.testing.assert_allclose(picture.pixels, paper[..., :3] * paper[..., 3:] * 65535, rtol=0, atol=0.51)


def test_cmyk_of_16_bits_through_its_profile():
    """Within the steps of the 8 bits in which Pillow converts."""
    inks = values("RGBA", "16") // 257 * 257
    picture = read(other_space(inks, "separated", iccprofile=ink_profile()), "a")
    assert picture.mode == "RGB;16"
    shown_profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.icc_profile))
    assert "sRGB" in ImageCms.getProfileDescription(shown_profile)
    image = Image.fromarray((inks // 257).astype(np.uint8), "CMYK")
    expected = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(ink_profile())),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert np.abs(picture.pixels / 257 - np.asarray(expected)).max() < 3


def test_transparent_cmyk_of_16_bits():
    inks = np.random.default_rng(2).integers(0, 65536, (20, 30, 5), np.uint16)
    picture = read(other_space(inks, "separated", planarconfig="contig", extrasamples=["unassalpha"]), "a")
    assert (picture.mode, picture.alpha) == ("RGBA;16", True)
    np.testing.assert_array_equal(picture.pixels[..., 3], inks[..., 4])


def test_lab_of_16_bits():
    """By CIE 15 and IEC 61966-2-1, relative to the white of D50."""
    random = np.random.default_rng(4)
    lab = np.stack([random.uniform(0, 100, (20, 30)), *random.uniform(-60, 60, (2, 20, 30))], axis=-1)
    lab[0, 0], lab[0, 1] = (100, 0, 0), (0, 0, 0)
    signed = np.round(lab[..., 1:] * 256).astype(np.int16).view(np.uint16)
    stored = np.concatenate([np.round(lab[..., :1] * 655.35).astype(np.uint16), signed], axis=-1)
    picture = read(other_space(stored, "cielab"), "a")
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1, 0.8249]
    primaries = [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
    light = np.clip(xyz @ np.linalg.inv(primaries).T, 0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert picture.mode == "RGB;16"
    np.testing.assert_allclose(picture.pixels / 65535, expected, rtol=0, atol=1.5e-3)


@pytest.mark.parametrize(
    ("photometric", "dtype", "options", "told"),
    [
        ("separated", "f4", {}, "inks other than CMYK of integers"),
        ("separated", "u2", {"extratags": [(332, "H", 1, 2, True)]}, "inks other than CMYK"),
        ("cielab", "f4", {}, "Lab of more than 8 bits must have 16 bits"),
    ],
)
def test_spaces_that_are_not_read(photometric, dtype, options, told):
    pixels = np.zeros((8, 9, 4 if photometric == "separated" else 3), dtype)
    with pytest.raises(FileError, match=f"^a: {told}.*: convert it to RGB$"):
        read(other_space(pixels, photometric, planarconfig="contig", **options), "a")


@pytest.mark.parametrize("place", [19, 23, 25])
def test_a_header_of_a_png_that_was_flipped(dpid, folder, place):
    data = bytearray(imagecodecs.png_encode(np.ones((96, 64, 3), np.uint16)))
    data[place] ^= 0x20
    Path("a.png").write_bytes(data)
    result = dpid("downscale", "a.png", "-s", "2", "-o", "b.png")
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and not Path("b.png").exists()
