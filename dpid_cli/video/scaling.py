"""Downscaling of frames: all channels together, or each plane by its own windows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.api import automatic, downscale
from dpid_cli.downscaling.cropping import Crop
from dpid_cli.downscaling.sizes import Size
from dpid_cli.video.frames import (
    UNKNOWN_SITING,
    Colour,
    Converter,
    Pixels,
    Planes,
    frame_of,
    planes_of,
    upright,
)

if TYPE_CHECKING:
    from av import VideoFrame

# A plane whose windows begin within a pixel has its pixels repeated so often, or less if that is enough.
_PARTS = 4
# Parameters that count pixels or channels, and so cannot serve planes of several sizes.
_OF_ALL_CHANNELS = ("window", "gate", "guidance", "cell")
# Where samples of chroma lie: 0 at the first pixel of luma that they belong to, 1 at the last.
_ACROSS = {UNKNOWN_SITING: 0, "left": 0, "topleft": 0, "bottomleft": 0}
_DOWN = {"topleft": 0, "top": 0, "bottomleft": 1, "bottom": 1}
_MIDDLE = Fraction(1, 2)


@dataclass(frozen=True)
class Stored:
    """How frames are stored: their format, colour, siting of chroma, size, and how they lie."""

    format: str
    colour: Colour
    siting: str
    size: Size
    orientation: int = 1

    @property
    def upright_size(self) -> Size:
        """Width and height of the upright frame."""
        return self.size[::-1] if self.orientation > 4 else self.size


@dataclass(frozen=True)
class Plan:
    """How to turn a frame of the input into one of the output.

    Attributes
    ----------
    source : Stored
    target : Stored
        Its size is that of one downscaled frame.
    work : Pixels
        What is downscaled.
    together : bool
        Whether the channels are downscaled as one image, so that their distance is that of colours.
    crop : Crop or None
        Of the upright frame.
    options : mapping
        Method and parameters, for `downscale`.
    compare : bool
        Whether the box filter's frame is put to the left.
    name : str
        What errors call the input.
    """

    source: Stored
    target: Stored
    work: Pixels
    together: bool
    options: Mapping[str, Any]
    crop: Crop | None = None
    compare: bool = False
    name: str = ""

    @property
    def output_size(self) -> Size:
        """Width and height of the frames of the output."""
        width, height = self.target.size
        return width * (1 + self.compare), height

    def settled(self, found: Mapping[str, Any]) -> Plan:
        """The plan with numbers in place of "auto"."""
        return replace(self, options={**self.options, **found})

    def measured(self, frame: VideoFrame) -> dict[str, Any]:
        """What "auto" stands for in a frame; noise has a number for each channel."""
        planes = self._prepared(Renderer(self).decoded(frame))
        if self.together:
            return automatic(np.stack(planes, axis=-1), size=self.target.size, **self.options)
        found = automatic(planes[0], size=self.target.size, **self.options)
        if "noise" in found:  # of luma only
            rest = {"noise": "auto", "method": self.options["method"]}
            noise = (automatic(plane, scale=2, **rest)["noise"][0] for plane in planes[1:])
            found["noise"] = (*found["noise"], *noise)
        return found

    def _prepared(self, planes: Planes) -> Planes:
        """Planes with all bits of their type, upright and cropped to whole pixels."""
        if (shift := 8 * self.work.dtype().itemsize - self.work.bits) > 0:
            planes = [plane << shift for plane in planes]
        if self.source.orientation != 1:
            planes = [upright(plane, self.source.orientation) for plane in planes]
        if self.crop is not None:
            planes = [plane[self.crop.outer] for plane in planes]
        return planes

    def downscaled(self, planes: Planes) -> Planes:
        """The planes of the output."""
        planes = self._prepared(planes)
        results = [self._by(planes, self.options)]
        if self.compare:
            results.insert(0, self._by(planes, {"method": "box"}))
        joined = [
            np.concatenate(both, axis=1) if self.compare else both[0] for both in zip(*results, strict=True)
        ]
        if (shift := 8 * self.work.dtype().itemsize - self.work.bits) > 0:
            half = np.uint32(1 << shift >> 1)
            joined = [np.minimum((plane + half) >> shift, (1 << self.work.bits) - 1) for plane in joined]
        return joined

    def _by(self, planes: Planes, options: Mapping[str, Any]) -> Planes:
        if self.together:
            part: Any = None if self.crop is None or self.crop.is_whole else self.crop.inner.numbers
            image = np.stack(planes, axis=-1)
            result = downscale(image, size=self.target.size, threads=1, crop=part, channel_axis=-1, **options)
            return [result[..., channel] for channel in range(len(planes))]
        noise = options.get("noise")
        each = (
            noise if isinstance(noise, tuple | list) and len(noise) == len(planes) else [noise] * len(planes)
        )
        results = []
        for number, (plane, own) in enumerate(zip(planes, each, strict=True)):
            used = dict(options) if noise is None else {**options, "noise": own}
            results.append(self._luma(plane, used) if number == 0 else self._chroma(plane, used))
        return results

    def _luma(self, plane: NDArray[Any], options: Mapping[str, Any]) -> NDArray[Any]:
        return downscale(plane, size=self.target.size, threads=1, **options)

    def _chroma(self, plane: NDArray[Any], options: Mapping[str, Any]) -> NDArray[Any]:
        """Downscale a plane of chroma by the windows around where its samples are to lie."""
        tables = (_ACROSS, 0), (_DOWN, 1)
        size = [-(-self.target.size[axis] // self.work.chroma[axis]) for axis in (0, 1)]
        for table, axis in tables:
            scale = Fraction(self.source.size[axis], self.target.size[axis])
            at = table.get(self.source.siting, _MIDDLE)
            plane = aligned(plane, 1 - axis, scale, size[axis], self.work.chroma[axis], Fraction(at))
        return downscale(plane, size=(size[0], size[1]), threads=1, **options)


def aligned(
    plane: NDArray[Any], axis: int, scale: Fraction, count: int, chroma: int, at: Fraction
) -> NDArray[Any]:
    """A plane of chroma that begins and ends where the windows of the output do, along an axis.

    Parameters
    ----------
    plane : (H, W) ndarray
    axis : int
    scale : Fraction
        How many times smaller luma becomes; windows are as large.
    count : int
        Number of windows.
    chroma : int
        Pixels of luma for one sample of chroma.
    at : Fraction
        Where the sample lies among these, 0 at the first and 1 at the last, before and after.
    """
    # The middle of the first sample is so far from the edge, in samples of its own plane.
    middle = (_MIDDLE + at * (chroma - 1)) / chroma
    start, length = (scale - 1) * (middle - _MIDDLE), scale * count
    parts = 1
    while parts < _PARTS and (start * parts).denominator > 1:
        parts *= 2
    first, total = round(start * parts), max(count, round(length * parts))
    if parts > 1:
        plane = plane.repeat(parts, axis)
    behind = first + total - plane.shape[axis]
    if first or behind:
        spans = [(0, 0), (0, 0)]
        spans[axis] = max(0, -first), max(0, behind)
        if max(spans[axis]):
            plane = np.pad(plane, spans, mode="edge")
        begin = max(0, first)
        cut = [slice(None), slice(None)]
        cut[axis] = slice(begin, begin + total)
        plane = plane[tuple(cut)]
    return np.ascontiguousarray(plane)


def plan_for(
    source: Stored, target: Stored, options: Mapping[str, Any], name: str, crop: Crop | None, compare: bool
) -> Plan:
    """Decide what is downscaled: planes where input and output store chroma alike, else whole colours."""
    given, wanted = Pixels.of(source.format), Pixels.of(target.format)
    bits = max(given.bits, wanted.bits)
    kinds = {given.kind, wanted.kind}
    if "gray" in kinds:
        work = Pixels("gray", bits)
    elif "rgb" in kinds:
        work = Pixels("rgb", bits)
    elif kinds == {"yuv"} and given.chroma == wanted.chroma:
        work = replace(given, bits=bits, alpha=False)
    else:
        work = Pixels("yuv", bits)
    fits = all(options.get(key) is None for key in _OF_ALL_CHANNELS)
    fits = fits and source.orientation == 1 and crop is None
    if work.is_subsampled and not fits:
        work = replace(work, chroma=(1, 1))
    return Plan(source, target, work, not work.is_subsampled, options, crop, compare, name)


class Renderer:
    """Turns frames of the input into frames of the output; every thread has its own converters."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._of_thread = threading.local()

    def decoded(self, frame: VideoFrame) -> Planes:
        """The planes to downscale."""
        plan, source = self._plan, self._plan.source
        if not hasattr(self._of_thread, "before"):
            colours = source.colour, source.colour.as_kind(plan.work.kind)
            self._of_thread.before = Converter(
                source.format, plan.work.name, source.size, colours, source.siting, plan.name
            )
        return planes_of(self._of_thread.before(frame), plan.work)

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        plan, target = self._plan, self._plan.target
        result = frame_of(plan.downscaled(self.decoded(frame)), plan.work)
        if not hasattr(self._of_thread, "after"):
            colours = self._plan.source.colour.as_kind(plan.work.kind), target.colour
            self._of_thread.after = Converter(
                plan.work.name, target.format, plan.output_size, colours, target.siting, plan.name
            )
        made: VideoFrame = self._of_thread.after(result)
        return made


def even(size: Size, chroma: tuple[int, int]) -> Size:
    """Both sides rounded down to whole samples of chroma, at least one."""
    width, height = (max(step, side - side % step) for side, step in zip(size, chroma, strict=True))
    return width, height
