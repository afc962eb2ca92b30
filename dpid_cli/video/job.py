"""Jobs: one video in, one smaller video out, as for ``dpid video``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dpid_cli.convert.recipe import Recipe, labelled
from dpid_cli.downscaling.automatic import is_automatic
from dpid_cli.downscaling.choices import Interlaced, Truncated
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.planes import SAMPLES, even, medians, spread
from dpid_cli.downscaling.sizes import Size, square
from dpid_cli.errors import ArgumentError, FileError, SizeError
from dpid_cli.files.output import atomic, check_folder, check_target
from dpid_cli.files.storage import check_local
from dpid_cli.files.streams import STANDARD_STREAM, check_paths
from dpid_cli.pictures import Picture
from dpid_cli.pictures.limits import Limits
from dpid_cli.video.codecs import check_crf, codec_for, container_of
from dpid_cli.video.frames import Pixels, Stored, upright
from dpid_cli.video.images import ImageInput, ImageOutput, Pattern
from dpid_cli.video.pipeline import frames_in_flight, in_order
from dpid_cli.video.reading import (
    DEFAULT_RATE,
    Copied,
    Facts,
    Part,
    Timed,
    VideoInput,
    library,
    opened_video,
)
from dpid_cli.video.scaling import Plan, Renderer, plan_for
from dpid_cli.video.writing import Encoding, Shown, VideoOutput, encoding_for

if TYPE_CHECKING:
    from av import VideoFrame

_FIRST_IMAGE = 1


class Sink(Protocol):
    """What frames are written to."""

    def write(self, frame: VideoFrame, timed: Timed) -> None:
        """Write a frame in the place of one of the input."""

    def close(self) -> None:
        """Complete what was written."""


@dataclass(frozen=True)
class VideoOutcome:
    """What was made of a video.

    `status` is "done", "planned" where nothing was to be written, or "interrupted" where only the first
    frames were written. `found` are the parameters that "auto" stood for, by the names of their options.
    """

    input: str
    output: str
    input_size: Size
    output_size: Size
    method: str
    parameters: Mapping[str, Any]
    codec: str
    pixel_format: str
    frames: int
    duration: float
    seconds: float
    status: str = "done"
    found: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        facts = vars(self) | {"seconds": round(self.seconds, 4), "duration": round(self.duration, 6)}
        del facts["found"]
        return facts


@dataclass(frozen=True)
class VideoJob:
    """A video to downscale; the attributes are the options of ``dpid video`` with these names."""

    source: str
    output: str
    recipe: Recipe
    part: Part = field(default_factory=Part)
    codec: str | None = None
    crf: float | None = None
    pixel_format: str | None = None
    rate: Fraction | None = None
    interlaced: str = Interlaced.ERROR
    compare: bool = False
    overwrite: bool = False
    dry: bool = False

    def check(self) -> None:
        """Raise an `ArgumentError` if this cannot work for any video."""
        check_paths("INPUT", self.source)
        check_paths("OUTPUT", self.output)
        check_local("INPUT", self.source)
        check_local("OUTPUT", self.output)
        if STANDARD_STREAM in (self.source, self.output):
            raise ArgumentError("INPUT, OUTPUT: videos need files: give paths")
        if self.recipe.maps:
            raise ArgumentError("guidance: an image cannot guide a video: use a filter, or omit it")
        Interlaced.named("interlaced", self.interlaced)
        if self.part.end is not None and self.part.end <= self.part.start:
            raise ArgumentError(f"--end must be later than --start (got {float(self.part.end):g})")
        images = [pattern for path in (self.source, self.output) if (pattern := Pattern.of(path))]
        for pattern in images:
            pattern.check()
        if self.rate is not None and Pattern.of(self.source) is None:
            raise ArgumentError("--rate: is for numbered images; videos keep their times: omit it")
        if Pattern.of(self.output) is None:
            check_crf(codec_for(Path(self.output), self.codec, ""), self.crf) if self.codec else None
            container_of(Path(self.output))
            check_folder(Path(self.output))
        elif given := [name for name in ("codec", "crf", "pixel_format") if getattr(self, name) is not None]:
            raise ArgumentError(f"--{given[0].replace('_', '-')}: is for videos, not for images: omit it")
        library()

    def run(
        self,
        tell: Callable[[int, int], None] = lambda count, total: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> VideoOutcome:
        """Downscale the video; ``tell(count, total)`` hears of every frame.

        Once `stopped` returns True, the frames so far become the output.
        """
        start = time.perf_counter()
        self._check_output()
        with self._opened() as video:
            facts = video.facts()
            encoding = self._encoding(facts)
            plan, aspect = self._plan(video, facts, encoding)
        asked, used = self.recipe.used, {**self.recipe.used, **plan.options}
        del used["method"]
        plan = replace(plan, options={"method": self.recipe.method, **used})
        shown = Shown(
            plan.output_size, plan.target.colour, plan.target.siting, aspect, facts.time_base, facts.rate
        )
        count, until, status = facts.frames, 0, "planned"
        if not self.dry:
            count, until, status = self._write(plan, encoding, shown, facts.frames, tell, stopped)
        return VideoOutcome(
            input=self.source,
            output=self.output,
            input_size=facts.stored.upright_size,
            output_size=plan.output_size,
            method=self.recipe.method,
            parameters=labelled(used),
            codec=encoding.codec.name if encoding else Path(self.output).suffix.lstrip(".").lower(),
            pixel_format=plan.target.format,
            frames=count,
            duration=float(until * facts.time_base),
            seconds=time.perf_counter() - start,
            status=status,
            found=labelled({name: value for name, value in used.items() if value != asked[name]}),
        )

    def _check_output(self) -> None:
        if pattern := Pattern.of(self.output):
            ImageOutput(pattern, 0, self.overwrite).check()
        else:
            check_target(Path(self.output), [Path(self.source)], (), self.overwrite)

    @contextmanager
    def _opened(self) -> Iterator[VideoInput | ImageInput]:
        recipe = self.recipe
        limits = Limits(recipe.max_pixels, recipe.max_frames, recipe.truncated == Truncated.ACCEPT)
        if pattern := Pattern.of(self.source):
            yield ImageInput(pattern, self.rate or DEFAULT_RATE, self.part, limits)
            return
        with opened_video(self.source) as container:
            threads = thread_count(recipe.threads)
            yield VideoInput(self.source, container, self.part, limits, self.interlaced, threads)

    def _encoding(self, facts: Facts) -> Encoding | None:
        """How to encode; None for images."""
        if Pattern.of(self.output):
            return None
        codec = codec_for(Path(self.output), self.codec, facts.codec)
        return encoding_for(codec, check_crf(codec, self.crf), self.pixel_format, facts.stored.format)

    def _plan(
        self, video: VideoInput | ImageInput, facts: Facts, encoding: Encoding | None
    ) -> tuple[Plan, Fraction]:
        """What to do with each frame, and the shape of the output's pixels."""
        stored, aspect = facts.stored, facts.aspect
        given = Pixels.of(stored.format)
        if encoding is None:
            kind = given.kind if given.kind == "gray" else "rgb"
            form = Pixels(kind, 8 if given.bits == 8 else 16).name
        else:
            form = encoding.pixel_format
        whole, recipe = stored.upright_size, self.recipe
        if recipe.fills:
            recipe = recipe.placed(self._picture(video, facts), self.source)
        if recipe.square_pixels:
            whole, aspect = square(whole, (aspect.denominator, aspect.numerator)), Fraction(1)
        crop = recipe.rectangle()
        if crop is not None:
            try:
                crop.check_inside(whole)
            except ArgumentError as error:
                raise ArgumentError(f"{self.source}: {error}") from None
        size = recipe.size_of(whole if crop is None else crop.size, self.source)
        wanted = Pixels.of(form)
        size = self._encodable(size, wanted, encoding)
        colour = stored.colour.as_kind(wanted.kind)
        target = Stored(form, colour, stored.siting, size)
        options = {"method": recipe.method, **recipe.parameters}
        plan = plan_for(stored, target, options, self.source, crop, self.compare)
        return plan.settled(self._found(video, facts, plan)), aspect

    def _encodable(self, size: Size, pixels: Pixels, encoding: Encoding | None) -> Size:
        """The size that the encoder takes: sides are rounded down, unless they were asked for."""
        if not pixels.is_subsampled or encoding is None or (encoding.codec.any_size and not self.compare):
            return size
        fitting = even(size, pixels.chroma)
        request = self.recipe.size
        asked = {"width": (0,), "height": (1,), "size": (0, 1)}.get(request.kind, ())
        if request.kind == "size" and request.fit not in ("exact", "fill"):
            asked = ()
        if any(size[side] != fitting[side] for side in asked):
            name, form = request.name or request.kind, f"{encoding.codec.name} in {encoding.pixel_format}"
            what = f"{name}: {form} needs sides that are multiples of {max(pixels.chroma)}"
            raise SizeError(f"{what}: use {fitting[0]}x{fitting[1]}, or --pixel-format yuv444p")
        return fitting

    def _picture(self, video: VideoInput | ImageInput, facts: Facts) -> Picture:
        """The first frame as an image, to look for details."""
        frame = video.frame(video.numbers[0]) if isinstance(video, ImageInput) else video.first()
        size = frame.width, frame.height
        same = Stored("gbrp", facts.stored.colour.as_kind("rgb"), "left", size)
        planes = Renderer(plan_for(facts.stored, same, {"method": "box"}, self.source, None, False)).decoded(
            frame
        )
        return Picture(upright(np.stack(planes, axis=-1), facts.stored.orientation), False, None)

    def _found(self, video: VideoInput | ImageInput, facts: Facts, plan: Plan) -> dict[str, Any]:
        """What "auto" stands for: the medians over frames that are spread over the video."""
        if not is_automatic(self.recipe.used):
            return {}
        return medians(plan.measured(frame) for frame in _samples(video, facts))

    def _write(
        self,
        plan: Plan,
        encoding: Encoding | None,
        shown: Shown,
        total: int,
        tell: Callable[[int, int], None],
        stopped: Callable[[], bool],
    ) -> tuple[int, int, str]:
        """Write the output; returns the number of frames, when the last one ends, and the status."""
        threads, render = thread_count(self.recipe.threads), Renderer(plan)
        count, until, status = 0, 0, "done"
        with ExitStack() as stack:
            video = stack.enter_context(self._opened())
            sink = self._sink(stack, video, encoding, shown)

            def items() -> Iterator[Timed | Copied]:
                nonlocal status
                for item in video.items():
                    if stopped():
                        status = "interrupted"
                        return
                    yield item

            width, height = plan.source.size
            results = in_order(
                items(),
                lambda item: isinstance(item, Timed),
                lambda item: render(item.frame),  # type: ignore[union-attr]
                threads,
                frames_in_flight(threads, width * height),
            )
            for item, frame in results:
                if isinstance(item, Timed):
                    assert frame is not None  # noqa: S101
                    sink.write(frame, item)
                    count, until = count + 1, item.pts + item.duration
                    tell(count, total)
                elif isinstance(sink, VideoOutput) and isinstance(video, VideoInput):
                    sink.copy(item.packet, video.earlier)
            if not count:
                raise FileError(f"{self.source}: has no frames between --start and --end: change them")
            sink.close()
        return count, until, status

    def _sink(
        self, stack: ExitStack, video: VideoInput | ImageInput, encoding: Encoding | None, shown: Shown
    ) -> Sink:
        if encoding is None:
            pattern = Pattern.of(self.output)
            assert pattern is not None  # noqa: S101
            first = video.numbers[0] if isinstance(video, ImageInput) else _FIRST_IMAGE
            return ImageOutput(pattern, first, self.overwrite)
        path = Path(self.output)
        stream = stack.enter_context(atomic(path, self.overwrite))
        output = VideoOutput(stream, self.output, container_of(path), encoding, shown)
        if isinstance(video, VideoInput):
            output.copy_from(video)
        output.start()
        return output


def _samples(video: VideoInput | ImageInput, facts: Facts) -> Iterator[VideoFrame]:
    """Up to `SAMPLES` frames, evenly spread."""
    if isinstance(video, ImageInput):
        for index in spread(len(video.numbers)):
            yield video.frame(video.numbers[index])
        return
    length = facts.frames / facts.rate
    av = library()
    for sample in range(SAMPLES):
        try:
            video.seek(video.part.start + length * (2 * sample + 1) / (2 * SAMPLES))
            frame = video.first()
        except (av.error.FFmpegError, FileError):
            if sample:
                continue
            frame = video.first()  # the next one, where nothing can be sought
        yield frame
