"""JPEGs that Pillow does not open: of other depths than 8 bits, lossless ones, and JPEG-LS.

Decoders fill up what is missing with gray and say nothing, so the end of the image is looked for first.
"""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

from dpid_cli.pictures.codecs.base import check_expansion
from dpid_cli.pictures.codecs.images import HighDepthImage, Samples, samples_like
from dpid_cli.pictures.codecs.jpeg_frames import BASELINE, HIERARCHICAL, JPEG_LS, LOSSLESS, FrameHeader
from dpid_cli.pictures.limits import Limits, RefusedError

# The end of the image: within pixels, a 0 or the number of a restart follows FF, in JPEG-LS a bit 0.
_EOI = b"\xff\xd9"
_END = re.compile(_EOI)


def opened(data: bytes, frame: FrameHeader, limits: Limits) -> HighDepthImage:
    """A file whose frame is not usual."""
    if frame.marker in HIERARCHICAL:
        raise RefusedError("hierarchical JPEG is not supported: convert it to baseline JPEG")
    if frame.channels not in (1, 3):
        what = f"{'lossless' if frame.marker == LOSSLESS else f'{frame.bits}-bit'} JPEG"
        raise RefusedError(f"{what} of {frame.channels} channels is not supported: convert it to gray or RGB")
    if frame.marker == LOSSLESS and frame.channels == 3 and _is_ycbcr(data[: frame.place]):
        raise RefusedError("lossless JPEG in YCbCr is not supported: convert it to RGB")
    header = _header(data, frame)
    limits.check_size(header.size)
    check_expansion(header, io.BytesIO(data))

    def samples() -> Samples:
        from imagecodecs import jpeg8_decode, jpegls_decode

        end = _END.search(data, frame.place)
        if end is None and not limits.truncated:
            raise ValueError("image file is truncated")
        # The decoder of JPEG-LS searches for seconds where no end follows.
        image = data[: end.end()] if end else data + _EOI
        values = (jpegls_decode if frame.marker == JPEG_LS else jpeg8_decode)(image)
        return samples_like(header, np.asarray(values), frame.bits)

    return HighDepthImage(header.size, header, samples)


def _is_ycbcr(head: bytes) -> bool:
    """Whether the segments before the frame say so, which decoders of lossless JPEG do not convert."""
    adobe = head.find(b"\xff\xee\0\x0eAdobe")
    return b"JFIF\0" in head[:20] or (adobe > 0 and head[adobe + 15 : adobe + 16] == b"\1")


def _header(data: bytes, frame: FrameHeader) -> Image.Image:
    """What Pillow reads of the same file, as if its frame were usual."""
    start = data.find(b"\xff\xda", frame.place)
    usual = bytearray(data[: start if start > 0 else None])
    usual[frame.place + 1], usual[frame.place + 4] = BASELINE, 8
    return Image.open(io.BytesIO(usual + data[start : start + 16] + _EOI), formats=["JPEG"])
