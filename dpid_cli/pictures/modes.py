"""From the many modes of Pillow's images to the few that pictures have, and to arrays."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.errors import FileError
from dpid_cli.pictures.arrow import shared
from dpid_cli.pictures.icc import ink_to_srgb
from dpid_cli.pictures.repair import avif_is_deep

_COPIED_ROWS = 64
_BOXES = 2**16  # what describes an image stands before its pixels
# Whether columns and rows run backwards, by orientation; from 5 on they are exchanged first.
_MIRRORED = {
    1: (False, False),
    2: (True, False),
    3: (True, True),
    4: (False, True),
    5: (False, False),
    6: (True, False),
    7: (True, True),
    8: (False, True),
}


def pixels_of(image: Image.Image) -> NDArray[Any]:
    """The image as an array, in Pillow's own memory where it is laid out like one."""
    if image.mode in ("L", "RGB", "RGBA"):
        with suppress(ValueError):  # several blocks, because it was made before
            return shared(image)
    # In parts, because Pillow holds two more copies of what it hands over.
    width, height = image.size
    first = np.asarray(image.crop((0, 0, width, 1)))
    result = np.empty((height, *first.shape[1:]), first.dtype)
    for top in range(0, height, _COPIED_ROWS):
        bottom = min(top + _COPIED_ROWS, height)
        result[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return result


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels, (H, W[, C]), as EXIF's orientation says that they are looked at."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    across, down = _MIRRORED[orientation]
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def is_deep(image: Image.Image) -> bool:
    """Whether the file has more than 8 bits a channel, before Pillow reduces them to what its modes hold."""
    file = getattr(image, "fp", None)
    if image.format == "AVIF" and file is not None:
        file.seek(0)
        return avif_is_deep(file.read(_BOXES))
    if image.format == "HEIF":
        return bool(image.info.get("bit_depth", 8) > 8)
    bits = getattr(image, "tag_v2", {}).get(258, (8,))
    if max(bits) > 8:
        return True
    # What the decoder is told: a raw mode, for PPM with the largest value.
    return any(
        ";16" in str(tile.args)
        or (tile.codec_name.startswith("ppm") and isinstance(tile.args, tuple) and tile.args[-1] > 255)
        for tile in getattr(image, "tile", ())[:1]
    )


def plain(image: Image.Image, profile: bytes | None, name: str) -> tuple[Image.Image, bytes | None]:
    """The same picture in one of the modes L, LA, RGB, RGBA, I;16, F, and its profile."""
    if image.mode in ("CMYK", "LAB"):
        return ink_to_srgb(image, profile)
    if image.mode in ("I", "I;16B", "I;16L", "I;16N"):
        return _gray16(image, name), profile
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA"), profile
    simple = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "La": "LA", "RGBa": "RGBA"}
    return (image.convert(simple[image.mode]) if image.mode in simple else image), profile


def eight_bits(image: Image.Image) -> Image.Image:
    """16-bit gray as 8-bit gray, with alpha where one value is transparent; others as they are."""
    if image.mode != "I;16":
        return image
    values = np.asarray(image)
    gray = ((values + 128.0) // 257).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(gray)
    alpha = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.stack([gray, alpha], axis=-1))


def _gray16(image: Image.Image, name: str) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise FileError(f"{name}: it holds integers outside 0 to 65535: convert it to 16 bits or floats")
    return Image.fromarray(values.astype(np.uint16))
