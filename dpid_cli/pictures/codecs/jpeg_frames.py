"""The headers of JPEG frames, also of those within other files."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

BASELINE, LOSSLESS, JPEG_LS = 0xC0, 0xC3, 0xF7  # markers of frames
_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})  # Huffman tables, reserved, arithmetic coding
HIERARCHICAL = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE})
_MARKER, _SCAN = 0xFF, 0xDA


@dataclass(frozen=True)
class FrameHeader:
    """What the header of a frame tells, and where it lies in the file."""

    place: int  # of its marker
    marker: int
    bits: int
    size: tuple[int, int]  # width and height
    channels: int

    @property
    def usual(self) -> bool:
        """Whether Pillow opens it."""
        return self.bits == 8 and self.marker not in {LOSSLESS, JPEG_LS} | HIERARCHICAL


def frame_header(stream: IO[bytes]) -> FrameHeader | None:
    """The header of the frame, if there is one before the first scan; rewinds the stream."""
    start = 2
    header = None
    while stream.seek(start) and (segment := stream.read(10))[:1] == b"\xff" and len(segment) == 10:
        marker = segment[1]
        if marker == _MARKER:  # a fill byte
            start += 1
            continue
        if marker == JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES):
            height, width = struct.unpack_from(">HH", segment, 5)
            header = FrameHeader(start, marker, segment[4], (width, height), segment[9])
        if marker == _SCAN or header is not None:
            break
        start += 2 + int.from_bytes(segment[2:4], "big")
    stream.seek(0)
    return header
