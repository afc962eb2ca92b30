"""TIFF and BigTIFF, with pages and tags that Pillow does not write."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures import iptc
from dpid_cli.pictures.codecs.base import ALPHA, COLOUR, HIGH_DEPTH, INDICES, TAGS, Codec
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Frames, Image, Limits, Opened, Pixels
    from dpid_cli.pictures.codecs.tiff_directories import Directory
    from dpid_cli.pictures.codecs.tiff_values import Value
    from dpid_cli.pictures.georeference import GeoReference
    from dpid_cli.pictures.picture import Metadata


_XMP, _IPTC, _PHOTOSHOP, _BITS = 700, 33723, 34377, 258
_METADATA = (34665, 34853)  # EXIF and GPS
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes, by type
_RESOLUTION = (282, 283, 296)
_LONG = 4
_DATA = (273, 324)  # StripOffsets, TileOffsets
_DIRECTORIES = (330, 34665, 34853, 40965)  # SubIFDs, EXIF, GPS, interoperability


class Tiff(Codec):
    """TIFF of 8 and 16 bits a channel and of floats."""

    name, title, pillow = "tiff", "TIFF", "TIFF"
    extensions = (".tif", ".tiff")
    signature = rb"II[*+]\0|MM\0[*+]|II\0\*|MM\*\0|II(RO|RS|U\0)|MMOR"  # the last are those of cameras
    plugin = "PIL.TiffImagePlugin"
    modes = COLOUR | ALPHA | HIGH_DEPTH | INDICES | {"L;F", "LA;F", "RGB;F", "RGBA;F"}
    profile = True
    metadata = TAGS | {"iptc", "dpi", "density", "stack", "georeference"}
    several = "pages"
    defaults: ClassVar = {"compression": "tiff_adobe_deflate"}
    always_lossless = True
    turned_by_pillow = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        from dpid_cli.pictures.codecs import tiff_directories

        return self._page(stream, tiff_directories.pages(stream, limits, first=True)[0], limits)

    def _page(self, stream: IO[bytes], page: Directory, limits: Limits) -> Opened:
        from dpid_cli.pictures.codecs import tiff_directories, tiff_samples

        limits.check_size(page.size)
        there = tiff_directories.starting_at(page, stream)
        return tiff_samples.opened(there, limits) or self.open_again(there, limits)

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        from PIL import UnidentifiedImageError

        _silence_libtiff()
        try:
            return super().open_image(stream, limits)
        except UnidentifiedImageError:
            from dpid_cli.pictures.codecs import tiff_layout

            if problem := tiff_layout.unsupported(stream):
                raise RefusedError(problem) from None
            raise

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        from dpid_cli.pictures.codecs import tiff_directories
        from dpid_cli.pictures.codecs.images import Frame, Frames

        pages = tiff_directories.pages(stream, limits)
        if len(pages) <= 1:
            return None
        pixels = sum(width * height for width, height in (page.size for page in pages))
        return Frames(
            "pages", len(pages), pixels, lambda number: Frame(self._page(stream, pages[number], limits))
        )

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        from dpid_cli.pictures.codecs import tiff_directories

        masked = tiff_directories.has_mask(stream)
        return ["it has a mask, which would make pixels transparent: dropped"] if masked else []

    def is_high_depth(self, image: Image.Image) -> bool:
        bits = getattr(image, "tag_v2", {}).get(_BITS, (8,))
        return max(bits) > 8 or super().is_high_depth(image)

    def resolution(self, image: Image.Image) -> tuple[float, float] | None:
        return None  # Pillow guesses where the tags tell nothing

    def iptc(self, image: Image.Image) -> list[bytes]:
        # As stored: Pillow cuts the values of these tags where a file calls them integers.
        tags = getattr(getattr(image, "tag_v2", None), "_tagdata", {})
        return [tags.get(_IPTC, b""), iptc.in_resources(tags.get(_PHOTOSHOP, b""))]

    def density(self, image: Image.Image) -> tuple[float, float] | None:
        from dpid_cli.pictures.codecs import tiff_values

        return tiff_values.density_in(getattr(image, "tag_v2", {}))

    def georeference(self, image: Image.Image) -> GeoReference | None:
        from dpid_cli.pictures.codecs import tiff_values

        return tiff_values.georeference_in(getattr(image, "tag_v2", {}))

    def stored_exif(self, tags: Image.Exif) -> Any:
        return tags

    def save_options(self, metadata: Metadata, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
        """Keywords of Pillow's ``save``, and for `encode` IPTC, other tags and encoders of directories."""
        from PIL import Image

        from dpid_cli.pictures.codecs import tiff_values

        options, lost = super().save_options(metadata, size)
        tags = options.pop("exif", None) or Image.Exif()
        directories: dict[int, Callable[[bytes, int], bytes]] = {}
        for directory in _METADATA:
            if directory in tags:
                directories[directory] = partial(_directory, directory, tags.get_ifd(directory))
                del tags[directory]
        if xmp := options.pop("xmp", b""):
            tags[_XMP] = xmp
        own = {"directories": directories, "values": tiff_values.values_of(metadata)}
        return options | ({"exif": tags} if len(tags) else {}) | own, lost

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        plain = dict(options)
        directories, records = plain.pop("directories", {}), plain.pop("iptc", b"")
        values = plain.pop("values", {})
        if not directories and not records and not values:
            super().encode(pixels, mode, stream, plain)
            return
        buffer = io.BytesIO()
        super().encode(pixels, mode, buffer, plain)
        file = _with_longs(buffer.getvalue(), _IPTC, records) if records else buffer.getvalue()
        file = _with_values(file, values) if values else file
        stream.write(_with_directories(file, directories) if directories else file)

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        from PIL import Image

        from dpid_cli.pictures.codecs import tiff_samples

        one = Image.new("L" if pixels.ndim == 2 else "RGB", (1, 1))
        return _with_tags(tiff_samples.encode(pixels), self.by_pillow(one, options))

    def write_pages(self, files: Iterator[bytes], stream: IO[bytes]) -> None:
        _join(files, stream)


