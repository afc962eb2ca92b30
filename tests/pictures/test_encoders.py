"""Options of encoders, as other decoders see the files."""

from __future__ import annotations

import io
import re

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageSequence, JpegImagePlugin

import dpid_cli
from dpid_cli.errors import FileError
from dpid_cli.pictures import FORMATS, Picture, PictureSequence, write, write_sequence
from support.command import SAMPLES, is_one_error_line, pixels
from support.profiles import P3, rgb_profile

LOSSLESS = ["webp", "avif", "jxl"]
LOSSY = ["jpeg", "heif", "gif"]
DECODERS = {
    "webp": imagecodecs.webp_decode,
    "avif": imagecodecs.avif_decode,
    "jxl": imagecodecs.jpegxl_decode,
}


def encoded(array: np.ndarray, format_: str, profile: bytes | None = None, **options) -> bytes:
    stream = io.BytesIO()
    alpha = array.ndim == 3 and array.shape[2] in (2, 4)
    write(Picture(array, alpha, profile), stream, FORMATS[format_].tuned(options), "out")
    return stream.getvalue()


def animated(frames: list[np.ndarray], format_: str, **options) -> bytes:
    stream = io.BytesIO()
    pictures = iter([Picture(frame, False, None, duration=100) for frame in frames])
    write_sequence(
        PictureSequence("animation", pictures, len(frames)), stream, FORMATS[format_].tuned(options), "out"
    )
    return stream.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def photo(name: str = "chelsea.png", factor: int = 2) -> np.ndarray:
    with Image.open(SAMPLES / name) as image:
        return np.asarray(image.convert("RGB").reduce(factor))


@pytest.mark.parametrize("format_", LOSSLESS)
@pytest.mark.parametrize("channels", [3, 4])
def test_lossless(format_, channels):
    rng = np.random.default_rng(0)
    array = np.concatenate([photo(), rng.integers(0, 256, (*photo().shape[:2], 1), np.uint8)], axis=2)
    array[:9, :9, 3] = 0  # hidden colours
    array = np.ascontiguousarray(array[..., :channels])
    file = encoded(array, format_, lossless=True)
    np.testing.assert_array_equal(DECODERS[format_](file), array)
    assert (DECODERS[format_](encoded(array, format_)) != array).any()
    if format_ != "avif":  # whose animations are decoded by the same library
        np.testing.assert_array_equal(np.asarray(opened(file)), array)


@pytest.mark.parametrize("format_", ["webp", "avif"])
def test_lossless_with_a_profile(format_):
    profile = rgb_profile(P3, gamma=2.2)
    with opened(encoded(photo(), format_, profile, lossless=True)) as image:
        assert image.info["icc_profile"] == profile
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), photo())


def test_lossless_of_16_bits():
    array = photo()[..., 0] * np.uint16(257) + np.uint16(3)
    np.testing.assert_array_equal(imagecodecs.jpegxl_decode(encoded(array, "jxl", lossless=True)), array)
    with pytest.raises(FileError, match="12 of 16 bits") as error:
        encoded(np.dstack([array] * 3), "avif", lossless=True)
    assert is_one_error_line(f"{error.value}\n")


def test_lossless_animations():
    frames = [photo(), photo()[::-1].copy()]
    with opened(animated(frames, "webp", lossless=True)) as image:
        read = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    np.testing.assert_array_equal(read, frames)
    with pytest.raises(FileError, match="animations are not written without loss") as error:
        animated(frames, "avif", lossless=True)
    assert is_one_error_line(f"{error.value}\n")


@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_lossless_formats_accept_the_option(format_):
    codec = FORMATS[format_]
    if not codec.modes or format_ in LOSSY:
        with pytest.raises(dpid_cli.DpidError, match="has no such option"):
            codec.tuned({"lossless": True})
    else:
        assert codec.tuned({"lossless": True}).modes
    if codec.always_lossless:
        with pytest.raises(dpid_cli.DpidError, match="is always lossless"):
            codec.tuned({"lossless": False})
        if "RGB" in codec.modes:
            np.testing.assert_array_equal(
                np.asarray(opened(encoded(photo(), format_)).convert("RGB")), photo()
            )


def sampling(file: bytes) -> tuple[int, int]:
    """By what the resolution of colours is divided, horizontally and vertically."""
    if file[:2] == b"\xff\xd8":
        return {0: (1, 1), 1: (2, 1), 2: (2, 2)}[JpegImagePlugin.get_sampling(opened(file))]
    if match := re.search(rb"av1C..(.)", file, re.DOTALL):
        return (1 + (match[1][0] >> 3 & 1), 1 + (match[1][0] >> 2 & 1))
    match = re.search(rb"hvcC.{16}(.)", file, re.DOTALL)
    return {1: (2, 2), 2: (2, 1), 3: (1, 1)}[match[1][0] & 3]


