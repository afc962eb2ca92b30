"""Animations and pages: what is shown, for how long and how often, by other readers and by hand."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageDraw
from PIL.ExifTags import Base

import dpid_cli
from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import DpidWarning, FileError
from dpid_cli.pictures import (
    FORMATS,
    MAX_FRAMES,
    Metadata,
    Picture,
    PictureSequence,
    read_sequence,
    write_sequence,
)
from support.command import is_one_error_line, listing, pixels

DURATIONS = [40, 50, 120, 70, 30, 1000]
LOSSLESS = {"lossless": True, "exact": True}
CLEAR, RED, GREEN, BLUE = (0, 0, 0, 0), (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)


def opaque_frames() -> list[Image.Image]:
    """Noise that moves behind a square that stays."""
    noise = np.random.default_rng(5).integers(0, 256, (40, 80, 3), np.uint8)
    frames = [noise[:, 4 * k : 4 * k + 60].copy() for k in range(len(DURATIONS))]
    for frame in frames:
        frame[:16, :16] = 200, 40, 90
    return [Image.fromarray(frame) for frame in frames]


def clear_frames() -> list[Image.Image]:
    """A disc that moves over nothing."""
    frames = []
    for k in range(len(DURATIONS)):
        frame = Image.new("RGBA", (60, 40), CLEAR)
        ImageDraw.Draw(frame).ellipse((4 + 4 * k, 4, 24 + 4 * k, 30), fill=(250, 120, 10 + 30 * k, 255))
        frames.append(frame)
    return frames


def saved(frames: list[Image.Image], kind: str, loop: int = 0, **options) -> io.BytesIO:
    """An animation by Pillow."""
    stream = io.BytesIO()
    options = {"duration": DURATIONS[: len(frames)], "loop": loop} | options
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:], **options)
    return stream


def reel_of(content: bytes, **options) -> list[Picture]:
    return list(read_sequence(io.BytesIO(content), "a", **options).pictures)


def rgba(array: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(array).convert("RGBA"))


def played(path: str) -> tuple[list[np.ndarray], list[int], int]:
    """Frames in RGBA, durations and plays, by OpenCV."""
    done, animation = cv2.imreadanimation(path)
    assert done
    frames = [
        cv2.cvtColor(frame, cv2.COLOR_BGRA2RGBA if frame.shape[2] == 4 else cv2.COLOR_BGR2RGBA)
        for frame in animation.frames
    ]
    return frames, np.ravel(animation.durations).tolist(), animation.loop_count


# Written and read by others


@pytest.mark.parametrize("frames", [opaque_frames, clear_frames])
@pytest.mark.parametrize(("loop", "plays"), [(0, 0), (3, 3)])
def test_every_frame_of_a_png(dpid, folder, frames, loop, plays):
    Path("a.png").write_bytes(saved(frames(), "PNG", loop, disposal=1).getvalue())
    result = dpid("downscale", "a.png", "-s", "2", "-m", "box", "--json", "-o", "b.png")
    assert json.loads(result.stdout)["frames"] == len(DURATIONS)
    found, durations, count = played("b.png")
    assert (durations, count) == (DURATIONS, plays)
    for frame, source in zip(found, frames(), strict=True):
        if source.mode == "RGB":
            expected = dpid_cli.downscale(np.asarray(source), scale=2, method="box")
            np.testing.assert_array_equal(frame, rgba(expected))
        else:
            alpha = dpid_cli.downscale(np.asarray(source)[..., 3], scale=2, method="box")
            assert np.abs(frame[..., 3].astype(int) - alpha).max() <= 1
            visible = frame[..., 3] > 0
            colour = np.asarray(source)[20, np.flatnonzero(np.asarray(source)[20, :, 3])[8], :3]
            assert np.abs(frame[visible][:, :3].astype(int) - colour).max() <= 1
    with Image.open("b.png") as image:
        assert image.mode == frames()[0].mode and not image.default_image


@pytest.mark.parametrize("extension", ["gif", "webp"])
@pytest.mark.parametrize("frames", [opaque_frames, clear_frames])
@pytest.mark.parametrize("loop", [0, 3])
def test_every_frame_of_a_gif_and_a_webp(dpid, folder, extension, frames, loop):
    options = LOSSLESS if extension == "webp" else {"disposal": 2}
    Path(f"a.{extension}").write_bytes(saved(frames(), extension.upper(), loop, **options).getvalue())
    result = dpid("downscale", f"a.{extension}", "-s", "2", "-m", "box", "-o", f"b.{extension}")
    assert (result.exit_code, result.stderr) == (0, "")
    found, durations, count = played(f"b.{extension}")
    assert durations == DURATIONS
    assert count == (loop + 1 if loop and extension == "gif" else loop)  # a GIF tells of repetitions
    for frame, picture in zip(found, reel_of(Path(f"a.{extension}").read_bytes()), strict=True):
        expected = rgba(dpid_cli.downscale(picture.pixels, scale=2, method="box")).astype(float)
        if frames is opaque_frames:
            error = np.abs(frame - expected)  # WebP halves the resolution of colours
            assert error.mean() <= (4 if extension == "gif" else 20) and error[:7, :7].max() <= 6
        else:
            solid, gone = expected[..., 3] == 255, expected[..., 3] == 0
            assert (frame[..., 3][gone] == 0).all() and (frame[..., 3][solid] == 255).all()
            assert np.abs(frame - expected)[solid].max() <= (4 if extension == "gif" else 40)


def test_every_frame_of_an_avif(dpid, folder):
    frames = opaque_frames()
    Path("a.avif").write_bytes(saved(frames, "AVIF", quality=100, subsampling="4:4:4").getvalue())
    assert dpid("downscale", "a.avif", "-s", "2", "-m", "box", "-o", "b.avif").exit_code == 0
    with Image.open("b.avif") as image:  # OpenCV's decoder of sequences may be missing
        assert image.n_frames == len(frames)
        for number, source in enumerate(frames):
            image.seek(number)
            image.load()
            assert image.info["duration"] == DURATIONS[number]
            expected = dpid_cli.downscale(np.asarray(source), scale=2, method="box").astype(float)
            assert np.abs(np.asarray(image.convert("RGB")) - expected).mean() < 6


@pytest.mark.parametrize("extension", ["png", "gif", "webp", "avif"])
def test_animations_do_not_tell_when_they_were_made(dpid, folder, extension):
    (folder / "in.png").write_bytes(saved(opaque_frames(), "PNG").getvalue())
    assert dpid("downscale", "in.png", "-s", "2", "-o", f"first.{extension}").exit_code == 0
    time.sleep(1.1)  # the encoder of AVIF has no other clock
    assert dpid("downscale", "in.png", "-s", "2", "-o", f"second.{extension}").exit_code == 0
    assert Path(f"first.{extension}").read_bytes() == Path(f"second.{extension}").read_bytes()


@pytest.mark.parametrize("source", ["gif", "png", "webp"])
@pytest.mark.parametrize("target", ["gif", "png", "webp"])
def test_from_one_format_to_another(dpid, folder, source, target):
    options = {"gif": {"disposal": 2}, "png": {"disposal": 1}, "webp": LOSSLESS}[source]
    Path(f"a.{source}").write_bytes(saved(clear_frames(), source.upper(), 2, **options).getvalue())
    assert dpid("downscale", f"a.{source}", "-s", "2", "-o", f"b.{target}").exit_code == 0
    found, durations, count = played(f"b.{target}")
    assert durations == DURATIONS and count == (3 if source == "gif" else 2)
    for frame, picture in zip(found, reel_of(Path(f"a.{source}").read_bytes()), strict=True):
        covered = dpid_cli.downscale(picture.pixels[..., 3], scale=2)
        assert ((frame[..., 3] >= 128) == (covered >= 128)).mean() > 0.97


def test_frames_of_a_gif_do_not_pile_up_nor_flicker(folder):
    for frames, still in ((clear_frames(), None), (opaque_frames(), np.s_[:16, :16])):
        pictures = iter(
            Picture(np.asarray(f), f.mode == "RGBA", None, "png", duration=d)
            for f, d in zip(frames, DURATIONS, strict=True)
        )
        with Path("a.gif").open("wb") as stream:
            write_sequence(
                PictureSequence("animation", pictures, len(frames), 0), stream, FORMATS["gif"], "a.gif"
            )
        found, durations, _ = played("a.gif")
        assert durations == DURATIONS
        for frame, source in zip(found, frames, strict=True):
            np.testing.assert_array_equal(frame[..., 3], np.asarray(source.convert("RGBA"))[..., 3])
            if still is not None:
                np.testing.assert_array_equal(frame[still][..., :3], np.asarray(source)[still])


def test_colours_of_a_gif_are_kept_where_they_are_few(folder, dpid):
    noise = np.random.default_rng(2).integers(0, 256, (255, 3), np.uint8)
    source = noise[np.random.default_rng(3).integers(0, 255, (30, 30))]
    Image.fromarray(source).save("a.png")
    dpid("downscale", "a.png", "-s", "1", "-m", "box", "-o", "b.gif")
    with Image.open("b.gif") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), source)


def test_frames_that_look_alike_stay_frames(dpid, folder):
    """In GIF and PNG; the encoder of WebP merges them."""
    same = [Image.new("RGB", (8, 8), (9, 9, 9))] * 3
    pictures = [
        Picture(np.asarray(f), False, None, "png", duration=d) for f, d in zip(same, (20, 0, 50), strict=True)
    ]
    for name in "gif", "png":
        with Path(f"a.{name}").open("wb") as stream:
            write_sequence(PictureSequence("animation", iter(pictures), 3, 0), stream, FORMATS[name], "a")
        _, durations, _ = played(f"a.{name}")
        assert durations == [20, 0, 50]
        assert [p.duration for p in reel_of(Path(f"a.{name}").read_bytes())] == [20, 0, 50]


@pytest.mark.parametrize("duration", [0, 1, 4, 65_535, 655_350, 3_600_000])
@pytest.mark.parametrize("name", ["gif", "png", "webp", "avif"])
def test_absurd_durations(folder, name, duration):
    frames = opaque_frames()[:3]
    pictures = [Picture(np.asarray(f), False, None, "png", duration=float(duration)) for f in frames]
    stream = io.BytesIO()
    write_sequence(PictureSequence("animation", iter(pictures), 3, 0), stream, FORMATS[name], "a")
    found = [picture.duration for picture in reel_of(stream.getvalue())]
    expected = {"gif": min(-(-duration // 10) * 10 if duration < 10 else round(duration, -1), 655_350)}
    expected["avif"] = max(duration, 1)
    assert len(found) == 3
    np.testing.assert_allclose(found, expected.get(name, duration), rtol=0.01)


# Painted as it is shown


def gif(
    size: tuple[int, int], frames: list, palette: list, loop: int | None = None, tail: bytes = b";"
) -> bytes:
    """A GIF by hand: frames are (offset, indices, disposal, transparent index or None)."""
    table = b"".join(bytes(colour[:3]) for colour in palette).ljust(12, b"\0")
    parts = [struct.pack("<6s2H3B", b"GIF89a", *size, 0x81, 0, 0), table]
    if loop is not None:
        parts.append(b"!\xff\x0bNETSCAPE2.0\3\1" + struct.pack("<H", loop) + b"\0")
    for number, (offset, indices, disposal, transparent) in enumerate(frames):
        indices = np.asarray(indices)
        flags = disposal << 2 | (transparent is not None)
        parts.append(struct.pack("<4BH2B", 0x21, 0xF9, 4, flags, number + 1, transparent or 0, 0))
        parts.append(struct.pack("<s4HBB", b",", *offset, *indices.shape[::-1], 0, 2))
        codes = np.full(2 * indices.size + 1, 4)  # clear before each index, so that they stay 3 bits long
        codes[1::2], codes[-1] = indices.ravel(), 5
        data = np.packbits(codes[:, np.newaxis] >> np.arange(3) & 1, bitorder="little").tobytes()
        parts += [
            bytes([len(block)]) + block for block in (data[k : k + 255] for k in range(0, len(data), 255))
        ]
        parts.append(b"\0")
    return b"".join(parts) + tail


def block(index: int, width: int = 2, height: int = 2) -> np.ndarray:
    return np.full((height, width), index)


PALETTE = [(0, 0, 0, 255), RED, GREEN, BLUE]


def test_disposal_in_a_gif():
    """Keep, clear to nothing, restore; a first frame that does not cover; one that lets shine through."""
    frames = [
        ((0, 0), block(1, 4, 2), 1, None),  # red above, nothing below
        ((1, 1), block(2), 2, None),  # a green square, which is cleared
        ((2, 2), block(3), 3, None),  # a blue one, after which what was there returns
        ((0, 0), [[0, 2], [2, 0]], 0, 0),  # green where it is not transparent
    ]
    found = reel_of(gif((4, 4), frames, PALETTE))
    canvas = np.zeros((4, 4, 4), np.uint8)
    canvas[:2] = RED
    first = canvas.copy()
    canvas[1:3, 1:3] = GREEN
    second = canvas.copy()
    canvas[1:3, 1:3] = CLEAR
    third = canvas.copy()
    third[2:4, 2:4] = BLUE
    canvas[0, 1] = canvas[1, 0] = GREEN
    for picture, expected in zip(found, (first, second, third, canvas), strict=True):
        np.testing.assert_array_equal(rgba(picture.pixels), expected)
    assert [picture.duration for picture in found] == [10, 20, 30, 40]


@pytest.mark.parametrize(("loop", "plays"), [(None, 1), (0, 0), (1, 2), (7, 8)])
def test_how_often_a_gif_is_played(folder, dpid, loop, plays):
    content = gif((2, 2), [((0, 0), block(k), 1, None) for k in (1, 2)], PALETTE, loop)
    assert read_sequence(io.BytesIO(content), "a").plays == plays
    Path("a.gif").write_bytes(content)
    for name in "b.gif", "b.png", "b.webp":
        dpid("downscale", "a.gif", "-s", "2", "-o", name)
        assert read_sequence(io.BytesIO(Path(name).read_bytes()), "b").plays == plays
    with Image.open("b.gif") as image:
        assert image.info.get("loop") == loop


def test_a_still_gif_that_does_not_cover_its_canvas():
    (picture,) = reel_of(gif((4, 4), [((1, 1), block(2), 1, None)], PALETTE))
    expected = np.zeros((4, 4, 4), np.uint8)
    expected[1:3, 1:3] = GREEN
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.duration is None


def test_frames_beyond_the_canvas_of_a_gif():
    frames = [((0, 0), block(1, 4, 4), 1, None), ((3, 3), block(2), 1, None), ((9, 9), block(3), 1, None)]
    found = reel_of(gif((4, 4), frames, PALETTE))
    expected = np.full((4, 4, 3), RED[:3], np.uint8)
    np.testing.assert_array_equal(found[0].pixels, expected)
    expected[3, 3] = GREEN[:3]
    for picture in found[1:]:
        np.testing.assert_array_equal(picture.pixels, expected)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def apng(size: tuple[int, int], frames: list, hidden: bool = False) -> bytes:
    """An APNG in RGBA by hand: frames are (offset, pixels, disposal, blending)."""
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">2I5B", *size, 8, 6, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">2I", len(frames), 5)))
    if hidden:
        parts.append(chunk(b"IDAT", zlib.compress((b"\0" + b"\x80" * 4 * size[0]) * size[1])))
    number = 0
    for offset, image, disposal, blending in frames:
        height, width = image.shape[:2]
        control = struct.pack(">5I2H2B", number, width, height, *offset, 1, 10, disposal, blending)
        parts.append(chunk(b"fcTL", control))
        data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in image))
        kind = b"fdAT" if number or hidden else b"IDAT"
        number += 1
        for piece in (data[:7], data[7:]):
            parts.append(chunk(kind, struct.pack(">I", number) + piece if kind == b"fdAT" else piece))
            number += kind == b"fdAT"
    return b"".join(parts) + chunk(b"IEND", b"")


def over(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Porter and Duff, in float64 and 8 bits."""
    a, b = upper[..., 3:] / 255, lower[..., 3:] / 255
    alpha = a + b * (1 - a)
    colour = (upper[..., :3] * a + lower[..., :3] * b * (1 - a)) / np.where(alpha, alpha, 1)
    return np.concatenate([colour, 255 * alpha], axis=-1)


