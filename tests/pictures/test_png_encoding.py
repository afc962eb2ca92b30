"""Pixels of PNGs: five decoders agree, one of them below; filters and sizes are those of other encoders."""

from __future__ import annotations

import io
import os
import signal
import struct
import threading
import zlib
from functools import partial
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.pictures import FORMATS, Picture, write
from dpid_cli.pictures.picture import Palette

SAMPLES = Path(__file__).parents[2] / "samples"
CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
# One pixel, one row, one column, a last vector that is not full, several strips, several chunks of data.
SIZES = [(1, 1), (1, 300), (300, 1), (13, 67), (700, 701)]


def encoded(pixels: np.ndarray, level: int = 4, palette: Palette | None = None) -> bytes:
    alpha = pixels.ndim == 3 and pixels.shape[2] in (2, 4)
    stream = io.BytesIO()
    format_ = FORMATS["png"].tuned({"compress_level": level})
    write(Picture(pixels, alpha, None, "png", palette=palette), stream, format_, "a.png")
    return stream.getvalue()


def image(mode: str, size: tuple[int, int], dtype: type = np.uint8) -> np.ndarray:
    """Noise, one row again and again, a slope, its steps, one colour, and dark noise, from top to bottom."""
    channels, largest = CHANNELS[mode], np.iinfo(dtype).max
    shape = (*size, channels)
    noise = np.random.default_rng(0).integers(0, largest, shape, endpoint=True)
    y, x = np.mgrid[: size[0], : size[1]]
    slope = np.broadcast_to((5 * x + 3 * y)[..., None] + 9 * np.arange(channels), shape) * (largest // 255)
    kinds = [noise, noise[:1] + 0 * noise, slope, slope // 64 * 64, largest // 3 + 0 * noise, noise // 64]
    values = np.choose((6 * y // size[0])[..., None], kinds).astype(dtype)
    return values[..., 0] if channels == 1 else values


def chunks_of(png: bytes) -> list[tuple[bytes, bytes]]:
    """Types and contents; the checksums must be right."""
    found, start = [], 8
    while start < len(png):
        (length,) = struct.unpack_from(">L", png, start)
        kind, content = png[start + 4 : start + 8], png[start + 8 : start + 8 + length]
        assert struct.unpack_from(">L", png, start + 8 + length) == (zlib.crc32(kind + content),)
        found.append((kind, content))
        start += 12 + length
    return found


def rows_of(png: bytes) -> tuple[np.ndarray, int]:
    """The decompressed rows behind the numbers of their filters; and the bytes of a pixel, at least 1."""
    chunks = chunks_of(png)
    width, height, depth, colours = struct.unpack_from(">LLBB", chunks[0][1])
    bits = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours] * depth
    data = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    rows = np.frombuffer(data, np.uint8).reshape(height, -1)
    assert rows.shape[1] == 1 + -(-width * bits // 8)
    return rows, max(bits // 8, 1)


def predicted(name: int, a: int, b: int, c: int) -> int:
    """What the filter of a PNG adds, by the words of its standard."""
    if name == 4:
        estimate = a + b - c
        return min((a, b, c), key=lambda value: abs(estimate - value))  # the first of equals
    return (0, a, b, (a + b) // 2)[name]


def by_hand(png: bytes) -> bytes:
    """The bytes of the pixels, filter by filter and byte by byte."""
    rows, step = rows_of(png)
    above, result = bytes(rows.shape[1] - 1), []
    for name, *row in rows.tolist():
        values: list[int] = []
        for k, byte in enumerate(row):
            a, c = (values[k - step], above[k - step]) if k >= step else (0, 0)
            values.append((byte + predicted(name, a, above[k], c)) & 255)
        above = bytes(values)
        result.append(above)
    return b"".join(result)


def by_opencv(png: bytes, mode: str) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if mode == "LA":  # which it expands
        return pixels[..., 2:]
    return pixels if mode == "L" else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", CHANNELS)
def test_decoders_agree(mode, dtype, size):
    pixels = image(mode, size, dtype)
    png = encoded(pixels)
    decoders = [imagecodecs.png_decode, partial(by_opencv, mode=mode)]
    if mode == "RGBA" or (dtype == np.uint8 and mode != "LA"):  # which its binding returns unchanged
        decoders.append(imagecodecs.spng_decode)
    for decode in decoders:
        found = decode(png)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found.reshape(pixels.shape), pixels)
    if size[0] < 100:
        assert by_hand(png) == pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    if dtype == np.uint8 or mode == "L":  # Pillow reduces others to 8 bits
        with Image.open(io.BytesIO(png)) as found:
            np.testing.assert_array_equal(np.asarray(found), pixels)


def filtered(pixels: np.ndarray) -> np.ndarray:
    """Rows by the filter with the smallest sum of absolute values, the first of equals."""
    height, step = len(pixels), pixels[:1, :1].nbytes
    ordered = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    rows = ordered.view(np.uint8).reshape(height, -1).astype(int)
    a, b, c = (np.zeros_like(rows) for _ in range(3))
    a[:, step:], b[1:], c[1:, step:] = rows[:, :-step], rows[:-1], rows[:-1, :-step]
    of_a, of_b, of_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
    nearest = np.where((of_a <= of_b) & (of_a <= of_c), a, np.where(of_b <= of_c, b, c))
    every = np.stack([rows - p for p in (0, a, b, (a + b) // 2, nearest)]).astype(np.uint8)
    best = np.abs(every.view(np.int8).astype(int)).sum(axis=2).argmin(axis=0)
    return np.concatenate([best[:, None].astype(np.uint8), every[best, np.arange(height)]], axis=1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", CHANNELS)
def test_filters(mode, dtype, size):
    pixels = image(mode, size, dtype)
    expected = filtered(pixels)
    np.testing.assert_array_equal(rows_of(encoded(pixels))[0], expected)
    if size == SIZES[-1]:
        assert set(expected[:, 0]) >= {0, 1, 2, 4}


def test_every_neighbourhood_of_few_levels():
    """All bytes before, above and between, of 20 levels that include the ends: ties and both orders."""
    levels = np.r_[0:7, 124:132, 251:256]
    a, b, c = (part.ravel() for part in np.meshgrid(levels, levels, levels))
    pixels = np.zeros((2, 2 * a.size), np.uint8)
    pixels[0, ::2], pixels[0, 1::2], pixels[1, ::2] = c, b, a
    pixels[1, 1::2] = np.median([a, b, np.clip(a.astype(int) + b - c, 0, 255)], axis=0)
    expected = filtered(pixels)
    assert expected[1, 0] == 4
    np.testing.assert_array_equal(rows_of(encoded(pixels))[0], expected)


@pytest.mark.parametrize("colours", [2, 3, 4, 5, 16, 17, 256])
@pytest.mark.parametrize("size", [(1, 1), (3, 13), (50, 64)])
def test_palettes_like_pillow(colours, size):
    rng = np.random.default_rng(0)
    indices = rng.integers(0, colours, size).astype(np.uint8)
    palette = Palette(rng.integers(0, 256, (colours, 3)).astype(np.uint8), b"\0\x80")
    one = Image.fromarray(indices)
    one.putpalette(palette.colours.tobytes())
    expected = io.BytesIO()
    one.save(expected, "PNG", transparency=palette.alpha)
    ours, theirs = encoded(indices, palette=palette), expected.getvalue()
    assert by_hand(ours) == by_hand(theirs)
    assert not rows_of(ours)[0][:, 0].any()  # no filters
    others = [[own for own in chunks_of(png) if own[0] != b"IDAT"] for png in (ours, theirs)]
    assert others[0] == others[1]
    assert {b"PLTE", b"tRNS"} <= {kind for kind, _ in others[0]}


def by_pillow(pixels: np.ndarray, level: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=level)
    return stream.getvalue()


@pytest.mark.parametrize("level", [4, 9])
def test_files_are_as_small_as_those_of_pillow(level):
    ours = theirs = 0
    for name in ("camera.png", "chelsea.png", "hubble_deep_field.jpg", "page.png", "rocket.jpg"):
        with Image.open(SAMPLES / name) as sample:
            pixels = np.asarray(sample)[::2, ::2]
        ours += len(encoded(pixels, level))
        theirs += len(by_pillow(pixels, level))
    assert ours < 1.01 * theirs


@pytest.mark.parametrize("noise", [False, True])
def test_levels(noise):
    pixels = np.asarray(Image.open(SAMPLES / "chelsea.png"))
    if not noise:
        pixels = pixels // 32 * 32
    sizes = [len(encoded(pixels, level)) for level in range(10)]
    assert sizes[0] > pixels.nbytes > 1.2 * sizes[1]
    assert sizes[9] == min(sizes)
    assert sizes[6] < 1.01 * sizes[4] < 1.02 * sizes[1]


def test_compression_can_be_interrupted(monkeypatch):
    """Also while the library does not return; if it could not be, this test would not end."""
    started, ended = threading.Event(), threading.Event()

    def endless(*arguments, **options):
        started.set()
        ended.wait()

    def interrupt():
        started.wait()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(imagecodecs, "deflate_encode", endless)
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        encoded(image("RGB", (700, 701)))
    ended.set()


def test_errors_of_the_library_are_told(monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("no more memory")

    monkeypatch.setattr(imagecodecs, "deflate_encode", fail)
    with pytest.raises(FileError, match=r"^a\.png: cannot be encoded as PNG: no more memory: use another"):
        encoded(image("RGB", (700, 701)))
