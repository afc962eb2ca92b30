"""Formats that Pillow reads and writes completely: BMP, TGA, QOI, ICO and ICNS."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import ALPHA, COLOUR, INDICES, Codec

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import HighDepthImage, Image, Limits, Metadata, Opened, Pixels

_TGA_HEADER = rb".[\0\1][\1-\3\x09-\x0b].{13}[\x01\x08\x0f\x10\x18\x20]"
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"


class Bmp(Codec):
    """Windows bitmaps."""

    name, title, pillow = "bmp", "BMP", "BMP"
    extensions = (".bmp", ".dib")
    signature = rb"BM"
    plugin = "PIL.BmpImagePlugin"
    modes = COLOUR | INDICES
    metadata = frozenset({"dpi"})
    always_lossless = True

    def is_high_depth(self, image: Image.Image) -> bool:
        return False  # 16 bits are those of a pixel

    def save_options(self, metadata: Metadata, size: tuple[int, int]) -> tuple[dict[str, Any], list[str]]:
        options, lost = super().save_options(metadata, size)
        return {"dpi": (0, 0)} | options, lost  # Pillow would write 96


class Tga(Codec):
    """Truevision TGA, which has a signature at its end, or none."""

    name, title, pillow = "tga", "TGA", "TGA"
    extensions = (".tga", ".icb", ".vda", ".vst")
    plugin = "PIL.TgaImagePlugin"
    modes = COLOUR | ALPHA
    defaults: ClassVar = {"compression": "tga_rle"}
    always_lossless = True
    max_side = 65535

    def recognizes(self, stream: IO[bytes], name: str) -> bool:
        stream.seek(0)
        if not re.match(_TGA_HEADER, stream.read(64), re.DOTALL):
            return False
        stream.seek(-min(stream.seek(0, io.SEEK_END), len(_TGA_FOOTER)), io.SEEK_END)
        return stream.read() == _TGA_FOOTER or PurePath(name).suffix.lower() in self.extensions

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        head = stream.read(18)
        stream.seek(0)
        image = self.open_image(stream, limits)
        return _of_16_bits(image, head[17] & 15) if image.mode == "RGBA" and head[16] == 16 else image


def _of_16_bits(image: Image.Image, alpha_bits: int) -> HighDepthImage:
    """An image whose pixels have a bit for alpha, which is set where they are transparent."""
    from dpid_cli.pictures.codecs.images import HighDepthImage, Samples

    def samples() -> Samples:
        import numpy as np

        image.load()
        values = np.asarray(image)
        if alpha_bits and values[..., 3].any():
            return Samples(values, alpha=True)
        notes = ["its alpha makes every pixel transparent: read as opaque"] if alpha_bits else []
        return Samples(values[..., :3], alpha=False, notes=notes)

    return HighDepthImage(image.size, image, samples)


class Qoi(Codec):
    """Quite OK images."""

    name, title, pillow = "qoi", "QOI", "QOI"
    extensions = (".qoi",)
    signature = rb"qoif"
    plugin = "PIL.QoiImagePlugin"
    modes = frozenset({"RGB", "RGBA"})
    always_lossless = True
    partial = False


class Ico(Codec):
    """Windows icons, of which the largest image is read and one is written."""

    name, title, pillow = "ico", "ICO", "ICO"
    extensions = (".ico",)
    signature = rb"\x00\x00\x01\x00"
    plugin = "PIL.IcoImagePlugin"
    modes = frozenset({"RGBA"})
    always_lossless = True
    max_side = 256

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        height, width = pixels.shape[:2]
        super().encode(pixels, mode, stream, {**options, "sizes": [(width, height)]})


class Icns(Codec):
    """Apple icons, of which the largest image is read."""

    name, title, pillow = "icns", "ICNS", "ICNS"
    extensions = (".icns",)
    signature = rb"icns"
    plugin = "PIL.IcnsImagePlugin"
    modes = frozenset()
