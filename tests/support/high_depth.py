"""Files of 16 bits and of floats, written plainly."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np

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
