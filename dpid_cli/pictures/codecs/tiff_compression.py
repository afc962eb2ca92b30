"""The compressions of TIFFs that are decoded here, and how large what they hold may become.

Some hold images with headers of their own. Their sizes are compared with those of the strip or tile before
anything is decoded.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dpid_cli.pictures.codecs.jpeg_frames import frame_header
from dpid_cli.pictures.limits import RefusedError

_JPEG, _LERC, _PNG, _WEBP = 7, 34887, 34933, 50001
_JPEG_2000, _JPEG_XL = (33003, 33004, 33005, 34712), (50002, 52546)
# The most bytes that one byte expands to, by Compression; nothing else is decoded.
EXPANSION: dict[int, float] = {
    **{1: 1, 5: 4096, 8: 1040, 32773: 128, 32946: 1040, 34925: 2**16, 50000: 2**16},
    **{_JPEG: 2**16, _PNG: 1040, _LERC: math.inf, _WEBP: math.inf},
    **dict.fromkeys(_JPEG_2000 + _JPEG_XL, math.inf),
}


def name_of(compression: int) -> str:
    """What a compression is called."""
    from tifffile import COMPRESSION

    with suppress(ValueError):
        return COMPRESSION(compression).name
    return str(compression)


def decodes_to_rgb(page: Any) -> bool:
    """Whether the decoder converts YCbCr."""
    return bool(page.compression == _JPEG and page.planarconfig == 1 and page.samplesperpixel == 3)


def decoded(page: Any, data: bytes, index: int) -> tuple[Any, tuple[int, ...]]:
    """A strip or tile, (1, H, W, C), and where it lies; None if the file has nothing for it."""
    _, place, shape = page.decode(None, index)
    if page.compression in _DECODERS and data:
        return _image(page, data, place, shape), place
    tables = {}
    if page.compression == _JPEG:
        _check_jpeg(data, shape)
        tables = {"jpegtables": page.jpegtables}
    return page.decode(data, index, **tables)[0], place


def _image(page: Any, data: bytes, place: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    """An image with a header of its own. It covers its strip or tile, or what lies within the whole."""
    import numpy as np

    _, _, top, left, _ = place
    _, height, width, channels = shape
    within = min(height, page.imagelength - top), min(width, page.imagewidth - left)
    sizes = {(height, width), (within[0], width), within}
    decode = _DECODERS[page.compression]
    for size in sorted(sizes, reverse=True):
        output = np.empty(size if channels == 1 else (*size, channels), page.dtype)
        with suppress(ValueError):  # it has another shape
            return decode(data, output).reshape(1, *size, channels)
    raise ValueError(f"a part of {width} x {height} pixels and {channels} channels holds another image")


def _check_jpeg(data: bytes, shape: tuple[int, ...]) -> None:
    """Raise a `ValueError` for many more pixels than a strip or tile of this shape has."""
    frame = frame_header(io.BytesIO(data))
    if frame is None:
        raise ValueError("the size of a part is missing")
    width, height = frame.size
    if width * height > 2 * shape[1] * shape[2] + 64 * 64:
        raise ValueError(f"a part of {shape[2]} x {shape[1]} pixels holds {width} x {height}")


def _png(data: bytes, output: Any) -> Any:
    from imagecodecs import png_decode

    return png_decode(data, out=output)


def _webp(data: bytes, output: Any) -> Any:
    from imagecodecs import webp_decode

    return webp_decode(data, hasalpha=output.shape[2:] == (4,), out=output)


def _jpeg_xl(data: bytes, output: Any) -> Any:
    from imagecodecs import jpegxl_decode

    return jpegxl_decode(data, out=output)


def _jpeg_2000(data: bytes, output: Any) -> Any:
    from imagecodecs import jpeg2k_decode

    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(data) < start + 24:
        raise RuntimeError("the size of a part is missing")
    right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    if (bottom - top, right - left) != output.shape[:2]:  # the decoder notices when it is done
        raise ValueError("another size")
    return jpeg2k_decode(data, out=output)


def _lerc(data: bytes, output: Any) -> Any:
    from imagecodecs import lerc_decode

    pixels, valid = lerc_decode(data, masks=True, out=output)
    if valid is not None and not valid.all():
        raise RefusedError("it has pixels without data, which would be averaged with the others: fill them")
    return pixels


_DECODERS: dict[int, Callable[[bytes, Any], Any]] = {
    _LERC: _lerc,
    _PNG: _png,
    _WEBP: _webp,
    **dict.fromkeys(_JPEG_2000, _jpeg_2000),
    **dict.fromkeys(_JPEG_XL, _jpeg_xl),
}
IMAGES = _DECODERS.keys()  # which Pillow does not decode, or only where its libtiff can