@pytest.mark.parametrize("hidden", [False, True])
def test_disposal_and_blending_in_a_png(hidden):
    generator = np.random.default_rng(1)
    canvas, frames, expected = np.zeros((6, 6, 4)), [], []
    for number in range(30):
        disposal, blending = generator.integers(0, 3), generator.integers(0, 2)
        x, y = generator.integers(0, 4, 2) if number else (0, 0)
        image = generator.integers(0, 256, (2, 3, 4) if number else (6, 6, 4), np.uint8)
        part = np.s_[y : y + image.shape[0], x : x + image.shape[1]]
        frames.append(((x, y), image[: 6 - y, : 6 - x], disposal, blending))
        before = canvas.copy()
        canvas[part] = over(image, canvas[part]) if blending else image
        expected.append(canvas.copy())
        if disposal:
            canvas[part] = 0 if disposal == 1 or not number else before[part]
    found = reel_of(apng((6, 6), frames, hidden))
    for picture, wanted in zip(found, expected, strict=True):
        shown = rgba(picture.pixels).astype(float)
        np.testing.assert_allclose(shown[..., 3], wanted[..., 3], atol=2)
        difference = np.abs(shown[..., :3] - wanted[..., :3]) * wanted[..., 3:] / 255
        assert difference.max() <= 4  # rounded after each of the frames
    assert {picture.duration for picture in found} == {100}


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_turned_upright(dpid, folder, kind):
    exif = Image.Exif()
    exif[Base.Orientation], exif[Base.Make] = 6, "Camera"
    options = LOSSLESS if kind == "WEBP" else {}
    frames = opaque_frames()
    Path("a").write_bytes(saved(frames, kind, exif=exif.tobytes(), **options).getvalue())
    for picture, frame in zip(reel_of(Path("a").read_bytes()), frames, strict=True):
        np.testing.assert_array_equal(picture.pixels, np.rot90(np.asarray(frame), -1))
    for name in "b.png", "b.webp":
        assert dpid("downscale", "a", "-s", "2", "-o", name).exit_code == 0
        with Image.open(name) as image:
            tags = image.getexif()
            assert (image.size, image.n_frames, tags[Base.Make]) == ((20, 30), len(frames), "Camera")
            assert tags.get(Base.Orientation, 1) == 1


