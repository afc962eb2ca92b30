"""Pictures of 16 bits and of floats, which Pillow holds in gray only: PNG, TIFF, Netpbm, JPEG 2000, JPEG XL.

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

from dpid_cli.errors import FileError
from dpid_cli.pictures import icc
from dpid_cli.pictures.codecs import jxl, png
from dpid_cli.pictures.codecs.samples import Samples, stretched
from dpid_cli.pictures.modes import is_deep
from dpid_cli.pictures.repair import (
    codestream_header,
    jp2_codestream,
    jp2_colours,
    jp2_depths,
    with_png_pixels,
)

_CHANNELS = {"L": 1, "I": 1, "I;16": 1, "F": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_PLAIN_COLOURS = (0, 16, 17)  # of JPEG 2000: by a profile, sRGB, gray


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


def boxed(image: Image.Image, stream: IO[bytes]) -> Deep | None:
    """The same of a JPEG 2000 or JPEG XL that Pillow has opened, whose size has been checked.

    An animated JPEG XL is taken whatever its depth.
    """
    decoders = {"JPEG2000": _jpeg_2000, "JXL": _jpeg_xl}
    return decoders[image.format](image, stream) if image.format in decoders else None


def encode(pixels: NDArray[Any], format_name: str, options: Mapping[str, Any]) -> bytes:
    """Pixels of 16 bits or floats as a file without remarks.

    Parameters
    ----------
    pixels : (H, W[, C]) ndarray
        uint16, or float32 for TIFF; of two or four channels the last is straight alpha.
    format_name : {'png', 'tiff', 'ppm', 'pgm', 'jp2'}
    options : mapping
        Pillow's, of which the ``compress_level`` of a PNG matters.

    Returns
    -------
    bytes
    """
    if format_name == "png":
        return png.encode(pixels, options["compress_level"])
    if format_name == "tiff":
        from dpid_cli.pictures.codecs import tiff

        return tiff.encode(pixels)
    if format_name == "jp2":
        from imagecodecs import jpeg2k_encode

        return bytes(jpeg2k_encode(pixels, level=0, reversible=True, codecformat="jp2"))
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
    from dpid_cli.pictures.codecs import tiff

    tags = tiff.Tags(stream)
    tags.seek(page)
    if not (tags.deep or (truncated and tags.packed)):
        return None
    found = tiff.page_of(stream, page)

    def pixels(name: str, truncated: bool) -> Samples:
        samples = tiff.decode(found, stream, name, truncated)
        if found.photometric not in (tiff.INK, tiff.LAB):
            return samples
        count, profile = tiff.COLOURS[found.photometric], tags.info.pop("icc_profile", None)
        values, alpha = samples.values[..., :count], samples.values[..., count:]
        if found.photometric == tiff.INK:
            shown, profile = icc.deep_ink_to_srgb(values, profile)
        else:
            shown, profile = icc.deep_lab_to_srgb(values)
        if profile:  # that of what is shown
            tags.info["icc_profile"] = profile
        return samples._replace(values=np.concatenate([shown, alpha], axis=-1) if samples.alpha else shown)

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


def is_deep_jp2(stream: IO[bytes]) -> bool:
    """Whether it is a JPEG 2000 of more than 8 bits a channel; of others nothing is found."""
    return max(map(abs, jp2_depths(stream)), default=0) > 8


def _jpeg_2000(image: Image.Image, stream: IO[bytes]) -> Deep | None:
    if not is_deep_jp2(stream):
        return None

    def pixels(name: str, _: bool) -> Samples:
        from imagecodecs import jpeg2k_decode

        stream.seek(0)
        data = stream.read()
        code, colours = jp2_codestream(data), jp2_colours(data)
        size, depths = codestream_header(code)
        if size != image.size or not depths:  # another header tells of other pixels
            raise ValueError("its headers do not agree")
        bits, *others = set(depths)
        if others or not 8 < bits <= 16 or image.mode not in _CHANNELS or colours not in _PLAIN_COLOURS:
            what = f"JPEG 2000 of {', '.join(map(str, depths))} bits in colour space {colours}"
            raise FileError(f"{name}: {what} is not read: convert it to TIFF or PNG")
        return _in_mode(np.asarray(jpeg2k_decode(code)), bits, image)

    return Deep("jp2", image.size, image, pixels)


def _jpeg_xl(image: Image.Image, stream: IO[bytes]) -> Deep | None:
    told = jxl.header(stream)
    if told.bits <= 8 and not told.animated:  # of which Pillow's plugin gives the last frame
        return None

    def pixels(name: str, _: bool) -> Samples:
        from imagecodecs import jpegxl_decode

        if told.bits > (32 if told.floats else 16):
            raise FileError(
                f"{name}: JPEG XL of {told.bits} bits is not read: convert it to 16 bits or floats"
            )
        stream.seek(0)
        return _in_mode(np.asarray(jpegxl_decode(stream.read(), index=0)), told.bits, image)

    return Deep("jxl", image.size, image, pixels)


def _in_mode(values: NDArray[Any], bits: int, image: Image.Image) -> Samples:
    """What was decoded, where it is what Pillow has found in the header."""
    channels = _CHANNELS[image.mode]
    shape = (image.height, image.width, channels)[: 2 if channels == 1 else 3]
    if values.shape != shape:
        raise ValueError(
            f"{image.mode} of {image.width} x {image.height} pixels are stored as {values.shape}"
        )
    if values.dtype.kind == "f":
        values = values.astype(np.float32, copy=False)
    elif bits > 8:
        values = stretched(values.astype(np.uint16, copy=False), 2**bits - 1)
    elif bits < 8:
        values = (values * (255 / (2**bits - 1)) + 0.5).astype(np.uint8)
    return Samples(values, channels in (2, 4), [])


def _there(stream: IO[bytes], count: int) -> bytes:
    """At most `count` bytes, an even number: what is left of a stream."""
    data = stream.read(count)
    return data[: len(data) // 2 * 2]
