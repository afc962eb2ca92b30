"""Images to streams."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

import numpy as np
from PIL import Image

from dpid_cli.errors import FileError, collected, one_line, warn
from dpid_cli.interrupts import interruptible
from dpid_cli.pictures.codecs.base import ALPHA, INDICES, Animation, Codec
from dpid_cli.pictures.formats import titles
from dpid_cli.pictures.icc import colours_of, fitting, is_srgb, to_srgb, with_usable_profile
from dpid_cli.pictures.limits import RefusedError
from dpid_cli.pictures.metadata import not_stored
from dpid_cli.pictures.picture import Metadata, Picture, PictureSequence

# Wider modes that store the same pixels, in the order of preference.
_WIDER = {"L": ("RGB", "RGBA"), "LA": ("RGBA",), "RGB": ("RGBA",)}
_WIDER |= {f"{mode};16": tuple(f"{wide};16" for wide in wider) for mode, wider in _WIDER.items()}


def write(picture: Picture, stream: IO[bytes], format_: Codec, name: str) -> None:
    """Encode an image; `name` is what errors and warnings call the output.

    Raises a `FileError` if the format cannot store the image's depth, size or transparency, or its encoder
    fails.
    """
    _write(picture, stream, format_, name, {})


def _write(picture: Picture, stream: IO[bytes], format_: Codec, name: str, extra: Mapping[str, Any]) -> None:
    picture, mode = _storable(picture, format_, name)
    picture = _with_storable_profile(picture, mode, format_, name)
    if mode in INDICES and picture.palette is None:
        from dpid_cli.pictures.quantizing import with_palette

        picture = with_palette(picture, format_.options["colors"])
    options = {**format_.keywords(), **extra}
    if picture.cicp and format_.cicp:
        options["cicp"] = picture.cicp
    if format_.depths != Codec.depths and picture.pixels.dtype == np.uint16:
        options["bits"] = _depth(picture, format_)
    if picture.icc_profile:
        options["icc_profile"] = fitting(picture.icc_profile, mode)
    try:
        notes = _encode(picture, mode, stream, format_, options, name)
    except (struct.error, LookupError, TypeError, ValueError, ArithmeticError, SystemError):
        plain = replace(picture, metadata=Metadata(software=picture.metadata.software))
        if plain.metadata == picture.metadata:
            raise
        stream.seek(0)
        stream.truncate()
        _encode(plain, mode, stream, format_, options, name)
        notes = [f"{format_.title} cannot store its metadata: dropped"]
    for note in notes:
        warn(f"{name}: {note}")


def _encode(
    picture: Picture, mode: str, stream: IO[bytes], format_: Codec, options: Mapping[str, Any], name: str
) -> list[str]:
    """Encode with metadata; a line about what of it is lost."""
    described, lost = format_.save_options(picture.metadata, picture.size)
    try:
        palette = {} if picture.palette is None else {"palette": picture.palette}
        options = {**options, **described, **palette}
        _call(lambda target: format_.encode(picture.pixels, mode, target, options), format_, stream)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk
        raise FileError(
            f"{name}: cannot be encoded as {format_.title}: {one_line(error)}: use another format"
        ) from error
    return not_stored(picture.metadata, format_) + lost


def _call(encoder: Callable[[IO[bytes]], None], format_: Codec, stream: IO[bytes]) -> None:
    """Call an encoder; a slow one writes into memory, because it goes on after Ctrl-C."""
    if not format_.slow:
        encoder(stream)
        return
    buffer = io.BytesIO()
    interruptible(lambda: encoder(buffer))
    stream.write(buffer.getbuffer())


def _depth(picture: Picture, format_: Codec) -> int:
    """The bits a channel to store 16 bits in: as many as the file had, or else the most."""
    *fewer, most = format_.depths
    return next((bits for bits in fewer if bits >= (picture.bits or most)), most)


def check_picture(picture: Picture, format_: Codec, name: str) -> None:
    """Raise a `FileError` if a format cannot store an image."""
    _storable(picture, format_, name)


def holds_all_of(format_: Codec, other: Codec) -> bool:
    """Whether a format stores every image that another stores, apart from palettes."""
    modes = all(format_.modes & {mode, *_WIDER.get(mode, ())} for mode in other.modes - INDICES)
    colours = format_.cicp or not other.cicp
    return bool(other.modes) and modes and colours and other.max_side <= format_.max_side


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Put the name of the output before what a codec refuses."""
    try:
        yield
    except RefusedError as error:
        raise FileError(f"{name}: {error}") from error


