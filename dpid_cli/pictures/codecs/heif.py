"""HEIF, by pillow-heif."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import TAGS
from dpid_cli.pictures.codecs.encoder_options import QUALITY, SUBSAMPLING, TARGET_SIZE
from dpid_cli.pictures.codecs.isobmff import BRANDS, without_exif
from dpid_cli.pictures.codecs.isobmff_items import BoxedCodec, written

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import (
        HighDepthImage,
        Image,
        Limits,
        Opened,
        Pixels,
        Samples,
    )

_MOST_ADAPTIVE = 2  # added to the strength of adaptive quantisation, which is 1


class Heif(BoxedCodec):
    """HEIF, of which the main image is read."""

    name, title, pillow = "heif", "HEIF", "HEIF"
    extensions = (".heic", ".heif", ".hif")
    signature = BRANDS + rb"(?:he(?:ic|ix|im|is|vc|vx|vm|vs)|mif1|msf1)"
    plugin = "pillow_heif"
    package = "pillow-heif"
    modes = frozenset({"L", "RGB", "RGBA", "L;16", "RGB;16", "RGBA;16"})
    slow = True
    profile = True
    metadata = TAGS
    max_side = 16384
    defaults: ClassVar = {"quality": 90, "target_size": None, "subsampling": "4:4:4"}
    encoder_options = (QUALITY, TARGET_SIZE, SUBSAMPLING)
    repairable = True

    def load_plugin(self) -> None:
        super().load_plugin()
        import pillow_heif

        pillow_heif.register_heif_opener()

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        image = self.open_image(stream, limits)
        return image if image.info.get("bit_depth", 8) <= 8 else _high_depth(image, stream)

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        image = super().open_image(stream, limits)
        if not image.info["coding"].turned:  # the orientation of EXIF does not count
            image.info.pop("original_orientation", None)
        return image

    def left_out(self, image: Opened, stream: IO[bytes]) -> list[str]:
        header = getattr(image, "header", image)
        count = getattr(header, "n_frames", 1)
        notes = [f"{count} images, of which only the main one is read"] if count > 1 else []
        return notes + super().left_out(image, stream)

    def keywords(self) -> dict[str, Any]:
        fraction, whole = math.modf(self.options["quality"])
        own: dict[str, Any] = {"quality": int(whole), "chroma": self.options["subsampling"].replace(":", "")}
        if fraction:  # the next quality, with fewer bits for even parts
            strength = 1 + _MOST_ADAPTIVE * (1 - fraction)
            own |= {"quality": int(whole) + 1, "enc_params": {"x265:aq-strength": f"{strength:.3f}"}}
        return own

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        """Encode by Pillow, but for code points and more than 8 bits."""
        if pixels.itemsize == 1 and "cicp" not in options:
            super().encode(pixels, mode, stream, options)
        else:
            stream.write(self.high_depth_file(pixels, mode, options))

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        from pillow_heif import encode

        from dpid_cli.pictures.codecs.images import compressed, with_channels

        bits = options.get("bits", 8)
        keywords = {key: value for key, value in options.items() if key not in ("cicp", "bits")}
        cicp, keywords["matrix_coefficients"] = written(options)
        keywords["color_primaries"], keywords["transfer_characteristics"] = cicp.primaries, cicp.transfer
        values, buffer = compressed(with_channels(pixels, mode), bits), io.BytesIO()
        kind = mode.partition(";")[0] + (f";{bits}" if bits > 8 else "")
        size = pixels.shape[1], pixels.shape[0]
        encode(kind, size, values.tobytes(), buffer, bit_depth=bits, full_range_flag=1, **keywords)
        return buffer.getvalue()

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        return [without_exif(data)] if data[8:12] == b"mif1" else []


def _high_depth(image: Image.Image, stream: IO[bytes]) -> HighDepthImage:
    from dpid_cli.pictures.codecs.images import HighDepthImage, colours_like, straight

    def samples() -> Samples:
        import numpy as np
        from pillow_heif import HeifFile

        file = HeifFile(  # type: ignore[no-untyped-call]
            stream, convert_hdr_to_8bit=False, hdr_to_16bit=False
        )
        values, bits = np.asarray(file), image.info["bit_depth"]
        return colours_like(image, straight(values, bits) if file.premultiplied_alpha else values, bits)

    return HighDepthImage(image.size, image, samples)
