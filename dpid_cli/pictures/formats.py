"""What each file format can hold, and how it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from dpid_cli.errors import ArgumentError


@dataclass(frozen=True)
class Format:
    """What a file format can hold, and how it is written: 8 bits by Pillow, more by `pictures.deep`.

    `modes` are those of `Picture.mode` that it keeps; `options` what Pillow's ``save`` is told unless
    something else is asked for; `metadata` the fields of `Metadata` that it holds; `max_side` the largest
    width and height.
    """

    name: str
    pillow: str
    extensions: tuple[str, ...]
    modes: frozenset[str]
    profile: bool
    options: dict[str, Any]
    metadata: frozenset[str] = frozenset()
    max_side: int = 2**31 - 1

    @property
    def deep(self) -> bool:
        """Whether it holds 16 bits a channel."""
        return any(mode.endswith(";16") for mode in self.modes)

    def tuned(self, encoding: Mapping[str, int]) -> Format:
        """The same with other values of its options, or an `ArgumentError` if it has no such option."""
        for option in encoding.keys() - self.options.keys():
            able = " or ".join(f.name.upper() for f in FORMATS.values() if option in f.options)
            raise ArgumentError(
                f"{option.replace('_', '-')}: {self.name.upper()} has no such option: "
                f"leave it out, or write {able}"
            )
        return replace(self, options={**self.options, **encoding})


_COLOUR = frozenset({"L", "RGB"})
ALPHA = frozenset({"LA", "RGBA"})
_DEEP = frozenset({"L;16", "LA;16", "RGB;16", "RGBA;16"})
_FLOATS = frozenset({"L;F", "LA;F", "RGB;F", "RGBA;F"})
_TAGS = frozenset({"exif", "xmp"})
_DPI = frozenset({"dpi"})
_COMMENT = frozenset({"comment"})

# Small images are made to be looked at closely: little loss, and no chroma subsampling.
_FORMATS = (
    # 1.5 MP of a photo took 162, 217, 291, 489 ms and 2.79, 2.75, 2.55, 2.55 MB at levels 1, 3, 4, 6.
    Format(
        "png",
        "PNG",
        (".png",),
        _COLOUR | ALPHA | _DEEP,
        True,
        {"compress_level": 4},
        _TAGS | _DPI | {"text"},
    ),
    Format(
        "jpeg",
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        _COLOUR,
        True,
        {"quality": 95, "subsampling": 0},
        _TAGS | _DPI | _COMMENT,
        65500,
    ),
    Format("webp", "WEBP", (".webp",), frozenset({"RGB", "RGBA"}), True, {"quality": 95}, _TAGS, 16383),
    Format(
        "tiff",
        "TIFF",
        (".tif", ".tiff"),
        _COLOUR | ALPHA | _DEEP | _FLOATS,
        True,
        {"compression": "tiff_adobe_deflate"},
        _TAGS | _DPI,
    ),
    Format("bmp", "BMP", (".bmp", ".dib"), _COLOUR, False, {}, _DPI),
    Format("ppm", "PPM", (".ppm", ".pnm"), _COLOUR | {"L;16", "RGB;16"}, False, {}),
    Format("pgm", "PPM", (".pgm",), frozenset({"L", "L;16"}), False, {}),
    Format("gif", "GIF", (".gif",), frozenset({"L", "RGB", "RGBA"}), False, {}, _COMMENT, 65535),
    Format(
        "avif",
        "AVIF",
        (".avif",),
        frozenset({"RGB", "RGBA"}),
        True,
        {"quality": 90, "subsampling": "4:4:4"},
        _TAGS,
        32768,
    ),
)
FORMATS = {f.name: f for f in _FORMATS}
_BY_EXTENSION = {extension: f for f in _FORMATS for extension in f.extensions}
BY_PILLOW = {f.pillow: f for f in reversed(_FORMATS)}


def format_of(path: PurePath) -> Format:
    """The format that a path's extension stands for, or an `ArgumentError`."""
    found = _BY_EXTENSION.get(path.suffix.lower())
    if found is None:
        known = " ".join(f.extensions[0] for f in FORMATS.values())
        raise ArgumentError(f"{path}: no format is known by this extension: use one of {known}")
    return found


def able(mode: str, side: int = 0) -> str:
    """The formats that hold pictures of this mode and size, for messages."""
    return " or ".join(f.name.upper() for f in FORMATS.values() if mode in f.modes and side <= f.max_side)
