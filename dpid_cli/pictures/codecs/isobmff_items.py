"""The images in a file of boxes (ISO/IEC 23008-12): how the main one is coded, and metadata added to it."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from dpid_cli.pictures.cicp import UNSPECIFIED, Cicp
from dpid_cli.pictures.codecs.base import GAIN_MAP, Codec
from dpid_cli.pictures.codecs.isobmff import box, box_places, boxes

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Colours, Image, Limits, Opened

_LONGEST = 2**24  # bytes of the box that describes all images
_BEGINNING = 2**16  # bytes of a file without that box
_TONE_MAP = re.compile(rb"infe[\x02\x03].{3}(?:.{4}|.{6})tmap", re.DOTALL)
_AUX_GAIN_MAP = re.compile(rb"auxC.{4}urn:com:apple:photo:\d+:aux:hdrgainmap", re.DOTALL)
_CODE = re.compile(rb"colrnclx(.{7})", re.DOTALL)
_AV1 = re.compile(rb"av1C(.{4})", re.DOTALL)
_SRGB = Cicp(1, 13)
_BT2020, _BT601_MATRIX, _BT2020_MATRIX = 9, 6, 9
_LEVELS, _TURNING = {b"mdcv", b"clli"}, {b"irot", b"imir"}  # properties
_HIGH, _TWELVE = 0x40, 0x20  # bits of av1C


class Coding(NamedTuple):
    """How the main image is coded."""

    bits: int = 8  # a channel
    cicp: Cicp | None = None
    gain_map: bool = False  # whether there is one, to make HDR of it
    light_levels: bool = False  # whether it has levels that go with HDR
    turned: bool = False  # whether it is stored in another orientation, whatever EXIF says


class Item(NamedTuple):
    """Metadata to add to the main image."""

    kind: bytes  # four letters
    content_type: bytes
    content: bytes


class BoxedCodec(Codec):
    """A codec of such files; `open_image` notes in ``info`` how the main image is coded."""

    depths = (10, 12)
    cicp = True

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        found = coding(stream)
        image = super().open_image(stream, limits)
        image.info["coding"] = found
        image.info["cicp"] = found.cicp
        return image

    def colours(self, image: Image.Image) -> Colours:
        colours = super().colours(image)
        notes = ["its light levels (mdcv, clli) are dropped"] * image.info["coding"].light_levels
        return colours._replace(notes=[*colours.notes, *notes])

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        header: Any = getattr(image, "header", image)
        return [GAIN_MAP] * header.info["coding"].gain_map


def coding(stream: IO[bytes]) -> Coding:
    """How the main image of a file, or its animation, is coded; the stream stays in place."""
    place = stream.tell()
    meta = _meta(stream)
    properties: Sequence[tuple[bytes, bytes]] = ()
    with suppress(struct.error, LookupError):
        properties = _properties(meta)
    if not properties:
        stream.seek(0)
        head = stream.read(_BEGINNING)
        found = ((b"av1C", _AV1), (b"colr", _CODE))
        properties = [(kind, match[0][4:]) for kind, form in found if (match := form.search(head))]
    stream.seek(place)
    kinds = dict(reversed(properties))
    codes = [content[4:] for kind, content in properties if kind == b"colr" and content[:4] == b"nclx"]
    cicp = Cicp(*struct.unpack_from(">2H", codes[0])) if codes and len(codes[0]) >= 4 else None
    gain_map = bool(_TONE_MAP.search(meta) or _AUX_GAIN_MAP.search(meta))
    has_levels, is_turned = (bool(kinds.keys() & names) for names in (_LEVELS, _TURNING))
    return Coding(_bits(kinds), cicp, gain_map, has_levels, is_turned)


def written(options: Mapping[str, Any]) -> tuple[Cicp, int]:
    """Code points to write by these options of `Codec.encode`, and those of the matrix to luma and chroma."""
    profile = Cicp(UNSPECIFIED, UNSPECIFIED) if options.get("icc_profile") else _SRGB
    cicp = options.get("cicp") or profile
    return cicp, _BT2020_MATRIX if cicp.primaries == _BT2020 else _BT601_MATRIX


def _bits(properties: dict[bytes, bytes]) -> int:
    av1, channels = properties.get(b"av1C", b"")[2:3], properties.get(b"pixi", b"")[5:]
    if av1:
        return (12 if av1[0] & _TWELVE else 10) if av1[0] & _HIGH else 8
    return max(channels, default=8)


def _meta(stream: IO[bytes]) -> bytes:
    """The boxes that describe the images of a file; nothing if there are none."""
    for kind, length in box_places(stream):
        if kind == b"meta" and length <= _LONGEST:
            return stream.read(length)[4:]
    return b""


def _properties(meta: bytes) -> list[tuple[bytes, bytes]]:
    """Type and content of each property of the main image."""
    parts = dict(boxes(meta))
    (main,) = struct.unpack_from(">L" if parts[b"pitm"][0] else ">H", parts[b"pitm"], 4)
    inner = list(boxes(parts[b"iprp"]))
    every = list(boxes(dict(inner)[b"ipco"]))
    tables = (content for kind, content in inner if kind == b"ipma")
    numbers = (number for table in tables for item, number in _associations(table) if item == main)
    return [every[number - 1] for number in numbers if 0 < number <= len(every)]


def _associations(table: bytes) -> Iterator[tuple[int, int]]:
    """Numbers of items, and of a property of each."""
    head, size = (">LB", 5) if table[0] else (">HB", 3)
    step = 2 if table[3] & 1 else 1
    (count,) = struct.unpack_from(">L", table, 4)
    place = 8
    for _ in range(count):
        item, several = struct.unpack_from(head, table, place)
        place += size
        for _ in range(several):
            number = int.from_bytes(table[place : place + step], "big")
            yield item, number & (0x7FFF if step == 2 else 0x7F)
            place += step


def with_metadata(file: bytes, items: Sequence[Item], profile: bytes | None) -> bytes:
    """A file as libavif writes it, with metadata and a colour profile for its main image.

    The metadata precedes the images, as not all readers find it behind them. Raises a `ValueError` if the
    file is laid out in another way.
    """
    (old,) = (content for kind, content in boxes(file) if kind == b"meta")
    inner = dict(boxes(old[4:]))
    (main,) = struct.unpack_from(">H", inner[b"pitm"], 4)
    inner[b"iprp"] = _with_profile(inner[b"iprp"], main, profile) if profile else inner[b"iprp"]
    (count,) = struct.unpack_from(">H", inner[b"iinf"], 4)
    first = max(item for item, *_ in _places(inner[b"iloc"])) + 1
    entries, references = b"", b""
    for number, item in enumerate(items, first):
        names = b"\0" + (item.content_type + b"\0" if item.content_type else b"")
        entries += box(b"infe", b"\2\0\0\0", struct.pack(">HH", number, 0), item.kind, names)
        references += box(b"cdsc", struct.pack(">3H", number, 1, main))
    inner[b"iinf"] = inner[b"iinf"][:4] + struct.pack(">H", count + len(items)) + inner[b"iinf"][6:] + entries
    if references:
        inner[b"iref"] = inner.get(b"iref", bytes(4)) + references

    added = box(b"mdat", *(item.content for item in items)) if items else b""

    def located(shift: int, place: int) -> bytes:
        places = [(item, start + shift, length) for item, start, length in _places(inner[b"iloc"])]
        for number, item in enumerate(items, first):
            places.append((number, place, len(item.content)))
            place += len(item.content)
        table = b"".join(struct.pack(">3H2L", item, 0, 1, start, length) for item, start, length in places)
        return inner[b"iloc"][:6] + struct.pack(">H", len(places)) + table

    def described(places: bytes) -> bytes:
        content = inner | {b"iloc": places}
        return old[:4] + b"".join(box(kind, inside) for kind, inside in content.items())

    before = file.index(box(b"meta", old))
    start = before + 8 + len(described(located(0, 0)))
    shift = start - (before + 8 + len(old))
    new = described(located(shift + len(added), start + 8))
    return file[:before] + box(b"meta", new) + added + file[before + 8 + len(old) :]


def _places(table: bytes) -> list[tuple[int, int, int]]:
    """Number, offset and length of each item of a table of version 0."""
    if table[:6] != b"\0\0\0\0\x44\0":
        raise ValueError("its encoder has laid it out in another way")
    (count,) = struct.unpack_from(">H", table, 6)
    entries = [struct.unpack_from(">3H2L", table, 8 + 14 * k) for k in range(count)]
    if any((source, extents) != (0, 1) for _, source, extents, *_ in entries):
        raise ValueError("its encoder has laid it out in another way")
    return [(item, start, length) for item, _, _, start, length in entries]


def _with_profile(content: bytes, main: int, profile: bytes) -> bytes:
    """Properties with a profile, which is not essential, as one of the main image."""
    inner = dict(boxes(content))
    number = sum(1 for _ in boxes(inner[b"ipco"])) + 1
    table = inner[b"ipma"]
    if table[:4] != bytes(4) or number > 0x7F:
        raise ValueError("its encoder has laid it out in another way")
    stream, (count,) = io.BytesIO(table[8:]), struct.unpack_from(">L", table, 4)
    result = table[:8]
    for _ in range(count):
        item, several = struct.unpack(">HB", stream.read(3))
        own = stream.read(several) + (bytes([number]) if item == main else b"")
        result += struct.pack(">HB", item, len(own)) + own
    properties = inner[b"ipco"] + box(b"colr", b"prof", profile)
    return box(b"ipco", properties) + box(b"ipma", result)
