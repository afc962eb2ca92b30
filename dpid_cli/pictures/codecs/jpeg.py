"""JPEG."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures import iptc
from dpid_cli.pictures.codecs.base import (
    COLOUR,
    GAIN_MAP,
    TAGS,
    Codec,
    as_ratio,
    check_expansion,
)
from dpid_cli.pictures.codecs.encoder_options import (
    PROGRESSIVE,
    QUALITY,
    SUBSAMPLING,
    TARGET_SIZE,
    EncoderOption,
)

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Image, Limits, Metadata, Opened, Pixels

# JPEG-LS, also behind a header of SPIFF, as its standard shows it
_JPEG_LS = rb"\xff\xd8(?:\xff\xf7|\xff\xe8.{0,54}\xff\xf7)"
_START = b"\xff\xd8"
_EXIF_OR_XMP = 0xE1
_COMMENT = 0xFE
_PHOTOSHOP = 0xED
_SCAN = 0xDA
# Also JFIF, colour profiles, and the colour transform.
_KEPT = frozenset({0xE0, _EXIF_OR_XMP, 0xE2, 0xEE})
# What gain maps, or images that have one, say in XMP or in a segment of their own (ISO 21496-1).
_GAIN_MAPS = (
    b"http://ns.adobe.com/hdr-gain-map/",
    b"photo:2020:aux:hdrgainmap",
    b"urn:iso:std:iso:ts:21496:-1\0",
)
_ENTRIES = 0xB002  # the tag of the list of images
_XMP_LABEL = b"http://ns.adobe.com/xap/1.0/\0"
_SEGMENT = 65504  # bytes for XMP, which has the longest label
_USUAL_SCANS = 20
_MOST_DECODED = 2 * 10**9  # pixels of all scans together, some seconds
_PART = 2**20


class Jpeg(Codec):
    """JPEG, also where it holds several images, of which the first is read."""

    name, title, pillow = "jpeg", "JPEG", "JPEG"
    extensions: ClassVar[tuple[str, ...]] = (".jpg", ".jpeg", ".jpe", ".jfif")
    signature = rb"(?!" + _JPEG_LS + rb")\xff\xd8\xff"
    plugin = "PIL.JpegImagePlugin"
    modes = COLOUR
    profile = True
    metadata: ClassVar[frozenset[str]] = TAGS | {"iptc", "dpi", "comment", "density"}
    max_side = 65500
    max_iptc = iptc.LONGEST_RESOURCE
    # Small images are looked at closely: little loss, and no chroma subsampling.
    defaults: ClassVar = {"quality": 95, "target_size": None, "subsampling": "4:4:4", "progressive": False}
    encoder_options: ClassVar[tuple[EncoderOption, ...]] = (QUALITY, TARGET_SIZE, SUBSAMPLING, PROGRESSIVE)
    repairable = True
    prefetched = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        from dpid_cli.pictures.codecs import jpeg_depth
        from dpid_cli.pictures.codecs.jpeg_frames import frame_header

        frame = frame_header(stream)
        if frame is None or frame.usual:
            return self.open_image(stream, limits)
        self.load_plugin()
        return jpeg_depth.opened(stream.read(), frame, limits)

    def stored_as(self, pixels: Pixels) -> str:
        return self.name if pixels.itemsize == 1 else JpegLs.name

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        image = super().open_image(stream, limits)
        check_expansion(image, stream)  # missing pixels would be decoded as gray
        _check_scans(image, stream)
        return image

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        for kept in (_KEPT, _KEPT - {_EXIF_OR_XMP}):
            yield _START + b"".join(_segments(data, kept))

    def resolution(self, image: Image.Image) -> tuple[float, float] | None:
        return super().resolution(image) if image.info.get("jfif_unit") in (1, 2) else None  # or guessed

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        return [GAIN_MAP] * _has_gain_map(image, stream)

    def iptc(self, image: Image.Image) -> list[bytes]:
        return [image.info.get("photoshop", {}).get(iptc.RECORDS, b"")]

    def density(self, image: Image.Image) -> tuple[float, float] | None:
        return image.info.get("jfif_density") if image.info.get("jfif_unit") == 0 else None

    def xmp_segments(self, image: Image.Image) -> list[bytes]:
        return [content for kind, content in getattr(image, "applist", ()) if kind == "APP1"]

    def save_options(self, metadata: Metadata, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
        from dpid_cli.pictures import exif, xmp_extension

        options, lost = super().save_options(metadata, size)
        parts = []
        if "iptc" in options:
            parts.append((_PHOTOSHOP, iptc.as_resources(options.pop("iptc"))))
        packet = options.get("xmp", b"")
        if len(packet) > _SEGMENT and (halves := xmp_extension.split(packet, _SEGMENT)):
            del options["xmp"]
            parts += [(_EXIF_OR_XMP, content) for content in (_XMP_LABEL + halves[0], *halves[1])]
        if parts:
            options["extra"] = b"".join(_segment(*part) for part in parts)
        if metadata.density and metadata.density[0] != metadata.density[1]:
            options["density"] = metadata.density
        long = [key for key in ("comment", "exif", "xmp") if len(options.get(key, b"")) > _SEGMENT]
        for key in long:
            del options[key]
        lost += self.too_long([key if key == "comment" else key.upper() for key in long])
        if "exif" in long:
            rest = exif.sized(replace(metadata, exif=b""), self.metadata, size)
            options |= {"exif": rest.tobytes()} if len(rest) else {}
        return options, lost

    def keywords(self) -> dict[str, Any]:
        from dpid_cli.pictures.codecs import jpeg_tables

        own = dict(self.options)
        del own["target_size"]
        if isinstance(quality := own["quality"], float):
            del own["quality"]
            own["qtables"] = jpeg_tables.between(quality)
        return own

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        plain = dict(options)
        density = plain.pop("density", None)
        if density is None:
            super().encode(pixels, mode, stream, plain)
            return
        buffer = io.BytesIO()
        super().encode(pixels, mode, buffer, plain)
        file = buffer.getvalue()
        # Behind the label and the version of JFIF, which comes first: no unit
        stream.write(file[:13] + struct.pack(">BHH", 0, *as_ratio(density, 65535)) + file[18:])


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


class JpegLs(Jpeg):
    """JPEG-LS, which is only read. Outputs of other JPEGs with more than 8 bits get the same format."""

    name, title = "jls", "JPEG-LS"
    extensions = (".jls",)
    signature = _JPEG_LS
    modes = frozenset()
    profile, metadata = False, frozenset()
    encoder_options = ()
    defaults: ClassVar = {}


def _has_gain_map(image: Any, stream: IO[bytes]) -> bool:
    """Whether the file says that another of its images is one, or that image does."""
    image = getattr(image, "header", image)
    segments = [content for _, content in getattr(image, "applist", ())]
    if any(label in content for content in segments for label in _GAIN_MAPS):
        return True
    for place in _other_images(image.info):
        stream.seek(place)
        head = stream.read(_SEGMENT)
        if any(label in head for label in _GAIN_MAPS):
            return True
    return False


def _other_images(info: Mapping[Any, Any]) -> list[int]:
    """Where further images of the file begin (CIPA DC-007)."""
    table, base = info.get("mp", b""), info.get("mpoffset", 0)
    order = "<" if table[:2] == b"II" else ">"
    with suppress(struct.error):
        (start,) = struct.unpack_from(f"{order}L", table, 4)
        (count,) = struct.unpack_from(f"{order}H", table, start)
        fields = (struct.unpack_from(f"{order}HHLL", table, start + 2 + 12 * k) for k in range(count))
        entries = next(((length, place) for tag, _, length, place in fields if tag == _ENTRIES), (0, 0))
        ends = range(entries[1], entries[1] + entries[0], 16)
        return [base + offset for k in ends if (offset := struct.unpack_from(f"{order}L", table, k + 8)[0])]
    return []


def _check_scans(image: Image.Image, stream: IO[bytes]) -> None:
    """Raise a `ValueError` for very many scans: the decoder goes over the whole image for each."""
    if "progressive" not in image.info:
        return
    place = stream.tell()
    stream.seek(0)
    scans, last = 0, b""
    while part := stream.read(_PART):  # pixels do not contain this marker
        scans += (last + part).count(b"\xff\xda")
        last = part[-1:] if part[-1:] == b"\xff" else b""
    stream.seek(place)
    if scans > _USUAL_SCANS and scans * image.width * image.height > _MOST_DECODED:
        raise ValueError(f"{scans} scans of {image.width} x {image.height} pixels")


def _segments(data: bytes, kept: frozenset[int]) -> Iterator[bytes]:
    """Marker segments that are needed, then everything from the first scan on."""
    start = 2
    while data[start : start + 1] == b"\xff" and start + 4 <= len(data):
        marker = data[start + 1]
        if marker == 0xFF:  # a fill byte
            start += 1
            continue
        if marker == _SCAN:
            break
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker in kept or not (0xE0 <= marker <= 0xEF or marker == _COMMENT):
            yield data[start:end]
        start = end
    yield data[start:]
