"""Numbered images as videos: ``frames/%06d.png``, read and written by `pictures`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.errors import ArgumentError, FileError, reason, warn
from dpid_cli.files.folders import make_folder
from dpid_cli.files.output import check_target, exists_already
from dpid_cli.files.storage import written
from dpid_cli.files.streams import opened
from dpid_cli.pictures import Picture, PictureSequence, format_of, icc, read, write_sequence
from dpid_cli.pictures.limits import Limits
from dpid_cli.video.frames import UNKNOWN_SITING, Colour, Pixels, Stored, frame_of, planes_of
from dpid_cli.video.reading import Facts, Part, Timed

if TYPE_CHECKING:
    from av import VideoFrame

_NUMBER = re.compile(r"%(0(?P<digits>\d{1,2}))?d")
# sRGB has the primaries of Rec. 709, and its own curve.
_SRGB = Colour(primaries=1, transfer=13, matrix=0, full=True)
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Pattern:
    """The path of numbered images, with ``%d`` or ``%06d`` in their names."""

    text: str

    @classmethod
    def of(cls, path: str) -> Pattern | None:
        """The pattern, if a path is one."""
        return cls(path) if _NUMBER.search(Path(path).name) else None

    def check(self) -> None:
        """Raise an `ArgumentError` for more than one number."""
        if len(_NUMBER.findall(self.text)) > 1 or _NUMBER.search(str(Path(self.text).parent)):
            raise ArgumentError(f"{self.text}: has more than one number: use one, in the name, like %06d.png")

    def path(self, number: int) -> Path:
        """The path of one of the images."""
        return Path(_NUMBER.sub(lambda match: f"{number:0{int(match['digits'] or 0)}d}", self.text))

    def numbers(self) -> list[int]:
        """The numbers of all images that there are, in order."""
        name = Path(self.text).name
        match = _NUMBER.search(name)
        if match is None:
            return []
        form = re.compile(
            f"{re.escape(name[: match.start()])}(\\d{{1,{_MOST_DIGITS}}}){re.escape(name[match.end() :])}"
        )
        folder = Path(self.text).parent
        try:
            names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        except OSError as error:
            raise FileError(f"{folder}: cannot be read: {reason(error)}: check the folder") from error
        found = ((int(whole[1]), name) for name in names if (whole := form.fullmatch(name)))
        return sorted(number for number, name in found if self.path(number).name == name)


@dataclass
class ImageInput:
    """Numbered images, shown at a constant rate."""

    pattern: Pattern
    rate: Fraction
    part: Part
    limits: Limits
    numbers: list[int] = field(init=False)

    def __post_init__(self) -> None:
        numbers = self.pattern.numbers()
        if not numbers:
            raise FileError(
                f"{self.pattern.text}: no image has such a name: check the folder and the pattern"
            )
        for before, number in pairwise(numbers):
            if number != before + 1:
                missing = self.pattern.path(before + 1)
                raise FileError(f"{missing}: is missing between others: add it, or number them anew")
        if len(numbers) > self.limits.frames:
            limit = f"{self.pattern.text}: more than {self.limits.frames} frames, the limit"
            raise FileError(f"{limit}: raise --max-frames")
        shown = (Fraction(index) / self.rate for index in range(len(numbers)))
        inside = [
            number
            for number, time in zip(numbers, shown, strict=True)
            if time >= self.part.start and (self.part.end is None or time < self.part.end)
        ]
        self.numbers = inside[:: self.part.every]
        if not self.numbers:
            raise FileError(f"{self.pattern.text}: has no images between --start and --end: change them")

    def facts(self) -> Facts:
        """Decode the first image, and say what the video is like."""
        pixels = self.pixels(self.numbers[0])
        form = _pixels_of(pixels)
        size = pixels.shape[1], pixels.shape[0]
        stored = Stored(form.name, _SRGB, UNKNOWN_SITING, size)
        rate = self.rate / self.part.every
        return Facts(stored, 1 / self.rate, rate, "", frames=len(self.numbers))

    def pixels(self, number: int) -> NDArray[Any]:
        """The pixels of an image, in sRGB."""
        path = self.pattern.path(number)
        with opened(str(path)) as stream:
            picture = read(stream, str(path), max_pixels=self.limits.pixels)
        if not picture.opaque:
            raise FileError(f"{path}: has transparent pixels, which videos have not: use dpid batch")
        if picture.icc_profile is not None:
            picture = icc.to_srgb(icc.with_usable_profile(picture, str(path)))
        return icc.colours_of(picture)

    def frame(self, number: int) -> VideoFrame:
        """An image as a frame."""
        pixels = self.pixels(number)
        if pixels.dtype.kind == "f":
            raise FileError(f"{self.pattern.path(number)}: has floats: use dpid batch, or 16 bits")
        form = _pixels_of(pixels)
        return frame_of([pixels[..., channel] for channel in range(pixels.shape[2])], form)

    def items(self) -> Iterator[Timed]:
        """The images as frames, in order."""
        size = None
        for index, number in enumerate(self.numbers):
            frame = self.frame(number)
            this = (frame.format.name, frame.width, frame.height)
            size = size or this
            if this != size:
                path = self.pattern.path(number)
                raise FileError(
                    f"{path}: differs from the first image in size, depth or channels: convert it first"
                )
            yield Timed(frame, index * self.part.every, self.part.every)


def _pixels_of(pixels: NDArray[Any]) -> Pixels:
    return Pixels("gray" if pixels.shape[2] == 1 else "rgb", 8 * pixels.dtype.itemsize)


@dataclass
class ImageOutput:
    """Numbered images that are being written, each as soon as it is complete."""

    pattern: Pattern
    first: int
    overwrite: bool
    written: int = 0

    def check(self) -> None:
        """Raise a `FileError` if images would be replaced."""
        numbers = self.pattern.numbers()
        if numbers and not self.overwrite:
            raise exists_already(self.pattern.path(numbers[0]))
        format_of(self.pattern.path(self.first))

    def write(self, frame: VideoFrame, timed: Timed) -> None:
        """Write the next image."""
        form = Pixels.of(frame.format.name)
        planes = planes_of(frame, form)
        pixels = planes[0] if form.kind == "gray" else np.stack(planes, axis=-1)
        path = self.pattern.path(self.first + self.written)
        check_target(path, (), (), self.overwrite)
        if not self.written:
            make_folder(path.parent)
        picture = Picture(np.ascontiguousarray(pixels), alpha=False, icc_profile=None)
        with written(str(path), self.overwrite) as stream:
            write_sequence(PictureSequence("still", iter([picture])), stream, format_of(path), str(path))
        self.written += 1

    def close(self) -> None:
        """Say which images are older."""
        last = self.first + self.written
        if older := sum(not self.first <= number < last for number in self.pattern.numbers()):
            warn(f"{self.pattern.text}: {older} older images stay: remove them")
