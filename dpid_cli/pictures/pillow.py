"""Pillow's images: their memory as arrays, and their many modes as few."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.pictures.decoders import SHARED, memory_of
from dpid_cli.pictures.icc import ink_to_srgb
from dpid_cli.pictures.limits import RefusedError
from dpid_cli.pictures.picture import Palette

_COPIED_ROWS = 64


def shared(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an L, RGB or RGBA image: (H, W[, C]), read-only, in the memory of the image.

    Raises a `ValueError` if the image lies in several blocks.
    """
    image.load()
    array = np.frombuffer(memory_of(image), np.uint8)
    array.flags.writeable = False
    if image.mode == "L":
        return array.reshape(image.height, image.width)
    return array.reshape(image.height, image.width, 4)[..., : len(image.getbands())]


def pixels_of(image: Image.Image) -> NDArray[Any]:
    """The image as an array, sharing Pillow's memory where possible."""
    if image.mode in SHARED:
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


def indexed(image: Image.Image) -> tuple[NDArray[np.uint8], Palette]:
    """The indices (H, W) of an image in P, and its palette."""
    indices = np.array(image)
    mode = "RGBA" if image.palette is not None and image.palette.mode == "RGBA" else "RGB"
    entries = np.array(image.getpalette(mode), np.uint8).reshape(-1, len(mode))
    missing = max(int(indices.max()) + 1 - len(entries), 0)  # damaged, and black to most decoders
    colours = np.concatenate([entries[:, :3], np.zeros((missing, 3), np.uint8)])
    alpha = image.info.get("transparency", entries[:, 3].tobytes() if mode == "RGBA" else b"")
    if isinstance(alpha, int):
        alpha = b"\xff" * alpha + b"\0"
    return indices, Palette(colours, alpha.rstrip(b"\xff")[: len(colours)])


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
