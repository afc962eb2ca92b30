"""AVIF."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import HIGH_DEPTH, TAGS, Animation
from dpid_cli.pictures.codecs.encoder_options import EFFORT, LOSSLESS, QUALITY, SUBSAMPLING, TARGET_SIZE
from dpid_cli.pictures.codecs.isobmff import BRANDS, box, boxes, without_exif
from dpid_cli.pictures.codecs.isobmff_items import BoxedCodec, Item, with_metadata, written
from dpid_cli.pictures.limits import RefusedError

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import (
        Frames,
        HighDepthImage,
        Image,
        Limits,
        Opened,
        Pixels,
        Samples,
    )

_FASTEST = 10  # speed; the encoder counts the other way round
_RGB_MATRIX = 0  # none, which alone is without loss
_XMP = b"application/rdf+xml"


class Avif(BoxedCodec):
    """AVIF, with its animations."""

    name, title, pillow = "avif", "AVIF", "AVIF"
    extensions = (".avif", ".avifs")
    signature = BRANDS + rb"avi[fs]"
    plugin = "PIL.AvifImagePlugin"
    modes = frozenset({"RGB", "RGBA", "RGB;16", "RGBA;16"})
    slow = True
    profile = True
    metadata = TAGS
    several = "animation"
    max_side = 32768
    defaults: ClassVar = {
        "quality": 90,
        "target_size": None,
        "lossless": False,
        "subsampling": "4:4:4",
        "effort": 4,
    }
    encoder_options = (QUALITY, TARGET_SIZE, LOSSLESS, SUBSAMPLING, EFFORT)
    finer = tuple({"effort": effort} for effort in (3, 2, 1, 0, 5))
    partial = False
    repairable = True
    stores_plays = False

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        image = self.open_image(stream, limits)
        return _high_depth(image, stream) if self.is_high_depth(image) else image

    def is_high_depth(self, image: Image.Image) -> bool:
        return bool(image.info["coding"].bits > 8)

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        return self.frames_by_pillow(stream, limits) if b"avis" in stream.read(64) else None

    def without_metadata(self, data: bytes) -> Iterable[bytes]:
        return [without_exif(data)]

    def keywords(self) -> dict[str, Any]:
        own = dict(self.options)
        del own["target_size"]
        own["speed"] = _FASTEST - own.pop("effort")
        fraction, whole = math.modf(own["quality"])
        own["quality"] = int(whole)
        if fraction:  # less of what it adds to even parts of the next quality, and some to all
            own |= {"quality": int(whole) + 1, "advanced": {"deltaq-strength": str(round(100 * fraction))}}
        return own

    def mode_with_options(self, mode: str) -> str:
        if mode in HIGH_DEPTH and self.options["lossless"]:
            raise RefusedError(
                f"{self.title} stores at most 12 of 16 bits: leave --lossless out, or use --depth 8"
            )
        return mode

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        """Encode by Pillow, but for code points, more than 8 bits, and without loss."""
        options = dict(options)
        lossless = options.pop("lossless")
        if lossless and "save_all" in options:
            raise RefusedError(f"{self.title} animations are not written without loss: use --frame N")
        if lossless:
            stream.write(self.high_depth_file(pixels, mode, options | {"lossless": True}))
        elif pixels.itemsize == 1 and "cicp" not in options:
            super().encode(pixels, mode, stream, options)
        elif "save_all" not in options:
            stream.write(self.high_depth_file(pixels, mode, options))
        elif options.get("icc_profile"):  # which says the same
            rest = {key: value for key, value in options.items() if key != "cicp"}
            super().encode(pixels, mode, stream, rest)
        else:
            raise RefusedError(
                f"AVIF animations are not written with colours in {options['cicp'].title}: use --frame N"
            )

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        from imagecodecs import avif_encode

        from dpid_cli.pictures.codecs.images import compressed, with_channels

        cicp, matrix = written(options)
        bits, lossless = options.get("bits", 8), options.get("lossless", False)
        file = avif_encode(
            compressed(with_channels(pixels, mode), bits),
            level=100 if lossless else options["quality"],
            speed=options["speed"],
            bitspersample=bits,
            pixelformat=options["subsampling"].replace(":", ""),
            primaries=cicp.primaries,
            transfer=cicp.transfer,
            matrix=_RGB_MATRIX if lossless else matrix,
        )
        items = []
        if "exif" in options:
            items.append(Item(b"Exif", b"", bytes(4) + options["exif"].removeprefix(b"Exif\0\0")))
        if "xmp" in options:
            items.append(Item(b"mime", _XMP, options["xmp"]))
        return with_metadata(bytes(file), items, options.get("icc_profile"))

    def write_animation(self, animation: Animation, stream: IO[bytes]) -> None:
        buffer = io.BytesIO()
        super().write_animation(animation, buffer)
        stream.write(_without_dates(buffer.getvalue()))


def _high_depth(image: Image.Image, stream: IO[bytes]) -> HighDepthImage:
    from dpid_cli.pictures.codecs.images import HighDepthImage, colours_like

    def samples() -> Samples:
        import numpy as np
        from imagecodecs import avif_decode

        stream.seek(0)
        values = np.asarray(avif_decode(stream.read(), index=0))
        return colours_like(image, values, image.info["coding"].bits)

    return HighDepthImage(image.size, image, samples)


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
