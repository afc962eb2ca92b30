"""Codecs and containers that can be written, and their settings. Imports no codec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dpid_cli.errors import ArgumentError, either

# Of the encoder, always the same: its output may depend on it. More than it needs cost little.
ENCODER_THREADS = 8


@dataclass(frozen=True)
class VideoCodec:
    """A codec, and the encoder that writes it.

    Attributes
    ----------
    name : str
        As FFmpeg calls the codec.
    encoder, rgb_encoder : str
        The second one takes RGB, if another one has to.
    crf : int or None
        The quality by default; None if it has none.
    worst : int
        The largest `crf`.
    plain : tuple of str
        Formats of pixels for inputs of 8 and of more bits that are not YUV; without, the nearest one.
    options : mapping
        Of the encoder.
    any_size : bool
        Whether sides need not be multiples of the distance between samples of chroma.
    """

    name: str
    encoder: str
    rgb_encoder: str = ""
    crf: int | None = None
    worst: int = 51
    plain: tuple[str, ...] = ("yuv420p", "yuv420p10le")
    options: Mapping[str, str] = field(default_factory=dict)
    any_size: bool = False


CODECS = {
    codec.name: codec
    for codec in (
        VideoCodec("h264", "libx264", "libx264rgb", crf=18),
        VideoCodec("hevc", "libx265", crf=20, options={"x265-params": "log-level=none:frame-threads=2"}),
        VideoCodec("av1", "libsvtav1", crf=28, worst=63),
        VideoCodec("ffv1", "ffv1", plain=(), options={"level": "3", "slices": "4"}, any_size=True),
        VideoCodec("prores", "prores_ks", plain=("yuv422p10le",) * 2),
    )
}
# The codecs that each container takes; the first is the default where that of the input is not among them.
CONTAINERS = {
    ".mp4": ("mp4", ("h264", "hevc", "av1")),
    ".m4v": ("mp4", ("h264", "hevc", "av1")),
    ".mov": ("mov", ("h264", "hevc", "av1", "prores")),
    ".mkv": ("matroska", ("h264", "hevc", "av1", "ffv1", "prores")),
    ".webm": ("webm", ("av1",)),
}


def container_of(path: Path) -> str:
    """The container that the ending of an output stands for, by its name in FFmpeg."""
    if (suffix := path.suffix.lower()) not in CONTAINERS:
        raise ArgumentError(
            f"{path}: {suffix or 'no ending'}: not a video that can be written: use {either(CONTAINERS)}, "
            "or images like frames/%06d.png"
        )
    return CONTAINERS[suffix][0]


def codec_for(path: Path, asked: str | None, source: str) -> VideoCodec:
    """The requested codec for an output; by default that of the input, if its container takes that."""
    container_of(path)
    suffix = path.suffix.lower()
    taken = CONTAINERS[suffix][1]
    if asked is None:
        return CODECS[source if source in taken else taken[0]]
    if asked not in taken:
        able = either(ending for ending, (_, names) in CONTAINERS.items() if asked in names)
        raise ArgumentError(f"--codec: {suffix} takes {either(taken)}, not {asked}: change it, or use {able}")
    return CODECS[asked]


def check_crf(codec: VideoCodec, crf: float | None) -> float | None:
    """The quality to encode with; an `ArgumentError` if the codec has no such."""
    if crf is None:
        return codec.crf
    if codec.crf is None:
        raise ArgumentError(f"--crf: {codec.name} has no such setting: omit it")
    if not 0 <= crf <= codec.worst:
        raise ArgumentError(f"--crf must be from 0 to {codec.worst} for {codec.name} (got {crf:g})")
    return crf