def _storable(picture: Picture, format_: Codec, name: str) -> tuple[Picture, str]:
    """The image, without opaque alpha if the format stores none, and the mode to store it in."""
    with _refusals(name):
        format_.load_plugin()
    if picture.cicp and picture.only_by_code and not format_.cicp:
        able = titles(lambda codec: codec.cicp)
        raise FileError(f"{name}: {format_.title} cannot store colours in {picture.cicp.title}: write {able}")
    if not format_.modes & ALPHA:
        picture = _without_opaque_alpha(picture)
    side = max(picture.size)
    if side > format_.max_side:
        larger = titles(lambda codec: picture.mode in codec.modes and side <= codec.max_side)
        raise FileError(
            f"{name}: {format_.title} stores at most {format_.max_side} pixels a side: write {larger}"
        )
    mode = _mode_in(picture, format_, name)
    with _refusals(name):
        mode = format_.mode_with_options(mode)
        if picture.palette is not None:
            format_.check_palette(picture.palette)
    return picture, mode


def _with_storable_profile(picture: Picture, mode: str, format_: Codec, name: str) -> Picture:
    """The image with a profile that the format stores in this mode, or in sRGB without one."""
    profile = picture.icc_profile
    if profile is None or (format_.profile and fitting(profile, mode)):
        return picture
    lacking = f"{format_.title} cannot store {'gray profiles' if format_.profile else 'colour profiles'}"
    with collected():  # a damaged one is dropped like any other
        picture = with_usable_profile(picture, name)
    if picture.icc_profile and not is_srgb(profile, colours_of(picture).shape[2]):
        picture = to_srgb(picture)
        warn(f"{name}: {lacking}: colours are converted to sRGB")
        if format_.profile:
            return picture
    else:
        warn(f"{name}: {lacking}: dropped")
    return replace(picture, icc_profile=None)


def check_sequence(sequence: PictureSequence, format_: Codec, name: str) -> None:
    """Raise a `FileError` if a format cannot store all images of a file; `name` is that of the file."""
    if sequence.kind in ("still", format_.several):
        return
    stores = {"animation": "no pages", "pages": "no animations"}.get(format_.several, "one image")
    this = "an animation" if sequence.kind == "animation" else "a file of several pages"
    able = titles(lambda codec: codec.several == sequence.kind)
    raise FileError(
        f"{name}: {format_.title} stores {stores}, and this is {this}: write {able}, or use --frame N"
    )


def write_sequence(sequence: PictureSequence, stream: IO[bytes], format_: Codec, name: str) -> Codec:
    """Encode all images of a sequence, which the format must be able to store.

    Pages are written one by one. The frames of an animation get one mode, and the metadata of the first.

    Returns the format with the options that were used: with ``target_size``, the quality is searched.

    Raises a `FileError` as `write` does for each.
    """
    if format_.options.get("target_size") is not None:
        return _write_in_size(sequence, stream, format_, name)
    if sequence.kind == "still":
        write(next(sequence.pictures), stream, format_, name)
    elif sequence.kind == "pages":
        format_.write_pages(_encoded_pages(sequence.pictures, format_, name), stream)
    else:
        frames = list(sequence.pictures)
        if any(frame.pixels.dtype != np.uint8 for frame in frames):
            raise FileError(f"{name}: animations are written with 8 bits only: use --depth 8, or --frame N")
        _write_animation(_in_one_mode(frames), sequence.plays, stream, format_, name)
    return format_


