"""Videos as inputs: their frames in order of time, and packets of the streams that are copied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dpid_cli.downscaling.choices import Interlaced
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, FileError, one_line, warn
from dpid_cli.files.streams import opened
from dpid_cli.pictures.limits import Limits, RefusedError
from dpid_cli.video.frames import Colour, Pixels, Stored, linked, orientation_of, siting_of

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.filter import Graph
    from av.stream import Stream
    from av.video.stream import VideoStream

DEFAULT_RATE = Fraction(25)
MICROSECONDS = 1_000_000  # a second in the times of containers
_UNKNOWN_TIME = 2**62
# A video whose frames end so much earlier than its header says is truncated; headers are not exact.
_MISSING_FRAMES, _MISSING_SECONDS = 2, Fraction(1, 4)
_BEHIND = 2  # seconds that streams are apart at most in a file
_LOCAL = {"protocol_whitelist": "file"}  # playlists may name addresses
# Of frames, by their names in FFmpeg.
_LOST = {
    "MASTERING_DISPLAY_METADATA": "the display it was graded on (HDR10)",
    "CONTENT_LIGHT_LEVEL": "its brightest light (HDR10)",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DOVI_METADATA": "Dolby Vision",
    "A53_CC": "closed captions",
}
_KINDS = ("audio", "subtitle", "attachment")


def library() -> Any:
    """PyAV, or an `ArgumentError` that says how to install it."""
    try:
        import av
    except ImportError as error:
        what = f"dpid video: {one_line(error)}"
        raise ArgumentError(f'{what}: install PyAV with: pip install "dpid-cli[video]"') from None
    return av


@dataclass(frozen=True)
class Part:
    """Which frames to take: from `start` until before `end`, in seconds, and of these every n-th."""

    start: Fraction = Fraction(0)
    end: Fraction | None = None
    every: int = 1


@dataclass(frozen=True)
class Timed:
    """A frame, when it is shown, and for how long, in units of the time base."""

    frame: VideoFrame
    pts: int
    duration: int


@dataclass(frozen=True)
class Copied:
    """A packet of a stream that is copied."""

    packet: Packet[Any]

    @property
    def time(self) -> Fraction:
        """When it is shown or heard, in seconds."""
        at = self.packet.pts if self.packet.pts is not None else self.packet.dts
        return (at or 0) * (self.packet.time_base or Fraction(1))


@dataclass(frozen=True)
class Facts:
    """What is known of a video before it is read.

    Attributes
    ----------
    stored : Stored
    time_base : Fraction
    rate : Fraction
        Frames per second, on average.
    codec : str
        As FFmpeg calls it.
    aspect : Fraction
        Width of a pixel by its height, upright.
    frames : int
        How many will be read, as far as the header tells.
    """

    stored: Stored
    time_base: Fraction
    rate: Fraction
    codec: str
    aspect: Fraction = Fraction(1)
    frames: int = 0


@contextmanager
def opened_video(path: str) -> Iterator[InputContainer]:
    """The container of a local file, whatever its name or content says."""
    av = library()
    if os.path.isdir(path):  # noqa: PTH112
        raise FileError(f"{path}: is a folder: give a video, or images like {path.rstrip('/')}/%06d.png")
    with opened(path):  # says what is wrong
        pass
    try:
        container = av.open(f"file:{path}", "r", options=_LOCAL, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise FileError(f"{path}: not a video, or damaged at its start: give another file") from error
    with container:
        yield container


@dataclass
class VideoInput:
    """The video stream of an open container, and the streams to copy.

    `limits` are as for images; damage is an error if they do not accept what is truncated.
    """

    path: str
    container: InputContainer
    part: Part
    limits: Limits
    interlaced: str = Interlaced.ERROR
    threads: int = 1
    damage: list[str] = field(default_factory=list)
    _end: int | None = None  # of the last frame
    _count: int = 0  # of frames inside the part

    def __post_init__(self) -> None:
        cover = library().stream.Disposition.attached_pic
        streams = [each for each in self.container.streams.video if not each.disposition & cover]
        if not streams or streams[0].codec_context is None:
            raise FileError(f"{self.path}: has no video that can be decoded: give another file")
        self.stream: VideoStream = streams[0]
        context = self.stream.codec_context
        self._check_size((context.width, context.height))
        context.options = {"max_pixels": str(self.limits.pixels)}
        if not self.limits.truncated:
            context.options["err_detect"] = "explode"
        context.thread_type, context.thread_count = "AUTO", self.threads
        self.time_base = self.stream.time_base or Fraction(1, 90_000)
        self.rate = self.stream.average_rate or self.stream.guessed_rate or DEFAULT_RATE
        self.step = max(1, round(1 / (self.rate * self.time_base)))
        start = self.container.start_time
        known = start is not None and abs(start) < _UNKNOWN_TIME
        self.origin = Fraction(start, MICROSECONDS) if known else Fraction(0)
        self._graph: Graph | None = None

    @property
    def copied(self) -> list[Stream]:
        """The streams to copy; other videos, covers and data are not among them."""
        return [each for each in self.container.streams if each.type in _KINDS]

    @property
    def earlier(self) -> Fraction:
        """How much earlier everything is in the output, in seconds."""
        return self.origin + self.part.start if self.part.start else Fraction(0)

    def facts(self) -> Facts:
        """Decode the first frame, and say what the video is like."""
        frame, context = self.first(), self.stream.codec_context
        orientation, colour = orientation_of(frame), Colour.of(frame)
        if frame.format.name.startswith("yuvj"):
            colour = replace(colour, full=True)
        siting, size = siting_of(frame, context.codec.canonical_name), (frame.width, frame.height)
        aspect = self.stream.sample_aspect_ratio or Fraction(1)
        if Pixels.of(frame.format.name).alpha:
            warn(f"{self.path}: its alpha is left out: use dpid batch on its images to keep it")
        sides: Any = frame.side_data
        found = {each.type.name for each in sides}
        if lost := [title for data, title in _LOST.items() if data in found]:
            warn(f"{self.path}: left out: {', '.join(lost)}")
        return Facts(
            Stored(frame.format.name, colour, siting, size, orientation),
            self.time_base,
            self.rate / self.part.every,
            context.codec.canonical_name,
            1 / aspect if orientation > 4 else aspect,
            self._estimated(),
        )

    def first(self) -> VideoFrame:
        """The next frame that can be decoded, wherever the container is."""
        for item in self._items([self.stream]):
            if not isinstance(item, Copied):
                self._check_size((item.width, item.height))
                return item
        raise FileError(f"{self.path}: no frame can be decoded: give another video")

    def seek(self, seconds: Fraction) -> None:
        """Go to the last key frame before a time after the beginning."""
        at = int((self.origin + seconds) / self.time_base)
        self.container.seek(at, stream=self.stream)

    @property
    def duration(self) -> Fraction | None:
        """Seconds from the beginning to the end of the video, if the header tells."""
        if self.stream.duration:
            return self.stream.duration * self.time_base
        tags = self.stream.metadata.items()
        text = next((value for key, value in tags if key.upper().startswith("DURATION")), "")
        if text.count(":") == 2:  # as Matroska has it
            hours, minutes, seconds = map(Fraction, text.split(":"))
            return hours * 3600 + minutes * 60 + seconds
        alone = len(self.container.streams) == 1
        return Fraction(self.container.duration, MICROSECONDS) if alone and self.container.duration else None

    def _estimated(self) -> int:
        if self.part.start == 0 and self.part.end is None and self.stream.frames:
            return -(-self.stream.frames // self.part.every)
        length = self.duration or Fraction(self.container.duration or 0, MICROSECONDS)
        end = length if self.part.end is None else min(length, self.part.end)
        return max(0, round((end - self.part.start) * self.rate / self.part.every))

    def _check_size(self, size: Size) -> None:
        try:
            self.limits.check_size(size)
        except RefusedError as error:
            raise FileError(f"{self.path}: {str(error).replace('dpid downscale', 'dpid video')}") from None

    def items(self) -> Iterator[Timed | Copied]:
        """The frames of the part, in order of time, and between them the packets of the other streams."""
        copied = self.copied
        if self.part.start:
            self.seek(self.part.start)
        size, last = None, None
        for item in self._items([self.stream, *copied], flush=True):
            if isinstance(item, Copied):
                if self._is_inside(item.time):
                    yield item
                elif self._is_behind(item.time):
                    return self._say_damage()
                continue
            size = size or (item.width, item.height)
            if size != (item.width, item.height):
                old, new = f"{size[0]}x{size[1]}", f"{item.width}x{item.height}"
                where = f"{self.path}: its frames change from {old} to {new} at {self._now}"
                raise FileError(f"{where}: cut it there with --end and --start")
            timed = self._timed(item, last)
            last = timed.pts
            self._end = timed.pts + timed.duration
            if self._is_inside(timed.pts * self.time_base):
                yield from self._chosen(timed)
            elif self._is_behind(timed.pts * self.time_base) and not copied:
                return self._say_damage()
        self._check_end()
        return self._say_damage()

    def _chosen(self, timed: Timed) -> Iterator[Timed]:
        self._count += 1
        if self._count > self.limits.frames:
            limit = f"{self.path}: more than {self.limits.frames} frames, the limit"
            raise FileError(f"{limit}: use --end, or raise --max-frames")
        if (self._count - 1) % self.part.every == 0:
            shift = round(self.earlier / self.time_base)
            yield Timed(timed.frame, timed.pts - shift, timed.duration * self.part.every)

    def _timed(self, frame: VideoFrame, last: int | None) -> Timed:
        """When a frame is shown: after the last one, whatever damaged files say."""
        unit = (frame.time_base or self.time_base) / self.time_base  # half of it after deinterlacing
        following = 0 if last is None else last + self.step
        pts = following if frame.pts is None else round(frame.pts * unit)
        if last is not None and pts <= last:
            self.damage.append(f"times that run backwards at {self._now}")
            pts = last + 1
        return Timed(frame, pts, round(frame.duration * unit) or self.step)

    @property
    def _now(self) -> str:
        return f"{float((self._end or 0) * self.time_base - self.origin):.2f} s"

    def _is_inside(self, time: Fraction) -> bool:
        after = not self.part.start or time >= self.origin + self.part.start
        return after and (self.part.end is None or time < self.origin + self.part.end)

    def _is_behind(self, time: Fraction) -> bool:
        return self.part.end is not None and time > self.origin + self.part.end + _BEHIND

    def _items(self, streams: list[Stream], *, flush: bool = False) -> Iterator[VideoFrame | Copied]:
        """Frames as they are decoded, and packets of other streams in between."""
        av = library()
        packets = self.container.demux(*streams)
        while True:
            try:
                if (packet := next(packets, None)) is None:
                    break
                if packet.stream.index != self.stream.index:
                    if packet.pts is not None or packet.dts is not None:
                        yield Copied(packet)
                    continue
                if packet.is_corrupt:
                    self._complain("a packet is incomplete")
                frames = self.stream.decode(packet)
            except av.error.EOFError:
                break
            except av.error.FFmpegError as error:
                self._complain(_meaning(error))
                continue
            for frame in frames:
                yield from self._progressive(frame)
        if flush and self._graph is not None:
            self._graph.vpush(None)
            yield from self._pulled()

    def _progressive(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """The frame, or what the filter against interlacing returns by now."""
        if frame.is_corrupt:
            self._complain("a frame is damaged")
        if self.interlaced == Interlaced.DEINTERLACE:
            if self._graph is None:
                size, form = (frame.width, frame.height), frame.format.name
                filters = [("bwdif", "mode=send_frame:deint=interlaced")]
                self._graph = linked(size, form, filters, self.time_base)
            self._graph.vpush(frame)
            yield from self._pulled()
            return
        if frame.interlaced_frame and self.interlaced == Interlaced.ERROR:
            where = f"{self.path}: interlaced at {self._now}"
            raise FileError(f"{where}: use --interlaced deinterlace, or keep if its frames are whole")
        yield frame

    def _pulled(self) -> Iterator[VideoFrame]:
        av = library()
        while self._graph is not None:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

    def _complain(self, what: str) -> None:
        """Note damage, or raise a `FileError` if that is an error."""
        begun = not self.part.start or self._count
        if not begun:  # frames before the part may lack what they refer to
            return
        if not self.limits.truncated:
            where = f"{self.path}: damaged at {self._now}: {what}"
            raise FileError(f"{where}: use --truncated accept to keep what can be decoded")
        self.damage.append(f"{what} at {self._now}")

    def _check_end(self) -> None:
        """Complain if the frames end earlier than the header says."""
        length = self.duration
        if self.part.end is not None or length is None or self._end is None:
            return
        start = (self.stream.start_time or 0) * self.time_base
        missing = start + length - self._end * self.time_base
        if missing > max(_MISSING_FRAMES / self.rate, _MISSING_SECONDS):
            self._complain(f"{float(missing):.2f} s of {float(length):.2f} s are missing")

    def _say_damage(self) -> None:
        if self.damage:
            more = len(self.damage) - 1
            rest = f", and {more} more" if more else ""
            warn(f"{self.path}: damaged: {self.damage[0]}{rest}: kept what can be decoded")


def _meaning(error: Exception) -> str:
    """What FFmpeg says, in one line."""
    return (getattr(error, "strerror", None) or one_line(error)).lower()
