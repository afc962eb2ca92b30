"""JPEG 2000."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import ALPHA, COLOUR, HIGH_DEPTH, TAGS, Codec
from dpid_cli.pictures.codecs.isobmff import UUIDS, box, boxes, metadata_in
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import HighDepthImage, Image, Limits, Opened, Pixels, Samples

_BEFORE_CODESTREAM = 2**24  # bytes, as the profile may be long
_CODESTREAM = b"\xff\x4f\xff\x51"  # SOC and SIZ
_EXPONENT = 3  # so that 65535 dots per inch are a small fraction
_PLAIN_COLOURS = (0, 16, 17)  # by a profile, sRGB, gray


class Jp2(Codec):
    """JPEG 2000, written losslessly, as its rates do not compare with the qualities of other formats."""

    name, title, pillow = "jp2", "JPEG 2000", "JPEG2000"
    extensions = (".jp2", ".jpx", ".jpf")
    signature = rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"
    plugin = "PIL.Jpeg2KImagePlugin"
    modes = COLOUR | ALPHA | HIGH_DEPTH
    slow = True
    profile = True
    metadata = TAGS | {"iptc", "dpi", "comment"}
    defaults: ClassVar = {"mct": 1}
    always_lossless = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        image = self.open_image(stream, limits)
        return _high_depth(image, stream) if _has_high_depth(stream) else image

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        image = super().open_image(stream, limits)
        place = stream.tell()
        image.info.update(metadata_in(stream))
        stream.seek(place)
        if image.info.get("comment", b"").startswith(b"Created by OpenJPEG"):
            del image.info["comment"]
        return image

    def can_salvage(self, stream: IO[bytes]) -> bool:
        return not _has_high_depth(stream)

    def iptc(self, image: Image.Image) -> list[bytes]:
        return [image.info.get("iptc", b"")]

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        """Encode by Pillow, but for colours of 16 bits and most metadata."""
        if pixels.itemsize == 1 or pixels.ndim == 2:
            file = self.by_pillow(self.image_of(pixels, mode), options)
        else:
            from imagecodecs import jpeg2k_encode
            from PIL import Image

            file = self.by_pillow(Image.new(mode.removesuffix(";16"), (1, 1)), options)
            other = bytes(jpeg2k_encode(pixels, level=0, reversible=True, codecformat="jp2"))
            file = _with_pixels(file, other, options.get("comment", b""))
        stream.write(_with_metadata(file, options))


def _high_depth(image: Image.Image, stream: IO[bytes]) -> HighDepthImage:
    from dpid_cli.pictures.codecs.images import CHANNELS, HighDepthImage, samples_like

    def samples() -> Samples:
        import numpy as np
        from imagecodecs import jpeg2k_decode

        stream.seek(0)
        data = stream.read()
        code, colours = _codestream(data), _colour_space(data)
        size, depths = _code_header(code)
        if size != image.size or not depths:  # another header tells of other pixels
            raise ValueError("its headers do not agree")
        bits, *others = set(depths)
        if others or not 8 < bits <= 16 or image.mode not in CHANNELS or colours not in _PLAIN_COLOURS:
            what = f"JPEG 2000 of {', '.join(map(str, depths))} bits in colour space {colours}"
            raise RefusedError(f"{what} is not supported: convert it to RGB of 8 or 16 bits")
        return samples_like(image, np.asarray(jpeg2k_decode(code)), bits)

    return HighDepthImage(image.size, image, samples)


def _has_high_depth(stream: IO[bytes]) -> bool:
    """Whether some channel has more than 8 bits; the stream stays in place."""
    place = stream.tell()
    stream.seek(0)
    head = stream.read(_BEFORE_CODESTREAM)
    stream.seek(place)
    start = head.find(_CODESTREAM)
    depths = _code_header(head[start:])[1] if start >= 0 else ()
    return max(map(abs, depths), default=0) > 8


def _code_header(code: bytes) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Width and height of the pixels in a code stream; bits of each channel, negative if signed."""
    right, bottom, left, top, channels = struct.unpack_from(">4L16xH", code.ljust(42, b"\0"), 8)
    depths = code[42 : 42 + 3 * channels : 3]
    bits = tuple(((depth & 0x7F) + 1) * (-1 if depth & 0x80 else 1) for depth in depths)
    return (right - left, bottom - top), bits


def _colour_space(file: bytes) -> int:
    """The number of the colour space that the file names; 0 if it names none."""
    for kind, content in boxes(file):
        if kind == b"jp2h":
            named = [inner[3:7] for part, inner in boxes(content) if part == b"colr" and inner[:1] == b"\1"]
            return int.from_bytes(named[0], "big") if named else 0
    return 0


def _codestream(file: bytes) -> bytes:
    """The pixels, without the boxes around them."""
    if file.startswith(_CODESTREAM):
        return file
    return next((content for kind, content in boxes(file) if kind == b"jp2c"), b"")


def _with_pixels(file: bytes, other: bytes, comment: bytes) -> bytes:
    """A file with the pixels of another of the same channels, and a comment among these."""
    (header,) = (content for kind, content in boxes(other) if kind == b"jp2h")
    (own,) = (inner for kind, inner in boxes(header) if kind == b"ihdr")
    code = _codestream(other)
    if comment:
        place = 4 + int.from_bytes(code[4:6], "big")  # behind the sizes
        code = code[:place] + struct.pack(">HHH", 0xFF64, 4 + len(comment), 1) + comment + code[place:]
    result = []
    for kind, content in boxes(file):
        parts = [content]
        if kind == b"jp2h":
            parts = [box(part, own if part == b"ihdr" else inner) for part, inner in boxes(content)]
        result.append(box(kind, code) if kind == b"jp2c" else box(kind, *parts))
    return b"".join(result)


def _with_metadata(file: bytes, options: Mapping[str, Any]) -> bytes:
    """A file with colour profile, EXIF, XMP, IPTC and resolution, by the keywords of Pillow's ``save``."""
    result = []
    for kind, content in boxes(file):
        parts = [content]
        if kind == b"jp2h":
            header = _header(content, options.get("icc_profile"), options.get("dpi"))
            parts = [box(*part) for part in header]
        result.append(box(kind, *parts))
    # Behind the pixels, because Pillow looks for comments right behind the header.
    for name, label in UUIDS.items():
        if name in options:
            result.append(box(b"uuid", label, options[name].removeprefix(b"Exif\0\0")))
    return b"".join(result)


def _header(
    content: bytes, profile: bytes | None, dpi: tuple[float, float] | None
) -> Iterator[tuple[bytes, bytes]]:
    for kind, inner in boxes(content):
        yield kind, b"\2\0\0" + profile if kind == b"colr" and profile else inner
    if dpi:
        from fractions import Fraction  # takes a moment to import

        # Vertically and horizontally, in dots per metre: a fraction, and powers of ten behind
        metres = [value / 0.0254 / 10**_EXPONENT for value in reversed(dpi)]
        fractions = [Fraction(value).limit_denominator(int(65535 / max(value, 1))) for value in metres]
        sides = (number for part in fractions for number in (part.numerator, part.denominator))
        yield b"res ", box(b"resc", struct.pack(">4H2B", *sides, _EXPONENT, _EXPONENT))