def _write_in_size(sequence: PictureSequence, stream: IO[bytes], format_: Codec, name: str) -> Codec:
    """Encode with the best quality for a file as large as ``target_size``."""
    from dpid_cli.pictures import target_size

    pictures = list(sequence.pictures)
    warnings: list[str] = []
    with _refusals(name):
        for picture in pictures:
            format_.mode_with_options(picture.mode)

    def encode(other: Codec) -> bytes:
        buffer = io.BytesIO()
        plain = replace(other, options={**other.options, "target_size": None})
        with collected() as notes:
            write_sequence(replace(sequence, pictures=iter(pictures)), buffer, plain, name)
        warnings[:] = notes
        return buffer.getvalue()

    best = target_size.found(format_, encode, name)
    for note in warnings:
        warn(note)
    stream.write(best.data)
    return best.format


def _encoded_pages(pictures: Iterator[Picture], format_: Codec, name: str) -> Iterator[bytes]:
    for number, picture in enumerate(pictures):
        buffer = io.BytesIO()
        write(picture, buffer, format_, f"{name}: page {number}")
        yield buffer.getvalue()


def _write_animation(frames: list[Picture], plays: int, stream: IO[bytes], format_: Codec, name: str) -> None:
    if plays and not format_.stores_plays:
        warn(f"{name}: {format_.title} cannot store how often it is played: dropped")
    frames = _with_storable_profiles(frames, format_, name)
    first = frames[0]

    def write_first(target: IO[bytes], options: Mapping[str, Any]) -> None:
        _write(first, target, format_, name, options)

    images = [format_.image_of(frame.pixels, _mode_in(frame, format_, name)) for frame in frames]
    durations = [frame.duration or 0 for frame in frames]
    animation = Animation(images, durations, plays, first.metadata.comment, write_first)
    with _refusals(name):
        _call(lambda target: format_.write_animation(animation, target), format_, stream)


def _in_one_mode(frames: list[Picture]) -> list[Picture]:
    """All frames with alpha if one of them needs it, and in colour if one of them is."""
    if not any(frame.alpha for frame in frames):
        modes = {frame.mode for frame in frames}
        return frames if len(modes) == 1 else [_as(frame, "RGB") for frame in frames]
    if all(frame.pixels[..., -1].min() == 255 for frame in frames if frame.alpha):
        return _in_one_mode([_without_opaque_alpha(frame) for frame in frames])
    return [_as(frame, "RGBA") for frame in frames]


def _as(frame: Picture, mode: str) -> Picture:
    pixels = np.asarray(Image.fromarray(frame.pixels).convert(mode))
    return replace(frame, pixels=pixels, alpha=mode == "RGBA")


def _with_storable_profiles(frames: list[Picture], format_: Codec, name: str) -> list[Picture]:
    """All frames, which share their profile, with one warning."""

    def storable(frame: Picture) -> Picture:
        return _with_storable_profile(frame, _mode_in(frame, format_, name), format_, name)

    first = storable(frames[0])
    if first is frames[0]:
        return frames
    with collected():
        return [first, *map(storable, frames[1:])]


def _without_opaque_alpha(picture: Picture) -> Picture:
    if not (picture.alpha and picture.opaque):
        return picture
    colours = picture.pixels[..., :-1]
    if colours.shape[2] == 1:
        colours = colours[..., 0]
    return replace(picture, pixels=np.ascontiguousarray(colours), alpha=False)


def _mode_in(picture: Picture, format_: Codec, name: str) -> str:
    """The mode in which the format stores the image without loss, or a `FileError`."""
    for mode in (picture.mode, *_WIDER.get(picture.mode, ())):
        if mode in format_.modes:
            return mode
    lacking, instead = "colour", ""
    if picture.palette is not None:
        lacking, instead = "palettes", ", or leave out --palette keep"
    elif picture.mode.endswith(";F"):
        lacking, instead = "floating point", ", or use --depth 16 or 8"
    elif picture.mode.endswith(";16"):
        lacking, instead = "16 bits", ", or use --depth 8"
    elif picture.alpha:
        lacking, instead = "transparency", ", or use --transparency drop"
    able = titles(lambda codec: picture.mode in codec.modes)
    raise FileError(f"{name}: {format_.title} cannot store {lacking}: write {able}{instead}")