@pytest.mark.parametrize(
    ("source", "target"), [("png", "png"), ("png", "webp"), ("gif", "gif"), ("gif", "png")]
)
def test_what_describes_an_animation_is_kept(dpid, folder, source, target):
    told = {"comment": b"a remark"} if source == "gif" else {"icc_profile": PROFILE, "dpi": (200, 100)}
    Path(f"a.{source}").write_bytes(saved(opaque_frames(), source.upper(), **told).getvalue())
    assert dpid("downscale", f"a.{source}", "-s", "2", "-o", f"b.{target}").stderr == ""
    with Image.open(f"b.{target}") as image:
        image.load()
        if source == "gif":
            text = image.info.get("Comment", image.info.get("comment"))
            assert text in ("a remark", b"a remark")
        else:
            assert image.info["icc_profile"] == PROFILE
        if target == "png":
            assert image.info["Software"].startswith("dpid-cli")


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


PROFILE = _profile()


@pytest.mark.parametrize("extension", ["gif", "png", "webp"])
def test_an_animation_whose_alpha_hides_nothing_has_none(dpid, folder, extension):
    frames = [frame.convert("RGBA") for frame in opaque_frames()]
    options = {"gif": {}, "png": {}, "webp": LOSSLESS}[extension]
    Path("a").write_bytes(saved(frames, extension.upper(), **options).getvalue())
    dpid("downscale", "a", "-s", "2", "-o", "b.png")
    with Image.open("b.png") as image:
        assert (image.mode, image.n_frames) == ("RGB", len(frames))


