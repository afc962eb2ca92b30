"""Every format that is read, in every mode, to every format that is written.

Files are made by encoders and read by decoders that are not the project's: OpenCV, tifffile, imagecodecs, and
exiftool where it is installed.
"""

from __future__ import annotations

import base64
import io
import json
import shutil
import struct
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import ImageCms

from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import DpidWarning, FileError
from dpid_cli.pictures import FORMATS
from support.specimens import CHANNELS, NAMES, SPECIMENS, Told, noise, profile_of

TARGETS = [name for name in NAMES if FORMATS[name].modes]
WIDER = {"L": ("L", "RGB", "RGBA"), "LA": ("LA", "RGBA"), "RGB": ("RGB", "RGBA"), "RGBA": ("RGBA",)}
LOSSLESS = {"png", "tiff", "bmp", "ppm", "pgm", "jp2", "tga", "qoi", "ico"}
BY_OPENCV = {"png", "jpeg", "webp", "tiff", "bmp", "ppm", "pgm", "avif", "jp2"}
HOLDS_PROFILE = {name for name in TARGETS if FORMATS[name].profile}
HOLDS_DPI = {name for name in TARGETS if FORMATS[name].metadata & {"dpi", "exif"}}
BY_EXIFTOOL = set(TARGETS) - {"tga", "qoi"}
SIZE_BY_EXIFTOOL = BY_EXIFTOOL - {
    "jxl",
    "heif",
}  # the one it does not tell, of the other before it is cropped
EXIFTOOL = shutil.which("exiftool")
DPI, ORIENTATION = 300, 6


@dataclass(frozen=True)
class Result:
    """A file that was written, and what it was made of."""

    path: Path
    source: str
    mode: str
    told: Told

    @property
    def expected(self) -> NDArray[Any]:
        """The pixels, turned as the file said."""
        pixels = noise(self.mode, *SPECIMENS[self.source].size)
        return np.rot90(pixels, -1) if self.told.orientation == ORIENTATION else pixels


def held_mode(mode: str, target: str) -> str | None:
    """The mode in which a format holds pictures of another, without loss."""
    name, _, depth = mode.partition(";")
    modes = (wider + (depth and f";{depth}") for wider in WIDER[name])
    return next((wider for wider in modes if wider in FORMATS[target].modes), None)


def combinations(target: str) -> Iterator[tuple[str, str, Told]]:
    """Formats and modes of files, with what those tell."""
    for source in NAMES:
        specimen = SPECIMENS[source]
        for mode in [m for m in specimen.modes if m in FORMATS[source].modes or not FORMATS[source].modes]:
            yield source, mode, Told()
            if specimen.holds:
                told = Told(
                    profile_of(mode) if "profile" in specimen.holds else None,
                    ORIENTATION if "orientation" in specimen.holds else 1,
                    DPI if "dpi" in specimen.holds else None,
                )
                yield source, mode, told


def converted(source: str, mode: str, told: Told, target: str, folder: Path) -> Result:
    """Run the way of a file, at its own size."""
    what = f"{source}-{mode.replace(';', '-')}-{'full' if told != Told() else 'plain'}"
    inside, outside = folder / f"{what}.in", folder / f"{what}{FORMATS[target].extensions[0]}"
    inside.write_bytes(SPECIMENS[source].encode(noise(mode, *SPECIMENS[source].size), told))
    job = Job((str(inside),), Recipe(SizeRequest("scale", 1.0), "box"), str(outside), target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DpidWarning)
        job.run(str(inside))
    inside.unlink()
    return Result(outside, source, mode, told)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Any:
    """The files of one target after the other."""
    found: dict[str, list[Result]] = {}

    def of(target: str) -> list[Result]:
        if target not in found:
            folder = tmp_path_factory.mktemp(target)
            found[target] = [
                converted(*case, target, folder)
                for case in combinations(target)
                if held_mode(case[1], target) is not None
            ]
        return found[target]

    return of


