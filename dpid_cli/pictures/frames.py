"""Streams to sequences: every image of a file, decoded one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO

from PIL import Image

from dpid_cli.errors import FileError, warn
from dpid_cli.pictures import exif
from dpid_cli.pictures.codecs.base import Codec
from dpid_cli.pictures.codecs.frames import Frame, Frames
from dpid_cli.pictures.formats import format_in
from dpid_cli.pictures.limits import MAX_FRAMES, MAX_PIXELS, Limits
from dpid_cli.pictures.modes import pixels_of, plain
from dpid_cli.pictures.picture import Picture, PictureSequence
from dpid_cli.pictures.pillow_state import settings
from dpid_cli.pictures.reading import (
    DamagedError,
    check,
    decoding,
    file_errors,
    picture_of,
    read,
    warn_of_metadata,
    with_less_metadata,
)

# The image of a number, and notes on what was lost; numbers grow from call to call.
_Decode = Callable[[int], tuple[Picture, list[str]]]


def read_sequence(
    stream: IO[bytes],
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    max_frames: int = MAX_FRAMES,
    truncated: bool = False,
    frame: int | None = None,
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

    Returns
    -------
    PictureSequence
        A still if there is only one image, or only one is used.

    Raises
    ------
    FileError
        As `read` does, here or by the sequence's images; if there are too many, or no such frame.
    """
    limits = Limits(max_pixels, max_frames, truncated)
    frames, decode = _frames_in(stream, name, limits) or (None, None)
    count = frames.count if frames else 1
    if frame is not None and not -count <= frame < count:
        numbers = f"its {count} are numbered" if count > 1 else "it has one image: use"
        raise FileError(f"{name}: there is no frame {frame}: {numbers} 0 to {count - 1}")
    if frames is None or decode is None:
        return PictureSequence("still", _still(stream, name, limits))
    wanted = range(count) if frame is None else range(count)[frame:][:1]
    kind = "still" if len(wanted) == 1 else frames.kind
    pictures = _pictures(stream, frames.kind, decode, wanted, name, limits)
    return PictureSequence(kind, pictures, len(wanted), frames.plays)


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
    yield read(stream, name, max_pixels=limits.pixels, truncated=limits.truncated)


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
            self._notes.append("frames of 16 bits are read as 8 bits")
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
        return picture, notes