# Pages


@pytest.fixture
def pages(folder) -> list[np.ndarray]:
    """``a.tif``: colour, gray, transparent, deep, turned, of several sizes; and a smaller version of one."""
    generator = np.random.default_rng(8)
    arrays = [
        generator.integers(0, 256, (40, 60, 3), np.uint8),
        generator.integers(0, 256, (50, 30), np.uint8),
        generator.integers(0, 65536, (20, 70), np.uint16),
        generator.integers(0, 256, (40, 60, 3), np.uint8),
    ]
    with tifffile.TiffWriter("a.tif") as stream:
        tags = [(Base.Make, 2, 0, "Camera", True)]
        stream.write(arrays[0], extratags=tags, iccprofile=PROFILE, compression="deflate")
        stream.write(arrays[0][::2, ::2].copy(), subfiletype=1)
        stream.write(arrays[1], resolution=(300, 300), resolutionunit=2)
        stream.write(arrays[2], rowsperstrip=3)
        stream.write(arrays[3], extratags=[(Base.Orientation, 3, 1, 8, True)], rowsperstrip=7)
    return [*arrays[:3], np.rot90(arrays[3])]


def test_every_page_of_a_tiff(dpid, pages):
    result = dpid("downscale", "a.tif", "-s", "2", "-m", "box", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout)["frames"] == 4
    with tifffile.TiffFile("a_box_x2.tif") as found:
        for page, expected in zip(found.pages, pages, strict=True):
            small = dpid_cli.downscale(np.ascontiguousarray(expected), scale=2, method="box")
            np.testing.assert_array_equal(page.asarray(), small)
            assert page.tags.get("Orientation") is None or page.tags["Orientation"].value == 1
            assert page.tags["Software"].value.startswith("dpid-cli")
        first, second, *_, last = found.pages
        assert first.tags["Make"].value == "Camera" and first.iccprofile == PROFILE
        assert "Make" not in second.tags and second.iccprofile is None and last.iccprofile is None
        assert second.tags["XResolution"].value == (300, 1) and "XResolution" not in last.tags


