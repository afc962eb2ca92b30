"""What each file format can hold, and how it is written."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import PurePath
from typing import IO, Any

from dpid_cli.errors import ArgumentError, FileError


@dataclass(frozen=True)
class Format:
    """What a file format can hold, and how it is read and written: 8 bits by Pillow, more by `pictures.deep`.

    Attributes
    ----------
    name, pillow : str
        What we and what Pillow call it.
    extensions : tuple of str
    modes : frozenset of str
        Those of `Picture.mode` that it keeps; none if it is only read.
    profile : bool
        Whether it holds a colour profile.
    options : dict
        What Pillow's ``save`` is told unless something else is asked for.
    metadata : frozenset of str
        The fields of `Metadata` that it holds.
    max_side : int
        The largest width and height.
    signature : bytes
        A regular expression for how its files begin; empty if that tells nothing.
    plugin : str
        The module that makes Pillow know it.
    package : str
        What has to be installed for it, of the extra ``formats``.
    several : str
        What it holds several pictures as: ``animation``, ``pages``, or empty.
    partial : bool
        Whether its decoder gives what there is of a file that is cut off.
    """

    name: str
    pillow: str
    extensions: tuple[str, ...]
    modes: frozenset[str]
    profile: bool
    options: dict[str, Any]
    metadata: frozenset[str] = frozenset()
    max_side: int = 2**31 - 1
    signature: bytes = b""
    plugin: str = ""
    package: str = ""
    several: str = ""
    partial: bool = True

    @property
    def target(self) -> Format:
        """Itself, or PNG if it is only read."""
        return self if self.modes else FORMATS["png"]

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
_IPTC = frozenset({"iptc"})
_DPI = frozenset({"dpi"})
_COMMENT = frozenset({"comment"})

# The brands of ISO files, of which the first may be a general one.
_BRANDS = rb".{4}ftyp(?:.{4}){0,12}?"

# Small images are made to be looked at closely: little loss, and no chroma subsampling.
_FORMATS = (
    # 1.5 MP of a photo took 162, 217, 291, 489 ms and 2.79, 2.75, 2.55, 2.55 MB at levels 1, 3, 4, 6.
    Format(
        "png",
        "PNG",
        (".png", ".apng"),
        _COLOUR | ALPHA | _DEEP,
        True,
        {"compress_level": 4},
        _TAGS | _IPTC | _DPI | {"text"},
        signature=rb"\x89PNG\r\n\x1a\n",
        plugin="PIL.PngImagePlugin",
        several="animation",
    ),
    Format(
        "jpeg",
        "JPEG",
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        _COLOUR,
        True,
        {"quality": 95, "subsampling": 0},
        _TAGS | _IPTC | _DPI | _COMMENT,
        65500,
        signature=rb"\xff\xd8\xff",
        plugin="PIL.JpegImagePlugin",
    ),
    Format(
        "webp",
        "WEBP",
        (".webp",),
        frozenset({"RGB", "RGBA"}),
        True,
        {"quality": 95},
        _TAGS,
        16383,
        signature=rb"RIFF.{4}WEBP",
        plugin="PIL.WebPImagePlugin",
        several="animation",
        partial=False,
    ),
    Format(
        "tiff",
        "TIFF",
        (".tif", ".tiff"),
        _COLOUR | ALPHA | _DEEP | _FLOATS,
        True,
        {"compression": "tiff_adobe_deflate"},
        _TAGS | _IPTC | _DPI,
        signature=rb"II[*+]\0|MM\0[*+]|II\0\*|MM\*\0",
        plugin="PIL.TiffImagePlugin",
        several="pages",
    ),
    Format(
        "bmp",
        "BMP",
        (".bmp", ".dib"),
        _COLOUR,
        False,
        {},
        _DPI,
        signature=rb"BM",
        plugin="PIL.BmpImagePlugin",
    ),
    Format(
        "ppm",
        "PPM",
        (".ppm", ".pnm"),
        _COLOUR | {"L;16", "RGB;16"},
        False,
        {},
        signature=rb"P[0-6fFy]",
        plugin="PIL.PpmImagePlugin",
    ),
    Format("pgm", "PPM", (".pgm",), frozenset({"L", "L;16"}), False, {}, plugin="PIL.PpmImagePlugin"),
    Format(
        "gif",
        "GIF",
        (".gif",),
        frozenset({"L", "RGB", "RGBA"}),
        False,
        {},
        _COMMENT,
        65535,
        signature=rb"GIF8[79]a",
        plugin="PIL.GifImagePlugin",
        several="animation",
    ),
    Format(
        "avif",
        "AVIF",
        (".avif", ".avifs"),
        frozenset({"RGB", "RGBA"}),
        True,
        {"quality": 90, "subsampling": "4:4:4"},
        _TAGS,
        32768,
        signature=_BRANDS + rb"avi[fs]",
        plugin="PIL.AvifImagePlugin",
        several="animation",
        partial=False,
    ),
    # Without loss: 0.7 of the bytes of a PNG for a photo. Its rates are no qualities as those of JPEG.
    Format(
        "jp2",
        "JPEG2000",
        (".jp2", ".jpx", ".jpf"),
        _COLOUR | ALPHA | _DEEP,
        True,
        {"mct": 1},
        _TAGS | _IPTC | _DPI | _COMMENT,
        signature=rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        plugin="PIL.Jpeg2KImagePlugin",
    ),
    Format(
        "tga",
        "TGA",
        (".tga", ".icb", ".vda", ".vst"),
        _COLOUR | ALPHA,
        False,
        {"compression": "tga_rle"},
        max_side=65535,
        plugin="PIL.TgaImagePlugin",
    ),
    Format(
        "qoi",
        "QOI",
        (".qoi",),
        frozenset({"RGB", "RGBA"}),
        False,
        {},
        signature=rb"qoif",
        plugin="PIL.QoiImagePlugin",
        partial=False,
    ),
    Format(
        "ico",
        "ICO",
        (".ico",),
        frozenset({"RGBA"}),
        False,
        {},
        max_side=256,
        signature=rb"\x00\x00\x01\x00",
        plugin="PIL.IcoImagePlugin",
    ),
    Format(
        "icns",
        "ICNS",
        (".icns",),
        frozenset(),
        False,
        {},
        signature=rb"icns",
        plugin="PIL.IcnsImagePlugin",
    ),
    Format(
        "heif",
        "HEIF",
        (".heic", ".heif", ".hif"),
        frozenset({"L", "RGB", "RGBA"}),
        True,
        {"quality": 90, "chroma": "444"},
        _TAGS,
        16384,
        signature=_BRANDS + rb"(?:he(?:ic|ix|im|is|vc|vx|vm|vs)|mif1|msf1)",
        plugin="pillow_heif",
        package="pillow-heif",
    ),
    Format(
        "jxl",
        "JXL",
        (".jxl",),
        _COLOUR | ALPHA | _DEEP,
        False,
        {"quality": 95},
        _TAGS,
        signature=rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
        plugin="pillow_jxl",
        package="pillow-jxl-plugin",
        partial=False,
    ),
)
FORMATS = {f.name: f for f in _FORMATS}
_BY_EXTENSION = {extension: f for f in _FORMATS for extension in f.extensions}
BY_PILLOW = {f.pillow: f for f in reversed(_FORMATS)}
WRITTEN = {f.name: f for f in _FORMATS if f.modes}
_TGA_HEADER = rb".[\0\1][\1-\3\x09-\x0b].{13}[\x01\x08\x0f\x10\x18\x20]"
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"


def format_of(path: PurePath) -> Format:
    """The format that a path's extension stands for, or an `ArgumentError`."""
    found = _BY_EXTENSION.get(path.suffix.lower())
    if found is None or not found.modes:
        known = " ".join(f.extensions[0] for f in WRITTEN.values())
        raise ArgumentError(f"{path}: no format is written by this extension: use one of {known}")
    return found


