"""Streams to images: the first image of a file, or a sequence of all, decoded one at a time."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO, Any, TypeVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from dpid_cli.errors import FileError, one_line, shortage, warn
from dpid_cli.pictures import exif
from dpid_cli.pictures.codecs.base import Codec
from dpid_cli.pictures.codecs.images import Frame, Frames, HighDepthImage
from dpid_cli.pictures.decoders import load, settings
from dpid_cli.pictures.formats import FORMATS, format_in
from dpid_cli.pictures.limits import MAX_FRAMES, MAX_PIXELS, Limits, RefusedError, too_large
from dpid_cli.pictures.metadata import metadata_of
from dpid_cli.pictures.picture import Picture, PictureSequence
from dpid_cli.pictures.pillow import indexed, pixels_of, plain, upright
from dpid_cli.pictures.prefetch import taken

T = TypeVar("T")

for _name in ("PIL", "tifffile"):  # else they print their warnings
    logging.getLogger(_name).addHandler(logging.NullHandler())
_REDUCED = "more than 8 bits a channel are read as 8 bits"
# The image of a number, and notes on what was lost; numbers grow from call to call.
_Decode = Callable[[int], tuple[Picture, list[str]]]


class DamagedError(FileError):
    """A file that a decoder cannot read."""


def read(
    stream: IO[bytes],
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    truncated: bool = False,
    palettes: bool = False,
) -> Picture:
    """Decode the first image of a stream.

    Damaged metadata is dropped, with a `DpidWarning`.

    Parameters
    ----------
    stream : binary file
        Seekable.
    name : str
        What errors and warnings call it.
    max_pixels : int, default 512 million
        Maximum number of pixels, checked in the header before anything is decoded.
    truncated : bool, default False
        Whether to use what can be decoded of a truncated file, with a `DpidWarning`.
    palettes : bool, default False
        Whether images with a palette keep their indices, instead of becoming colours.

    Returns
    -------
    Picture

    Raises
    ------
    FileError
        If it is no image of a known format, damaged, truncated or too large.
    """
    limits = Limits(max_pixels, truncated=truncated, palettes=palettes)
    strict = replace(limits, truncated=False)
    try:
        picture, is_whole = with_less_metadata(
            stream, name, lambda rest: _first(rest, name, strict, limits.truncated)
        )
    except DamagedError:
        if truncated:
            with suppress(DamagedError):
                picture = _first(stream, name, limits, advise=False)
                warn(f"{name}: damaged or truncated image: missing pixels are blank")
                return picture
        raise
    if not is_whole:
        warn_of_metadata(name)
    return picture


def read_size(stream: IO[bytes], name: str, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Width and height of the upright image, from the header; arguments and errors are those of `read`."""

    def measured(rest: IO[bytes]) -> tuple[int, int]:
        limits = Limits(max_pixels)
        with decoding(rest, name, limits) as codec:
            source = codec.open(rest, limits)
            limits.check_size(source.size)
            header = source.header if isinstance(source, HighDepthImage) else source
            by_pillow = codec.turned_by_pillow and header is source  # as it opens the file
            width, height = source.size
            return (height, width) if not by_pillow and exif.swaps_sides(header) else (width, height)

    return with_less_metadata(stream, name, measured)[0]


def _first(stream: IO[bytes], name: str, limits: Limits, advise: bool) -> Picture:
    image = taken(stream)  # before this thread applies settings, for which the other may have to wait
    with decoding(stream, name, limits, advise) as codec:
        source = image or codec.open(stream, limits)
        picture, notes = picture_of(source, codec, limits)
        notes += codec.left_out(source, stream)
    check(picture, notes, name)
    return picture


def with_less_metadata(stream: IO[bytes], name: str, read_from: Callable[[IO[bytes]], T]) -> tuple[T, bool]:
    """What is read from a stream, or else from its variants without metadata that may be damaged.

    Also whether the stream itself could be read.
    """
    try:
        return read_from(stream), True
    except DamagedError as error:
        damage = error
    codec = format_in(stream, name)
    if codec and codec.repairable:
        data = stream.read()
        for rest in codec.without_metadata(data):
            if rest != data:
                with suppress(DamagedError):
                    return read_from(io.BytesIO(rest)), False
    raise damage


def warn_of_metadata(name: str) -> None:
    """Warn that an image was read without its metadata."""
    warn(f"{name}: its text or other metadata is damaged or too long: dropped")


@contextmanager
def decoding(stream: IO[bytes], name: str, limits: Limits, advise: bool = False) -> Iterator[Codec]:
    """The codec of a stream, with Pillow's settings applied and errors as `file_errors` raises them."""
    with file_errors(stream, name, limits, advise), settings(limits.pixels, limits.truncated):
        codec = format_in(stream, name)
        if codec is None:
            raise UnidentifiedImageError
        yield codec


