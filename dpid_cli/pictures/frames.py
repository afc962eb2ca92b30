"""Streams to sequences: every picture of a file, decoded one at a time."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from PIL import Image

from dpid_cli.errors import FileError, warn
from dpid_cli.pictures.codecs import apng, gif
from dpid_cli.pictures.formats import Format, format_in
from dpid_cli.pictures.high_depth import find
from dpid_cli.pictures.metadata import ORIENTING, turn
from dpid_cli.pictures.modes import is_deep, pixels_of, plain
from dpid_cli.pictures.picture import Picture
from dpid_cli.pictures.pillow_state import settings
from dpid_cli.pictures.reading import (
    MAX_PIXELS,
    DamagedError,
    check,
    deep_picture,
    file_errors,
    opened,
    read,
    shallow_picture,
    too_large,
)
from dpid_cli.pictures.repair import Directory, tiff_directories, without_remarks
from dpid_cli.pictures.sequence import MAX_FRAMES, Canvas, PictureSequence, detached

_MAX_TOTAL = 64  # times the pixels of the largest picture, for all of a file together


@dataclass(frozen=True)
class _Limits:
    pixels: int
    frames: int
    truncated: bool


@dataclass
class _Sequence:
    """Several pictures that were found in a file.

    `decode` makes the picture of a number, and notes of what is lost; numbers grow from call to call.
    """

    kind: str
    count: int
    decode: Callable[[int], tuple[Picture, list[str]]]
    plays: int = 0


def read_sequence(
    stream: IO[bytes],
    name: str,
    *,
    max_pixels: int = MAX_PIXELS,
    max_frames: int = MAX_FRAMES,
    truncated: bool = False,
    frame: int | None = None,
) -> PictureSequence:
    """Find the pictures of a stream; they are decoded when asked for, as long as the stream is open.

    Parameters
    ----------
    stream : binary file
        Seekable.
    name : str
        What errors and warnings call it.
    max_pixels : int, default 512 million
        The most that a picture may have, and 64 times that for all of them together.
    max_frames : int, default 10,000
        The most that there may be.
    truncated : bool, default False
        Whether to take what there is of a file that is cut off, with a `DpidWarning`.
    frame : int or None
        The only one that is asked for, counted from 0, or from the end if negative.

    Returns
    -------
    PictureSequence
        A still if there is only one picture, or if only one is asked for.

    Raises
    ------
    FileError
        As `read` does, here or by the sequence's pictures; if there are too many, or no such frame.
    """
    given = _Limits(max_pixels, max_frames, truncated)
    found = _found(stream, name, given)
    count = found.count if found else 1
    if frame is not None and not -count <= frame < count:
        many = f"its {count} are numbered" if count > 1 else "it holds one picture: give"
        raise FileError(f"{name}: there is no frame {frame}: {many} 0 to {count - 1}")
    if found is None:
        return PictureSequence("still", _still(stream, name, given))
    numbers = range(count) if frame is None else range(count)[frame:][:1]
    kind = "still" if len(numbers) == 1 else found.kind
    return PictureSequence(kind, _pictures(stream, found, numbers, name, given), len(numbers), found.plays)


def _still(stream: IO[bytes], name: str, given: _Limits) -> Iterator[Picture]:
    stream.seek(0)
    yield read(stream, name, max_pixels=given.pixels, truncated=given.truncated)


def _pictures(
    stream: IO[bytes], found: _Sequence, numbers: range, name: str, given: _Limits
) -> Iterator[Picture]:
    """Its pictures; no reference to one is kept while the next is decoded."""
    what = "page" if found.kind == "pages" else "frame"
    for number in numbers:
        try:
            with (
                file_errors(stream, f"{name}: {what} {number}", given.pixels, part=given.truncated),
                settings(given.pixels, given.truncated),
            ):
                picture, notes = found.decode(number)
        except DamagedError:
            if not given.truncated or number == numbers[0]:
                raise
            warn(f"{name}: damaged or truncated image: only its first {number} {what}s are used")
            return
        check(picture, notes, f"{name}: page {number}" if found.kind == "pages" else name)
        if found.kind == "pages" or len(numbers) == 1:
            picture = replace(picture, duration=None)
        yield picture
        del picture


def _found(stream: IO[bytes], name: str, given: _Limits) -> _Sequence | None:
    """What there is if it is not one picture alone, also where remarks are damaged."""
    format_ = format_in(stream, name)
    if format_ is None or not format_.several:
        return None
    try:
        return _looked_for(stream, name, format_, given)
    except DamagedError as error:
        damage = error
    stream.seek(0)
    for rest in map(io.BytesIO, without_remarks(stream)):
        with suppress(DamagedError):
            found = _looked_for(rest, name, format_, given)
            warn(f"{name}: its text or other metadata is damaged or too long: it is left out")
            return found
    raise damage


def _looked_for(stream: IO[bytes], name: str, format_: Format, given: _Limits) -> _Sequence | None:
    find = {"gif": _gif, "png": _apng, "webp": _webp, "avif": _avif, "tiff": _tiff}[format_.name]
    stream.seek(0)
    with (
        file_errors(stream, name, given.pixels, part=given.truncated),
        settings(given.pixels, given.truncated),
    ):
        return find(stream, name, given)


def _check_count(count: int, pixels: int, name: str, given: _Limits) -> None:
    """`pixels` are those of all of them together."""
    if count > given.frames:
        raise FileError(
            f"{name}: more than {given.frames} frames or pages, the limit: give --frame N of a shorter file, "
            "or raise --max-frames of 'dpid downscale'"
        )
    if pixels > _MAX_TOTAL * given.pixels:
        raise too_large(f"{name}: {count} frames or pages together", _MAX_TOTAL * given.pixels)


class _Shown:
    """The pictures of an animation, of which all that describes it is read once."""

    def __init__(self, image: Image.Image, format_: str, name: str) -> None:
        self._name = name
        deep = is_deep(image)
        image.load()
        self._orienting = {key: image.info[key] for key in ORIENTING if key in image.info}
        first, self._notes = shallow_picture(image, name)
        if deep:
            self._notes.append("frames of 16 bits are read as 8 bits")
        self._like = replace(first, pixels=first.pixels[:0].copy(), format=format_)

    def __call__(self, image: Image.Image, duration: float) -> tuple[Picture, list[str]]:
        frame = detached(image)
        frame.info.clear()
        frame.info.update(self._orienting)
        turn(frame)
        converted, _ = plain(frame, None, self._name)
        pixels = pixels_of(converted)
        alpha = converted.mode in ("LA", "RGBA")
        notes, self._notes = self._notes, []
        return replace(self._like, pixels=pixels, alpha=alpha, duration=duration), notes


def _painted(found: gif.Frames | apng.Frames, shown: _Shown, given: _Limits, name: str) -> _Sequence:
    """Frames that change parts of those before."""
    canvas, patches = Canvas(found.size), enumerate(found.patches)

    def decode(number: int) -> tuple[Picture, list[str]]:
        for reached, patch in patches:
            if patch.size[0] * patch.size[1] > given.pixels:
                raise too_large(f"{name}: frame {reached}", given.pixels)
            canvas.paint(patch)
            if reached == number:
                return shown(canvas.shown, patch.duration)
        raise IndexError(number)

    return _Sequence("animation", len(found.patches), decode, found.plays)


def _check_found(found: gif.Frames | apng.Frames, name: str, given: _Limits) -> None:
    width, height = found.size
    if width * height > given.pixels:
        raise too_large(name, given.pixels)
    _check_count(len(found.patches), len(found.patches) * width * height, name, given)
    if found.whole:
        return
    if not given.truncated:
        raise ValueError("it ends within a frame")
    warn(f"{name}: damaged or truncated image: only its first {len(found.patches)} frames are used")


def _gif(stream: IO[bytes], name: str, given: _Limits) -> _Sequence | None:
    found = gif.find(stream, given.frames)
    if not found.patches or (len(found.patches) == 1 and found.patches[0].size == found.size):
        return None
    _check_found(found, name, given)
    stream.seek(0)
    return _painted(found, _Shown(opened(stream, name, given.pixels), "gif", name), given, name)


def _apng(stream: IO[bytes], name: str, given: _Limits) -> _Sequence | None:
    if not apng.is_animated(stream):
        return None
    found = apng.find(stream, given.frames)
    if len(found.patches) <= 1 and not found.hidden:
        return None
    if not found.patches and (found.whole or given.truncated):
        return None  # what is shown where animations are not
    _check_found(found, name, given)
    stream.seek(0)
    return _painted(found, _Shown(opened(stream, name, given.pixels), "png", name), given, name)


def _webp(stream: IO[bytes], name: str, given: _Limits) -> _Sequence | None:
    head = stream.read(21)
    animated = head[12:16] == b"VP8X" and head[20:21] and head[20] & 2
    return _decoded(stream, name, "webp", given) if animated else None


def _avif(stream: IO[bytes], name: str, given: _Limits) -> _Sequence | None:
    return _decoded(stream, name, "avif", given) if b"avis" in stream.read(64) else None


def _decoded(stream: IO[bytes], name: str, format_: str, given: _Limits) -> _Sequence | None:
    """Frames that the decoder of the format paints."""
    stream.seek(0)
    image: Any = opened(stream, name, given.pixels)
    count = image.n_frames
    if count == 1:
        return None
    _check_count(count, count * image.width * image.height, name, given)
    shown = _Shown(image.copy(), format_, name)

    def decode(number: int) -> tuple[Picture, list[str]]:
        image.seek(number)
        image.load()
        return shown(image, image.info["duration"])

    return _Sequence("animation", count, decode, image.info.get("loop", 0))


def _tiff(stream: IO[bytes], name: str, given: _Limits) -> _Sequence | None:
    pages: list[Directory] = []
    try:
        for directory in tiff_directories(stream):
            if not directory.part:
                pages.append(directory)
                _check_count(len(pages), 0, name, given)
    except (ValueError, struct.error):
        if not given.truncated or not pages:
            raise
    if len(pages) <= 1:
        return None
    _check_count(
        len(pages), sum(width * height for width, height in (page.size for page in pages)), name, given
    )
    stream.seek(0)
    shallow: list[Any] = []  # Pillow's image, opened once it is needed: it may know nothing of the first page

    def decode(number: int) -> tuple[Picture, list[str]]:
        what = f"{name}: page {number}"
        deep = find(stream, pages[number].number, truncated=given.truncated)
        if deep is not None:
            return deep_picture(deep, what, given.pixels, given.truncated)
        if not shallow:
            shallow.append(opened(stream, name, given.pixels))
        (image,) = shallow
        if image.tell() != pages[number].number:
            # What is left of another page shall not be taken for this page's, nor its memory be used again.
            image.info.clear()
            image.readonly = 1
            image.seek(pages[number].number)
        if image.width * image.height > given.pixels:
            raise too_large(what, given.pixels)
        return shallow_picture(image, what)

    return _Sequence("pages", len(pages), decode)
