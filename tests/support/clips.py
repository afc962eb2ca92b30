"""Videos for tests, made, decoded and described by the ffmpeg of the system, which is not the one in PyAV."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

MISSING = next(
    (f"{program} is not installed" for program in ("ffmpeg", "ffprobe") if not shutil.which(program)), ""
)
# Moves, and has details of all colours.
PATTERN = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=0.6")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=0.6")


def ffmpeg(*arguments: str | Path, **options: Any) -> bytes:
    """What ffmpeg writes to standard output."""
    command = ["ffmpeg", "-v", "error", "-y", *map(str, arguments)]
    options.setdefault("input", b"")
    return subprocess.run(command, check=True, capture_output=True, timeout=120, **options).stdout


def clip(path: str, *arguments: str, source: tuple[str, ...] = PATTERN) -> Path:
    """Make a video of the pattern."""
    ffmpeg(*source, *arguments, path)
    return Path(path)


def described(path: str | Path, *more: str) -> dict[str, Any]:
    """What ffprobe says of a file."""
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", *more, str(path)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def video_of(path: str | Path) -> dict[str, Any]:
    """What ffprobe says of its first video."""
    return next(stream for stream in described(path)["streams"] if stream["codec_type"] == "video")


def times(path: str | Path, kind: str = "v:0") -> list[float]:
    """When the frames of a stream are shown, in seconds, in order."""
    packets = described(path, "-select_streams", kind, "-show_packets")["packets"]
    return sorted(float(packet["pts_time"]) for packet in packets)


def packets(path: str | Path, kind: str) -> bytes:
    """A checksum of the packets of a stream, and so of their bytes."""
    return ffmpeg("-i", path, "-map", f"0:{kind}", "-c", "copy", "-f", "streamhash", "-")


def planes(path: str | Path, form: str) -> list[list[np.ndarray]]:
    """The planes of all frames as they are stored, in a planar format of FFmpeg that needs no conversion."""
    video = video_of(path)
    data = ffmpeg("-noautorotate", "-i", path, "-map", "0:v:0", "-vsync", "passthrough", "-f", "rawvideo",
                  "-pix_fmt", form, "-")  # fmt: skip
    width, height = video["width"], video["height"]
    dtype = np.dtype("<u2") if form.endswith("le") else np.dtype(np.uint8)
    small = {"420": (-(-width // 2), -(-height // 2)), "422": (-(-width // 2), height)}
    chroma = next((size for key, size in small.items() if key in form), (width, height))
    sizes = [(width, height)] if form.startswith("gray") else [(width, height), chroma, chroma]
    counts = [w * h for w, h in sizes]
    values = np.frombuffer(data, dtype).reshape(-1, sum(counts))
    parts = np.split(values, np.cumsum(counts)[:-1], axis=1)
    return [
        [part[frame].reshape(size[::-1]) for part, size in zip(parts, sizes, strict=True)]
        for frame in range(len(values))
    ]


def images(path: str | Path) -> list[np.ndarray]:
    """The frames of a video that stores RGB, (H, W, 3)."""
    return [np.stack((red, green, blue), axis=-1) for green, blue, red in planes(path, "gbrp")]
