"""JPEG XL, by pillow-jxl-plugin; its 16 bits by imagecodecs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs import jxl_header
from dpid_cli.pictures.codecs.base import ALPHA, COLOUR, HIGH_DEPTH, QUALITY, TAGS, Codec
from dpid_cli.pictures.codecs.isobmff import box, boxes, metadata_in
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import HighDepthImage, Image, Limits, Opened, Pixels, Samples

_KEPT = frozenset({b"JXL ", b"ftyp", b"jxll", b"jxlc", b"jxlp"})
_METADATA = (("exif", b"Exif"), ("xmp", b"xml "))
_SRGB = ("sRGB", "Gra_D65_Rel_SRG")  # names of the profiles that the decoder makes up
_EFFORT = 3  # as small as 5 and 7, in a fifth and a fifteenth of the time


class Jxl(Codec):
    """JPEG XL of 8 and 16 bits a channel."""

    name, title, pillow = "jxl", "JPEG XL", "JXL"
    extensions = (".jxl",)
    signature = rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"
    plugin = "pillow_jxl"
    package = "pillow-jxl-plugin"
    modes = COLOUR | ALPHA | HIGH_DEPTH
    metadata = TAGS
    defaults: ClassVar = {"quality": 95}
    encoder_options = (QUALITY,)
    partial = False
    repairable = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        image = self.open_image(stream, limits)
        header = jxl_header.read(stream)
        # Of animations, Pillow's plugin gives the last frame.
        return _high_depth(image, header, stream) if header.bits > 8 or header.animated else image

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        limits.check_size(jxl_header.read(stream).size)  # the plugin decodes when it opens
        stream.seek(0)
        try:
            image = super().open_image(stream, limits)
        except RuntimeError as error:  # with a message for developers
            raise ValueError("its decoder cannot read it") from error
        image.info.update(metadata_in(stream))
        if not getattr(image, "jpeg", False):
            _correct(image)
        return image

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        animated = jxl_header.read(stream).animated
        return ["an animation, of which only the first frame is read"] if animated else []

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        if data[4:8] == b"JXL ":
            yield b"".join(box(kind, content) for kind, content in boxes(data) if kind in _KEPT)

    def check_options(self, mode: str) -> None:
        if mode in HIGH_DEPTH and self.options["quality"] != self.defaults["quality"]:
            raise RefusedError(f"{self.title} of 16 bits is lossless: leave --quality out, or use --depth 8")

    def stored_exif(self, tags: Image.Exif) -> Any:
        return bytes(4) + tags.tobytes()[6:]  # an offset instead of a label

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        from imagecodecs import jpegxl_encode

        file = bytes(jpegxl_encode(pixels, lossless=True, effort=_EFFORT, usecontainer=True))
        parts = [(kind, jxl_header.in_srgb(code) if kind == b"jxlc" else code) for kind, code in boxes(file)]
        parts += [(kind, options[key]) for key, kind in _METADATA if key in options]
        return b"".join(box(*part) for part in parts)


def _correct(image: Image.Image) -> None:
    """Remove a profile that the plugin makes up, and EXIF's orientation, which the header repeats."""
    from PIL.ExifTags import Base

    profile = image.info.get("icc_profile", b"")
    if profile[4:8] == b"jxl " and any(name.encode("utf-16-be") in profile for name in _SRGB):
        del image.info["icc_profile"]
    with suppress(Exception):  # damaged EXIF turns nothing
        tags = image.getexif()
        if tags.pop(Base.Orientation, None):
            image.info["exif"] = tags.tobytes()


def _high_depth(image: Image.Image, header: jxl_header.Header, stream: IO[bytes]) -> HighDepthImage:
    from dpid_cli.pictures.codecs.samples import HighDepthImage, samples_like

    def samples() -> Samples:
        import numpy as np
        from imagecodecs import jpegxl_decode

        if header.bits > (32 if header.floats else 16):
            raise RefusedError(
                f"JPEG XL of {header.bits} bits is not supported: convert it to 16 bits or floats"
            )
        stream.seek(0)
        return samples_like(image, np.asarray(jpegxl_decode(stream.read(), index=0)), header.bits)

    return HighDepthImage(image.size, image, samples)
