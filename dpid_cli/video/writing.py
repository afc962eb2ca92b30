"""Videos as outputs: encoded frames, packets copied from the input, and everything around them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any

from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError, FileError, either, one_line, warn
from dpid_cli.video.codecs import ENCODER_THREADS, VideoCodec
from dpid_cli.video.frames import UNKNOWN_SITING, Colour, Pixels
from dpid_cli.video.reading import MICROSECONDS, Timed, VideoInput, library

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import OutputContainer
    from av.stream import Stream

_TITLES = {"audio": "audio", "subtitle": "subtitles", "attachment": "attached files"}
_HARDWARE = ("cuda", "vaapi", "qsv", "d3d11", "drm_prime", "videotoolbox_vld", "vulkan")
_SVT_ERRORS = "1"
# What a muxer says of itself; the new one does so, too.
_OF_CONTAINER = ("major_brand", "minor_version", "compatible_brands", "encoder")
_OF_STREAM = ("encoder", "duration", "number_of_frames", "number_of_bytes", "bps", "_statistics_")


@dataclass(frozen=True)
class Encoding:
    """How frames are encoded: `codec`, its quality, and the format of pixels."""

    codec: VideoCodec
    crf: float | None
    pixel_format: str
    encoder: str


@dataclass(frozen=True)
class Shown:
    """How frames are shown: what they mean, where chroma lies, and the shape of a pixel."""

    size: Size
    colour: Colour
    siting: str
    aspect: Fraction
    time_base: Fraction
    rate: Fraction


def formats_of(encoder: str) -> list[str]:
    """The formats of pixels that an encoder takes."""
    codec = library().Codec(encoder, "w")
    return [form.name for form in codec.video_formats or () if form.name not in _HARDWARE]


def encoding_for(codec: VideoCodec, crf: float | None, asked: str | None, source: str) -> Encoding:
    """The encoder and the format of pixels: the requested one, or the nearest to that of the input."""
    encoders = [name for name in (codec.encoder, codec.rgb_encoder) if name]
    try:
        able = {form: encoder for encoder in reversed(encoders) for form in formats_of(encoder)}
    except ValueError:
        raise ArgumentError(f"--codec: PyAV here cannot write {codec.name}: use another codec") from None
    if asked is not None:
        if asked not in able:
            raise ArgumentError(f"--pixel-format must be {either(able)} for {codec.name} (got {asked})")
        return Encoding(codec, crf, asked, able[asked])
    pixels = Pixels.of(source)
    if codec.plain and pixels.kind != "yuv":
        form = codec.plain[pixels.bits > 8]
    else:
        form = _nearest(pixels, formats_of(codec.encoder))
    return Encoding(codec, crf, form, codec.encoder)


def _nearest(pixels: Pixels, formats: Sequence[str]) -> str:
    """The format that loses least, without those whose range of levels is part of their name."""
    usable = [name for name in formats if not name.startswith("yuvj") and not Pixels.of(name).alpha]
    if pixels.name in usable:
        return pixels.name
    from av.codec.codec import find_best_pix_fmt_of_list

    best, _ = find_best_pix_fmt_of_list(usable, pixels.name)
    return usable[0] if best is None else str(best.name)


class VideoOutput:
    """A container that is being written to a seekable stream."""

    def __init__(
        self, stream: IO[bytes], path: str, container: str, encoding: Encoding, shown: Shown
    ) -> None:
        av = library()
        os.environ.setdefault("SVT_LOG", _SVT_ERRORS)  # else this encoder writes to standard error
        self._path, self._shown = path, shown
        self._container: OutputContainer = av.open(
            stream, "w", format=container, options=_muxing(container, shown)
        )
        self._container.flags |= av.container.Flags.bitexact.value  # no random numbers
        self._video = self._container.add_stream(
            encoding.encoder, rate=shown.rate.limit_denominator(100_000), options=_options(encoding, shown)
        )
        self._video.width, self._video.height = shown.size
        self._video.pix_fmt = encoding.pixel_format
        self._video.time_base = shown.time_base
        context = self._video.codec_context
        context.time_base, context.thread_count = shown.time_base, ENCODER_THREADS
        context.sample_aspect_ratio = shown.aspect.limit_denominator(65_535)
        colour = shown.colour
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.colorspace = colour.matrix
        context.color_range = 0 if colour.full is None else 1 + colour.full
        self._streams: dict[int, Stream] = {}
        self._durations: dict[int, int] = {}

    def copy_from(self, source: VideoInput) -> None:
        """Prepare to copy streams, chapters and metadata of the input; warn of what the container lacks."""
        taken = self._container.supported_codecs
        for stream in source.copied:
            try:
                if stream.type == "attachment":
                    self._attach(stream)
                    continue
                name = stream.codec_context.codec.canonical_name
                if name not in taken:
                    raise ValueError(name)
                made = self._container.add_stream_from_template(stream)
            except (ValueError, AttributeError):
                self._leave_out(source, stream)
                continue
            made.metadata.update(_without(stream.metadata, _OF_STREAM))
            made.disposition = stream.disposition
            self._streams[stream.index] = made
        told = source.container.chapters() != []  # MP4 has them in a stream of data, too
        others = [each for each in source.container.streams if each.index not in known(source)]
        others = [each for each in others if not (told and each.type == "data")]
        if others:
            kinds = ", ".join(
                dict.fromkeys("another video" if each.type == "video" else each.type for each in others)
            )
            warn(f"{source.path}: left out: {kinds}")
        self._container.metadata.update(_without(source.container.metadata, _OF_CONTAINER))
        self._video.metadata.update(_without(source.stream.metadata, _OF_STREAM))
        self._set_chapters(source)

    def _attach(self, stream: Any) -> None:
        if self._container.format.name != "matroska":
            raise ValueError
        data = bytes(stream.data)
        self._container.add_attachment(
            stream.name or "file", stream.mimetype or "application/octet-stream", data
        )

    def _leave_out(self, source: VideoInput, stream: Stream) -> None:
        context = getattr(stream, "codec_context", None)
        form = f" ({context.codec.canonical_name})" if context is not None else ""
        what = f"{source.path}: {self._container.format.name} cannot hold its {_TITLES[stream.type]}{form}"
        warn(f"{what}: left out; an output in .mkv holds most")

    def _set_chapters(self, source: VideoInput) -> None:
        part, chapters = source.part, []
        last = None if part.end is None else part.end - part.start
        for chapter in source.container.chapters():
            unit = chapter["time_base"] or Fraction(1, MICROSECONDS)
            begin, end = chapter["start"] * unit - source.earlier, chapter["end"] * unit - source.earlier
            if end <= 0 or (last is not None and begin >= last):
                continue
            made, end = chapter.copy(), end if last is None else min(end, last)
            made["start"], made["end"] = int(max(begin, Fraction(0)) / unit), int(end / unit)
            chapters.append(made)
        self._container.set_chapters(chapters)

    def start(self) -> None:
        """Write the header, or raise a `FileError` if the encoder refuses."""
        try:
            self._container.start_encoding()
        except (library().error.FFmpegError, ValueError) as error:
            width, height = self._shown.size
            name = self._video.codec_context.name
            what = f"{self._path}: {name} refuses {width}x{height}, {self._video.pix_fmt}"
            advice = "use another size, --codec or --pixel-format"
            raise FileError(f"{what}: {one_line(error).lower()}: {advice}") from None

    def write(self, frame: VideoFrame, timed: Timed) -> None:
        """Encode the frame that takes the place of one of the input."""
        colour = self._shown.colour
        frame.pts, frame.time_base, frame.duration = timed.pts, self._shown.time_base, timed.duration
        frame.colorspace, frame.color_primaries = colour.matrix, colour.primaries
        frame.color_trc, frame.color_range = colour.transfer, 0 if colour.full is None else 1 + colour.full
        self._durations[timed.pts] = timed.duration
        self._mux(frame)

    def _mux(self, frame: VideoFrame | None) -> None:
        for packet in self._video.encode(frame):
            if packet.pts in self._durations and not packet.duration:
                packet.duration = self._durations[packet.pts]
            self._durations.pop(packet.pts or 0, None)
            self._container.mux(packet)

    def copy(self, packet: Packet[Any], earlier: Fraction) -> None:
        """Write a packet of the input."""
        stream = self._streams.get(packet.stream.index)
        if stream is None:
            return
        if earlier and packet.time_base:
            shift = round(earlier / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = stream
        self._container.mux(packet)

    def close(self) -> None:
        """Write what the encoder still holds, and the end of the file."""
        self._mux(None)
        self._container.close()


def known(source: VideoInput) -> set[int]:
    """Numbers of the streams that are downscaled or copied, or told of if they cannot be."""
    return {source.stream.index, *(each.index for each in source.copied)}


def _muxing(container: str, shown: Shown) -> dict[str, str]:
    """Options of the container."""
    if container in ("mp4", "mov"):
        unit = shown.time_base.denominator if shown.time_base.numerator == 1 else 0
        return {"video_track_timescale": str(unit)} if unit else {}
    return {}


def _options(encoding: Encoding, shown: Shown) -> dict[str, str]:
    """Options of the encoder."""
    options = dict(encoding.codec.options)
    if encoding.crf is not None:
        options["crf"] = f"{encoding.crf:g}"
    if Pixels.of(encoding.pixel_format).is_subsampled and shown.siting != UNKNOWN_SITING:
        options["chroma_sample_location"] = shown.siting
    return options


def _without(tags: dict[str, str], names: Sequence[str]) -> dict[str, str]:
    """Metadata without what describes the file that it comes from."""
    return {key: value for key, value in tags.items() if not key.lower().startswith(tuple(names))}
