"""Pictures of 16 bits and of floats, which Pillow holds in gray only: PNG, TIFF and Netpbm.

Pillow reads and writes what else such files tell; the pixels are imagecodecs' and tifffile's.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures import png
from dpid_cli.pictures.containers import with_png_pixels
from dpid_cli.pictures.modes import is_deep
from dpid_cli.pictures.samples import Samples, stretched


@dataclass(frozen=True)
class Deep:
    """A file with more than 8 bits a channel.

    Attributes
    ----------
    format : str
        Name in `FORMATS`.
    size : (int, int)
        Width and height that the header claims.
    remarks : PIL.Image.Image
        What Pillow finds in the file, but for the pixels.
    pixels : callable
        Decodes, given the file's name for errors and whether to take what there is of a file that is cut off,
        to values of uint16 or float32, (H, W[, C]).
    """

    format: str
    size: tuple[int, int]
    remarks: Image.Image
    pixels: Callable[[str, bool], Samples]


def find(stream: IO[bytes], page: int = 0, *, truncated: bool = False) -> Deep | None:
    """The file, or a page of a TIFF, if Pillow would cut it to 8 bits; damaged headers raise many kinds.

    A compressed TIFF of 8 bits that may be cut off is taken, too: libtiff gives nothing of such.
    """
    stream.seek(0)
    head = stream.read(33)
    stream.seek(0)
    found = None
    if png.depth(head) == 16:
        found = _png(stream.read())
    elif head[:4] in (b"II*\0", b"MM\0*", b"II+\0"):
        found = _tiff(stream, page, truncated)
    elif head[:2] in (b"P5", b"P6"):
        found = _netpbm(stream)
    stream.seek(0)
    return found


def encode(pixels: NDArray[Any], format_name: str, options: Mapping[str, Any]) -> bytes:
    """Pixels of 16 bits or floats as a file without remarks.

    Parameters
    ----------
    pixels : (H, W[, C]) ndarray
        uint16, or float32 for TIFF; of two or four channels the last is straight alpha.
    format_name : {'png', 'tiff', 'ppm', 'pgm'}
    options : mapping
        Pillow's, of which the ``compress_level`` of a PNG matters.

    Returns
    -------
    bytes
    """
    if format_name == "png":
        return png.encode(pixels, options["compress_level"])
    if format_name == "tiff":
        from dpid_cli.pictures import tiff

        return tiff.encode(pixels)
    height, width = pixels.shape[:2]
    kind = "P5" if pixels.ndim == 2 else "P6"
    return f"{kind}\n{width} {height}\n65535\n".encode() + pixels.astype(">u2").tobytes()


def _png(data: bytes) -> Deep:
    height, width, channels = png.shape(data)
    one = png.encode(np.zeros((1, 1, channels), np.uint16), 0)
    remarks = Image.open(io.BytesIO(with_png_pixels(data, one)), formats=["PNG"])
    remarks.load()  # some stand behind the pixels

    def pixels(_: str, truncated: bool) -> Samples:
        values = png.decode(data, truncated)
        return Samples(values, values.ndim == 3 and values.shape[2] in (2, 4), [])

    return Deep("png", (width, height), remarks, pixels)


def _tiff(stream: IO[bytes], page: int, truncated: bool) -> Deep | None:
    from dpid_cli.pictures import tiff

    tags = tiff.Tags(stream)
    tags.seek(page)
    if not (tags.deep or (truncated and tags.packed)):
        return None
    found = tiff.page_of(stream, page)

    def pixels(name: str, truncated: bool) -> Samples:
        return tiff.decode(found, stream, name, truncated)

    return Deep("tiff", (found.imagewidth, found.imagelength), tags, pixels)


def _netpbm(stream: IO[bytes]) -> Deep | None:
    image: Any = Image.open(stream, formats=["PPM"])
    (tile,) = image.tile
    if not is_deep(image) or tile.codec_name == "ppm_plain":
        return None
    largest = 65535 if tile.codec_name == "raw" else tile.args[-1]
    shape = (image.height, image.width, 3) if image.mode == "RGB" else (image.height, image.width)

    def pixels(_: str, truncated: bool) -> Samples:
        size = math.prod(shape)
        stream.seek(tile.offset)
        stored = np.frombuffer(_there(stream, 2 * size), ">u2")
        if len(stored) < size and not truncated:
            raise ValueError("image file is truncated")
        result = np.zeros(size, np.uint16)
        result[: len(stored)] = stored
        return Samples(stretched(result, largest).reshape(shape), False, [])

    return Deep("ppm" if image.mode == "RGB" else "pgm", image.size, image, pixels)


def _there(stream: IO[bytes], count: int) -> bytes:
    """At most `count` bytes, an even number: what is left of a stream."""
    data = stream.read(count)
    return data[: len(data) // 2 * 2]