def test_exif_of_pages_is_in_its_place(dpid, folder):
    exif = Image.Exif()
    exif[Base.Make] = "Camera"
    exif.get_ifd(0x8769)[Base.DateTimeOriginal] = "2020:02:02 20:20:20"
    frames = opaque_frames()[:3]
    frames[0].save("a.jpg", exif=exif)
    dpid("downscale", "a.jpg", "-s", "1", "-o", "a.tif")
    sequence = reel_of(Path("a.tif").read_bytes()) * 3
    with Path("b.tif").open("wb") as stream:
        write_sequence(PictureSequence("pages", iter(sequence), 3), stream, FORMATS["tiff"], "b")
    with tifffile.TiffFile("b.tif") as found:
        assert len(found.pages) == 3
        for page in found.pages:
            assert page.tags["ExifTag"].value["DateTimeOriginal"] == "2020:02:02 20:20:20"
            np.testing.assert_array_equal(page.asarray(), sequence[0].pixels)


def test_pages_keep_their_memory_to_themselves(pages):
    with Path("a.tif").open("rb") as stream:
        kept = list(read_sequence(stream, "a").pictures)
    for picture, expected in zip(kept, pages, strict=True):
        np.testing.assert_array_equal(picture.pixels, expected)


def test_a_page_that_would_be_enlarged(dpid, pages):
    before = listing(Path())
    result = dpid("downscale", "a.tif", "--width", "50", "-o", "b.tif")
    assert result.exit_code == 2 and is_one_error_line(result.stderr)
    assert result.stderr.startswith("a.tif: page 1: ") and listing(Path()) == before


def test_smaller_versions_in_a_tiff_are_no_pages(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (40, 40, 3), np.uint8)
    with tifffile.TiffWriter("a.tif") as stream:
        stream.write(noise)
        stream.write(noise[::2, ::2].copy(), subfiletype=1)
    assert dpid("downscale", "a.tif", "-s", "2", "-o", "b.png").exit_code == 0


