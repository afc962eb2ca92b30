"""HEIF, by pillow-heif."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, ClassVar

from dpid_cli.pictures.codecs.base import QUALITY, TAGS, Codec
from dpid_cli.pictures.codecs.isobmff import BRANDS, without_exif

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Image, Limits, Opened

_DESCRIPTION = 2**16  # bytes before the pixels, which describe them


class Heif(Codec):
    """HEIF, of which the main image is read."""

    name, title, pillow = "heif", "HEIF", "HEIF"
    extensions = (".heic", ".heif", ".hif")
    signature = BRANDS + rb"(?:he(?:ic|ix|im|is|vc|vx|vm|vs)|mif1|msf1)"
    plugin = "pillow_heif"
    package = "pillow-heif"
    modes = frozenset({"L", "RGB", "RGBA"})
    profile = True
    metadata = TAGS
    max_side = 16384
    defaults: ClassVar = {"quality": 90, "chroma": "444"}
    encoder_options = (QUALITY,)
    repairable = True

    def load_plugin(self) -> None:
        super().load_plugin()
        import pillow_heif

        pillow_heif.register_heif_opener()

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        image = super().open_image(stream, limits)
        place = stream.tell()
        stream.seek(0)
        head = stream.read(_DESCRIPTION)
        stream.seek(place)
        if not any(
            turning in head for turning in (b"irot", b"imir")
        ):  # the orientation of EXIF does not count
            image.info.pop("original_orientation", None)
        return image

    def is_high_depth(self, image: Image.Image) -> bool:
        return bool(image.info.get("bit_depth", 8) > 8)

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        count = getattr(image, "n_frames", 1)
        return [f"{count} images, of which only the main one is read"] if count > 1 else []

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        return [without_exif(data)] if data[8:12] == b"mif1" else []
