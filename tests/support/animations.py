"""Animations, drawn and written by Pillow or plainly."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from dpid_cli.pictures import (
    Picture,
    read_sequence,
)

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


def saved(frames: list[Image.Image], kind: str, loop: int = 0, **options) -> io.BytesIO:
    """An animation by Pillow."""
    stream = io.BytesIO()
    options = {"duration": DURATIONS[: len(frames)], "loop": loop} | options
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:], **options)
    return stream


def frames_of(content: bytes, **options) -> list[Picture]:
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


def _profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


PROFILE = _profile()