def test_large_tiffs(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (3, 40, 50, 3), np.uint8)
    for number, options in enumerate(({"bigtiff": True}, {"byteorder": ">"})):
        with tifffile.TiffWriter(f"{number}.tif", **options) as stream:
            for page in noise:
                stream.write(page)
        assert dpid("downscale", f"{number}.tif", "-s", "2", "-m", "box").exit_code == 0
        found = tifffile.imread(f"{number}_box_x2.tif", key=range(3))
        for page, source in zip(found, noise, strict=True):
            np.testing.assert_array_equal(page, dpid_cli.downscale(source, scale=2, method="box"))


# One of them


@pytest.mark.parametrize(("number", "same"), [(0, 0), (3, 3), (-1, 5), (-6, 0)])
@pytest.mark.parametrize("kind", ["png", "gif", "webp"])
def test_one_frame(dpid, folder, kind, number, same):
    frames = opaque_frames()
    Path(f"a.{kind}").write_bytes(
        saved(frames, kind.upper(), **(LOSSLESS if kind == "webp" else {})).getvalue()
    )
    result = dpid("downscale", f"a.{kind}", "-s", "2", "-m", "box", "--frame", str(number), "-o", "b.bmp")
    assert (result.exit_code, result.stderr) == (0, "")
    expected = reel_of(Path(f"a.{kind}").read_bytes())[same].pixels
    np.testing.assert_array_equal(pixels("b.bmp"), dpid_cli.downscale(expected, scale=2, method="box"))
    assert dpid("downscale", f"a.{kind}", "-s", "2", "--frame", str(number), "-o", f"c.{kind}").exit_code == 0
    with Image.open(f"c.{kind}") as image:
        assert getattr(image, "n_frames", 1) == 1


@pytest.mark.parametrize(("number", "same"), [(0, 0), (2, 2), (-1, 3)])
def test_one_page(dpid, pages, number, same):
    assert (
        dpid("downscale", "a.tif", "-s", "2", "-m", "box", "--frame", str(number), "-o", "b.png").exit_code
        == 0
    )
    expected = dpid_cli.downscale(np.ascontiguousarray(pages[same]), scale=2, method="box")
    np.testing.assert_array_equal(pixels("b.png"), expected)


@pytest.mark.parametrize("number", ["6", "-7", "100000"])
def test_a_frame_that_is_not_there(dpid, folder, number):
    Path("a.gif").write_bytes(saved(opaque_frames(), "GIF").getvalue())
    result = dpid("downscale", "a.gif", "-s", "2", "--frame", number)
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert f"no frame {number}: its 6 are numbered 0 to 5" in result.stderr


def test_the_only_picture_is_a_frame(dpid, photo):
    assert dpid("downscale", "photo.png", "-s", "2", "--frame", "-1", "-o", "a.png").exit_code == 0
    result = dpid("downscale", "photo.png", "-s", "2", "--frame", "1", "-o", "b.png")
    assert result.exit_code == 1 and is_one_error_line(result.stderr) and "one picture" in result.stderr


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("gif", "jpg", "JPEG holds one picture, and this is an animation: write PNG or WEBP or GIF or AVIF"),
        ("gif", "tif", "TIFF holds no animation, and this is an animation: write PNG or WEBP or GIF or AVIF"),
        ("tif", "gif", "GIF holds no pages, and this is a file of several pages: write TIFF"),
        ("tif", "bmp", "BMP holds one picture, and this is a file of several pages: write TIFF"),
    ],
)
def test_targets_that_cannot_hold_them(dpid, pages, source, target, told):
    Path("a.gif").write_bytes(saved(opaque_frames(), "GIF").getvalue())
    before = listing(Path())
    result = dpid("downscale", f"a.{source}", "-s", "2", "-o", f"b.{target}")
    assert (result.exit_code, result.stdout) == (1, "") and is_one_error_line(result.stderr)
    assert result.stderr == f"a.{source}: {told}, or give --frame N\n" and listing(Path()) == before