def decoded(path: Path, target: str) -> NDArray[Any]:
    """The pixels as another library reads them: (H, W[, C]), in the order RGBA."""
    data = path.read_bytes()
    match target:
        case "tiff":
            return tifffile.imread(io.BytesIO(data))
        case "png":
            return np.asarray(imagecodecs.png_decode(data))
        case "webp":
            return np.asarray(imagecodecs.webp_decode(data))
        case "avif":
            values = np.asarray(imagecodecs.avif_decode(data))  # of 12 bits if not of 8
            return values if values.itemsize == 1 else np.round(values * (65535 / 4095)).astype(np.uint16)
        case "jp2":  # without what stands around the pixels, as imagecodecs applies the profile
            return np.asarray(imagecodecs.jpeg2k_decode(data[data.index(b"\xff\x4f\xff\x51") :]))
        case "jxl":
            return np.asarray(imagecodecs.jpegxl_decode(data))
        case "qoi":
            return np.asarray(imagecodecs.qoi_decode(data))
        case "gif":
            frames = np.asarray(imagecodecs.gif_decode(data))
            return frames[0] if frames.ndim == 4 else frames
        case "ico":  # holds a PNG
            (start,) = struct.unpack_from("<I", data, 18)
            return np.asarray(imagecodecs.png_decode(data[start:]))
        case "tga":
            return by_hand_tga(data)
        case "heif":
            from pillow_heif import open_heif

            return np.asarray(open_heif(io.BytesIO(data), convert_hdr_to_8bit=False))
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[1 if read.ndim == 2 else read.shape[2]]
    return read if read.ndim == 2 else read[..., order]


def by_hand_tga(data: bytes) -> NDArray[Any]:
    """Runs of pixels, as the format's specification has them."""
    skipped, _, kind, *_, width, height, bits, flags = struct.unpack_from("<BBBHHBHHHHBB", data)
    size, place, values = bits // 8, 18 + skipped, bytearray()
    while len(values) < width * height * size:
        count, run = data[place] % 128 + 1, kind >= 8 and data[place] >= 128
        place += kind >= 8
        count = count if kind >= 8 else width * height
        part = data[place : place + size * (1 if run else count)]
        values += part * (count if run else 1)
        place += len(part)
    result = np.frombuffer(bytes(values), np.uint8).reshape(height, width, size)
    result = result if flags & 32 else result[::-1]
    result = result if size < 3 else result[..., [2, 1, 0, 3][:size]]
    return result[..., 0] if size == 1 else result


def keeps_profile(result: Result, target: str) -> bool:
    """Whether the format has a place for it; that of gray goes with gray only."""
    gray = not held_mode(result.mode, target).startswith("RGB")
    return target in HOLDS_PROFILE and (gray or result.mode.startswith("RGB"))


def gray_in_srgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """Values of a gamma of 2.2 as those of sRGB, by IEC 61966-2-1; alpha as it is."""
    full = {"u1": 255, "u2": 65535, "f4": 1}[pixels.dtype.str[1:]]
    light = (pixels / full) ** (round(2.2 * 256) / 256)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    result = np.round(encoded * full).astype(pixels.dtype) if full > 1 else encoded.astype(pixels.dtype)
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        result[..., -1] = pixels[..., -1]
    return result


def in_mode(pixels: NDArray[Any], mode: str) -> NDArray[Any]:
    """Pixels as a wider mode has them."""
    opaque = {"u1": 255, "u2": 65535, "f4": 1}[pixels.dtype.str[1:]]
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    has_alpha, channels = pixels.shape[2] in (2, 4), CHANNELS[mode.partition(";")[0]]
    colours, alpha = (
        (pixels[..., :-1], pixels[..., -1:]) if has_alpha else (pixels, np.full_like(pixels[..., :1], opaque))
    )
    if channels > 2 and colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    result = np.concatenate([colours, alpha], axis=2) if channels in (2, 4) else colours
    return result[..., 0] if channels == 1 else result


@pytest.mark.parametrize("target", TARGETS)
def test_pixels(results, target):
    """Size, mode, depth, and every value where neither format loses any."""
    assert results(target)
    for result in results(target):
        mode = held_mode(result.mode, target)
        found = decoded(result.path, target)
        expected = in_mode(result.expected, mode)
        lost = result.told.profile is not None and not keeps_profile(result, target)
        if lost and result.mode.startswith("L"):  # the other profiles are those of sRGB
            expected = gray_in_srgb(expected)
        if target in ("gif", "jxl", "webp", "heif", "avif") and found.shape != expected.shape:
            found = in_mode(found, mode)  # gray, or opaque, may be stored as either
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype), result
        exact = target in LOSSLESS and SPECIMENS[result.source].lossless
        step = (257 if found.dtype == np.uint16 else 1) if lost else 0
        if exact and not mode.endswith("A") and "A;" not in mode:
            np.testing.assert_allclose(found.astype(float), expected, rtol=0, atol=step, err_msg=str(result))
        elif exact:
            check_with_alpha(found, expected, result, step)
        elif target != "gif" and result.source != "gif":  # whose colours are few
            check_nearly(found, expected, result)


