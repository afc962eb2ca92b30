"""WebP."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import QUALITY, TAGS, Codec

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Frames, Image, Limits

_ANIMATED = 2


class Webp(Codec):
    """WebP, with its animations."""

    name, title, pillow = "webp", "WebP", "WEBP"
    extensions = (".webp",)
    signature = rb"RIFF.{4}WEBP"
    plugin = "PIL.WebPImagePlugin"
    modes = frozenset({"RGB", "RGBA"})
    slow = True
    profile = True
    metadata = TAGS
    several = "animation"
    max_side = 16383
    defaults: ClassVar = {"quality": 95}
    encoder_options = (QUALITY,)
    partial = False

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        head = stream.read(21)
        animated = head[12:16] == b"VP8X" and len(head) > 20 and head[20] & _ANIMATED
        return self.frames_by_pillow(stream, limits) if animated else None

    def stored_exif(self, tags: Image.Exif) -> Any:
        return tags.tobytes()[6:]  # without its label