def _directory(group: int, values: dict[int, Any], header: bytes, offset: int) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    encoder = ImageFileDirectory_v2(header, group=group)
    for tag, value in values.items():
        encoder[tag] = value
    return encoder.tobytes(offset)


@cache
def _silence_libtiff() -> None:
    """Keep libtiff from printing to standard error what it also tells Pillow.

    It has one handler of errors for the whole process. Where it is not found, for instance because Pillow
    contains it, it goes on printing.
    """
    import ctypes
    from ctypes.util import find_library

    import PIL

    package = Path(PIL.__file__).parent
    bundled = [*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")]
    for path in bundled or filter(None, [find_library("tiff")]):
        try:
            set_handler = ctypes.CDLL(str(path)).TIFFSetErrorHandler
        except (OSError, AttributeError):
            continue
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def _join(pages: Iterable[bytes], stream: IO[bytes]) -> None:
    """Write TIFFs of one page each, all with offsets of four bytes, as one of many pages."""
    link = 0
    for page in pages:
        order = "<" if page[:2] == b"II" else ">"
        base = stream.seek(0, io.SEEK_END)
        base += stream.write(bytes(base % 2))
        (first,) = struct.unpack_from(f"{order}L", page, 4)
        (count,) = struct.unpack_from(f"{order}H", page, first)
        stream.write(_moved(page, base, order) if link else page)
        if link:
            stream.seek(link)
            stream.write(struct.pack(f"{order}L", base + first))
        link = base + first + 2 + 12 * count


def _moved(tiff: bytes, base: int, order: str) -> bytes:
    """The same with what its offsets are when it lies behind `base` bytes."""
    result = bytearray(tiff)
    waiting = [struct.unpack_from(f"{order}L", tiff, 4)[0]]
    while waiting:
        start = waiting.pop()
        (count,) = struct.unpack_from(f"{order}H", tiff, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack_from(f"{order}HHLL", tiff, entry)
            if tag in _DATA:
                _move_data(result, tiff, entry, base, order)
            elif tag in _DIRECTORIES and number == 1:
                waiting.append(value)
                struct.pack_into(f"{order}L", result, entry + 8, base + value)
            elif number * _SIZES[kind] > 4:
                struct.pack_into(f"{order}L", result, entry + 8, base + value)
    return bytes(result)


def _move_data(result: bytearray, tiff: bytes, entry: int, base: int, order: str) -> None:
    """Offsets of pixels, which may be too short a type for where they go."""
    _, kind, number, value = struct.unpack_from(f"{order}HHLL", tiff, entry)
    place = value if number * _SIZES[kind] > 4 else entry + 8
    offsets = struct.unpack_from(f"{order}{number}{'L' if kind == _LONG else 'H'}", tiff, place)
    moved = struct.pack(f"{order}{number}L", *(base + offset for offset in offsets))
    struct.pack_into(f"{order}H", result, entry + 2, _LONG)
    if number == 1:
        result[entry + 8 : entry + 12] = moved
        return
    result += bytes(len(result) % 2)
    struct.pack_into(f"{order}L", result, entry + 8, base + len(result))
    result += moved


class _Page:
    """A TIFF of one page, with offsets of four bytes, whose first directory is written anew."""

    def __init__(self, tiff: bytes) -> None:
        self.order = "<" if tiff[:2] == b"II" else ">"
        (start,) = struct.unpack_from(f"{self.order}L", tiff, 4)
        (count,) = struct.unpack_from(f"{self.order}H", tiff, start)
        entries = (tiff[k : k + 12] for k in range(start + 2, start + 2 + 12 * count, 12))
        self.entries = {struct.unpack_from(f"{self.order}H", entry)[0]: entry for entry in entries}
        self.data = bytearray(tiff)

    def append(self, content: bytes) -> bytes:
        """Put something at the end of the file; where it begins, as stored."""
        self.data += bytes(len(self.data) % 2)
        place = struct.pack(f"{self.order}L", len(self.data))
        self.data += content
        return place

    def finished(self) -> bytes:
        """The file with its new first directory at the end."""
        count = struct.pack(f"{self.order}H", len(self.entries))
        entries = b"".join(self.entries[tag] for tag in sorted(self.entries))
        self.data[4:8] = self.append(count + entries + bytes(4))
        return bytes(self.data)


def _with_tags(tiff: bytes, other: bytes) -> bytes:
    """A TIFF with those tags of another that it lacks, and with the other's resolution or none.

    Both have one page, the same order of bytes and offsets of four bytes.
    """
    page = _Page(tiff)
    for tag in _RESOLUTION:
        page.entries.pop(tag, None)
    for tag, entry in _Page(other).entries.items():
        if tag not in page.entries:
            _, kind, count, offset = struct.unpack(f"{page.order}HHLL", entry)
            size = _SIZES[kind] * count
            value = page.append(other[offset : offset + size]) if size > 4 else entry[8:]
            page.entries[tag] = entry[:8] + value
    return page.finished()


def _with_directories(tiff: bytes, directories: Mapping[int, Callable[[bytes, int], bytes]]) -> bytes:
    """A TIFF of one page with further directories, by the tags that point to them.

    The functions encode a directory, given the file's header and where the directory begins.
    """
    page = _Page(tiff)
    for tag, encode in directories.items():
        place = page.append(b"")
        page.entries[tag] = struct.pack(f"{page.order}HHL", tag, _LONG, 1) + place
        page.data += encode(tiff[:8], len(page.data))
    return page.finished()


def _with_values(tiff: bytes, values: Mapping[int, Value]) -> bytes:
    """A TIFF of one page with these tags, instead of its own of the same numbers."""
    page = _Page(tiff)
    for tag, value in values.items():
        content = value.packed(page.order)
        content = page.append(content) if len(content) > 4 else content.ljust(4, b"\0")
        page.entries[tag] = struct.pack(f"{page.order}HHL", tag, value.kind, value.count) + content
    return page.finished()


def _with_longs(tiff: bytes, tag: int, content: bytes) -> bytes:
    """A TIFF of one page with a further tag: bytes stored as integers, filled up with zeros."""
    page = _Page(tiff)
    count = -(-len(content) // 4)
    padded = content.ljust(4 * count, b"\0")
    place = page.append(padded)
    page.entries[tag] = struct.pack(f"{page.order}HHL", tag, _LONG, count) + (place if count > 1 else padded)
    return page.finished()
