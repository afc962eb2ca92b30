"""What all file formats have in common: a codec that does everything through Pillow.

Codecs import NumPy and Pillow when they read or write, so that the command line can list formats and their
options without them.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, ClassVar, NamedTuple

from dpid_cli.errors import ArgumentError, either
from dpid_cli.pictures.codecs.encoder_options import EncoderOption, normalized
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import (
        Colours,
        Frames,
        GeoReference,
        Image,
        Limits,
        Metadata,
        Opened,
        Palette,
        Pixels,
    )

COLOUR = frozenset({"L", "RGB"})
ALPHA = frozenset({"LA", "RGBA"})
HIGH_DEPTH = frozenset({"L;16", "LA;16", "RGB;16", "RGBA;16"})
INDICES = frozenset({"P"})
TAGS = frozenset({"exif", "xmp"})
GAIN_MAP = "its HDR gain map is dropped"
_PIXELS_PER_BYTE = 4096  # Huffman codes hold 512 at most, LZW 2730
_HARMLESS = 2**24  # pixels, whatever the file


class Animation(NamedTuple):
    """An animation to write.

    `images` have one size and mode, `durations` are in ms. `write_first` encodes the first image with all
    metadata, given further keywords of Pillow's ``save``.
    """

    images: Sequence[Image.Image]
    durations: Sequence[float]
    plays: int
    comment: bytes
    write_first: Callable[[IO[bytes], Mapping[str, Any]], None]


@dataclass(frozen=True)
class Codec:
    """A file format: its facts, and how it is read and written.

    Formats override what Pillow does not do for them.
    """

    name: ClassVar[str]  # on the command line
    title: ClassVar[str]  # in messages
    pillow: ClassVar[str]  # in Pillow
    extensions: ClassVar[tuple[str, ...]]
    signature: ClassVar[bytes] = b""  # regular expression for how files begin, where that tells
    plugin: ClassVar[str]  # Pillow's module
    package: ClassVar[str] = ""  # what has to be installed for it
    modes: ClassVar[frozenset[str]]  # values of `Picture.mode` that it stores; none if it is only read
    metadata: ClassVar[frozenset[str]] = frozenset()  # fields of `Metadata` that it stores
    profile: ClassVar[bool] = False  # whether it stores a colour profile
    cicp: ClassVar[bool] = False  # whether it stores code points of colours
    depths: ClassVar[tuple[int, ...]] = (16,)  # bits of a channel in modes of 16 bits, from few to many
    several: ClassVar[str] = ""  # whether several images are an 'animation' or 'pages'
    max_side: ClassVar[int] = 2**31 - 1
    max_iptc: ClassVar[float] = math.inf  # bytes
    defaults: ClassVar[
        Mapping[str, Any]
    ] = {}  # of `encoder_options`, and other keywords of Pillow's ``save``
    encoder_options: ClassVar[tuple[EncoderOption, ...]] = ()  # those of `defaults` that users may change
    always_lossless: ClassVar[bool] = False
    finer: ClassVar[tuple[Mapping[str, Any], ...]] = ()  # options for file sizes between those of qualities
    partial: ClassVar[bool] = True  # whether part of a truncated file can be decoded
    repairable: ClassVar[bool] = False  # whether `without_metadata` knows variants
    stores_plays: ClassVar[bool] = True  # whether it stores how often an animation is played
    turned_by_pillow: ClassVar[bool] = False  # whether Pillow turns images upright
    slow: ClassVar[bool] = False  # whether encoding may take seconds
    prefetched: ClassVar[bool] = False  # whether `open_image` may be decoded before `open` is called

    options: Mapping[str, Any]  # `defaults`, or what was asked for instead
    table: Mapping[str, Codec] = field(repr=False, compare=False)  # all formats by name

    @property
    def target(self) -> Codec:
        """Itself, or the first of the table if it is only read."""
        return self if self.modes else next(iter(self.table.values()))

    @property
    def deep(self) -> bool:
        """Whether it stores 16 bits a channel."""
        return bool(self.modes & HIGH_DEPTH)

    def tuned(self, encoding: Mapping[str, Any]) -> Codec:
        """The same with other options of the encoder.

        Raises an `ArgumentError` if it lacks one of them, or for a value that is not allowed.
        """
        options = normalized(encoding)
        if self.always_lossless and options.get("lossless") is True:
            del options["lossless"]
        known = {option.name: option for option in self.encoder_options}
        for name, value in options.items():
            if name not in known:
                raise ArgumentError(f"{name.replace('_', '-')}: {self._lacks(name)}")
            known[name].check(value)
        return replace(self, options={**self.options, **options})

    def _lacks(self, name: str) -> str:
        """Why an option of encoders is refused, and what to do."""
        if name == "lossless" and self.always_lossless:
            return f"{self.title} is always lossless: leave it out"
        able = [c.title for c in self.table.values() if any(name == o.name for o in c.encoder_options)]
        if not able:
            return "is no option of encoders: leave it out"
        return f"{self.title} has no such option: leave it out, or write {either(able)}"

    def keywords(self) -> dict[str, Any]:
        """Keywords of Pillow's ``save``, or of `encode`, for `options`; the quality may be a fraction."""
        return dict(self.options)

    def recognizes(self, stream: IO[bytes], name: str) -> bool:
        """Whether a file without a known signature is of this format; `name` is that of the file."""
        return False

    def load_plugin(self) -> None:
        """Make Pillow know this format and no others, or raise a `RefusedError`."""
        try:
            import_module(self.plugin)
        except ImportError as error:
            raise RefusedError(
                f'{self.title} needs {self.package or self.plugin}: pip install "dpid-cli[formats]"'
            ) from error

    # Reading

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        """Open the first image of a stream without decoding it; damaged headers raise many kinds of errors.

        Formats return a `HighDepthImage` for what Pillow would reduce to 8 bits.
        """
        return self.open_image(stream, limits)

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        """Open the first image of a stream with Pillow, without decoding it."""
        self.load_plugin()
        image = _opened(stream, self.pillow)
        limits.check_size(image.size)
        return image

    def open_again(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        """Open it from its beginning."""
        stream.seek(0)
        return self.open_image(stream, limits)

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        """The frames or pages of a stream, one more than allowed at most; None if there is one image."""
        return None

    def frames_by_pillow(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        """The frames of an animation that Pillow paints."""
        from dpid_cli.pictures.codecs.images import Frame, Frames

        image: Any = self.open_again(stream, limits)

        def decode(number: int) -> Frame:
            image.seek(number)
            image.load()
            return Frame(image, image.info["duration"])

        count, plays = image.n_frames, image.info.get("loop", 0)
        pixels = count * image.width * image.height
        return Frames("animation", count, pixels, decode, image.copy, plays) if count > 1 else None

    def is_high_depth(self, image: Image.Image) -> bool:
        """Whether the file has more than 8 bits a channel, before Pillow reduces them."""
        return any(";16" in str(tile.args) for tile in getattr(image, "tile", ())[:1])  # a raw mode

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        """A line about images in the file that are not read."""
        return []

    def can_salvage(self, stream: IO[bytes]) -> bool:
        """Whether part of this file could be decoded if it is truncated."""
        return self.partial

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        """Variants of a file without metadata that may be damaged, each with less than the one before."""
        return ()

    def stored_as(self, pixels: Pixels) -> str:
        """The name of the format that a file with these pixels has."""
        return self.name

    def colours(self, image: Image.Image) -> Colours:
        """What the file says about its colours: a profile, else code points in its ``info``, else EXIF."""
        from dpid_cli.pictures import exif, profiles

        stored, code = image.info.get("icc_profile"), image.info.get("cicp")
        if isinstance(stored, bytes):
            return profiles.Colours(stored)
        if code is not None:
            return profiles.coded(code, image.mode)
        is_colour = image.mode not in profiles.GRAY_MODES
        return profiles.Colours(profiles.adobe_rgb() if is_colour and exif.says_adobe_rgb(image) else None)

    def resolution(self, image: Image.Image) -> tuple[float, float] | None:
        """Pixels per inch, where they do not stand in EXIF."""
        return image.info.get("dpi")

    def texts(self, image: Image.Image) -> tuple[dict[str, str], bool]:
        """Texts by keyword, which are removed from the image; and whether all could be kept."""
        return {}, True

    def iptc(self, image: Image.Image) -> list[bytes]:
        """What may be IPTC records, as stored."""
        return []

    def turned_from(self, image: Image.Image) -> int:
        """The orientation in EXIF of an image that its decoder turned upright without telling."""
        value = image.info.get("original_orientation")
        return value if isinstance(value, int) and 1 < value < 9 else 1

    def density(self, image: Image.Image) -> tuple[float, float] | None:
        """Pixels per unit that is no length, horizontally and vertically."""
        return None

    def georeference(self, image: Image.Image) -> GeoReference | None:
        """Where the pixels lie on the earth, as stored."""
        return None

    def xmp_segments(self, image: Image.Image) -> list[bytes]:
        """What may be parts of the second part of an XMP packet."""
        return []

    # Writing

    def mode_with_options(self, mode: str) -> str:
        """The mode that pixels of a mode are written in: ``P`` if they get a palette.

        Raises a `RefusedError` for options that they cannot be written with.
        """
        return mode

    def check_palette(self, palette: Palette) -> None:
        """Raise a `RefusedError` for a palette that this format, which stores some, cannot store."""
        if palette.alpha and not self.stores_alpha_of_colours(palette.alpha):
            able = next(iter(self.table.values())).title
            raise RefusedError(f"{self.title} cannot store these transparent colours: write {able}")

    def stores_alpha_of_colours(self, alpha: bytes) -> bool:
        """Whether a palette may have this alpha of its first colours, with 0 for transparent."""
        return False

    def save_options(self, metadata: Metadata, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
        """Keywords of Pillow's ``save`` that write the metadata, and what is too long for the format.

        Where Pillow writes no IPTC, `encode` takes ``iptc`` out of them.
        """
        from dpid_cli.pictures import exif

        options: dict[str, Any] = {}
        lost = []
        for key in ("dpi", "comment", "iptc", "xmp"):
            if key in self.metadata and getattr(metadata, key):
                options[key] = getattr(metadata, key)
        if len(metadata.iptc) > self.max_iptc:
            lost += self.too_long(["IPTC"])
            options.pop("iptc", None)
        if "exif" in self.metadata and len(tags := exif.sized(metadata, self.metadata, size)):
            options["exif"] = self.stored_exif(tags)
        return options, lost

    def too_long(self, names: Sequence[str]) -> list[str]:
        """A line about metadata that is too long for the format."""
        return [f"too long for {self.title}: {', '.join(names)}: dropped"] if names else []

    def stored_exif(self, tags: Image.Exif) -> Any:
        """EXIF as Pillow's ``save`` takes it."""
        return tags.tobytes()

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        """Encode pixels in one of `modes`."""
        if pixels.itemsize == 1:
            image, options = self.image_to_save(pixels, mode, options)
            image.save(stream, self.pillow, **options)
        else:
            stream.write(self.high_depth_file(pixels, mode, options))

    def compile_kernels(self) -> None:
        """Compile the kernels that `encode` calls, if it calls any, or load them from disk."""

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        """A file with pixels of more than 8 bits."""
        raise NotImplementedError

    def image_of(self, pixels: Pixels, mode: str) -> Image.Image:
        """Pixels as Pillow's image, those of 8 bits in this mode."""
        from PIL import Image

        image = Image.fromarray(pixels)
        return image.convert(mode) if image.mode != mode and pixels.itemsize == 1 else image

    def image_to_save(
        self, pixels: Pixels, mode: str, options: Mapping[str, Any]
    ) -> tuple[Image.Image, dict[str, Any]]:
        """Pixels of 8 bits or indices as Pillow's image, and keywords of its ``save``."""
        from PIL import Image

        options = dict(options)
        palette = options.pop("palette", None)
        if palette is None:
            return self.image_of(pixels, mode), options
        image = Image.fromarray(pixels)
        image.putpalette(palette.colours.tobytes())
        return image, options | ({"transparency": palette.alpha} if palette.alpha else {})

    def by_pillow(self, image: Image.Image, options: Mapping[str, Any]) -> bytes:
        """The file that Pillow writes, by the plugin alone: ``save`` would import those of five formats."""
        from PIL.Image import SAVE

        buffer = io.BytesIO()
        image.encoderinfo, image.encoderconfig = dict(options), ()
        SAVE[self.pillow](image, buffer, "")
        return buffer.getvalue()

    def write_animation(self, animation: Animation, stream: IO[bytes]) -> None:
        """Write an animation, by Pillow."""
        options = {
            "save_all": True,
            "append_images": animation.images[1:],
            "duration": [round(duration) for duration in animation.durations],
            "loop": animation.plays,
        }
        animation.write_first(stream, options)

    def write_pages(self, files: Iterator[bytes], stream: IO[bytes]) -> None:
        """Write files of one page each as one file."""
        raise NotImplementedError


def _opened(stream: IO[bytes], format_: str) -> Image.Image:
    """``Image.open`` for a format whose plugin is imported; the former would import those of five formats.

    The caller checks the size.
    """
    import struct

    from PIL import Image, UnidentifiedImageError

    stream.seek(0)
    prefix = stream.read(16)
    factory, accepts = Image.OPEN[format_]
    try:
        accepted = accepts is None or accepts(prefix)
        if accepted and not isinstance(accepted, str):  # which would say why not
            stream.seek(0)
            return factory(stream, "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:  # as Pillow does
        raise UnidentifiedImageError(str(error)) from error
    raise UnidentifiedImageError


def as_ratio(density: tuple[float, float], largest: int) -> tuple[int, int]:
    """Pixels per unit as a ratio of whole numbers up to `largest`."""
    from fractions import Fraction  # takes a moment to import

    across, down = density
    shorter = Fraction(min(across, down) / max(across, down)).limit_denominator(largest)
    parts = (shorter.numerator, shorter.denominator) if shorter else (1, largest)
    return parts if across < down else parts[::-1]


def check_expansion(image: Image.Image, stream: IO[bytes]) -> None:
    """Raise a `ValueError` for an opened image that so few bytes cannot hold; the stream stays in place.

    Decoders of most formats notice by themselves that nothing is left to decode.
    """
    from PIL import ImageFile

    place = stream.tell()
    stored = stream.seek(0, os.SEEK_END)
    stream.seek(place)
    most = max(stored * _PIXELS_PER_BYTE, _HARMLESS)
    if image.width * image.height > most and not ImageFile.LOAD_TRUNCATED_IMAGES:
        raise ValueError(f"{stored} bytes cannot hold {image.width} x {image.height} pixels")