@pytest.mark.parametrize("format_", ["jpeg", "avif", "heif"])
@pytest.mark.parametrize("depth", [8, 16])
def test_subsampling(format_, depth):
    if depth == 16 and format_ == "jpeg":
        pytest.skip("has 8 bits")
    array = photo() * np.uint16(257) if depth == 16 else photo()
    words = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}
    files = {word: encoded(array, format_, subsampling=word) for word in words}
    assert {word: sampling(file) for word, file in files.items()} == words
    assert files["4:4:4"] == encoded(array, format_)
    assert len(files["4:4:4"]) > len(files["4:2:0"])


def test_progressive_jpeg():
    plain, progressive = (opened(encoded(photo(), "jpeg", progressive=on)) for on in (False, True))
    assert "progressive" in progressive.info and "progressive" not in plain.info
    np.testing.assert_array_equal(np.asarray(progressive), np.asarray(plain))


SIZES = [(1, 1), (1, 5), (5, 1), (2, 3), (3, 8), (9, 9), (130, 67)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(), (2,), (3,), (4,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_interlaced_png(size, shape, dtype):
    array = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (*size, *shape), dtype, endpoint=True)
    file = encoded(array, "png", progressive=True)
    assert opened(file).info["interlace"] == 1
    np.testing.assert_array_equal(imagecodecs.png_decode(file), array)
    if shape == (3,):
        by_cv = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(by_cv[..., ::-1], array)
    if dtype == np.uint8:
        np.testing.assert_array_equal(np.asarray(opened(file)), array)


@pytest.mark.parametrize("count", [2, 3, 9, 200])
@pytest.mark.parametrize("size", SIZES)
def test_interlaced_palettes(count, size):
    levels = np.random.default_rng(2).integers(0, count, size).astype(np.uint8)
    array = np.stack([levels, 255 - levels, levels // 2], axis=2)
    for format_ in ("png", "gif"):
        for progressive in (False, True):
            image = opened(encoded(array, format_, colors=256, progressive=progressive))
            assert image.mode == "P"
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), array)


def test_interlaced_animations():
    frames = [photo(factor=6), photo(factor=6)[::-1].copy()]
    files = [animated(frames, "gif", progressive=on) for on in (False, True)]
    flags = [re.findall(rb"!\xf9\x04.{4}\0,.{8}(.)", file, re.DOTALL) for file in files]
    assert [[flag[0] >> 6 & 1 for flag in each] for each in flags] == [[0, 0], [1, 1]]
    assert len(files[0]) < len(files[1])
    read = [[frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(opened(f))] for f in files]
    assert read[0] == read[1]


@pytest.mark.parametrize("format_", ["png", "gif"])
@pytest.mark.parametrize("most", [2, 3, 16, 100, 256])
def test_palette_of_a_photo(format_, most):
    array = photo()
    image = opened(encoded(array, format_, colors=most))
    assert image.mode == "P"
    assert most / 2 < len(image.getcolors()) <= most
    octree = Image.fromarray(array).quantize(most, Image.Quantize.FASTOCTREE, dither=0).convert("RGB")
    error, usual = (
        ((np.asarray(one).astype(float) - array) ** 2).mean() for one in (image.convert("RGB"), octree)
    )
    assert error < 0.8 * usual


def test_few_colours_stay_exact():
    levels = np.random.default_rng(3).integers(0, 20, (40, 50))
    table = np.random.default_rng(4).integers(0, 256, (20, 4)).astype(np.uint8)
    table[:3, 3], table[3:6, 3] = 0, 255
    array = table[levels]
    read = np.asarray(opened(encoded(array, "png", colors=20)).convert("RGBA"))
    visible = array[..., 3] > 0
    np.testing.assert_array_equal(read[visible], array[visible])
    np.testing.assert_array_equal(read[..., 3], array[..., 3])


def shaded() -> np.ndarray:
    """A photo that fades from clear over translucent to opaque."""
    array = photo()
    alpha = np.clip(np.linspace(-200, 455, array.shape[1]), 0, 255).astype(np.uint8)
    return np.dstack([array, np.broadcast_to(alpha, array.shape[:2])])


def seen(array: np.ndarray) -> np.ndarray:
    """Premultiplied, with alpha."""
    alpha = array[..., 3:].astype(float)
    return np.concatenate([array[..., :3] * alpha / 255, alpha], axis=2)


@pytest.mark.parametrize("most", [2, 3, 4, 16, 256])
def test_palettes_with_alpha(most):
    array = shaded()
    image = opened(encoded(array, "png", colors=most))
    assert image.mode == "P" and len(image.getcolors()) <= most
    read = np.asarray(image.convert("RGBA"))
    assert (read[array[..., 3] == 0] == 0).all()
    assert (read[array[..., 3] == 255, 3] == 255).all()
    if most >= 16:
        octree = Image.fromarray(array).quantize(most, Image.Quantize.FASTOCTREE, dither=0).convert("RGBA")
        error, usual = (((seen(one) - seen(array)) ** 2).mean() for one in (read, np.asarray(octree)))
        assert error < 0.8 * usual


def test_gif_alpha_with_few_colours():
    image = opened(encoded(shaded(), "gif", colors=5))
    assert len(image.getcolors()) <= 5
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA"))[..., 3] > 0, shaded()[..., 3] >= 128)


def test_palettes_of_gray():
    array = photo()[..., 1]
    image = opened(encoded(array, "png", colors=8))
    assert image.mode == "P" and len(image.getcolors()) <= 8
    read = np.asarray(image.convert("RGB"))
    assert (read == read[..., :1]).all()
    assert np.abs(read[..., 0].astype(int) - array).mean() < 10


def test_what_gets_no_palette():
    with pytest.raises(FileError, match="have 8 bits") as error:
        encoded(photo() * np.uint16(257), "png", colors=9)
    assert is_one_error_line(f"{error.value}\n")
    with pytest.raises(FileError, match="share one palette") as error:
        animated([photo(), photo()[::-1].copy()], "png", colors=9)
    assert is_one_error_line(f"{error.value}\n")
    with pytest.raises(FileError, match="animations are not interlaced") as error:
        animated([photo(), photo()[::-1].copy()], "png", progressive=True)
    assert is_one_error_line(f"{error.value}\n")


def test_frames_with_few_colours():
    frames = [photo(factor=6), photo(factor=6)[::-1].copy()]
    with opened(animated(frames, "gif", colors=7)) as image:
        for frame in ImageSequence.Iterator(image):
            assert len(frame.convert("RGB").getcolors(10**6)) <= 7


@pytest.mark.parametrize("format_", ["png", "webp", "avif", "jxl"])
def test_effort(format_):
    files = {effort: encoded(photo(factor=3), format_, lossless=True, effort=effort) for effort in (0, 2, 8)}
    assert len(files[0]) > len(files[2]) > len(files[8])


@pytest.mark.parametrize("level", [0, 4, 9])
def test_compress_level_is_effort(dpid, photo, level):
    for name in ("effort", "compress-level"):
        assert (
            dpid("downscale", "photo.png", "-s", "2", f"--{name}", str(level), "-o", f"{name}.png").exit_code
            == 0
        )
    by_library = {"effort": "e.png", "compress_level": "c.png"}
    for option, path in by_library.items():
        list(dpid_cli.batch([("photo.png", path)], scale=2, encoding={option: level}))
    paths = ("effort.png", "compress-level.png", *by_library.values())
    assert len({(photo.parent / path).read_bytes() for path in paths}) == 1


@pytest.mark.parametrize(
    "encoding",
    [
        {"quality": 0},
        {"quality": 1.5},
        {"quality": True},
        {"quality": "90"},
        {"lossless": 1},
        {"subsampling": "420"},
        {"target_size": 0},
        {"target_size": 2.5},
        {"colors": 1},
        {"effort": 10},
        {"speed": 3},
        {"lossless": True, "quality": 3},
        {"target_size": 9, "quality": 3},
    ],
    ids=str,
)
def test_library_refuses_options_at_once(encoding):
    with pytest.raises(dpid_cli.DpidError) as error:
        dpid_cli.batch(iter(()), scale=2, encoding=encoding)
    assert is_one_error_line(f"{error.value}\n")


def test_batches_keep_promises(dpid, photo):
    """Of mixed inputs, a format without the option gets another quality, but never another promise."""
    Image.fromarray(pixels("photo.png")).save("photo.jpg")
    assert (
        dpid(
            "batch", ".", "a", "-s", "2", "--quality", "9", "--effort", "9", "--subsampling", "420"
        ).exit_code
        == 0
    )
    for option, failed in (("--lossless", "jpg"), ("--colors=9", "jpg"), ("--target-size=9kB", "png")):
        result = dpid("batch", ".", option.strip("-"), "-s", "2", option)
        (line,) = (line for line in result.stderr.splitlines(keepends=True) if "no such option" in line)
        assert result.exit_code == 1
        assert line.startswith(f"./photo.{failed}: ") and is_one_error_line(line)


def test_best_quality():
    for format_ in ("jpeg", "webp", "avif", "heif", "jxl"):
        read = np.asarray(opened(encoded(photo(), format_, quality=100)).convert("RGB"))
        assert np.abs(read.astype(int) - photo()).max() <= (0 if format_ == "jxl" else 40)