def check_nearly(found: NDArray[Any], expected: NDArray[Any], result: Result) -> None:
    """Like each other, in blocks of 4 x 4, as chroma may be stored at half the size; where they are seen."""
    full = {"u1": 255, "u2": 65535, "f4": 1}[expected.dtype.str[1:]]
    has_alpha = expected.ndim == 3 and expected.shape[2] in (2, 4)
    blocks = []
    for image in (found / full, expected / full):
        image = image[..., :-1] * image[..., -1:] if has_alpha else image
        height, width = (side // 4 for side in image.shape[:2])
        blocks.append(image[: 4 * height, : 4 * width].reshape(height, 4, width, 4, -1).mean(axis=(1, 3)))
    assert np.abs(blocks[0] - blocks[1]).mean() < 0.05, result


def check_with_alpha(found: NDArray[Any], expected: NDArray[Any], result: Result, step: int) -> None:
    """Alpha as it was; colours to what is left of them when they are multiplied by it and divided."""
    np.testing.assert_array_equal(found[..., -1], expected[..., -1], err_msg=str(result))
    full = {"u1": 255, "u2": 65535, "f4": 1}[expected.dtype.str[1:]]
    product = [image[..., :-1].astype(float) * image[..., -1:] / full for image in (found, expected)]
    assert np.abs(product[0] - product[1]).max() <= (1 + step if full > 1 else 1e-6), result


@pytest.mark.parametrize("target", sorted(BY_OPENCV & set(TARGETS)))
def test_opencv_agrees(results, target):
    """A second reader of those formats that it knows, which has no gray with alpha."""
    for result in results(target):
        if held_mode(result.mode, target).startswith("LA"):
            continue
        data = np.frombuffer(result.path.read_bytes(), np.uint8)
        found = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)  # turns what is still to be turned
        assert found is not None, result
        assert found.shape[:2] == result.expected.shape[:2] and found.dtype == result.expected.dtype, result


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_not_held_is_refused(tmp_path, target):
    for source, mode, told in combinations(target):
        if held_mode(mode, target) is None:
            with pytest.raises(FileError, match=r"cannot store|stores at most"):
                converted(source, mode, told, target, tmp_path)
            assert not [path for path in tmp_path.iterdir() if path.suffix != ".in"]


@pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed (Debian: libimage-exiftool-perl)")
@pytest.mark.parametrize("target", sorted(BY_EXIFTOOL))
def test_metadata(results, target):
    """Size, orientation, resolution and colour profile, by exiftool."""
    tags = ["-ImageWidth", "-ImageHeight", "-Orientation", "-XResolution", "-ResolutionUnit", "-ICC_Profile"]
    tags += [
        "-PixelsPerUnitX",
        "-PixelsPerMeterX",
        "-CaptureXResolution",
        "-BitDepth",
        "-BitsPerSample",
        "-Warning",
        "-Error",
    ]
    paths = [result.path for result in results(target)]
    said = subprocess.run([EXIFTOOL, "-json", "-n", "-b", *tags, *paths], capture_output=True, check=True)
    for result, found in zip(results(target), json.loads(said.stdout), strict=True):
        height, width = result.expected.shape[:2]
        assert Path(found["SourceFile"]) == result.path
        assert not {"Warning", "Error"} & set(found), (result, found.get("Warning"), found.get("Error"))
        if target in SIZE_BY_EXIFTOOL:
            assert (found["ImageWidth"], found["ImageHeight"]) == (width, height), result
        assert found.get("Orientation", 1) == 1, result
        stored = found.get("ICC_Profile", "").removeprefix("base64:")
        profile = base64.b64decode(stored)
        if result.told.profile and target in HOLDS_PROFILE and not keeps_profile(result, target):
            shown = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
            assert (shown.xcolor_space.strip(), "sRGB" in shown.profile_description) == ("RGB", True), result
        else:
            kept = result.told.profile if target in HOLDS_PROFILE else None
            assert profile == (kept or b""), result
        dpi = found.get("XResolution")
        if target == "png" and "PixelsPerUnitX" in found:
            dpi = found["PixelsPerUnitX"] * 0.0254
        if target == "jp2" and "CaptureXResolution" in found:
            dpi = found["CaptureXResolution"] * 25.4  # pixels per mm
        if target == "bmp" and found.get("PixelsPerMeterX", 0) > 3779:
            dpi = found["PixelsPerMeterX"] * 0.0254
        if target in HOLDS_DPI and result.told.dpi:
            assert dpi == pytest.approx(DPI, abs=0.02), result
        else:  # JFIF and TIFF have a place for it that cannot be left out
            assert not dpi or (target in ("jpeg", "tiff") and dpi == 1), result
