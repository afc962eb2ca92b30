"""Files and streams to pictures."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base

from dpid_cli.errors import FileError, one_line, warn
from dpid_cli.pictures import limits
from dpid_cli.pictures.codecs import jxl, libtiff
from dpid_cli.pictures.formats import BY_PILLOW, FORMATS, format_in, load_plugin
from dpid_cli.pictures.high_depth import Deep, boxed, find, is_deep_jp2
from dpid_cli.pictures.icc import profile_of
from dpid_cli.pictures.metadata import is_turned, metadata_of, orientation, take
from dpid_cli.pictures.modes import is_deep, pixels_of, plain, upright
from dpid_cli.pictures.picture import Picture
from dpid_cli.pictures.pillow_state import settings
from dpid_cli.pictures.repair import box_remarks, without_remarks

T = TypeVar("T")

MAX_PIXELS = 512_000_000
_JXL_SRGB = ("sRGB", "Gra_D65_Rel_SRG")  # what profiles are called that the decoder makes up

for _name in ("PIL", "tifffile"):  # else they print what they find odd
    logging.getLogger(_name).addHandler(logging.NullHandler())


class DamagedError(FileError):
    """What a decoder cannot read as it is."""


@contextmanager
def file_errors(stream: IO[bytes], name: str, max_pixels: int, *, part: bool = False) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into one `FileError`.

    `part` tells whether users have asked for what there is of files that are cut off.
    """
    try:
        yield
    except FileError:
        raise
    except UnidentifiedImageError:
        format_ = format_in(stream, name)
        if format_ is not None:
            problem = f"it begins as {format_.name.upper()}, but its header is damaged"
            raise DamagedError(f"{name}: {problem}: {_advice(stream, name, part)}") from None
        known = ", ".join(FORMATS).upper()
        raise DamagedError(f"{name}: not an image that dpid reads: give {known}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise too_large(name, max_pixels) from None
    except MemoryError:
        raise FileError(f"{name}: not enough memory to decode it: give a smaller image") from None
    except (
        OSError,
        RuntimeError,
        SyntaxError,
        ValueError,
        EOFError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        ArithmeticError,
        AssertionError,
    ) as error:
        # Pillow's plugins raise all of these on damaged headers.
        raise DamagedError(
            f"{name}: damaged or truncated image: {one_line(error)}: {_advice(stream, name, part)}"
        ) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("struct", "zlib"):
            raise DamagedError(
                f"{name}: damaged image: {one_line(error)}: {_advice(stream, name, part)}"
            ) from error
        raise


def _advice(stream: IO[bytes], name: str, part: bool) -> str:
    """What to do about a damaged file."""
    format_ = format_in(stream, name) if part else None
    if format_ is None or (format_.partial and not (format_.name == "jp2" and is_deep_jp2(stream))):
        return "get a whole copy"
    return f"get a whole copy, as --truncated accept gets nothing of {format_.name.upper()}"


def too_large(name: str, max_pixels: int) -> FileError:
    """The error of a picture with more pixels than are allowed."""
    millions, rest = divmod(max_pixels, 10**6)
    limit = f"{max_pixels}" if rest else f"{millions} million"
    return FileError(
        f"{name}: more than {limit} pixels, the limit: give a smaller image, "
        "or raise --max-pixels of 'dpid downscale'"
    )


def opened(stream: IO[bytes], name: str, max_pixels: int) -> Image.Image:
    """The image in a stream, not decoded yet; no decoder is tried but the one for what it begins as."""
    format_ = format_in(stream, name)
    if format_ is None:
        raise UnidentifiedImageError
    if format_.name == "jxl":  # which is decoded when it is opened
        width, height = jxl.header(stream).size
        stream.seek(0)
        if width * height > max_pixels:
            raise too_large(name, max_pixels)
    load_plugin(format_, name)
    try:
        image = Image.open(limits.without_comments(stream), formats=[format_.pillow])
    except RuntimeError as error:
        if format_.name == "jxl":  # which speaks to those who build it
            raise ValueError("its decoder cannot read it") from error
        raise
    if format_.name in ("jp2", "jxl"):
        _complete(image, stream)
    if image.width * image.height > max_pixels:
        raise too_large(name, max_pixels)
    limits.check(image, stream)
    return image


def _complete(image: Image.Image, stream: IO[bytes]) -> None:
    """Add what Pillow's plugins leave out, and take away what they make up."""
    place = stream.tell()
    image.info.update(box_remarks(stream))
    stream.seek(place)
    if image.info.get("comment", b"").startswith(b"Created by OpenJPEG"):
        del image.info["comment"]
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        # It has been turned by its own header; EXIF tells that a second time.
        profile = image.info.get("icc_profile", b"")
        if profile[4:8] == b"jxl " and any(name.encode("utf-16-be") in profile for name in _JXL_SRGB):
            del image.info["icc_profile"]
        with suppress(Exception):  # damaged EXIF turns nothing
            tags = image.getexif()
            if tags.pop(Base.Orientation, None):
                image.info["exif"] = tags.tobytes()


def read(stream: IO[bytes], name: str, *, max_pixels: int = MAX_PIXELS, truncated: bool = False) -> Picture:
    """Decode the first image of a stream.

    What metadata is damaged is left out, with a `DpidWarning`.

    Parameters
    ----------
    stream : binary file
        Seekable.
    name : str
        What errors and warnings call it.
    max_pixels : int, default 512 million
        The most that are decoded; the header tells how many there are.
    truncated : bool, default False
        Whether to take what there is of a file that is cut off, with a `DpidWarning`.

    Returns
    -------
    Picture

    Raises
    ------
    FileError
        If it is not an image of a known format, damaged, truncated or too large.
    """
    try:
        picture, whole = _looked_at(stream, lambda rest: _decoded(rest, name, max_pixels, part=truncated))
    except DamagedError:
        if truncated:
            stream.seek(0)
            with suppress(DamagedError):
                picture = _decoded(stream, name, max_pixels, truncated=True)
                warn(f"{name}: damaged or truncated image: what is missing of it is blank")
                return picture
        raise
    if not whole:
        warn(f"{name}: its text or other metadata is damaged or too long: it is left out")
    return picture


def _looked_at(stream: IO[bytes], look: Callable[[IO[bytes]], T]) -> tuple[T, bool]:
    """What `look` finds in a stream, and whether all of it could be read, or only without remarks."""
    try:
        return look(stream), True
    except DamagedError as error:
        damage = error
    stream.seek(0)
    for rest in without_remarks(stream):
        with suppress(DamagedError):
            return look(io.BytesIO(rest)), False
    raise damage


def _decoded(
    stream: IO[bytes], name: str, max_pixels: int, *, truncated: bool = False, part: bool = False
) -> Picture:
    with file_errors(stream, name, max_pixels, part=part), settings(max_pixels, truncated):
        deep = find(stream, truncated=truncated)
        if deep is not None:
            picture, notes = deep_picture(deep, name, max_pixels, truncated)
        else:
            with opened(stream, name, max_pixels) as image:
                deep = boxed(image, stream)
                if deep is not None:
                    picture, notes = deep_picture(deep, name, max_pixels, truncated)
                else:
                    picture, notes = shallow_picture(image, name)
                notes += _others(image, stream)
    check(picture, notes, name)
    return picture


def _others(image: Image.Image, stream: IO[bytes]) -> list[str]:
    """A line about pictures in the file that are not read."""
    if image.format == "JXL" and jxl.header(stream).animated:
        return ["an animation, of which only the first frame is read"]
    count = getattr(image, "n_frames", 1) if image.format == "HEIF" else 1
    return [f"{count} images, of which only the main one is read"] if count > 1 else []


def check(picture: Picture, notes: list[str], name: str) -> None:
    """Warn of what was lost, where warnings are not held back; no picture may hold NaN or infinity."""
    for note in notes:
        warn(f"{name}: {note}")
    if picture.pixels.dtype == np.float32 and not np.isfinite(picture.pixels).all():
        raise FileError(f"{name}: it holds NaN or infinity: replace them first")


def deep_picture(deep: Deep, name: str, max_pixels: int, truncated: bool) -> tuple[Picture, list[str]]:
    """A picture of 16 bits or floats, and what of its file is lost."""
    if math.prod(deep.size) > max_pixels:
        raise too_large(name, max_pixels)
    pixels, alpha, notes = deep.pixels(name, truncated)
    metadata, lost = metadata_of(deep.remarks)
    way = orientation(deep.remarks)
    pixels = upright(pixels, way)
    profile = profile_of(deep.remarks.info, deep.remarks.mode)
    picture = Picture(pixels, alpha, profile, deep.format, metadata, turned=way != 1)
    return picture, notes + _losses(lost)


def shallow_picture(image: Image.Image, name: str) -> tuple[Picture, list[str]]:
    """A picture as Pillow reads it, and what of its file is lost."""
    deep = is_deep(image)
    # Pillow calls a JPEG with several images MPO.
    format_name = BY_PILLOW.get(image.format or "", FORMATS["jpeg"]).name
    if format_name == "tiff":
        libtiff.silence()
    turned = getattr(image, "tag_v2", {}).get(Base.Orientation, 1) != 1  # which Pillow forgets as it loads
    image.load()
    metadata, lost, turned_now = take(image)
    converted, profile = plain(image, profile_of(image.info, image.mode), name)
    pixels = pixels_of(converted)
    if format_name == "ppm" and pixels.ndim == 2:
        format_name = "pgm"
    cut = deep and pixels.dtype == np.uint8
    notes = ["more than 8 bits a channel are read as 8 bits"] if cut else []
    alpha = converted.mode in ("LA", "RGBA")
    picture = Picture(pixels, alpha, profile, format_name, metadata, turned=turned or turned_now)
    return picture, notes + _losses(lost)


def _losses(lost: list[str]) -> list[str]:
    return [f"damaged or too long: {', '.join(lost)}: left out"] if lost else []


def read_size(stream: IO[bytes], name: str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of the upright picture, from the header; arguments and errors are those of `read`."""
    return _looked_at(stream, lambda rest: _measured(rest, name, max_pixels))[0]


def _measured(stream: IO[bytes], name: str, max_pixels: int) -> tuple[int, int]:
    with file_errors(stream, name, max_pixels), settings(max_pixels, False):
        deep = find(stream)
        if deep is None:
            with opened(stream, name, max_pixels) as image:
                # Pillow exchanges the sides of a TIFF when it opens it.
                (width, height), turned = image.size, image.format != "TIFF" and is_turned(image)
        else:
            (width, height), turned = deep.size, is_turned(deep.remarks)
            if width * height > max_pixels:
                raise too_large(name, max_pixels)
    return (height, width) if turned else (width, height)
