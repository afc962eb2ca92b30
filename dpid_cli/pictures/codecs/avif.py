"""AVIF."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, ClassVar

from dpid_cli.pictures.codecs.base import QUALITY, TAGS, Animation, Codec
from dpid_cli.pictures.codecs.isobmff import BRANDS, box, boxes, without_exif

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Frames, Image, Limits

_DESCRIPTION = 2**16  # bytes before the pixels, which describe them
_HIGH_BITDEPTH = 0x40


class Avif(Codec):
    """AVIF, with its animations."""

    name, title, pillow = "avif", "AVIF", "AVIF"
    extensions = (".avif", ".avifs")
    signature = BRANDS + rb"avi[fs]"
    plugin = "PIL.AvifImagePlugin"
    modes = frozenset({"RGB", "RGBA"})
    profile = True
    metadata = TAGS
    several = "animation"
    max_side = 32768
    defaults: ClassVar = {"quality": 90, "subsampling": "4:4:4"}
    encoder_options = (QUALITY,)
    partial = False
    repairable = True
    stores_plays = False

    def is_high_depth(self, image: Image.Image) -> bool:
        file = getattr(image, "fp", None)
        if file is None:
            return super().is_high_depth(image)
        file.seek(0)
        settings = file.read(_DESCRIPTION).partition(b"av1C")[2][:3]
        return len(settings) == 3 and bool(settings[2] & _HIGH_BITDEPTH)

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        return self.frames_by_pillow(stream, limits) if b"avis" in stream.read(64) else None

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        return [without_exif(data)]

    def write_animation(self, animation: Animation, stream: IO[bytes]) -> None:
        buffer = io.BytesIO()
        super().write_animation(animation, buffer)
        stream.write(_without_dates(buffer.getvalue()))


def _without_dates(avif: bytes) -> bytes:
    """An animation whose headers do not tell when it was made."""
    for kind, content in boxes(avif):
        if kind == b"moov":
            return avif.replace(box(kind, content), box(kind, _undated(content)), 1)
    return avif


def _undated(content: bytes) -> bytes:
    """Boxes, with 0 for the times at which what they describe was made and changed."""
    return b"".join(box(kind, _undated_box(kind, inner)) for kind, inner in boxes(content))


def _undated_box(kind: bytes, content: bytes) -> bytes:
    if kind in (b"trak", b"mdia"):
        return _undated(content)
    if kind not in (b"mvhd", b"tkhd", b"mdhd"):
        return content
    times = bytes(16 if content[0] == 1 else 8)
    return content[:4] + times + content[4 + len(times) :]
