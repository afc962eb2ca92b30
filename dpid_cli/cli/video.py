"""dpid video: a video in, a smaller video out."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.batching import signals
from dpid_cli.cli import options as shared
from dpid_cli.cli import progress
from dpid_cli.cli.console import announce, at_once, echo, echo_path, printable, say, without_linear_algebra
from dpid_cli.cli.sections import Command, number, option, pixel_count, sections, wrong
from dpid_cli.downscaling.choices import Interlaced, Truncated
from dpid_cli.downscaling.parameters import shown
from dpid_cli.errors import collected
from dpid_cli.platform import HANGUP
from dpid_cli.video.codecs import CODECS

if TYPE_CHECKING:
    from dpid_cli.video.job import VideoJob, VideoOutcome


def _time(text: str) -> Fraction:
    """Read ``90``, ``1:30`` or ``0:01:30.5`` as seconds."""
    if re.fullmatch(r"(\d{1,4}:){0,2}\d{1,9}(\.\d{1,9})?", text) is None:
        raise wrong(text, "a time like 90, 90.5, 1:30 or 0:01:30.5")
    seconds = Fraction(0)
    for word in text.split(":"):
        seconds = seconds * 60 + Fraction(word)
    return seconds


def _rate(text: str) -> Fraction:
    """Read ``25``, ``23.976`` or ``30000/1001``."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})|(\d{1,4}(?:\.\d{1,6})?)", text)
    rate = Fraction(0)
    if match and match[3]:
        rate = Fraction(match[3])
    elif match and int(match[2]):
        rate = Fraction(int(match[1]), int(match[2]))
    if not rate:
        raise wrong(text, "a rate like 25, 23.976 or 30000/1001")
    return rate


OPTIONS = sections(
    click.Argument(["source"], metavar="INPUT", type=click.Path()),
    click.Argument(["output"], metavar="OUTPUT", type=click.Path()),
    "Inputs",
    option("--start TIME", "Begin at this time, in seconds or as h:m:s; it becomes 0 in the output.", _time),
    option("--end TIME", "End before this time of the input.", _time),
    option("--every N", "Take only every N-th frame.", number(1), default=1),
    option("--rate FPS", "With numbered images as INPUT: frames per second, as in 24 or 30000/1001.", _rate,
           shown="25"),
    option("--interlaced", "Interlaced frames: fail, deinterlace them (bwdif), or keep them as whole images.",
           Interlaced.words(), default="error"),
    *shared.size_options(),
    *shared.SQUARE_PIXELS,
    *shared.method_options(),
    "Output",
    option("--codec", "Encode by this codec.", tuple(CODECS), shown="the input's where possible, else h264"),
    option("--crf N", "Quality of h264, hevc and av1: 0 is the best.", float, shown="18, 20, 28"),
    option("--pixel-format FORMAT", "Format of pixels, as FFmpeg calls it, such as yuv420p10le.",
           shown="the input's, or the nearest"),
    option("--compare", "Put the box filter's frame to the left of each."),
    shared.OVERWRITE,
    "Input limits",
    option("--max-pixels N", "Refuse larger frames before decoding them; N may end in k, M or G.",
           pixel_count, default="128M"),
    option("--max-frames N", "Refuse videos with more than N frames.", number(1), default=1_000_000),
    option("--truncated", "Damaged or truncated videos: fail, or use what can be decoded.",
           Truncated.words(), default="error"),
    "Running",
    shared.DRY_RUN,
    shared.THREADS,
    option("--json", "Print one JSON object instead of the path of the output.", name="as_json"),
    shared.QUIET,
    option("-v --verbose", "Say on standard error what was done and how long it took."),
    shared.DEBUG,
)  # fmt: skip


