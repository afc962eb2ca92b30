"""Pictures to files and streams."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import IO, Any

import numpy as np
from PIL import Image

from dpid_cli.errors import FileError, collected, one_line, warn
from dpid_cli.pictures.codecs import apng, gif, jxl
from dpid_cli.pictures.formats import ALPHA, FORMATS, Format, able, holders, load_plugin
from dpid_cli.pictures.high_depth import encode
from dpid_cli.pictures.icc import colours_of, fitting, is_srgb, to_srgb, with_usable_profile
from dpid_cli.pictures.metadata import TAG_OF_IPTC, Metadata, save_options
from dpid_cli.pictures.picture import Picture
from dpid_cli.pictures.repair import (
    join_tiffs,
    with_boxes,
    with_directories,
    with_jp2_pixels,
    with_longs,
    with_png_pixels,
    with_tiff_tags,
    without_dates,
)
from dpid_cli.pictures.sequence import PictureSequence

# Wider modes that hold the same pixels, in the order of preference.
_WIDER = {"L": ("RGB", "RGBA"), "LA": ("RGBA",), "RGB": ("RGBA",)}


def write(picture: Picture, stream: IO[bytes], format_: Format, name: str) -> None:
    """Encode a picture; `name` is what errors and warnings call the target.

    Raises
    ------
    FileError
        If the format cannot hold the picture's depth, size or transparency, or the codec fails.
    """
    picture, mode = _held(picture, format_, name)
    picture = _with_profile_held(picture, mode, format_, name)
    options = dict(format_.options)
    if format_.name == "ico":
        options["sizes"] = [picture.size]
    if picture.icc_profile:
        options["icc_profile"] = fitting(picture.icc_profile, mode)
    for note in _encode_with(picture.metadata, picture, mode, stream, format_, options, name):
        warn(f"{name}: {note}")


def check_picture(picture: Picture, format_: Format, name: str) -> None:
    """Raise a `FileError` if a format cannot hold a picture."""
    _held(picture, format_, name)


def holds_all_of(format_: Format, other: Format) -> bool:
    """Whether a format holds every picture that another holds."""
    modes = all(format_.modes & {mode, *_WIDER.get(mode, ())} for mode in other.modes)
    return bool(other.modes) and modes and other.max_side <= format_.max_side


def _held(picture: Picture, format_: Format, name: str) -> tuple[Picture, str]:
    """The picture, without alpha where that shows nothing and has no place, and the mode that holds it."""
    load_plugin(format_, name)
    picture = _without_opaque_alpha(picture) if not format_.modes & ALPHA else picture
    _check_side(picture, format_, name)
    mode = _mode_in(picture, format_, name)
    usual = FORMATS[format_.name].options
    if format_.name == "jxl" and mode.endswith(";16") and format_.options["quality"] != usual["quality"]:
        raise FileError(
            f"{name}: JXL of 16 bits is written without loss: leave --quality out, or give --depth 8"
        )
    return picture, mode


def _with_profile_held(picture: Picture, mode: str, format_: Format, name: str) -> Picture:
    """The picture with a profile that the format holds in this mode, or in sRGB and with none."""
    profile = picture.icc_profile
    if profile is None or (format_.profile and fitting(profile, mode)):
        return picture
    lacking = f"{format_.name.upper()} holds no {'profile of gray' if format_.profile else 'colour profile'}"
    with collected():  # a damaged one is left out like any other
        picture = with_usable_profile(picture, name)
    if picture.icc_profile and not is_srgb(profile, colours_of(picture).shape[2]):
        picture = to_srgb(picture)
        warn(f"{name}: {lacking}: colours are converted to sRGB")
        if format_.profile:
            return picture
    else:
        warn(f"{name}: {lacking}: it is left out")
    return replace(picture, icc_profile=None)


def check_sequence(sequence: PictureSequence, format_: Format, name: str) -> None:
    """Raise a `FileError` if a format cannot hold all pictures of a file, whose name is given."""
    if sequence.kind in ("still", format_.several):
        return
    holds = {"animation": "no pages", "pages": "no animation"}.get(format_.several, "one picture")
    this = "an animation" if sequence.kind == "animation" else "a file of several pages"
    raise FileError(
        f"{name}: {format_.name.upper()} holds {holds}, and this is {this}: "
        f"write {holders(sequence.kind)}, or give --frame N"
    )


def write_sequence(sequence: PictureSequence, stream: IO[bytes], format_: Format, name: str) -> None:
    """Encode all pictures of a sequence, which the format must be able to hold.

    Pages are written as they come. The frames of an animation get one mode, and what the first of them
    tells describes all.

    Raises
    ------
    FileError
        As by `write` for each.
    """
    if sequence.kind == "still":
        write(next(sequence.pictures), stream, format_, name)
    elif sequence.kind == "pages":
        join_tiffs(_encoded_pages(sequence.pictures, format_, name), stream)
    else:
        frames = list(sequence.pictures)
        if any(frame.pixels.dtype != np.uint8 for frame in frames):
            raise FileError(f"{name}: animations are written with 8 bits only: give --depth 8, or --frame N")
        _write_animation(_in_one_mode(frames), sequence.plays, stream, format_, name)


def _encoded_pages(pictures: Iterator[Picture], format_: Format, name: str) -> Iterator[bytes]:
    for number, picture in enumerate(pictures):
        buffer = io.BytesIO()
        write(picture, buffer, format_, f"{name}: page {number}")
        yield buffer.getvalue()


def _in_one_mode(frames: list[Picture]) -> list[Picture]:
    """All of them with alpha if one of them needs it, and in colour."""
    if not any(frame.alpha for frame in frames):
        modes = {frame.mode for frame in frames}
        return frames if len(modes) == 1 else [_as(frame, "RGB") for frame in frames]
    if all(frame.pixels[..., -1].min() == 255 for frame in frames if frame.alpha):
        return _in_one_mode([_without_opaque_alpha(frame) for frame in frames])
    return [_as(frame, "RGBA") for frame in frames]


def _as(frame: Picture, mode: str) -> Picture:
    return replace(
        frame, pixels=np.asarray(Image.fromarray(frame.pixels).convert(mode)), alpha=mode == "RGBA"
    )


def _write_animation(
    frames: list[Picture], plays: int, stream: IO[bytes], format_: Format, name: str
) -> None:
    durations = [frame.duration or 0 for frame in frames]
    if plays and format_.name == "avif":
        warn(f"{name}: AVIF holds no number of plays: it is left out")
    frames = _with_profiles_held(frames, format_, name)
    first, images = frames[0], [_image(frame, _mode_in(frame, format_, name)) for frame in frames]
    if format_.name == "gif":
        head = io.BytesIO()
        write(first, head, format_, name)
        gif.write(images, durations, plays, first.metadata.comment, stream)
    elif format_.name == "png":
        head = io.BytesIO()
        write(first, head, format_, name)

        def encoded(image: Image.Image) -> bytes:
            buffer = io.BytesIO()
            image.save(buffer, "PNG", **format_.options)
            return buffer.getvalue()

        apng.write(head.getvalue(), images, durations, plays, encoded, stream)
    else:
        sequence = {
            "save_all": True,
            "append_images": images[1:],
            "duration": [round(duration) for duration in durations],
            "loop": plays,
        }
        buffer = io.BytesIO()
        write(first, buffer, replace(format_, options={**format_.options, **sequence}), name)
        stream.write(without_dates(buffer.getvalue()) if format_.name == "avif" else buffer.getbuffer())


def _with_profiles_held(frames: list[Picture], format_: Format, name: str) -> list[Picture]:
    """All frames, which share their profile; told once."""
    first = _with_profile_held(frames[0], _mode_in(frames[0], format_, name), format_, name)
    if first is frames[0]:
        return frames
    with collected():
        others = [_with_profile_held(f, _mode_in(f, format_, name), format_, name) for f in frames[1:]]
    return [first, *others]


def _image(picture: Picture, mode: str) -> Image.Image:
    image = Image.fromarray(picture.pixels)
    return image.convert(mode) if picture.pixels.dtype == np.uint8 and image.mode != mode else image


def _jpeg_2000(picture: Picture, mode: str, format_: Format, told: Mapping[str, Any]) -> bytes:
    """With what Pillow writes none of: colours of 16 bits, and most remarks."""
    if picture.pixels.dtype == np.uint8 or picture.pixels.ndim == 2:
        file = _by_pillow(_image(picture, mode), format_, told)
    else:
        one = _by_pillow(Image.new(mode.removesuffix(";16"), (1, 1)), format_, told)
        file = with_jp2_pixels(one, encode(picture.pixels, "jp2", told), told.get("comment", b""))
    kinds = ("icc_profile", "exif", "xmp", "iptc")
    remarks: dict[str, bytes] = {key: told[key] for key in kinds if key in told}
    return with_boxes(file, remarks, told.get("dpi"))


def _encode_with(
    metadata: Metadata,
    picture: Picture,
    mode: str,
    stream: IO[bytes],
    format_: Format,
    options: Mapping[str, Any],
    name: str,
) -> list[str]:
    """Encode with metadata, or without if that is what fails; what of it is lost."""
    try:
        told, lost = save_options(metadata, format_.name, format_.metadata, picture.size)
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
    return lost


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
    records = told.pop("iptc", b"") if format_.name == "tiff" else b""
    try:
        if format_.name == "jp2":
            stream.write(_jpeg_2000(picture, mode, format_, told))
            return
        if format_.name == "jxl" and picture.pixels.dtype == np.uint16:
            boxes: dict[str, bytes] = {key: told[key] for key in ("exif", "xmp") if key in told}
            stream.write(jxl.encode(picture.pixels, boxes))
            return
        if picture.pixels.dtype == np.uint8:
            image = _image(picture, mode)
            if format_.name == "gif":
                image = gif.with_palette(image)
            if not directories and not records:
                image.save(stream, format_.pillow, **told)
                return
            file = _by_pillow(image, format_, told)
        else:
            file = _deep(picture, format_, told)
        file = with_longs(file, TAG_OF_IPTC, records) if records else file
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
        lacking, instead = "transparency", ", or give --transparency drop"
    raise FileError(f"{name}: {format_.name.upper()} holds no {lacking}: write {able(picture.mode)}{instead}")
