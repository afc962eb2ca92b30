"""Downscaling of frames: all channels together, or each plane by its own windows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dpid_cli.downscaling.cropping import Crop
from dpid_cli.downscaling.planes import OF_ALL_CHANNELS, Layout, Planes, narrowed, widened
from dpid_cli.downscaling.sizes import Size
from dpid_cli.video.frames import UNKNOWN_SITING, Converter, Pixels, Stored, frame_of, planes_of, upright

if TYPE_CHECKING:
    from av import VideoFrame


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
    options: Mapping[str, Any]
    crop: Crop | None = None
    compare: bool = False
    name: str = ""

    @property
    def _layout(self) -> Layout:
        siting = "left" if self.source.siting == UNKNOWN_SITING else self.source.siting
        return Layout(self.source.size, self.target.size, self.work.chroma, siting)

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
        return self._layout.automatic(planes, **self.options)

    def _prepared(self, planes: Planes) -> Planes:
        """Planes with all bits of their type, upright and cropped to whole pixels."""
        planes = widened(planes, self.work.bits)
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
        return narrowed(joined, self.work.bits)

    def _by(self, planes: Planes, options: Mapping[str, Any]) -> Planes:
        more = dict(options)
        if self.crop is not None and not self.crop.is_whole:
            more["crop"] = self.crop.inner.numbers
        return self._layout.downscaled(planes, threads=1, **more)


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
    fits = all(options.get(key) is None for key in OF_ALL_CHANNELS)
    fits = fits and source.orientation == 1 and crop is None
    if work.is_subsampled and not fits:
        work = replace(work, chroma=(1, 1))
    return Plan(source, target, work, options, crop, compare, name)


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
