"""WebP."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import TAGS, Codec
from dpid_cli.pictures.codecs.encoder_options import EFFORT, LOSSLESS, QUALITY, TARGET_SIZE

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Frames, Image, Limits

_ANIMATED = 2
# The method for each effort. Without loss, 6 takes 15 times as long as 5, for 2 % of the bytes.
_METHODS = (0, 1, 2, 2, 3, 3, 4, 5, 5, 6)


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
    defaults: ClassVar = {"quality": 95, "target_size": None, "lossless": False, "effort": 6}
    encoder_options = (QUALITY, TARGET_SIZE, LOSSLESS, EFFORT)
    finer = tuple({"effort": effort} for effort in (9, 8, 4, 2, 1, 0))
    partial = False

    def keywords(self) -> dict[str, Any]:
        effort, lossless = self.options["effort"], self.options["lossless"]
        # Without loss, the encoder takes quality for effort, and changes colours that nobody sees if it may.
        quality = 100 * effort / 9 if lossless else self.options["quality"]
        own = {"quality": quality, "method": _METHODS[effort]}
        return own | ({"lossless": True, "exact": True} if lossless else {})

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        head = stream.read(21)
        animated = head[12:16] == b"VP8X" and len(head) > 20 and head[20] & _ANIMATED
        return self.frames_by_pillow(stream, limits) if animated else None

    def stored_exif(self, tags: Image.Exif) -> Any:
        return tags.tobytes()[6:]  # without its label
