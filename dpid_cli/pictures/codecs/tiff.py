"""TIFF and BigTIFF."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures import iptc
from dpid_cli.pictures.codecs import tiff_tags
from dpid_cli.pictures.codecs.base import ALPHA, COLOUR, HIGH_DEPTH, TAGS, Codec

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import (
        Frames,
        HighDepthImage,
        Image,
        Limits,
        Metadata,
        Opened,
        Pixels,
    )

_XMP, _IPTC, _PHOTOSHOP, _BITS = 700, 33723, 34377, 258
_DIRECTORIES = (34665, 34853)  # EXIF and GPS


class Tiff(Codec):
    """TIFF of 8 and 16 bits a channel and of floats."""

    name, title, pillow = "tiff", "TIFF", "TIFF"
    extensions = (".tif", ".tiff")
    signature = rb"II[*+]\0|MM\0[*+]|II\0\*|MM\*\0"
    plugin = "PIL.TiffImagePlugin"
    modes = COLOUR | ALPHA | HIGH_DEPTH | {"L;F", "LA;F", "RGB;F", "RGBA;F"}
    profile = True
    metadata = TAGS | {"iptc", "dpi"}
    several = "pages"
    defaults: ClassVar = {"compression": "tiff_adobe_deflate"}
    turned_by_pillow = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        return self._high_depth(stream, 0, limits) or self.open_again(stream, limits)

    def _high_depth(self, stream: IO[bytes], page: int, limits: Limits) -> HighDepthImage | None:
        stream.seek(0)
        if stream.read(4) not in (b"II*\0", b"MM\0*", b"II+\0"):
            return None
        from dpid_cli.pictures.codecs import tiff_samples

        stream.seek(0)
        return tiff_samples.opened(stream, page, limits)

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        _silence_libtiff()
        return super().open_image(stream, limits)

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        from dpid_cli.pictures.codecs.frames import Frame, Frames

        pages = self._pages(stream, limits)
        if len(pages) <= 1:
            return None
        images: list[Any] = []  # opened when it is needed: Pillow may not know the first page

        def decode(number: int) -> Frame:
            place = pages[number].number
            if (high_depth := self._high_depth(stream, place, limits)) is not None:
                return Frame(high_depth)
            if not images:
                images.append(self.open_again(stream, limits))
            (image,) = images
            if image.tell() != place:
                # Nothing of another page may be taken for this page's, nor may its memory be reused.
                image.info.clear()
                image.readonly = 1
                image.seek(place)
            limits.check_size(image.size)
            return Frame(image)

        pixels = sum(width * height for width, height in (page.size for page in pages))
        return Frames("pages", len(pages), pixels, decode)

    def _pages(self, stream: IO[bytes], limits: Limits) -> list[tiff_tags.Directory]:
        """Directories of images, but for masks and smaller versions of others."""
        pages = []
        try:
            for directory in tiff_tags.directories(stream):
                if not directory.part:
                    pages.append(directory)
                if len(pages) > limits.frames:
                    break
        except (ValueError, struct.error):
            if not limits.truncated or not pages:
                raise
        return pages

    def is_high_depth(self, image: Image.Image) -> bool:
        bits = getattr(image, "tag_v2", {}).get(_BITS, (8,))
        return max(bits) > 8 or super().is_high_depth(image)

    def resolution(self, image: Image.Image) -> tuple[float, float] | None:
        return None  # Pillow guesses where the tags tell nothing

    def iptc(self, image: Image.Image) -> list[bytes]:
        # As stored: Pillow cuts the values of these tags where a file calls them integers.
        tags = getattr(getattr(image, "tag_v2", None), "_tagdata", {})
        return [tags.get(_IPTC, b""), iptc.in_resources(tags.get(_PHOTOSHOP, b""))]

    def stored_exif(self, tags: Image.Exif) -> Any:
        return tags

    def save_options(self, metadata: Metadata, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
        """Keywords of Pillow's ``save``, and for `encode` IPTC and the encoders of other directories."""
        from PIL import Image

        options, lost = super().save_options(metadata, size)
        tags = options.pop("exif", None) or Image.Exif()
        directories: dict[int, Callable[[bytes, int], bytes]] = {}
        for directory in _DIRECTORIES:
            if directory in tags:
                directories[directory] = partial(_directory, directory, tags.get_ifd(directory))
                del tags[directory]
        if xmp := options.pop("xmp", b""):
            tags[_XMP] = xmp
        return options | ({"exif": tags} if len(tags) else {}) | {"directories": directories}, lost

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        plain = dict(options)
        directories, records = plain.pop("directories", {}), plain.pop("iptc", b"")
        if not directories and not records:
            super().encode(pixels, mode, stream, plain)
            return
        buffer = io.BytesIO()
        super().encode(pixels, mode, buffer, plain)
        file = tiff_tags.with_longs(buffer.getvalue(), _IPTC, records) if records else buffer.getvalue()
        stream.write(tiff_tags.with_directories(file, directories) if directories else file)

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        from PIL import Image

        from dpid_cli.pictures.codecs import tiff_samples

        one = Image.new("L" if pixels.ndim == 2 else "RGB", (1, 1))
        return tiff_tags.with_tags(tiff_samples.encode(pixels), self.by_pillow(one, options))

    def write_pages(self, files: Iterator[bytes], stream: IO[bytes]) -> None:
        tiff_tags.join(files, stream)


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
