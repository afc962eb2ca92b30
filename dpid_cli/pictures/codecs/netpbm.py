"""Netpbm: PPM, and PGM for gray."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import COLOUR, Codec

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import HighDepthImage, Image, Limits, Opened, Pixels, Samples

_PART = 2**20
_COMMENT = re.compile(rb"#[^\r\n]*")


class Ppm(Codec):
    """Netpbm of any kind."""

    name, title, pillow = "ppm", "PPM", "PPM"
    extensions: ClassVar[tuple[str, ...]] = (".ppm", ".pnm")
    signature = rb"P[0-6fFy]"
    plugin = "PIL.PpmImagePlugin"
    modes = COLOUR | {"L;16", "RGB;16"}
    always_lossless = True

    def open(self, stream: IO[bytes], limits: Limits) -> Opened:
        head = stream.read(2)
        stream.seek(0)
        image = self.open_image(stream, limits)
        if head not in (b"P5", b"P6") or not self.is_high_depth(image):
            return image
        return _high_depth(image, stream, limits.truncated)

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        return super().open_image(_without_comments(stream), limits)

    def is_high_depth(self, image: Image.Image) -> bool:
        # The decoder gets a raw mode, or the largest value.
        tiles: Any = getattr(image, "tile", ())[:1]
        return super().is_high_depth(image) or any(
            tile.codec_name.startswith("ppm") and isinstance(tile.args, tuple) and tile.args[-1] > 255
            for tile in tiles
        )

    def stored_as(self, pixels: Pixels) -> str:
        return Pgm.name if pixels.ndim == 2 else self.name

    def high_depth_file(self, pixels: Pixels, mode: str, options: Mapping[str, Any]) -> bytes:
        height, width = pixels.shape[:2]
        kind = "P5" if pixels.ndim == 2 else "P6"
        return f"{kind}\n{width} {height}\n65535\n".encode() + pixels.astype(">u2").tobytes()


class Pgm(Ppm):
    """Gray."""

    name, title = "pgm", "PGM"
    extensions = (".pgm",)
    signature = b""  # that of all kinds
    modes = frozenset({"L", "L;16"})


def _high_depth(image: Any, stream: IO[bytes], truncated: bool) -> HighDepthImage:
    import numpy as np

    from dpid_cli.pictures.codecs.images import HighDepthImage, Samples, stretched

    (tile,) = image.tile
    largest = 65535 if tile.codec_name == "raw" else tile.args[-1]
    shape = (image.height, image.width, 3) if image.mode == "RGB" else (image.height, image.width)

    def samples() -> Samples:
        size = math.prod(shape)
        stream.seek(tile.offset)
        data = stream.read(2 * size)
        stored = np.frombuffer(data[: len(data) // 2 * 2], ">u2")
        if len(stored) < size and not truncated:
            raise ValueError("image file is truncated")
        values = np.zeros(shape, np.uint16)
        values.reshape(-1)[: len(stored)] = stored
        return Samples(stretched(values, largest), False)

    return HighDepthImage(image.size, image, samples)


def _without_comments(stream: IO[bytes]) -> IO[bytes]:
    """The same stream, without comments if it is plain text.

    Pillow would take them out one by one, which takes minutes if there are many.
    """
    head = stream.read(2)
    stream.seek(0)
    if head not in (b"P1", b"P2", b"P3"):
        return stream
    if not any(b"#" in part for part in iter(partial(stream.read, _PART), b"")):
        stream.seek(0)
        return stream
    stream.seek(0)
    rest = io.BytesIO()
    while lines := stream.read(_PART) + stream.readline():
        rest.write(_COMMENT.sub(b"", lines))
    rest.seek(0)
    return rest