@contextmanager
def file_errors(stream: IO[bytes], name: str, limits: Limits, advise: bool = False) -> Iterator[None]:
    """Turn whatever a decoder raises on a bad file into one `FileError`.

    `advise` is whether to say that nothing can be decoded of truncated files of this format.
    """
    try:
        yield
    except FileError:
        raise
    except RefusedError as error:
        raise FileError(f"{name}: {error}") from error
    except UnidentifiedImageError:
        stream.seek(0)
        if not stream.read(1):
            raise DamagedError(f"{name}: is empty: get a complete copy") from None
        codec = format_in(stream, name)
        if codec is not None:
            problem = f"it begins as {codec.title}, but its header is damaged"
            raise DamagedError(f"{name}: {problem}: {_advice(stream, name, advise)}") from None
        known = ", ".join(codec.title for codec in FORMATS.values())
        raise DamagedError(f"{name}: not an image that dpid reads: use {known}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FileError(f"{name}: {too_large(limits.pixels)}") from None
    except Exception as error:
        if lack := shortage(error):
            raise FileError(f"{name}: {lack} to decode it: use a smaller image") from error
        # Pillow's plugins raise all of these on damaged headers.
        kinds = (OSError, RuntimeError, SyntaxError, ValueError, EOFError, TypeError, LookupError)
        is_damage = isinstance(error, (*kinds, AttributeError, ArithmeticError, AssertionError))
        if not is_damage and type(error).__module__.split(".")[0] not in ("struct", "zlib"):
            raise
        raise DamagedError(
            f"{name}: damaged or truncated image: {one_line(error)}: {_advice(stream, name, advise)}"
        ) from error


def _advice(stream: IO[bytes], name: str, advise: bool) -> str:
    """What to do about a damaged file."""
    codec = format_in(stream, name) if advise else None
    if codec is None or codec.can_salvage(stream):
        return "get a complete copy"
    return f"get a complete copy, as --truncated accept cannot decode part of {codec.title}"


def check(picture: Picture, notes: list[str], name: str) -> None:
    """Warn of what was lost, outside of `decoding`; refuse NaN and infinity."""
    for note in notes:
        warn(f"{name}: {note}")
    if picture.pixels.dtype == np.float32 and not np.isfinite(picture.pixels).all():
        raise FileError(f"{name}: it contains NaN or infinity: replace them first")


def picture_of(
    source: Image.Image | HighDepthImage, codec: Codec, limits: Limits
) -> tuple[Picture, list[str]]:
    """Decode an opened image, and say what was lost."""
    if isinstance(source, HighDepthImage):
        return _high_depth_picture(source, codec, limits)
    is_high_depth = codec.is_high_depth(source)
    orientation = exif.orientation(source) if codec.turned_by_pillow else 1  # Pillow forgets it
    load(source)
    metadata, lost = metadata_of(source, codec)
    colours = codec.colours(source)
    orientation = max(orientation, exif.turn(source))  # one of them is 1
    marks: dict[str, Any] = {"orientation": orientation, "cicp": colours.cicp}
    if limits.palettes and source.mode == "P":
        indices, palette = indexed(source)
        picture = Picture(indices, False, colours.profile, codec.name, metadata, palette=palette, **marks)
        return picture, [*colours.notes, *_losses(lost)]
    image, profile = plain(source, colours.profile)
    pixels = pixels_of(image)
    notes = [_REDUCED] * (is_high_depth and pixels.itemsize == 1)
    alpha = image.mode in ("LA", "RGBA")
    picture = Picture(pixels, alpha, profile, codec.stored_as(pixels), metadata, **marks)
    return picture, [*notes, *colours.notes, *_losses(lost)]


def _high_depth_picture(source: HighDepthImage, codec: Codec, limits: Limits) -> tuple[Picture, list[str]]:
    limits.check_size(source.size)
    values, alpha, notes, bits = source.decoded()
    metadata, lost = metadata_of(source.header, codec)
    pixels = upright(values, orientation := exif.orientation(source.header))
    profile, cicp, remarks = codec.colours(source.header)
    marks: dict[str, Any] = {"orientation": orientation, "cicp": cicp, "bits": bits}
    picture = Picture(pixels, alpha, profile, codec.stored_as(pixels), metadata, **marks)
    return picture, [*notes, *remarks, *_losses(lost)]


def _losses(lost: list[str]) -> list[str]:
    return [f"damaged or too long: {', '.join(lost)}: dropped"] if lost else []


def read_sequence(
    stream: IO[bytes],
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    max_frames: int = MAX_FRAMES,
    truncated: bool = False,
    frame: int | None = None,
    palettes: bool = False,
) -> PictureSequence:
    """Find the images of a stream; they are decoded on demand, while the stream is open.

    Parameters
    ----------
    stream : binary file
        Seekable.
    name : str
        What errors and warnings call it.
    max_pixels : int, default 512 million
        Maximum number of pixels of an image, and 64 times that for all of them together.
    max_frames : int, default 10,000
        Maximum number of images.
    truncated : bool, default False
        Whether to use what can be decoded of a truncated file, with a `DpidWarning`.
    frame : int or None
        The only image to use, counted from 0, or from the end if negative; None for all.
    palettes : bool, default False
        Whether images with a palette keep their indices; animations have none to keep.

    Returns
    -------
    PictureSequence
        A still if there is only one image, or only one is used.

    Raises
    ------
    FileError
        As `read` does, here or by the sequence's images; if there are too many, or no such frame.
    """
    limits = Limits(max_pixels, max_frames, truncated, palettes)
    frames, decode = _frames_in(stream, name, limits) or (None, None)
    count = frames.count if frames else 1
    if frame is not None and not -count <= frame < count:
        raise FileError(f"{name}: there is no frame {frame}: {_numbers(stream, name, count)}")
    if frames is None or decode is None:
        return PictureSequence("still", _still(stream, name, limits))
    wanted = range(count) if frame is None else range(count)[frame:][:1]
    kind = "still" if len(wanted) == 1 else frames.kind
    pictures = _pictures(stream, frames.kind, decode, wanted, name, limits)
    return PictureSequence(kind, pictures, len(wanted), frames.plays)


def _numbers(stream: IO[bytes], name: str, count: int) -> str:
    """Which frames there are."""
    if count > 1:
        return f"its {count} are numbered 0 to {count - 1}"
    codec = format_in(stream, name)
    if codec is not None and not codec.several:
        return f"of {codec.title} files only the first image is read: use 0"
    return "it has one image: use 0"


def _frames_in(stream: IO[bytes], name: str, limits: Limits) -> tuple[Frames, _Decode] | None:
    """The frames or pages of a stream, and how they are decoded; None if it has one image."""
    codec = format_in(stream, name)
    if codec is None or not codec.several:
        return None

    def look(rest: IO[bytes]) -> tuple[Frames, _Decode] | None:
        with decoding(rest, name, limits, limits.truncated):
            frames = codec.frames(rest, limits)
            if frames is None:
                return None
            limits.check_frames(frames.count, frames.pixels)
            if limits.palettes and frames.head is not None and frames.head().mode == "P":
                raise RefusedError("animations are painted in colours: leave out --palette keep")
            if not frames.whole and not limits.truncated:
                raise ValueError("it ends within a frame")
            decode = _decoder(frames, codec, limits)
        if not frames.whole:
            warn(f"{name}: damaged or truncated image: only its first {frames.count} frames are used")
        return frames, decode

    frames, is_whole = with_less_metadata(stream, name, look)
    if not is_whole:
        warn_of_metadata(name)
    return frames


def _decoder(frames: Frames, codec: Codec, limits: Limits) -> _Decode:
    if frames.head is not None:
        animation = _Animation(frames.head(), codec, limits)
        return lambda number: animation.picture_of(frames.decode(number))
    return lambda number: picture_of(frames.decode(number).image, codec, limits)


def _still(stream: IO[bytes], name: str, limits: Limits) -> Iterator[Picture]:
    stream.seek(0)
    options = {"truncated": limits.truncated, "palettes": limits.palettes}
    yield read(stream, name, max_pixels=limits.pixels, **options)


def _pictures(
    stream: IO[bytes], kind: str, decode: _Decode, wanted: range, name: str, limits: Limits
) -> Iterator[Picture]:
    """These frames or pages; no reference to one is kept while the next is decoded."""
    is_paged = kind == "pages"
    what = "page" if is_paged else "frame"
    for number in wanted:
        try:
            with (
                file_errors(stream, f"{name}: {what} {number}", limits, limits.truncated),
                settings(limits.pixels, limits.truncated),
            ):
                picture, notes = decode(number)
        except DamagedError:
            if not limits.truncated or number == wanted[0]:
                raise
            warn(f"{name}: damaged or truncated image: only its first {number} {what}s are used")
            return
        check(picture, notes, f"{name}: page {number}" if is_paged else name)
        if is_paged or len(wanted) == 1:
            picture = replace(picture, duration=None)
        if is_paged and not limits.truncated:  # else some may be missing
            picture = replace(picture, pages=len(wanted))
        yield picture
        del picture


class _Animation:
    """Frames of an animation as images with the metadata of the whole, which is read once."""

    def __init__(self, head: Image.Image, codec: Codec, limits: Limits) -> None:
        is_high_depth = codec.is_high_depth(head)
        head.load()
        self._orienting = {key: head.info[key] for key in exif.ORIENTING if key in head.info}
        first, self._notes = picture_of(head, codec, limits)
        if is_high_depth:
            self._notes = [note for note in self._notes if note != _REDUCED] + [f"frames of {_REDUCED}"]
        self._template = replace(first, pixels=first.pixels[:0].copy(), format=codec.name)

    def picture_of(self, frame: Frame) -> tuple[Picture, list[str]]:
        """A frame, and notes on what was lost, with the first."""
        image = frame.image
        assert isinstance(image, Image.Image)  # noqa: S101
        is_opaque = image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255
        image = image.convert("RGB") if is_opaque else image.copy()
        image.info.clear()
        image.info.update(self._orienting)
        exif.turn(image)
        image, _ = plain(image, None)
        alpha = image.mode in ("LA", "RGBA")
        notes, self._notes = self._notes, []
        picture = replace(self._template, pixels=pixels_of(image), alpha=alpha, duration=frame.duration)
        self._template = replace(self._template, metadata=self._template.metadata.of_frames())
        return picture, notes