def format_in(stream: IO[bytes], name: str) -> Format | None:
    """The format that a file begins as; TGA by what it is called, or by how it ends."""
    stream.seek(0)
    head = stream.read(64)
    stream.seek(0)
    for format_ in _FORMATS:
        if format_.signature and re.match(format_.signature, head, re.DOTALL):
            return format_
    tga = FORMATS["tga"]
    if not re.match(_TGA_HEADER, head, re.DOTALL):
        return None
    if PurePath(name).suffix.lower() in tga.extensions:
        return tga
    stream.seek(-min(stream.seek(0, io.SEEK_END), len(_TGA_FOOTER)), io.SEEK_END)
    footer = stream.read()
    stream.seek(0)
    return tga if footer == _TGA_FOOTER else None


def load_plugin(format_: Format, name: str) -> None:
    """Make Pillow know a format, without the many that it knows otherwise; or a `FileError`."""
    try:
        module = import_module(format_.plugin)
    except ImportError as error:
        raise FileError(
            f"{name}: {format_.name.upper()} needs {format_.package or format_.plugin}: "
            'pip install "dpid-cli[formats]"'
        ) from error
    if format_.package == "pillow-heif":
        module.register_heif_opener()


def holders(kind: str) -> str:
    """The formats that hold several pictures of a kind, for messages."""
    return " or ".join(f.name.upper() for f in FORMATS.values() if f.several == kind)


def able(mode: str, side: int = 0) -> str:
    """The formats that hold pictures of this mode and size, for messages."""
    return " or ".join(f.name.upper() for f in FORMATS.values() if mode in f.modes and side <= f.max_side)