# Damage and limits


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_an_animation_that_is_cut_off(dpid, folder, kind):
    whole = saved(opaque_frames(), kind).getvalue()
    before = reel_of(whole)
    Path("a").write_bytes(whole[: len(whole) * 2 // 3])
    refused = dpid("downscale", "a", "-s", "2", "-o", "b.png")
    assert refused.exit_code == 1 and is_one_error_line(refused.stderr) and not Path("b.png").exists()
    taken = dpid("downscale", "a", "-s", "1", "-m", "box", "-o", "b.png", "--truncated", "accept")
    assert taken.exit_code == 0 and taken.stderr.count("\n") <= 1
    found, _, _ = played("b.png")
    assert 2 <= len(found) < 6
    for frame, picture in zip(found[:-1], before, strict=False):
        np.testing.assert_array_equal(frame, rgba(picture.pixels))


def test_pages_that_are_cut_off(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (3, 40, 50, 3), np.uint8)
    with tifffile.TiffWriter("a.tif") as stream:
        for page in noise:
            stream.write(page)
    Path("a.tif").write_bytes(Path("a.tif").read_bytes()[:-200])
    refused = dpid("downscale", "a.tif", "-s", "2", "-o", "b.tif")
    assert refused.exit_code == 1 and is_one_error_line(refused.stderr) and not Path("b.tif").exists()
    taken = dpid("downscale", "a.tif", "-s", "1", "-m", "box", "-o", "b.tif", "--truncated", "accept")
    assert taken.exit_code == 0
    np.testing.assert_array_equal(tifffile.imread("b.tif", key=0), noise[0])


def test_directories_that_go_round_in_circles(dpid, folder):
    noise = np.random.default_rng(4).integers(0, 256, (2, 40, 50, 3), np.uint8)
    with tifffile.TiffWriter("a.tif") as stream:
        for page in noise:
            stream.write(page)
    with tifffile.TiffFile("a.tif") as found:
        last = found.pages[1]
        place, first = last.offset + 2 + 12 * len(last.tags), found.pages[0].offset
    content = bytearray(Path("a.tif").read_bytes())
    struct.pack_into("<L", content, place, first)
    Path("a.tif").write_bytes(content)
    result = dpid("downscale", "a.tif", "-s", "2", "--json")
    assert json.loads(result.stdout)["frames"] == 2


@pytest.mark.parametrize("kind", ["gif", "png", "webp", "tif"])
def test_most_frames(dpid, folder, kind):
    frames = opaque_frames()
    options = {"webp": LOSSLESS}.get(kind, {})
    Path("a").write_bytes(saved(frames, {"tif": "TIFF"}.get(kind, kind.upper()), **options).getvalue())
    for limit, code in (("6", 0), ("5", 1)):
        result = dpid(
            "downscale", "a", "-s", "2", "-m", "box", "--max-frames", limit, "-o", f"b{limit}.{kind}"
        )
        assert result.exit_code == code
    assert is_one_error_line(result.stderr) and "more than 5 frames" in result.stderr
    assert "--max-frames" in result.stderr and not Path(f"b5.{kind}").exists()
    assert dpid("downscale", "a", "-s", "2", "--max-frames", "0").exit_code == 2


def test_an_endless_gif_ends_soon(folder):
    frame = gif((1000, 1000), [((0, 0), block(1), 2, None)], PALETTE, tail=b"")
    Path("a.gif").write_bytes(frame + frame[25:] * 200_000)
    code = "import sys; from dpid_cli.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "downscale", "a.gif", "-s", "2"],
        capture_output=True,
        timeout=5,
        text=True,
    )
    assert done.returncode == 1 and is_one_error_line(done.stderr)
    assert f"more than {MAX_FRAMES} frames" in done.stderr


def test_pixels_of_all_frames_together(dpid, folder):
    frame = gif((1000, 1000), [((0, 0), block(1), 2, None)], PALETTE, tail=b"")
    Path("a.gif").write_bytes(frame + frame[25:] * 99)
    result = dpid("downscale", "a.gif", "-s", "2", "--max-pixels", "1M")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert "100 frames or pages together: more than 64 million pixels" in result.stderr


def test_a_frame_that_is_larger_than_allowed(dpid, folder):
    frames = [((0, 0), block(1), 1, None), ((0, 0), block(2, 300, 300), 1, None)]
    Path("a.gif").write_bytes(gif((4, 4), frames, PALETTE))
    result = dpid("downscale", "a.gif", "-s", "2", "--max-pixels", "10k")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)
    assert result.stderr.startswith("a.gif: frame 1: more than 10000 pixels")


def test_a_page_that_is_larger_than_allowed(dpid, pages):
    result = dpid("downscale", "a.tif", "-s", "2", "--max-pixels", "2k", "--frame", "0")
    assert result.exit_code == 1 and is_one_error_line(result.stderr)


