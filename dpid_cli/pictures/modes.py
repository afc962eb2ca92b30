"""Pillow's many modes as the few of `Picture`, and images as arrays."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.arrow import shared
from dpid_cli.pictures.icc import ink_to_srgb
from dpid_cli.pictures.limits import RefusedError

_COPIED_ROWS = 64


def pixels_of(image: Image.Image) -> NDArray[Any]:
    """The image as an array, sharing Pillow's memory where possible."""
    if image.mode in ("L", "RGB", "RGBA"):
        with suppress(ValueError):  # several blocks: it was allocated before `one_block`
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
    """Pixels (H, W[, C]) turned as EXIF's orientation says."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    # 2 mirrors columns, 4 rows, 3 both; 5 to 8 do the same to what is exchanged.
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(pixels[:: -1 if down else 1, :: -1 if across else 1])


def plain(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """The same image in one of the modes L, LA, RGB, RGBA, I;16, F, and its profile."""
    if image.mode in ("CMYK", "LAB"):
        return ink_to_srgb(image, profile)
    if image.mode in ("I", "I;16B", "I;16L", "I;16N"):
        return _gray16(image), profile
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("LA" if image.mode in ("1", "L", "La") else "RGBA"), profile
    simple = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB", "La": "LA", "RGBa": "RGBA"}
    return (image.convert(simple[image.mode]) if image.mode in simple else image), profile


def _gray16(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise RefusedError("it has integers outside 0 to 65535: convert it to 16 bits or floats")
    return Image.fromarray(values.astype(np.uint16))
