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
from dpid_cli.pictures.colour import fitting
from dpid_cli.pictures.containers import with_directories
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
    image = _in_mode(picture, format_, name)
    options = dict(format_.options)
    if picture.icc_profile:
        profile = fitting(picture.icc_profile, image.mode)
        if format_.profile and profile:
            options["icc_profile"] = profile
        else:
            what = "colour profile" if not format_.profile else "profile of gray"
            warn(f"{name}: {format_.name.upper()} holds no {what}: it is left out")
    long = _encode_with(picture.metadata, image, stream, format_, options, name)
    if long:
        warn(f"{name}: too long for {format_.name.upper()}: {', '.join(long)}: left out")


def _encode_with(
    metadata: Metadata,
    image: Image.Image,
    stream: IO[bytes],
    format_: Format,
    options: Mapping[str, Any],
    name: str,
) -> list[str]:
    """Encode with metadata, or without if that is what fails; what of it is too long."""
    try:
        told, long = save_options(metadata, format_.name, format_.metadata, image.size)
        _encode(image, stream, format_, {**options, **told}, name)
    except (struct.error, LookupError, TypeError, ValueError, ArithmeticError, SystemError):
        record = Metadata(software=metadata.software)
        if metadata == record:
            raise
        stream.seek(0)
        stream.truncate()
        _encode_with(record, image, stream, format_, options, name)
        warn(f"{name}: {format_.name.upper()} cannot hold its metadata: it is left out")
        return []
    return long


def _encode(
    image: Image.Image, stream: IO[bytes], format_: Format, options: Mapping[str, Any], name: str
) -> None:
    told = dict(options)
    directories = told.pop("directories", None)
    try:
        if directories is None:
            image.save(stream, format_.pillow, **told)
        else:
            buffer = io.BytesIO()
            image.save(buffer, format_.pillow, **told)
            stream.write(with_directories(buffer.getvalue(), directories))
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own error, not the codec's
        raise FileError(
            f"{name}: cannot be encoded as {format_.name.upper()}: {one_line(error)}: choose another format"
        ) from error


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


def _in_mode(picture: Picture, format_: Format, name: str) -> Image.Image:
    """The picture in a mode that the format holds without loss, as Pillow's."""
    if picture.mode in format_.modes:
        return Image.fromarray(picture.pixels)
    for mode in _WIDER.get(picture.mode, ()):
        if mode in format_.modes:
            return Image.fromarray(picture.pixels).convert(mode)
    lacking = "colour"
    if picture.mode.endswith(";F"):
        lacking = "floating point"
    elif picture.mode.endswith(";16"):
        lacking = "16 bits"
    elif picture.alpha:
        lacking = "transparency"
    advice = f"write {able(picture.mode)}"
    if lacking == "transparency":
        advice += ", or give --transparency drop"
    raise FileError(f"{name}: {format_.name.upper()} holds no {lacking}: {advice}")
