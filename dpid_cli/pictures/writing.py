"""Pictures to files and streams."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import IO, Any

import numpy as np
from PIL import Image

from dpid_cli.errors import FileError, one_line, warn
from dpid_cli.pictures.containers import with_directories, with_png_pixels, with_tiff_tags
from dpid_cli.pictures.deep import encode
from dpid_cli.pictures.formats import ALPHA, Format, able
from dpid_cli.pictures.metadata import Metadata, save_options
from dpid_cli.pictures.picture import Picture

# Wider modes that hold the same pixels, in the order of preference.
_WIDER = {"L": ("RGB", "RGBA"), "LA": ("RGBA",)}


def write(picture: Picture, stream: IO[bytes], format_: Format, name: str) -> None:
    """Encode a picture; `name` is what errors and warnings call the target.

    Raises
    ------
    FileError
        If the format cannot hold the picture's depth, size or transparency, or the codec fails.
    """
    picture = _without_opaque_alpha(picture) if not format_.modes & ALPHA else picture
    _check_side(picture, format_, name)
    mode = _mode_in(picture, format_, name)
    options = dict(format_.options)
    if picture.icc_profile:
        gray = picture.icc_profile[16:20] == b"GRAY"
        if format_.profile and not (gray and mode.startswith("RGB")):
            options["icc_profile"] = picture.icc_profile
        else:
            what = "colour profile" if not format_.profile else "profile of gray"
            warn(f"{name}: {format_.name.upper()} holds no {what}: it is left out")
    long = _encode_with(picture.metadata, picture, mode, stream, format_, options, name)
    if long:
        warn(f"{name}: too long for {format_.name.upper()}: {', '.join(long)}: left out")


def _encode_with(
    metadata: Metadata,
    picture: Picture,
    mode: str,
    stream: IO[bytes],
    format_: Format,
    options: Mapping[str, Any],
    name: str,
) -> list[str]:
    """Encode with metadata, or without if that is what fails; what of it is too long."""
    try:
        told, long = save_options(metadata, format_.name, format_.metadata, picture.size)
        _encode(picture, mode, stream, format_, {**options, **told}, name)
    except (struct.error, LookupError, TypeError, ValueError, ArithmeticError, SystemError):
        record = Metadata(software=metadata.software)
        if metadata == record:
            raise
        stream.seek(0)
        stream.truncate()
        _encode_with(record, picture, mode, stream, format_, options, name)
        warn(f"{name}: {format_.name.upper()} cannot hold its metadata: it is left out")
        return []
    return long


def _encode(
    picture: Picture,
    mode: str,
    stream: IO[bytes],
    format_: Format,
    options: Mapping[str, Any],
    name: str,
) -> None:
    told = dict(options)
    directories = told.pop("directories", {})
    try:
        if picture.pixels.dtype == np.uint8:
            image = Image.fromarray(picture.pixels)
            image = image if image.mode == mode else image.convert(mode)
            if not directories:
                image.save(stream, format_.pillow, **told)
                return
            file = _by_pillow(image, format_, told)
        else:
            file = _deep(picture, format_, told)
        stream.write(with_directories(file, directories) if directories else file)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own error, not the codec's
        raise FileError(
            f"{name}: cannot be encoded as {format_.name.upper()}: {one_line(error)}: choose another format"
        ) from error


def _by_pillow(image: Image.Image, format_: Format, options: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_.pillow, **options)
    return buffer.getvalue()


def _deep(picture: Picture, format_: Format, options: Mapping[str, Any]) -> bytes:
    """A file of 16 bits or floats, with what Pillow writes beside the only pixel of another."""
    file = encode(picture.pixels, format_.name, options)
    if not format_.metadata:
        return file
    one = Image.new("L" if picture.pixels.ndim == 2 else "RGB", (1, 1))
    remarks = _by_pillow(one, format_, options)
    return with_tiff_tags(file, remarks) if format_.name == "tiff" else with_png_pixels(remarks, file)


def _check_side(picture: Picture, format_: Format, name: str) -> None:
    side = max(picture.size)
    if side > format_.max_side:
        raise FileError(
            f"{name}: {format_.name.upper()} holds at most {format_.max_side} pixels a side: "
            f"write {able(picture.mode, side)}"
        )


def _without_opaque_alpha(picture: Picture) -> Picture:
    if not (picture.alpha and picture.opaque):
        return picture
    colours = picture.pixels[..., :-1]
    if colours.shape[2] == 1:
        colours = colours[..., 0]
    return replace(picture, pixels=np.ascontiguousarray(colours), alpha=False)


def _mode_in(picture: Picture, format_: Format, name: str) -> str:
    """The mode in which the format holds the picture without loss, or a `FileError`."""
    for mode in (picture.mode, *_WIDER.get(picture.mode, ())):
        if mode in format_.modes:
            return mode
    lacking, instead = "colour", ""
    if picture.mode.endswith(";F"):
        lacking, instead = "floating point", ", or give --depth 16 or 8"
    elif picture.mode.endswith(";16"):
        lacking, instead = "16 bits", ", or give --depth 8"
    elif picture.alpha:
        lacking = "transparency"
    raise FileError(f"{name}: {format_.name.upper()} holds no {lacking}: write {able(picture.mode)}{instead}")