def test_memory_does_not_grow_with_the_number_of_frames(folder):
    """200 frames of 1200 x 1000 pixels would be nearly 1 GB."""
    frames = [((0, 0), block(1, 1200, 1000), 1, None)]  # opaque, which is quicker
    frames += [((5 * k, 5 * k), block(k % 3 + 1, 20, 20), 1, None) for k in range(199)]
    Path("a.gif").write_bytes(gif((1200, 1000), frames, PALETTE))
    code = """
from pathlib import Path
from dpid_cli.convert.job import Job
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
for frame in (0, None):
    recipe = Recipe(SizeRequest("scale", 20.0), "box", frame=frame)
    outcome = Job(("a.gif",), recipe, output="b.gif", overwrite=True).run("a.gif")
    # Not what getrusage tells, which counts the process that started this one, too.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    print(outcome.frames, peak.split()[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=100
    )
    (one, before), (many, after) = (map(int, line.split()) for line in done.stdout.splitlines())
    assert (one, many) == (1, 200)
    assert after - before < 40_000  # KiB: some copies of the canvas, of 4.8 MB each


def test_recipes_have_it_without_the_command(folder):
    Path("a.gif").write_bytes(saved(opaque_frames(), "GIF").getvalue())
    recipe = Recipe(SizeRequest("scale", 2.0), "box", frame=2)
    recipe.checked()
    with Path("a.gif").open("rb") as stream:
        picture = recipe.read(stream, "a.gif")
    np.testing.assert_array_equal(picture.pixels, reel_of(Path("a.gif").read_bytes())[2].pixels)
    with pytest.raises(dpid_cli.DpidError, match="max-frames"):
        Recipe(SizeRequest("scale", 2.0), max_frames=0).checked()
    outcome = Job(("a.gif",), Recipe(SizeRequest("scale", 2.0), "box"), output="b.webp").run("a.gif")
    assert outcome.frames == 6


def test_deep_animations_tell_what_they_lose():
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 16, 0, 0, 0, 0))]
    parts.append(chunk(b"acTL", struct.pack(">2I", 2, 0)))
    for number, kind, level in ((0, b"IDAT", 25700), (1, b"fdAT", 257)):
        parts.append(chunk(b"fcTL", struct.pack(">5I2H2B", 2 * number, 1, 1, 0, 0, 1, 10, 0, 0)))
        data = zlib.compress(b"\0" + struct.pack(">H", level))
        parts.append(chunk(kind, struct.pack(">I", 2) + data if kind == b"fdAT" else data))
    with pytest.warns(DpidWarning, match="8 bits") as told:
        found = reel_of(b"".join(parts) + chunk(b"IEND", b""))
    assert len(told) == 1
    assert [int(picture.pixels[0, 0, 0]) for picture in found] == [100, 1]


def test_metadata_too_damaged_for_pillow_costs_no_animation(folder, dpid):
    whole = saved(opaque_frames(), "PNG").getvalue()
    bad = whole[:33] + chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000) + whole[33:]
    Path("a.png").write_bytes(bad)
    result = dpid("downscale", "a.png", "-s", "2", "-o", "b.png")
    assert result.exit_code == 0 and "left out" in result.stderr
    assert len(played("b.png")[0]) == 6


def test_a_frame_outside_its_png():
    image = np.zeros((3, 3, 4), np.uint8)
    content = apng((2, 2), [((0, 0), image[:2, :2], 0, 0), ((0, 0), image, 0, 0)])
    with pytest.raises(FileError, match="larger than the picture"):
        reel_of(content)


def test_metadata_of_results_is_that_of_the_first(folder):
    frames = opaque_frames()[:2]
    pictures = [
        Picture(np.asarray(f), False, None, "png", Metadata(comment=c), duration=10)
        for f, c in zip(frames, (b"first", b"second"), strict=True)
    ]
    stream = io.BytesIO()
    write_sequence(PictureSequence("animation", iter(pictures), 2, 0), stream, FORMATS["gif"], "a")
    assert b"first" in stream.getvalue() and b"second" not in stream.getvalue()


def test_animations_have_8_bits(dpid, folder):
    Path("a.gif").write_bytes(saved(opaque_frames(), "GIF").getvalue())
    for name, code in (("b.gif", 2), ("b.png", 1)):
        result = dpid("downscale", "a.gif", "-s", "2", "--depth", "16", "-o", name)
        assert result.exit_code == code and is_one_error_line(result.stderr)
    assert "give --depth 8" in result.stderr
    assert (
        dpid("downscale", "a.gif", "-s", "2", "--depth", "16", "--frame", "1", "-o", "b.png").exit_code == 0
    )
    assert cv2.imread("b.png", cv2.IMREAD_UNCHANGED).dtype == np.uint16


def test_frames_that_are_missing_are_told(dpid, folder):
    frames = [((0, 0), block(k % 3 + 1), 1, None) for k in range(6)]
    data = gif((2, 2), frames, PALETTE)
    Path("a.gif").write_bytes(data[: len(data) * 2 // 3])
    assert dpid("downscale", "a.gif", "-s", "1", "-m", "box", "-o", "b.gif").exit_code == 1
    words = ["downscale", "a.gif", "-s", "1", "-m", "box", "-o", "b.gif", "--truncated", "accept"]
    result = dpid(*words)
    assert result.exit_code == 0 and "only its first" in result.stderr


def test_the_number_of_plays_that_avif_loses(dpid, folder):
    frames = [((0, 0), block(k % 3 + 1, 16, 16), 1, None) for k in range(3)]
    Path("a.gif").write_bytes(gif((16, 16), frames, PALETTE, loop=3))
    result = dpid("downscale", "a.gif", "-s", "2", "-o", "b.avif")
    assert (result.exit_code, result.stderr) == (0, "b.avif: AVIF holds no number of plays: it is left out\n")