@click.command("video", cls=Command, params=OPTIONS, no_args_is_help=True)
@click.pass_context
def video_command(
    ctx: click.Context, /, as_json: bool, quiet: bool, verbose: bool, debug: bool, **options: Any
) -> None:
    """Downscale a video so that small details survive.

    Times, colours, audio, subtitles, chapters and metadata stay. INPUT and OUTPUT may be numbered images like
    frames/%06d.png. The first Ctrl-C ends the video where it is.

    \b
      dpid video clip.mp4 small.mp4 -s 2
      dpid video film.mkv small.mkv --height 540 --codec hevc --crf 22
      dpid video clip.mov frames/%06d.png -s 4 --start 0:10 --end 0:12
      dpid video frames/%06d.png clip.mp4 -s 2 --rate 24
    """
    job = _job(options)
    job.check()
    from dpid_cli.kernels import jit

    jit.report_to(None if quiet else announce)
    with collected() as warnings:
        try:
            with _stopping(quiet) as stop, _Counter(quiet or job.dry) as counter:
                outcome = job.run(counter.count, stop.is_set)
        finally:
            for warning in () if quiet else dict.fromkeys(warnings):
                say(warning)
    _report(outcome, as_json, quiet, verbose)
    if outcome.status == "interrupted":
        ctx.exit(130)


def _job(options: dict[str, Any]) -> VideoJob:
    """What the options describe."""
    size, parameters = shared.size_request(options), shared.method_parameters(options)
    without_linear_algebra()
    from dpid_cli.convert.recipe import Recipe
    from dpid_cli.video.job import VideoJob
    from dpid_cli.video.reading import Part

    part = Part(options.pop("start") or Fraction(0), options.pop("end"), options.pop("every"))
    names = ("method", "crop", "gravity", "square_pixels", "max_pixels", "max_frames", "truncated", "threads")
    recipe = Recipe(size=size, parameters=parameters, **{name: options.pop(name) for name in names})
    return VideoJob(recipe=recipe.checked(), part=part, **options)


@contextmanager
def _stopping(quiet: bool) -> Iterator[threading.Event]:
    """An event that Ctrl-C and the like set; the second time the process ends at once, without a file."""
    stop = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        if stop.is_set() and number != HANGUP:
            at_once("ended")
            os._exit(130)  # the output has no name yet
        stop.set()
        if not quiet:
            at_once("finishing the video here; press Ctrl-C again to end at once without an output")

    with signals.handled(interrupt):
        yield stop


class _Counter:
    """Progress in frames: a bar, or a line every few seconds where there is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: progress.Bar | None = None
        self._start = self._told = time.monotonic()

    def __enter__(self) -> _Counter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.__exit__()

    def count(self, count: int, total: int) -> None:
        """Show that so many frames are written."""
        now = time.monotonic()
        if self._bar is None:
            self._told = now
            self._bar = progress.Bar(max(total, 1), not self._quiet).__enter__()
        seconds = now - self._start
        rate = f"{count / max(seconds, 1e-6):.1f} fps"
        self._bar.update(1, rate)
        if not (self._quiet or self._bar.drawn) and now - self._told >= progress.LINE_SECONDS:
            self._told = now
            left = progress.time_left({"n": count, "total": total, "rate": None, "elapsed": seconds})
            say(", ".join(filter(None, (f"{count} of {total} frames", rate, left))))


def _report(outcome: VideoOutcome, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Print the path of the output, or all about it."""
    if outcome.status == "interrupted":
        say(
            f"{outcome.output}: interrupted: has the first {outcome.frames} frames ({outcome.duration:.2f} s)"
        )
    if as_json:
        from json import dumps

        echo(dumps(outcome.as_dict()))
    elif not quiet:
        if outcome.status == "planned":
            echo(printable(f"{outcome.input}: would write {outcome.output}"))
        else:
            echo_path(outcome.output)
    if verbose and not quiet:
        (w, h), (u, v) = outcome.input_size, outcome.output_size
        found = (f"{name} {shown(value)}" for name, value in outcome.found.items())
        how = ", ".join([outcome.method, *found])
        rate = f"{outcome.frames / max(outcome.seconds, 1e-6):.1f} fps"
        say(
            f"{outcome.input}: {outcome.frames} frames, {w}x{h} to {u}x{v} by {how}, {outcome.codec} "
            f"{outcome.pixel_format} in {outcome.seconds:.1f} s ({rate})"
        )
