"""Clips of VapourSynth: `downscale` for each of their frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.automatic import is_automatic
from dpid_cli.downscaling.choices import Guidance
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.filters import resolved
from dpid_cli.downscaling.names import MethodName
from dpid_cli.downscaling.parameters import PARAMETERS
from dpid_cli.downscaling.planes import (
    OF_ALL_CHANNELS,
    Layout,
    Planes,
    even,
    medians,
    narrowed,
    spread,
    widened,
)
from dpid_cli.downscaling.registry import method_named
from dpid_cli.downscaling.sizes import requested
from dpid_cli.errors import ArgumentError, SizeError

try:
    import vapoursynth as vs
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "dpid_cli.integrations.vapoursynth: VapourSynth is missing: pip install vapoursynth",
        name="vapoursynth",
    ) from error

if TYPE_CHECKING:
    from vapoursynth import VideoFormat, VideoFrame, VideoNode

_MOST_BITS = 16
# By the number in _ChromaLocation; without one, as VapourSynth's own filters assume.
_SITINGS = ("left", "center", "topleft", "top", "bottomleft", "bottom")
_PARTS = 64  # of a pixel, for src_left and src_top


def downscale(
    clip: VideoNode,
    *,
    scale: float | None = None,
    size: tuple[int, int] | None = None,
    method: MethodName = "dpid",
    src_left: float = 0.0,
    src_top: float = 0.0,
    threads: int | None = None,
    **parameters: Any,
) -> VideoNode:
    """Downscale a clip so that small details survive.

    Parameters
    ----------
    clip : VideoNode
        Gray, RGB or YUV, integers of 8 to 16 bits or floats, with a constant format and size.
    scale : float, optional
        How many times smaller each side becomes, 1 or more. Sides are rounded down where chroma needs it.
        Give either `scale` or `size`.
    size : (int, int), optional
        (width, height) of the output.
    method : str, default "dpid"
        A name in `dpid_cli.METHODS`.
    src_left, src_top : float, default 0.0
        Where the first window begins, in pixels of the input. Windows keep their size; outside, the pixels
        of the edge continue.
    threads : int, optional
        Most threads for a frame, by default one for each available CPU.
    **parameters
        Those of the method, as for `dpid_cli.downscale`: `lambda_`, `alpha`, `noise` and so on. "auto" is
        measured in nine frames; their medians serve all.

    Returns
    -------
    VideoNode
        A clip of the same format and length, with the properties of its frames. ``_SARNum`` and ``_SARDen``
        change with the shape of pixels.

    Raises
    ------
    DpidError
        If an argument is wrong, or the clip has another format. Interlaced frames are an error once they are
        requested.

    Notes
    -----
    RGB and YUV 4:4:4 are downscaled as colours. Where there are fewer samples of chroma, each plane has its
    own windows, and samples stay where ``_ChromaLocation`` says, to a quarter of a sample.

    Examples
    --------
    >>> import vapoursynth as vs  # doctest: +SKIP
    >>> from dpid_cli.integrations.vapoursynth import downscale  # doctest: +SKIP
    >>> clip = vs.core.std.BlankClip(width=1920, height=1080, format=vs.YUV420P10)  # doctest: +SKIP
    >>> downscale(clip, scale=2, lambda_="auto").height  # doctest: +SKIP
    540
    """
    form = _format_of(clip)
    chroma = (1 << form.subsampling_w, 1 << form.subsampling_h)
    source = clip.width, clip.height
    target = even(requested(source, scale, size), chroma)
    if size is not None and target != tuple(size):
        raise SizeError(
            f"size: {form.name} needs sides that are multiples of {chroma[0]} and {chroma[1]}: "
            f"use ({target[0]}, {target[1]})"
        )
    options = _options(method, parameters, form.name if max(chroma) > 1 else None)
    start = _start("src_left", src_left, source[0]), _start("src_top", src_top, source[1])
    scaler = _Scaler(source, target, chroma, form.bits_per_sample, start, thread_count(threads))
    if is_automatic(options):
        options |= medians(scaler.automatic(frame, options) for frame in _spread(clip))
    blank = clip.std.BlankClip(width=target[0], height=target[1], keep=True)
    return blank.std.ModifyFrame(clips=[blank, clip], selector=scaler.selector(options))


def _format_of(clip: VideoNode) -> VideoFormat:
    if not isinstance(clip, vs.VideoNode):
        raise ArgumentError(f"clip must be a VideoNode (got {type(clip).__name__})")
    form = clip.format
    if form is None or not clip.width or not clip.height:
        raise ArgumentError("clip: its format or size changes: convert its frames to one format and size")
    if form.sample_type == vs.INTEGER and form.bits_per_sample > _MOST_BITS:
        raise ArgumentError(
            f"clip: {form.name} has integers of more than 16 bits: convert it to 16 or floats"
        )
    return form


def _options(method: str, parameters: Mapping[str, Any], subsampled: str | None) -> dict[str, Any]:
    """Method and parameters, checked before any frame is requested."""
    if unknown := sorted(parameters.keys() - PARAMETERS.keys()):
        raise ArgumentError(f"{unknown[0]}: downscale has no such argument for clips: leave it out")
    chosen = method_named(method)
    checked = chosen.parameters(resolved(chosen, parameters)).as_dict()
    plain = (None, *Guidance.words())
    if subsampled and (own := [name for name in OF_ALL_CHANNELS if checked.get(name) not in plain]):
        raise ArgumentError(f"{own[0]}: does not fit the planes of {subsampled}: convert the clip to 4:4:4")
    return {"method": method, **checked}


def _start(name: str, value: float, side: int) -> Fraction:
    try:
        start = Fraction(value).limit_denominator(_PARTS)
    except (TypeError, ValueError, OverflowError):
        start = Fraction(side)
    if abs(start) >= side:
        raise ArgumentError(f"{name} must be a number of pixels inside the clip (got {value!r})")
    return start


def _spread(clip: VideoNode) -> Iterator[VideoFrame]:
    """The frames that "auto" is measured in."""
    for number in spread(clip.num_frames):
        with clip.get_frame(number) as frame:
            yield frame


@dataclass(frozen=True)
class _Scaler:
    """What is the same for all frames of a clip."""

    source: tuple[int, int]
    target: tuple[int, int]
    chroma: tuple[int, int]
    bits: int
    start: tuple[Fraction, Fraction]
    threads: int

    def layout(self, frame: VideoFrame) -> Layout:
        """How the planes of a frame become smaller ones; raise an `ArgumentError` for fields."""
        if frame.props.get("_FieldBased", 0):
            raise ArgumentError(
                "clip: a frame is interlaced: deinterlace the clip, or use std.SetFieldBased(0) if it is not"
            )
        place = int(frame.props.get("_ChromaLocation", 0))
        siting = _SITINGS[place] if place in range(len(_SITINGS)) else _SITINGS[0]
        return Layout(self.source, self.target, self.chroma, siting, self.start)

    def planes(self, frame: VideoFrame) -> Planes:
        """The planes of a frame as intensities; the middle of chroma of floats is a half, as of integers."""
        planes = [np.asarray(frame[number]) for number in range(frame.format.num_planes)]
        if planes[0].dtype.kind == "f":
            return [plane + self.middle(frame, number) for number, plane in enumerate(planes)]
        return widened(planes, self.bits)

    @staticmethod
    def middle(frame: VideoFrame, plane: int) -> np.float32:
        """What to add to floats of a plane."""
        return np.float32(0.5 if plane and frame.format.color_family == vs.YUV else 0)

    def automatic(self, frame: VideoFrame, options: Mapping[str, Any]) -> dict[str, Any]:
        """What "auto" stands for in a frame."""
        return self.layout(frame).automatic(self.planes(frame), **options)

    def selector(self, options: Mapping[str, Any]) -> Callable[[int, Sequence[VideoFrame]], VideoFrame]:
        """What makes a frame of the output, for ``std.ModifyFrame``."""

        def select(n: int, f: Sequence[VideoFrame]) -> VideoFrame:  # their names are VapourSynth's
            blank, frame = f
            results = self.layout(frame).downscaled(self.planes(frame), self.threads, **options)
            result = blank.copy()
            for number, plane in enumerate(self._stored(results, frame)):
                np.copyto(np.asarray(result[number]), plane, casting="same_kind")
            result.props.clear()
            result.props.update(frame.props)
            self._reshape(result)
            return result

        return select

    def _stored(self, results: Planes, frame: VideoFrame) -> list[NDArray[Any]]:
        if results[0].dtype.kind == "f":
            return [plane - self.middle(frame, number) for number, plane in enumerate(results)]
        return narrowed(results, self.bits)

    def _reshape(self, frame: VideoFrame) -> None:
        """Change the shape of pixels as their scales differ, where a frame has one."""
        across, down = frame.props.get("_SARNum", 0), frame.props.get("_SARDen", 0)
        if across > 0 and down > 0:
            (width, height), (columns, rows) = self.source, self.target
            shape = Fraction(across * width * rows, down * columns * height)
            frame.props["_SARNum"], frame.props["_SARDen"] = shape.numerator, shape.denominator
