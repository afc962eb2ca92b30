"""The table of file formats. A new format is a module in `codecs` and a line here.

It imports neither NumPy nor Pillow, so that the command line can list formats at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import IO, Any

from dpid_cli.errors import ArgumentError, either
from dpid_cli.pictures.codecs.avif import Avif
from dpid_cli.pictures.codecs.base import Codec
from dpid_cli.pictures.codecs.encoder_options import EncoderOption, normalized
from dpid_cli.pictures.codecs.gif import Gif
from dpid_cli.pictures.codecs.heif import Heif
from dpid_cli.pictures.codecs.jp2 import Jp2
from dpid_cli.pictures.codecs.jpeg import Jpeg, JpegLs
from dpid_cli.pictures.codecs.jxl import Jxl
from dpid_cli.pictures.codecs.netpbm import Pgm, Ppm
from dpid_cli.pictures.codecs.plain import Bmp, Icns, Ico, Qoi, Tga
from dpid_cli.pictures.codecs.png import Png
from dpid_cli.pictures.codecs.tiff import Tiff
from dpid_cli.pictures.codecs.webp import Webp

Format = Codec

# In the order of messages. The first is written instead of formats that are only read.
_CODECS = (Png, Jpeg, Webp, Tiff, Bmp, Ppm, Pgm, Gif, Avif, Jp2, Tga, Qoi, Ico, Icns, Heif, Jxl, JpegLs)
FORMATS: dict[str, Codec] = {}
FORMATS.update((codec.name, codec(codec.defaults, FORMATS)) for codec in _CODECS)
WRITTEN = {name: codec for name, codec in FORMATS.items() if codec.modes}
FALLBACK = FORMATS[Png.name]  # lossless, stores nearly everything, and every program reads it
COMPACT = FORMATS[Webp.name]  # smaller, with and without loss, for web pages
ENCODER_OPTIONS: dict[str, EncoderOption] = {
    option.name: option for codec in reversed(_CODECS) for option in codec.encoder_options
}
_BY_EXTENSION = {extension: codec for codec in FORMATS.values() for extension in codec.extensions}
EXTENSIONS = frozenset(_BY_EXTENSION)


def format_of(path: PurePath) -> Codec:
    """The format that a path's extension stands for, or an `ArgumentError` if none is written by it."""
    codec = _BY_EXTENSION.get(path.suffix.lower())
    if codec is None or not codec.modes:
        known = " ".join(codec.extensions[0] for codec in WRITTEN.values())
        raise ArgumentError(f"{path}: unknown extension of an output: use one of {known}")
    return codec


def format_in(stream: IO[bytes], name: str) -> Codec | None:
    """The format of a file, by its signature; `name` is that of the file, which some formats need."""
    stream.seek(0)
    head = stream.read(64)
    codecs = FORMATS.values()
    signed = (one for one in codecs if one.signature and re.match(one.signature, head, re.DOTALL))
    codec = next(signed, None) or next((one for one in codecs if one.recognizes(stream, name)), None)
    stream.seek(0)
    return codec


def titles(test: Callable[[Codec], object]) -> str:
    """The formats for which a test holds, for messages."""
    able = [codec.title for codec in FORMATS.values() if test(codec)]
    return either(able) if able else ""


def check_encoding(encoding: Mapping[str, Any]) -> None:
    """Raise an `ArgumentError` for options of encoders that fit no format."""
    for name, value in normalized(encoding).items():
        if (option := ENCODER_OPTIONS.get(name)) is None:
            raise ArgumentError(f"encoding: {name} is not known: use {', '.join(ENCODER_OPTIONS)}")
        option.check(value)


def fitting_options(format_: Codec, encoding: Mapping[str, Any]) -> dict[str, Any]:
    """The options of encoders without those that a format lacks; promises stay, so that it refuses them."""
    own = {option.name for option in format_.encoder_options}
    return {
        name: value
        for name, value in normalized(encoding).items()
        if name in own or name not in ENCODER_OPTIONS or ENCODER_OPTIONS[name].promise
    }


def option_help(option: EncoderOption) -> str:
    """What an encoder option does, with the formats that take it."""
    *others, last = (codec.title for codec in FORMATS.values() if option in codec.encoder_options)
    return option.help.format(f"{', '.join(others)} and {last}" if others else last)


def option_default(option: EncoderOption) -> str:
    """Its default, with the formats of other defaults; empty if it is not used by default."""
    owners: dict[Any, list[str]] = {}
    for codec in FORMATS.values():
        if option in codec.encoder_options:
            owners.setdefault(codec.defaults[option.name], []).append(codec.title)
    if option.flag or owners.keys() == {None}:
        return ""
    usual, *others = owners
    if usual is None:
        return ", ".join(f"{value} for {', '.join(owners[value])}" for value in others)
    return ", ".join([f"{usual}", *(f"{value} ({', '.join(owners[value])})" for value in others)])
