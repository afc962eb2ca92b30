"""Files and streams to pictures."""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError

from dpid_cli.errors import FileError, one_line, warn
from dpid_cli.pictures.containers import without_remarks
from dpid_cli.pictures.deep import Deep, find
from dpid_cli.pictures.formats import BY_PILLOW, FORMATS
from dpid_cli.pictures.metadata import metadata_of, orientation, take
from dpid_cli.pictures.modes import is_deep, pixels_of, plain, upright
from dpid_cli.pictures.picture import Picture
from dpid_cli.pictures.settings import settings

MAX_PIXELS = 512_000_000

for _name in ("PIL", "tifffile"):  # else they print what they find odd
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _DamagedError(FileError):
    """What a decoder cannot read as it is."""


@contextmanager
def _file_errors(name: str, max_pixels: int) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into one `FileError`."""
    try:
        yield
    except FileError:
        raise
    except UnidentifiedImageError:
        known = ", ".join(FORMATS).upper()
        raise _DamagedError(f"{name}: not an image that dpid reads: give {known}") from None
    except Image.DecompressionBombError:
        raise _too_large(name, max_pixels) from None
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
    ) as error:
        # Pillow's plugins raise all of these on damaged headers.
        raise _DamagedError(
            f"{name}: damaged or truncated image: {one_line(error)}: get a whole copy"
        ) from error
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("struct", "zlib"):
            raise _DamagedError(f"{name}: damaged image: {one_line(error)}: get a whole copy") from error
        raise


def _too_large(name: str, max_pixels: int) -> FileError:
    millions, rest = divmod(max_pixels, 10**6)
    limit = f"{max_pixels}" if rest else f"{millions} million"
    return FileError(
        f"{name}: more than {limit} pixels, the limit: give a smaller image, "
        "or raise --max-pixels of 'dpid downscale'"
    )


def _known_formats() -> list[str]:
    """Pillow's names, those first that it knows from the start: to find another, it loads all its plugins."""
    Image.preinit()
    return sorted(BY_PILLOW, key=lambda name: name not in Image.OPEN)


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
        return _decoded(stream, name, max_pixels)
    except _DamagedError as error:
        damage = error
    stream.seek(0)
    for rest in without_remarks(stream):
        with suppress(_DamagedError):
            picture = _decoded(io.BytesIO(rest), name, max_pixels)
            warn(f"{name}: its text or other metadata is damaged or too long: it is left out")
            return picture
    if truncated:
        stream.seek(0)
        with suppress(_DamagedError):
            picture = _decoded(stream, name, max_pixels, truncated=True)
            warn(f"{name}: damaged or truncated image: what is missing of it is blank")
            return picture
    raise damage


def _decoded(stream: IO[bytes], name: str, max_pixels: int, truncated: bool = False) -> Picture:
    with _file_errors(name, max_pixels), settings(max_pixels, truncated):
        deep = find(stream)
        if deep is not None:
            picture, notes = _deep(deep, name, max_pixels, truncated)
        else:
            with Image.open(stream, formats=_known_formats()) as image:
                picture, notes = _shallow(image, name, max_pixels)
    for note in notes:
        warn(f"{name}: {note}")
    if picture.pixels.dtype == np.float32 and not np.isfinite(picture.pixels).all():
        raise FileError(f"{name}: it holds NaN or infinity: replace them first")
    return picture


def _deep(deep: Deep, name: str, max_pixels: int, truncated: bool) -> tuple[Picture, list[str]]:
    """A picture of 16 bits or floats, and what of its file is lost."""
    if math.prod(deep.size) > max_pixels:
        raise _too_large(name, max_pixels)
    pixels, alpha, notes = deep.pixels(name, truncated)
    metadata, lost = metadata_of(deep.remarks)
    pixels = upright(pixels, orientation(deep.remarks))
    profile = deep.remarks.info.get("icc_profile")
    profile = profile if isinstance(profile, bytes) else None
    return Picture(pixels, alpha, profile, deep.format, metadata), notes + _losses(lost)


def _shallow(image: Image.Image, name: str, max_pixels: int) -> tuple[Picture, list[str]]:
    """A picture as Pillow reads it, and what of its file is lost."""
    if image.width * image.height > max_pixels:
        raise _too_large(name, max_pixels)
    deep = is_deep(image)
    # Pillow calls a JPEG with several images MPO.
    format_name = BY_PILLOW.get(image.format or "", FORMATS["jpeg"]).name
    image.load()
    metadata, lost = take(image)
    profile = image.info.get("icc_profile")
    converted, profile = plain(image, profile if isinstance(profile, bytes) else None, name)
    pixels = pixels_of(converted)
    if format_name == "ppm" and pixels.ndim == 2:
        format_name = "pgm"
    cut = deep and pixels.dtype == np.uint8
    notes = ["more than 8 bits a channel are read as 8 bits"] if cut else []
    picture = Picture(pixels, converted.mode in ("LA", "RGBA"), profile, format_name, metadata)
    return picture, notes + _losses(lost)


def _losses(lost: list[str]) -> list[str]:
    return [f"damaged or too long: {', '.join(lost)}: left out"] if lost else []
